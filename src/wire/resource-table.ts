import { type Hash, noRow, type ResourcePool } from '../model/resource.ts';
import { type Viewed, viewed } from './bytes.ts';
import { avalanche, secretBits } from './hash.ts';
import { isNamed, isSameName, keyOf, nameRange } from './resource-frame.ts';

/**
 * Others in each process, so that nobody outside can choose names that collide. A secret start alone would not do:
 * with a known factor, differences of two neighbouring words cancel each other whatever it is.
 */
const seed = secretBits();
const factor = secretBits() | 1;

const leastSlots = 16;

/** Hash of a key as it stands on the wire; 0 ≤ hash < 2^31. */
export function hashKey(view: DataView, start: number, end: number): number {
  let hash = seed;
  let i = start;
  for (; i + 4 <= end; i += 4) hash = step(hash, view.getInt32(i, true));
  for (; i < end; i++) hash = step(hash, view.getUint8(i));
  return avalanche(hash) & 0x7fffffff;
}

function step(hash: number, value: number): number {
  const h = Math.imul(hash ^ value, 0x9e3779b1);
  return Math.imul(h ^ (h >>> 15), factor);
}

/**
 * Rows of a pool by key. Like a Map, but keys are the bytes that they are on the wire: a hundred thousand names need not
 * become a hundred thousand strings. Open addressing, at most half full. {@link noRow} stands for what is not there.
 */
export class ResourceTable {
  readonly pool: ResourcePool;
  /** The row in each slot. */
  #slots = newSlots(leastSlots);
  /** Hash of the key in each slot; kept here, so that a search looks at few rows that it is not about. */
  #hashes = new Int32Array(leastSlots);
  #size = 0;
  /** Its number in the pool: whether a row is one of this table is said by the row, where whoever asks looks anyway. */
  readonly #owner: number;

  constructor(pool: ResourcePool) {
    this.pool = pool;
    this.#owner = pool.newOwner();
  }

  get size(): number {
    return this.#size;
  }

  /** True where the row is one of this table. */
  holds(row: number): boolean {
    return row !== noRow && this.pool.isOwned(row, this.#owner);
  }

  /**
   * The row with this key, if its content is this one too.
   *
   * @param hash {@link hashKey} of the key, which is part of the content.
   */
  findSame(hash: number, content: Hash): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const row = slots[at] as number;
      if (row === noRow || (this.#hashes[at] === hash && this.pool.hasContent(row, content))) return row;
    }
  }

  /** @param hash {@link hashKey} of the bytes. */
  find(bytes: Viewed, start: number, end: number, hash: number): number {
    return this.#slots[this.#slotOf(bytes, start, end, hash)] as number;
  }

  get(key: string): number {
    const bytes = viewed(Buffer.from(key));
    return this.find(bytes, 0, bytes.length, hashKey(bytes.view, 0, bytes.length));
  }

  has(key: string): boolean {
    return this.get(key) !== noRow;
  }

  /**
   * Adds a row, or puts it in the place of the one with its key; returns that one.
   *
   * @param known what probably has its key: saves the search.
   */
  put(row: number, known = noRow): number {
    const { pool } = this;
    if (this.holds(known) && isSameName(pool, known, row)) {
      this.#fill(pool.slot(known), row);
      pool.clearSlot(known);
      return known;
    }
    const chunk = pool.chunk(row);
    const [start, end] = nameRange(pool, row);
    const hash = hashKey(chunk.view, start, end);
    const at = this.#slotOf(chunk, start, end, hash);
    const old = this.#slots[at] as number;
    this.#fill(at, row);
    this.#hashes[at] = hash;
    if (old !== noRow) {
      pool.clearSlot(old);
      return old;
    }
    this.#size++;
    if (this.#size * 2 > this.#slots.length) this.#resize(this.#slots.length * 2);
    return noRow;
  }

  /** Takes a row away; returns it. */
  delete(key: string): number {
    const slots = this.#slots;
    const hashes = this.#hashes;
    const mask = slots.length - 1;
    const old = this.get(key);
    if (old === noRow) return noRow;
    let hole = this.pool.slot(old);
    this.pool.clearSlot(old);
    // What follows without a gap moves up, unless that would put it before the slot where its search begins.
    for (let at = (hole + 1) & mask; ; at = (at + 1) & mask) {
      const row = slots[at] as number;
      if (row === noRow) break;
      const hash = hashes[at] as number;
      if (((at - hash) & mask) < ((at - hole) & mask)) continue;
      this.#fill(hole, row);
      hashes[hole] = hash;
      hole = at;
    }
    slots[hole] = noRow;
    this.#size--;
    if (slots.length > leastSlots && this.#size * 8 < slots.length) this.#resize(slots.length / 2);
    return old;
  }

  /** All rows, in no order. */
  rows(): Int32Array {
    const slots = this.#slots;
    const rows = new Int32Array(this.#size);
    let length = 0;
    for (let i = 0; i < slots.length; i++) if (slots[i] !== noRow) rows[length++] = slots[i] as number;
    return rows;
  }

  /** The same, one by one. The table must not change meanwhile. */
  *values(): Generator<number> {
    for (const row of this.#slots) if (row !== noRow) yield row;
  }

  /** All keys, in no order. The table must not change meanwhile. */
  *keys(): Generator<string> {
    for (const row of this.values()) yield keyOf(this.pool, row);
  }

  #fill(slot: number, row: number): void {
    this.#slots[slot] = row;
    this.pool.setSlot(row, slot, this.#owner);
  }

  /** The slot that holds the key, or the free one where it belongs. */
  #slotOf(bytes: Viewed, start: number, end: number, hash: number): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const row = slots[at] as number;
      if (row === noRow || (this.#hashes[at] === hash && isNamed(this.pool, row, bytes, start, end))) return at;
    }
  }

  #resize(size: number): void {
    const before = this.#slots;
    const hashesBefore = this.#hashes;
    const slots = newSlots(size);
    const hashes = new Int32Array(size);
    const mask = size - 1;
    this.#slots = slots;
    this.#hashes = hashes;
    for (let i = 0; i < before.length; i++) {
      const row = before[i] as number;
      if (row === noRow) continue;
      const hash = hashesBefore[i] as number;
      let at = hash & mask;
      while (slots[at] !== noRow) at = (at + 1) & mask;
      this.#fill(at, row);
      hashes[at] = hash;
    }
  }
}

function newSlots(size: number): Int32Array {
  return new Int32Array(size).fill(noRow);
}
