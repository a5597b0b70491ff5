import { setImmediate as nextTurn } from 'node:timers/promises';
import { sortTurn, textTurn } from '../model/sizes.ts';

/**
 * Sorts texts by UTF-16 code units. Gives other work its turn now and then. What is sorted already, as a file of ours and
 * the list of many a source is, is returned as it is; everything else in a new array.
 */
export async function sortInTurns(texts: readonly string[]): Promise<readonly string[]> {
  if (await isSortedInTurns(texts)) return texts;
  if (texts.length <= sortTurn) return texts.toSorted();
  const runs: string[][] = [];
  for (let from = 0; from < texts.length; from += sortTurn) {
    runs.push(texts.slice(from, from + sortTurn).sort());
    await nextTurn();
  }
  while (runs.length > 1) runs.push(await merge(runs.shift() as string[], runs.shift() as string[]));
  return runs[0] as string[];
}

async function merge(a: readonly string[], b: readonly string[]): Promise<string[]> {
  const merged: string[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    merged.push((a[i] as string) <= (b[j] as string) ? (a[i++] as string) : (b[j++] as string));
    if (merged.length % textTurn === 0) await nextTurn();
  }
  while (i < a.length) merged.push(a[i++] as string);
  while (j < b.length) merged.push(b[j++] as string);
  return merged;
}

async function isSortedInTurns(texts: readonly string[]): Promise<boolean> {
  for (let i = 1; i < texts.length; i++) {
    if ((texts[i - 1] as string) > (texts[i] as string)) return false;
    if (i % textTurn === 0) await nextTurn();
  }
  return true;
}
