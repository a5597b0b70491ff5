import { Random } from '../istiod/random.ts';
import { type ParserTarget, parserTargets } from './parsers.ts';

/** An input that a target did not take as it should. */
export type FuzzFailure = {
  readonly target: string;
  readonly round: number;
  readonly input: string;
  readonly problem: string;
};

/** What a run has seen of one target. */
export type FuzzCount = { readonly target: string; readonly inputs: number; readonly refused: number };

/** So long may one input take, in milliseconds: a reader that is slower on a few kilobytes never comes to an end. */
const patienceMs = 5000;

/** Failures of one target that are told. */
const maxFailures = 3;

/**
 * Gives every target inputs, each of which depends on the seed, the target and the round alone.
 *
 * @param goOn asked before each round.
 */
export async function fuzzParsers(
  seed: number,
  goOn: (round: number) => boolean,
  targets: readonly ParserTarget[] = parserTargets,
): Promise<{ failures: FuzzFailure[]; counts: FuzzCount[] }> {
  const failures: FuzzFailure[] = [];
  const counts = targets.map(({ name }) => ({ target: name, inputs: 0, refused: 0 }));
  for (let round = 0; goOn(round); round++) {
    for (const [index, target] of targets.entries()) {
      const count = counts[index] as (typeof counts)[number];
      if (failures.filter((one) => one.target === target.name).length >= maxFailures) continue;
      const input = target.input(new Random(seed + round * 0x9e37_79b1 + index * 0x85eb_ca6b));
      count.inputs++;
      const startedAt = performance.now();
      const thrown = await outcome(target, input);
      const ms = performance.now() - startedAt;
      if (thrown !== undefined) count.refused++;
      const problem = problemOf(target, thrown) ?? (ms > patienceMs ? `it took ${Math.round(ms)} ms` : undefined);
      if (problem === undefined) continue;
      const shown = typeof input === 'string' ? JSON.stringify(input) : input.toString('hex');
      failures.push({ target: target.name, round, input: shown.slice(0, 4000), problem });
    }
  }
  return { failures, counts };
}

/** What it throws; undefined where it reads the input. */
async function outcome(
  { read }: ParserTarget,
  input: Buffer | string,
): Promise<{ readonly error: unknown } | undefined> {
  try {
    await read(input as never);
    return undefined;
  } catch (error) {
    return { error };
  }
}

function problemOf({ allowed }: ParserTarget, thrown: { readonly error: unknown } | undefined): string | undefined {
  if (thrown === undefined || allowed.some((type) => thrown.error instanceof type)) return undefined;
  return thrown.error instanceof Error ? (thrown.error.stack ?? thrown.error.message) : String(thrown.error);
}
