import type { Resource } from '../model/resource.ts';

/** What became of one key: another form, or gone. */
export type KeyChanges = ReadonlyMap<string, Resource | undefined>;

/**
 * Applies `changes` to a list that is sorted by key, each key once; the result is too. `leaves` is called with
 * every resource of the list that is not in the result. A change of what stands where its `at` says is one
 * assignment; the others are merged in.
 */
export function update(
  list: readonly Resource[],
  changes: KeyChanges,
  leaves: (resource: Resource) => void = () => {},
): Resource[] {
  const next = list.slice();
  const others = new Map<string, Resource | undefined>();
  for (const [key, resource] of changes) {
    const old = resource === undefined ? undefined : next[resource.at];
    if (resource === undefined || old?.key !== key) {
      others.set(key, resource);
      continue;
    }
    leaves(old);
    next[resource.at] = resource;
  }
  if (others.size === 0) return next;
  const merged = mergeSorted(next, others, leaves);
  for (let i = 0; i < merged.length; i++) (merged[i] as Resource).at = i;
  return merged;
}

/** The same, by key alone. Costs a copy of the list, and a search for each change that is short where they are near. */
export function mergeSorted(
  list: readonly Resource[],
  changes: KeyChanges,
  leaves: (resource: Resource) => void,
): Resource[] {
  const keys = [...changes.keys()];
  if (!isSorted(keys)) keys.sort(compareKeys);
  const merged: Resource[] = [];
  let from = 0;
  for (const key of keys) {
    const to = lowerBound(list, key, from);
    for (let i = from; i < to; i++) merged.push(list[i] as Resource);
    from = to;
    const old = list[from];
    if (old?.key === key) {
      leaves(old);
      from++;
    }
    const resource = changes.get(key);
    if (resource !== undefined) merged.push(resource);
  }
  for (let i = from; i < list.length; i++) merged.push(list[i] as Resource);
  return merged;
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
export function lowerBound(list: readonly Resource[], key: string, from: number): number {
  let low = from;
  let step = 1;
  while (low + step <= list.length && (list[low + step - 1] as Resource).key < key) {
    low += step;
    step *= 2;
  }
  let high = Math.min(low + step - 1, list.length);
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((list[middle] as Resource).key < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
