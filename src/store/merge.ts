import { noRow, type ResourcePool } from '../model/resource.ts';
import { keyOf } from '../wire/resource-frame.ts';

/** What became of one key: another row, or {@link noRow} where it is gone. */
export type KeyChanges = ReadonlyMap<string, number>;

/**
 * Applies `changes` to rows that are sorted by key, each key once; the result is too. `leaves` is called with
 * every row of the list that is not in the result. A change of what stands where its `at` says is one
 * assignment; the others are merged in.
 */
export function update(
  pool: ResourcePool,
  rows: Int32Array,
  changes: KeyChanges,
  leaves: (row: number) => void = () => {},
): Int32Array {
  const next = rows.slice();
  const others = new Map<string, number>();
  for (const [key, row] of changes) {
    const old = row === noRow ? noRow : (next[pool.at(row)] ?? noRow);
    if (old === noRow || keyOf(pool, old) !== key) {
      others.set(key, row);
      continue;
    }
    leaves(old);
    next[pool.at(row)] = row;
  }
  if (others.size === 0) return next;
  const merged = mergeSorted(pool, next, others, leaves);
  for (let i = 0; i < merged.length; i++) pool.setAt(merged[i] as number, i);
  return merged;
}

/** The rows without some that are among them, which are where their `at` says. */
export function without(pool: ResourcePool, rows: Int32Array, gone: ReadonlySet<number>): Int32Array {
  const places = Int32Array.from(gone, (row) => pool.at(row)).sort();
  const left = new Int32Array(rows.length - places.length);
  let length = 0;
  let from = 0;
  for (const place of places) {
    left.set(rows.subarray(from, place), length);
    length += place - from;
    from = place + 1;
  }
  left.set(rows.subarray(from), length);
  for (let i = places[0] ?? 0; i < left.length; i++) pool.setAt(left[i] as number, i);
  return left;
}

/** The same as {@link update}, by key alone. Costs a copy of the list, and a search for each change that is short where they are near. */
export function mergeSorted(
  pool: ResourcePool,
  rows: Int32Array,
  changes: KeyChanges,
  leaves: (row: number) => void,
): Int32Array {
  const keys = [...changes.keys()];
  if (!isSorted(keys)) keys.sort(compareKeys);
  const merged = new Int32Array(rows.length + changes.size);
  let length = 0;
  let from = 0;
  for (const key of keys) {
    const to = lowerBound(pool, rows, key, from);
    merged.set(rows.subarray(from, to), length);
    length += to - from;
    from = to;
    const old = rows[from];
    if (old !== undefined && keyOf(pool, old) === key) {
      leaves(old);
      from++;
    }
    const row = changes.get(key) ?? noRow;
    if (row !== noRow) merged[length++] = row;
  }
  merged.set(rows.subarray(from), length);
  return merged.slice(0, length + rows.length - from);
}

/** Order of UTF-16 code units, the same on every machine. */
function compareKeys(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function isSorted(keys: readonly string[]): boolean {
  for (let i = 1; i < keys.length; i++) if ((keys[i - 1] as string) > (keys[i] as string)) return false;
  return true;
}

/** First place at or after `from` whose key is not before `key`: steps that double, then halving. */
export function lowerBound(pool: ResourcePool, rows: Int32Array, key: string, from: number): number {
  let low = from;
  let step = 1;
  while (low + step <= rows.length && keyOf(pool, rows[low + step - 1] as number) < key) {
    low += step;
    step *= 2;
  }
  let high = Math.min(low + step - 1, rows.length);
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keyOf(pool, rows[middle] as number) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
