/** A part of a text, and what is to stand in its place. Offsets count UTF-16 units. */
export type Splice = { readonly start: number; readonly end: number; readonly text: string };

/** In the order of the text; those at one place stay in their order. */
export function inOrder<S extends Splice>(splices: readonly S[]): S[] {
  return [...splices].sort((a, b) => a.start - b.start || a.end - b.end);
}

/**
 * The text with every part replaced.
 * @throws RangeError where two parts overlap.
 */
export function applySplices(text: string, splices: readonly Splice[]): string {
  const parts: string[] = [];
  let at = 0;
  for (const { start, end, text: insert } of inOrder(splices)) {
    if (start < at || end < start) throw new RangeError(`edits overlap at ${start}`);
    parts.push(text.slice(at, start), insert);
    at = end;
  }
  parts.push(text.slice(at));
  return parts.join('');
}
