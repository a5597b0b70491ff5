import type { ResourcePool } from '../model/resource.ts';
import { blockRows, partBytes } from '../model/sizes.ts';
import type { Snapshot } from '../model/snapshot.ts';
import { type Part, partOfRows } from '../wire/legacy-source.ts';

/** A part with fewer rows is made again with those before it, where these are. */
const fewRows = blockRows / 4;

/** Of which rows a part was made, and their versions then. */
type Made = { readonly part: Part; readonly rows: Int32Array; readonly versions: Int32Array };

/**
 * The resources of one kind as parts of legacy messages. A part stays the same object while nothing in it changes: where
 * one resource is another one, or came, or went, one part is copied.
 */
export class OutputParts {
  /** By its first row. */
  #made = new Map<number, Made>();

  /**
   * The parts of a snapshot.
   *
   * @param maxBytes copies no more than about so much, and returns undefined where that was not enough: what was copied
   *   makes the next call cheaper.
   */
  of({ pool, rows }: Snapshot, maxBytes = Number.POSITIVE_INFINITY): Part[] | undefined {
    const parts: Part[] = [];
    const used = new Map<number, Made>();
    let left = maxBytes;
    for (let at = 0; at < rows.length; ) {
      const first = rows[at] as number;
      let made = this.#made.get(first);
      if (made === undefined || !isSame(made, pool, rows, at)) {
        if (left <= 0) return undefined;
        made = make(pool, rows.slice(at, this.#endOf(pool, rows, at)));
        this.#made.set(first, made);
        left -= made.part.bytes.length;
      }
      used.set(first, made);
      parts.push(made.part);
      at += made.rows.length;
    }
    this.#made = used;
    return parts;
  }

  /** Gives the memory back. */
  clear(): void {
    this.#made.clear();
  }

  /** Where a part that begins at `start` ends: where it is large enough, or the next known one begins. */
  #endOf(pool: ResourcePool, rows: Int32Array, start: number): number {
    let bytes = 0;
    let at = start;
    do {
      bytes += pool.bytes(rows[at] as number);
      at++;
      const next = this.#made.get(rows[at] ?? -1);
      if (next !== undefined && next.rows.length >= fewRows) break;
    } while (at < rows.length && at - start < 2 * blockRows && bytes < partBytes);
    return at;
  }
}

function make(pool: ResourcePool, rows: Int32Array): Made {
  const versions = new Int32Array(3 * rows.length);
  for (const [i, row] of rows.entries()) {
    versions[3 * i] = pool.v1(row);
    versions[3 * i + 1] = pool.v2(row);
    versions[3 * i + 2] = pool.v3(row);
  }
  return { part: partOfRows(pool, rows), rows, versions };
}

/** True where the same rows stand at `at`, and have the content that they had. */
function isSame({ rows: mine, versions }: Made, pool: ResourcePool, rows: Int32Array, at: number): boolean {
  if (at + mine.length > rows.length) return false;
  for (let i = 0; i < mine.length; i++) {
    const row = mine[i] as number;
    if (rows[at + i] !== row) return false;
    const v = 3 * i;
    if (pool.v1(row) !== versions[v] || pool.v2(row) !== versions[v + 1] || pool.v3(row) !== versions[v + 2])
      return false;
  }
  return true;
}
