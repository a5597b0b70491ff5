/** From this share of a limit on the operator is warned. */
export const nearShare = 0.8;

/** Below this share it is well again: a size that goes up and down around a border is worth one warning. */
const clearShare = 0.7;

/** How a size stands to its limit: `low` · `near` it, and still well · `over` it. */
export type SizeLevel = 'low' | 'near' | 'over';

/** @param before the level of the last size. */
export function sizeLevel(bytes: number, limit: number, before: SizeLevel): SizeLevel {
  if (bytes > limit) return 'over';
  const border = before === 'low' ? nearShare : clearShare;
  return bytes >= limit * border ? 'near' : 'low';
}
