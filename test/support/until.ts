/** How long a condition may take before a test gives up. Generous: it only bounds a failure. */
const patienceMs = 45_000;

/** Time between two looks, in milliseconds. */
const everyMs = 15;

/**
 * Asks `probe` again and again until it returns something other than `undefined` or `false`, and returns that.
 * What a probe throws counts as "not yet"; the last error is in the message when time is up.
 */
export async function until<T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
): Promise<T> {
  const giveUpAt = performance.now() + patienceMs;
  let last = '';
  for (;;) {
    try {
      const found = await probe();
      if (found !== undefined && found !== false) return found;
      last = '';
    } catch (error) {
      last = `: ${error instanceof Error ? error.message : String(error)}`;
    }
    if (performance.now() > giveUpAt) throw new Error(`not within ${patienceMs} ms: ${what}${last}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
