import type { ResourcePool } from '../model/resource.ts';

/** Bytes that a processor fetches from memory at once. */
const lineBytes = 64;

/** Bytes of a resource that are read beforehand: most have no more, and a long one is fetched as it is read. */
const maxBytes = 1024;

/** What was read; kept, so that nobody may leave the reading out. */
let read = 0;

/**
 * Reads something of each line of memory in `bytes[from, to)`, one behind the other, which a processor foresees. Who goes
 * through them in steps of some lines right afterwards does not wait for each.
 */
export function touchBytes(bytes: Uint8Array, from: number, to: number): void {
  for (let at = from; at < to; at += lineBytes) read ^= bytes[at] as number;
}

/**
 * The same of rows of `rows[from, to)`. What is asked for at once comes from memory at once; resources of which each is
 * looked at before the next is asked for are waited for one by one.
 */
export function touchRows(pool: ResourcePool, rows: Int32Array, from: number, to: number): void {
  const last = Math.min(to, rows.length);
  for (let i = from; i < last; i++) {
    const row = rows[i] as number;
    if (row < 0 || !pool.isInUse(row)) continue;
    const start = pool.start(row);
    touchBytes(pool.chunk(row), start, Math.min(pool.end(row), start + maxBytes));
  }
}
