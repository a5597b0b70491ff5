import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Change } from '../model/change.ts';
import { noRow, type ResourcePool } from '../model/resource.ts';
import { listTurn, textTurn } from '../model/sizes.ts';
import { type Arena, discard } from '../wire/arena.ts';
import { keyOf } from '../wire/resource-frame.ts';
import { sortInTurns } from './sort.ts';

/** The new and changed resources of one message: a list, of which a resource that is named again can be taken back. */
export class Upserts {
  readonly #pool: ResourcePool;
  readonly #rows: number[] = [];
  readonly #replaced: number[] = [];
  readonly #fresh = new FreshKeys();
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
    const keys = this.#fresh.all();
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
    for (const [i, key] of fresh.entries()) {
      if (i > 0 && i % textTurn === 0) await nextTurn();
      upserts.push(this.#rows[this.#fresh.placeOf(key, i)] as number);
      replaced.push(noRow);
    }
    return { upserts, replaced, fresh };
  }
}

/**
 * Places of keys that are not held yet. While each comes behind the one before, as in a file of ours and from many a source,
 * none can come twice, and they are two lists; a hundred thousand of them in a map take as long as all else that is done
 * with them.
 */
class FreshKeys {
  #keys: string[] = [];
  #places: number[] = [];
  /** Has all of them, once one of them came out of order or was taken back. */
  #map: Map<string, number> | undefined;

  has(key: string): boolean {
    if (this.#map === undefined && this.#isNext(key)) return false;
    return this.#mapped().has(key);
  }

  set(key: string, place: number): void {
    if (this.#map === undefined && this.#isNext(key)) {
      this.#keys.push(key);
      this.#places.push(place);
    } else this.#mapped().set(key, place);
  }

  delete(key: string): void {
    this.#mapped().delete(key);
  }

  /** In the order in which they came. */
  all(): readonly string[] {
    return this.#map === undefined ? this.#keys : [...this.#map.keys()];
  }

  /** @param at its place in the order of the keys. */
  placeOf(key: string, at: number): number {
    // They came in order, so that nobody had to sort them.
    return (this.#map === undefined ? this.#places[at] : this.#map.get(key)) as number;
  }

  #isNext(key: string): boolean {
    const { length } = this.#keys;
    return length === 0 || key > (this.#keys[length - 1] as string);
  }

  #mapped(): Map<string, number> {
    if (this.#map !== undefined) return this.#map;
    this.#map = new Map();
    for (const [i, key] of this.#keys.entries()) this.#map.set(key, this.#places[i] as number);
    this.#keys = [];
    this.#places = [];
    return this.#map;
  }
}
