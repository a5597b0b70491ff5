import { type Patience, until as untilWithin } from '../../support/until.ts';

export { Hopeless } from '../../support/until.ts';

/** How long a condition may take before a test gives up. Generous: it only bounds a failure. */
export const patienceMs = 60_000;

/** The same as in the other tests, with the patience that real servers need. */
export function until<T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  patience: Patience = {},
): Promise<T> {
  return untilWithin(what, probe, { timeoutMs: patienceMs, everyMs: 25, ...patience });
}
