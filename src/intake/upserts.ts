import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Change } from '../model/change.ts';
import { noRow, type ResourcePool } from '../model/resource.ts';
import { listTurn } from '../model/sizes.ts';
import { type Arena, discard } from '../wire/arena.ts';
import { keyOf } from '../wire/resource-frame.ts';
import { sortInTurns } from './sort.ts';

/** The new and changed resources of one message: a list, of which a resource that is named again can be taken back. */
export class Upserts {
  readonly #pool: ResourcePool;
  readonly #rows: number[] = [];
  readonly #replaced: number[] = [];
  /** Places of keys that are not held yet. */
  readonly #fresh = new Map<string, number>();
  /** Places of all keys; made only for a message that names something twice. */
  #places: Map<string, number> | undefined;
  #dropped = 0;

  constructor(pool: ResourcePool) {
    this.#pool = pool;
  }

  /** @param replaced what is held of its key; {@link noRow} = nothing. */
  add(row: number, replaced: number): void {
    const place = this.#rows.push(row) - 1;
    this.#replaced.push(replaced);
    if (replaced === noRow) this.#fresh.set(keyOf(this.#pool, row), place);
    this.#places?.set(keyOf(this.#pool, row), place);
  }

  /** True where the key is one of those that were not held yet. */
  hasFresh(key: string): boolean {
    return this.#fresh.has(key);
  }

  /** Takes the row with this key back, if there is one: it is free. Returns it. */
  drop(key: string, arena: Arena): number {
    this.#places ??= this.#allPlaces();
    const place = this.#places.get(key);
    if (place === undefined) return noRow;
    const row = this.#rows[place] as number;
    this.#places.delete(key);
    this.#fresh.delete(key);
    this.#rows[place] = noRow;
    this.#dropped++;
    discard(this.#pool, row, arena);
    return row;
  }

  /** Takes all rows back. */
  release(arena: Arena): void {
    for (const row of this.#rows) if (row !== noRow) discard(this.#pool, row, arena);
  }

  #allPlaces(): Map<string, number> {
    return new Map(this.#rows.flatMap((row, place) => (row === noRow ? [] : [[keyOf(this.#pool, row), place]])));
  }

  /** All that are left, and what each replaces: those that replace nothing last, sorted by key. */
  async all(): Promise<Pick<Change, 'upserts' | 'replaced' | 'fresh'>> {
    const keys = [...this.#fresh.keys()];
    const fresh = await sortInTurns(keys);
    if (fresh.length === 0 && this.#dropped === 0) return { upserts: this.#rows, replaced: this.#replaced, fresh };
    const upserts: number[] = [];
    const replaced: number[] = [];
    for (let place = 0; place < this.#rows.length; place++) {
      if (place > 0 && place % listTurn === 0) await nextTurn();
      const old = this.#replaced[place] as number;
      if (old === noRow || this.#rows[place] === noRow) continue;
      upserts.push(this.#rows[place] as number);
      replaced.push(old);
    }
    const places = fresh === keys ? this.#fresh.values() : fresh.map((key) => this.#fresh.get(key) as number);
    for (const place of places) {
      if (replaced.length > 0 && replaced.length % listTurn === 0) await nextTurn();
      upserts.push(this.#rows[place] as number);
      replaced.push(noRow);
    }
    return { upserts, replaced, fresh };
  }
}
