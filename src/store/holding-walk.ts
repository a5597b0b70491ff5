import { noRow, type ResourcePool } from '../model/resource.ts';
import type { ResourceTable } from '../wire/resource-table.ts';

/** What is walked through; it tells the walk of every row that it puts in. */
type Walked = { readonly resources: ResourceTable; walk: HoldingWalk | undefined };

/**
 * A walk through what one origin holds of one kind, in pieces, while messages are put in between them: every key that is
 * held from the beginning to the end is met once, in one of the forms that it had meanwhile. Keys that come or go on the
 * way may be met, once, or not. What stands in the merged list is met in its order, as far as that does not change.
 */
export class HoldingWalk {
  readonly #holding: Walked;
  /** Rows held at the beginning, and then those that took the place of one that was not met yet. */
  readonly #rows: Int32Array;
  readonly #replacing: number[] = [];
  #at = 0;
  /** By row: 1 where its key was met, or needs not be. */
  #done: Uint8Array;

  /** Begins it. One at a time. */
  constructor(holding: Walked) {
    this.#holding = holding;
    this.#rows = inListOrder(holding.resources.pool, holding.resources.rows());
    this.#done = new Uint8Array(this.#rows.length + 1);
    holding.walk = this;
  }

  /** The holding has put `row` in the place of `old` (noRow = of nothing). */
  put(row: number, old: number): void {
    const isDone = old < 0 || this.#done[old] === 1;
    this.#mark(row, isDone);
    if (!isDone) this.#replacing.push(row);
  }

  /** The next row, to be read at once; undefined at the end. */
  next(): number | undefined {
    const { resources } = this.#holding;
    for (;;) {
      const begun = this.#rows.length;
      const row = this.#at < begun ? this.#rows[this.#at] : this.#replacing[this.#at - begun];
      if (row === undefined) return undefined;
      this.#at++;
      if (this.#done[row] === 1 || !resources.holds(row)) continue;
      this.#mark(row, true);
      return row;
    }
  }

  /** Ends it, at whatever place. */
  end(): void {
    if (this.#holding.walk === this) this.#holding.walk = undefined;
  }

  #mark(row: number, isDone: boolean): void {
    if (row >= this.#done.length) {
      const done = new Uint8Array(2 * row + 1);
      done.set(this.#done);
      this.#done = done;
    }
    this.#done[row] = isDone ? 1 : 0;
  }
}

/** The rows by where the merged list has them, and then those of which that is not known. */
function inListOrder(pool: ResourcePool, rows: Int32Array): Int32Array {
  let last = noRow;
  for (const row of rows) last = Math.max(last, pool.at(row));
  const places = new Int32Array(last + 1).fill(noRow);
  const ordered = new Int32Array(rows.length);
  let length = 0;
  let others = rows.length;
  for (const row of rows) {
    const at = pool.at(row);
    // Where two say the same, one of the hints is out of date.
    if (at !== noRow && places[at] === noRow) places[at] = row;
    else ordered[--others] = row;
  }
  for (const row of places) if (row !== noRow) ordered[length++] = row;
  return ordered;
}
