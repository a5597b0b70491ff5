import type { ResourcePool } from '../model/resource.ts';

/** Bytes that a processor fetches from memory at once. */
const lineBytes = 64;

/** Bytes of a resource that are read beforehand: most have no more, and a long one is fetched as it is read. */
const maxBytes = 1024;

/** What was read; kept, so that nobody may leave the reading out. */
let read = 0;

/**
 * Reads something of each line of memory in which rows of `rows[from, to)` lie. What is asked for at once comes from memory
 * at once; resources of which each is looked at before the next is asked for are waited for one by one.
 */
export function touchRows(pool: ResourcePool, rows: Int32Array, from: number, to: number): void {
  const last = Math.min(to, rows.length);
  for (let i = from; i < last; i++) {
    const row = rows[i] as number;
    if (row < 0 || !pool.isInUse(row)) continue;
    const start = pool.start(row);
    const chunk = pool.chunk(row);
    const end = Math.min(pool.end(row), start + maxBytes);
    for (let at = start; at < end; at += lineBytes) read ^= chunk[at] as number;
  }
}
