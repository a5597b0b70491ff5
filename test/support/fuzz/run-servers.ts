import { Random } from '../istiod/random.ts';
import { until } from '../until.ts';
import { type Attack, attack } from './attacks.ts';
import { heapBytes } from './heap.ts';
import type { FuzzServer } from './servers.ts';

/** Attackers at once. */
const attackers = 12;

/** What a run has seen of one server. */
export type ServerReport = {
  readonly server: string;
  readonly attacks: number;
  /** Of the server's process, or of this one's heap: after the first round, and at the end. */
  readonly memory: { readonly before: number; readonly after: number };
};

/**
 * Attacks a server round by round. After each one the good peer is told something new, and once all attackers are gone,
 * nothing is left of them.
 *
 * @param goOn asked before each round.
 * @throws where the good peer is not served, or streams hang.
 */
export async function fuzzServer(
  server: FuzzServer,
  seed: number,
  goOn: (round: number) => boolean,
): Promise<ServerReport> {
  const measure = () => server.memory() ?? heapBytes();
  let attacks = 0;
  let before: number | undefined;
  for (let round = 0; goOn(round); round++) {
    const open: Attack[] = [];
    await Promise.all(
      Array.from({ length: attackers }, async (_, index) => {
        const random = new Random(seed + round * 0x9e37_79b1 + index * 0x85eb_ca6b);
        open.push(await attack(server, random));
        attacks++;
      }),
    );
    // While they are there.
    await server.serve();
    await Promise.all(open.map((one) => one.close()));
    await until(`round ${round} on ${server.name}: no stream of an attacker is left`, async () => {
      return (await server.streams()) === server.good;
    });
    await server.serve();
    before ??= measure();
  }
  const after = measure();
  return { server: server.name, attacks, memory: { before: before ?? after, after } };
}
