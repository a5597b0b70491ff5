import { messageOf } from '../../src/model/errors.ts';

/** Thrown by a probe when waiting on is of no use. */
export class Hopeless extends Error {}

export type Patience = {
  /** How long the condition may take before a test gives up. Generous: it only bounds a failure. @default 45_000 */
  readonly timeoutMs?: number;
  /** Time between two looks. @default 15 */
  readonly everyMs?: number;
};

/**
 * Asks `probe` again and again until it returns something other than `undefined` or `false`, and returns that.
 * A probe that throws counts as "not yet", unless it throws {@link Hopeless}; the last error is in the message when
 * time is up.
 */
export async function until<T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  { timeoutMs = 45_000, everyMs = 15 }: Patience = {},
): Promise<T> {
  const giveUpAt = performance.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const found = await probe();
      if (found !== undefined && found !== false) return found;
      last = undefined;
    } catch (error) {
      if (error instanceof Hopeless) throw error;
      last = error;
    }
    if (performance.now() > giveUpAt) {
      const reason = last === undefined ? '' : `: ${messageOf(last)}`;
      throw new Error(`not within ${timeoutMs} ms: ${what}${reason}`, { cause: last });
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
