import { setImmediate as nextTurn } from 'node:timers/promises';
import { listTurn, sortTurn } from '../model/sizes.ts';

/** Sorts texts by UTF-16 code units, in a new array. Gives other work its turn now and then. */
export async function sortInTurns(texts: readonly string[]): Promise<string[]> {
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
    if (merged.length % listTurn === 0) await nextTurn();
  }
  while (i < a.length) merged.push(a[i++] as string);
  while (j < b.length) merged.push(b[j++] as string);
  return merged;
}
