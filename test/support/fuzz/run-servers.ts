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

/** So long may it take until a server knows that all attackers have gone: the ping of grpc-js, and then some. */
const patience = { timeoutMs: 90_000, everyMs: 50 };

/**
 * Attacks a server round by round. In each one the good peer is told something new; at the end, nothing is left of the
 * attackers.
 *
 * @param goOn asked before each round.
 * @param breaks see {@link attack}.
 * @throws where the good peer is not served, or streams hang.
 */
export async function fuzzServer(
  server: FuzzServer,
  seed: number,
  goOn: (round: number) => boolean,
  breaks: boolean,
): Promise<ServerReport> {
  const measure = () => server.memory() ?? heapBytes();
  let attacks = 0;
  let before: number | undefined;
  for (let round = 0; goOn(round); round++) {
    const open: Attack[] = [];
    await Promise.all(
      Array.from({ length: attackers }, async (_, index) => {
        const random = new Random(seed + round * 0x9e37_79b1 + index * 0x85eb_ca6b);
        open.push(await attack(server, random, breaks));
        attacks++;
      }),
    );
    // While they are there, and when they are gone.
    await server.serve();
    await Promise.all(open.map((one) => one.close()));
    await server.serve();
    before ??= measure();
  }
  const isAlone = async () => (await server.streams()) === server.good;
  await until(`no stream of an attacker is left on ${server.name}`, isAlone, patience);
  await server.serve();
  const after = measure();
  return { server: server.name, attacks, memory: { before: before ?? after, after } };
}
