import type { Splice } from './splice.ts';

/** Where an element of a flow list or map stands; both ends are offsets of the text. */
export type Extent = { readonly start: number; readonly end: number };

/** Takes elements out of `[…]` or `{…}`, with the commas that they need no more. */
export function dropFromFlow(elements: readonly Extent[], dropped: ReadonlySet<number>): Splice[] {
  const splices: Splice[] = [];
  const lastKept = elements.findLastIndex((_, index) => !dropped.has(index));
  for (const [index, { start }] of elements.entries()) {
    const next = elements[index + 1];
    if (index < lastKept && dropped.has(index) && next !== undefined) {
      splices.push({ start, end: next.start, text: '' });
    }
  }
  const [kept, last] = [elements[lastKept], elements.at(-1)];
  if (last !== undefined && lastKept < elements.length - 1) {
    const start = kept?.end ?? elements[0]?.start ?? last.start;
    splices.push({ start, end: last.end, text: '' });
  }
  return splices;
}

/** Puts an element behind another one, on a line of its own where that one has one. */
export function insertBehind(text: string, { start, end }: Extent, insert: string): Splice {
  return { start: end, end, text: `,${separator(text, start)}${insert}` };
}

/** Puts an element before another one. */
export function insertBefore(text: string, { start }: Extent, insert: string): Splice {
  return { start, end: start, text: `${insert},${separator(text, start)}` };
}

/** A space, or a new line with the indent of an element that begins one. */
function separator(text: string, start: number): string {
  const indent = text.slice(text.lastIndexOf('\n', start - 1) + 1, start);
  return text.lastIndexOf('\n', start - 1) >= 0 && /^[ \t]+$/.test(indent) ? `\n${indent}` : ' ';
}
