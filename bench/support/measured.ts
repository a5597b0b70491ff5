/** Samples and the one number that stands for them. */
export type Measured = { readonly median: number; readonly samples: readonly number[] };

/** @param digits behind the point. */
export function measured(samples: readonly number[], digits = 2): Measured {
  const rounded = samples.map((value) => round(value, digits));
  return { median: round(median(rounded), digits), samples: rounded };
}

/** @throws where there are no samples. */
export function median(samples: readonly number[]): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const half = sorted.length >>> 1;
  const upper = sorted[half];
  if (upper === undefined) throw new Error('there is nothing to take the median of');
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[half - 1] as number)) / 2;
}

function round(value: number, digits: number): number {
  return Math.round(value * 10 ** digits) / 10 ** digits;
}
