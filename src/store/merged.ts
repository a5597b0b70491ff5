import { noRow, ResourcePool } from '../model/resource.ts';
import { blockRows, placeTurn } from '../model/sizes.ts';
import type { Listed, Snapshot } from '../model/snapshot.ts';
import { keyOf } from '../wire/resource-frame.ts';
import { lowerBound, update, without } from './merge.ts';
import { VersionSum } from './version-sum.ts';

/** Resources with which a list begins. */
type First = {
  readonly keys: readonly string[];
  readonly rows: readonly number[];
  /** Of all of them; undefined where nobody has added it up. */
  sum?: VersionSum;
};

/**
 * One kind over all origins: the merged list, what has changed since, and the version of it all. A version means one
 * content, whenever one looks (docs/adr/0003).
 */
export class Merged {
  /** The resources of all origins. */
  readonly pool = new ResourcePool();
  /** Everything else, noRow = gone; of a key that is in both, this counts. */
  readonly #changed = new Map<string, number>();
  /** What came first of all, sorted by key, while nothing else has come. */
  #first: First | undefined;
  /** Rows of the list that are to leave it. */
  readonly #leaving = new Set<number>();
  /** Rows that were put in the place of others since the last fold. */
  #replaced = 0;
  /** True from the first moment on at which every origin that may hold the kind was known. */
  announced = false;
  readonly #kind: string;
  readonly #sum = new VersionSum();
  /** Of what is in the list; what is overwritten keeps its length. */
  #bytes = 0;
  #snapshot: Snapshot;
  /** True where a listed resource was overwritten since the snapshot was made. */
  #isOverwritten = false;
  /** The identity that listeners were told of last, and whether somebody was given another one since. */
  #told: string;
  #isGiven = false;
  /** The last one given. */
  #stamp = 0;

  constructor(kind: string) {
    this.#kind = kind;
    this.#snapshot = {
      kind,
      version: this.#sum.toString(),
      identity: this.#sum.identity,
      pool: this.pool,
      rows: new Int32Array(),
      stamps: new Int32Array(),
      bytes: 0,
    };
    this.#told = this.#snapshot.identity;
  }

  readonly listed: Listed = {
    remove: (row) => {
      this.#isOverwritten = true;
      this.#sum.remove(this.pool, row);
    },
    add: (row) => this.#sum.add(this.pool, row),
    replace: (old, row) => {
      const { rows, stamps } = this.#snapshot;
      const at = this.pool.at(old);
      if (rows[at] !== old) return false;
      this.#isOverwritten = true;
      this.#replaced++;
      this.#leaves(old);
      this.#comes(row);
      rows[at] = row;
      this.pool.setAt(row, at);
      stamps[Math.floor(at / blockRows)] = ++this.#stamp;
      return true;
    },
  };

  /** Takes note that a row of the list is to leave it. False where it is not in there. */
  remove(row: number): boolean {
    if (this.#snapshot.rows[this.pool.at(row)] !== row) return false;
    this.#leaving.add(row);
    return true;
  }

  /** Takes note of what became of a key: another row, or {@link noRow} where it is gone. */
  set(key: string, row: number): void {
    this.#spreadFirst();
    // What came and went before the list had it: while a kind is not complete, that may go on for days.
    if (row === noRow && this.#changed.has(key) && !this.#lists(key)) this.#changed.delete(key);
    else this.#changed.set(key, row);
  }

  /** The same for a row that may be what the list has, or will have, already. */
  keep(key: string, row: number): void {
    if (row === noRow || !this.pool.isListed(row) || this.#changed.has(key)) this.set(key, row);
  }

  /** What waits to become of a key: a row, or noRow where it is to leave; undefined where nothing does. */
  waiting(key: string): number | undefined {
    this.#spreadFirst();
    return this.#changed.get(key);
  }

  #lists(key: string): boolean {
    const { rows } = this.#snapshot;
    const row = rows[lowerBound(this.pool, rows, key, 0)];
    return row !== undefined && keyOf(this.pool, row) === key;
  }

  /** Takes note of rows with new keys, sorted by them. */
  add(keys: readonly string[], rows: readonly number[]): void {
    if (this.pending + this.#snapshot.rows.length === 0) this.#first = { keys, rows };
    else for (let i = 0; i < keys.length; i++) this.keep(keys[i] as string, rows[i] as number);
  }

  /** Does in turns, as far as nothing else comes, what the first fold would do in one piece. */
  *prepare(): Generator<void> {
    const { pool } = this;
    const first = this.#first;
    if (first === undefined) return;
    const sum = new VersionSum();
    for (let i = 0; i < first.rows.length; i++) {
      if (i > 0 && i % placeTurn === 0) {
        yield;
        if (this.#first !== first) return;
      }
      const row = first.rows[i] as number;
      pool.setAt(row, i);
      sum.add(pool, row);
    }
    first.sum = sum;
  }

  #spreadFirst(): void {
    if (this.#first === undefined) return;
    const { keys, rows } = this.#first;
    this.#first = undefined;
    for (let i = 0; i < keys.length; i++) this.#changed.set(keys[i] as string, rows[i] as number);
  }

  /** Changes that wait to be folded in. */
  get pending(): number {
    return this.#changed.size + this.#leaving.size + (this.#first?.rows.length ?? 0);
  }

  /** True where listeners may have to hear of something, be it of a message that was never read to its end. */
  get isUntold(): boolean {
    return this.pending > 0 || this.#isOverwritten || this.#isGiven || this.#snapshot.identity !== this.#told;
  }

  get snapshot(): Snapshot {
    if (this.#isOverwritten) {
      this.#renew(this.#snapshot.rows);
      this.#isGiven = true;
    }
    return this.#snapshot;
  }

  /** Folds the pending changes in before anybody is told: what comes to see the list meanwhile is given it. */
  foldEarly(): void {
    this.fold();
    this.#isGiven = true;
  }

  /** Folds the pending changes into the list; returns how many rows are new or gone since the last fold. */
  fold(): number {
    const { pool, pending } = this;
    const news = pending + this.#replaced;
    this.#replaced = 0;
    if (pending === 0) return news;
    const rows = this.#first === undefined ? this.#update() : this.#begin(this.#first);
    pool.sweep();
    // Even with an equal version the rows are others: the old ones may hold memory that was given back.
    this.#renew(rows);
    return news;
  }

  /** The list that was empty. */
  #begin({ rows: sorted, sum }: First): Int32Array {
    this.#first = undefined;
    const rows = Int32Array.from(sorted);
    if (sum !== undefined) this.#sum.addAll(sum);
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i] as number;
      if (sum !== undefined) {
        this.pool.setListed(row, true);
        this.#bytes += this.pool.bytes(row);
        continue;
      }
      this.pool.setAt(row, i);
      this.#comes(row);
    }
    return rows;
  }

  #update(): Int32Array {
    const { pool } = this;
    const changed = this.#changed;
    const left = this.#leaving.size === 0 ? this.#snapshot.rows : without(pool, this.#snapshot.rows, this.#leaving);
    for (const row of this.#leaving) this.#leaves(row);
    const rows = changed.size === 0 ? left : update(pool, left, changed, (row) => this.#leaves(row));
    for (const row of changed.values()) if (row !== noRow) this.#comes(row);
    this.#leaving.clear();
    changed.clear();
    return rows;
  }

  /** True where listeners have to hear of it: there is something else than what they, or somebody, was given. */
  tell(): boolean {
    const { identity } = this.#isOverwritten ? this.#renew(this.#snapshot.rows) : this.#snapshot;
    const isNews = identity !== this.#told || this.#isGiven || !this.announced;
    this.#told = identity;
    this.#isGiven = false;
    this.announced = true;
    return isNews;
  }

  /** Resources lie somewhere else now: what was made of the snapshot so far would keep their old memory. */
  moved(): void {
    this.#renew(this.snapshot.rows.slice());
  }

  #comes(row: number): void {
    this.pool.setListed(row, true);
    this.#bytes += this.pool.bytes(row);
    this.#sum.add(this.pool, row);
  }

  #leaves(row: number): void {
    this.pool.setListed(row, false);
    this.#bytes -= this.pool.bytes(row);
    this.#sum.remove(this.pool, row);
  }

  #renew(rows: Int32Array): Snapshot {
    this.#isOverwritten = false;
    const old = this.#snapshot;
    const stamps = rows === old.rows ? old.stamps : new Int32Array(Math.ceil(rows.length / blockRows));
    const version = this.#sum.toString();
    const { identity } = this.#sum;
    this.#snapshot = { kind: this.#kind, version, identity, pool: this.pool, rows, stamps, bytes: this.#bytes };
    return this.#snapshot;
  }
}
