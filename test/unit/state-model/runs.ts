/** How much longer than usual properties run; `ISTHMUS_PROPERTY_RUNS=100` looks a hundred times as hard. */
const factor = Number(process.env.ISTHMUS_PROPERTY_RUNS ?? 1);

/** Parameters for `fc.assert`; a failure prints its seed and path. */
export function runs(usual: number): { readonly numRuns: number } {
  return { numRuns: Math.max(1, Math.round(usual * factor)) };
}

/** Time for one property, in milliseconds; only bounds a failure. */
export const propertyTimeoutMs = 180_000 * Math.max(1, factor);
