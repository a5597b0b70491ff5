import type { ResourceTable } from '../wire/resource-table.ts';

/** What is walked through; it tells the walk of every row that it puts in. */
type Walked = { readonly resources: ResourceTable; walk: HoldingWalk | undefined };

/**
 * A walk through what one origin holds of one kind, in pieces, while messages are put in between them: every key that is
 * held from the beginning to the end is met once, in one of the forms that it had meanwhile. Keys that come or go on the
 * way may be met, once, or not.
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
    this.#rows = holding.resources.rows();
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
