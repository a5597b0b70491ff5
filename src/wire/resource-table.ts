import type { Resource } from '../model/resource.ts';
import { type Viewed, viewed } from './bytes.ts';
import { isNamed, isSameName, nameRange } from './resource-frame.ts';

/**
 * Others in each process, so that nobody outside can choose names that collide. A secret start alone would not do:
 * with a known factor, differences of two neighbouring words cancel each other whatever it is.
 */
const seed = Math.floor(Math.random() * 2 ** 32) | 0;
const factor = Math.floor(Math.random() * 2 ** 32) | 1;

const leastSlots = 16;

/** Hash of a key as it stands on the wire; 0 ≤ hash < 2^31. */
export function hashKey(view: DataView, start: number, end: number): number {
  let hash = seed;
  let i = start;
  for (; i + 4 <= end; i += 4) hash = step(hash, view.getInt32(i, true));
  for (; i < end; i++) hash = step(hash, view.getUint8(i));
  return finish(hash);
}

function step(hash: number, value: number): number {
  const h = Math.imul(hash ^ value, 0x9e3779b1);
  return Math.imul(h ^ (h >>> 15), factor);
}

function finish(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) & 0x7fffffff;
}

/**
 * Resources by key. Like a Map, but keys are the bytes that they are on the wire: a hundred thousand names need not
 * become a hundred thousand strings. Open addressing, at most half full.
 */
export class ResourceTable {
  #slots: (Resource | undefined)[] = newSlots(leastSlots);
  /** Of the key in each slot; kept here, so that a search looks at few resources that it is not about. */
  #hashes = new Int32Array(leastSlots);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /**
   * The resource with this key, if its content is this one too.
   *
   * @param hash {@link hashKey} of the key, which is part of the content.
   */
  findSame(hash: number, v1: number, v2: number, v3: number): Resource | undefined {
    const slots = this.#slots;
    const mask = slots.length - 1;
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const resource = slots[at];
      if (resource === undefined) return undefined;
      if (this.#hashes[at] === hash && resource.v1 === v1 && resource.v2 === v2 && resource.v3 === v3) return resource;
    }
  }

  /** @param hash {@link hashKey} of the bytes. */
  find(bytes: Viewed, start: number, end: number, hash: number): Resource | undefined {
    return this.#slots[this.#slotOf(bytes, start, end, hash)];
  }

  get(key: string): Resource | undefined {
    const bytes = viewed(Buffer.from(key));
    return this.find(bytes, 0, bytes.length, hashKey(bytes.view, 0, bytes.length));
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  /**
   * Adds a resource, or puts it in the place of the one with its key; returns that one.
   *
   * @param known what probably has its key: saves the search.
   */
  put(resource: Resource, known?: Resource): Resource | undefined {
    if (known !== undefined && this.#slots[known.slot] === known && isSameName(known, resource)) {
      this.#slots[known.slot] = resource;
      resource.slot = known.slot;
      known.slot = -1;
      return known;
    }
    const { chunk } = resource;
    const [start, end] = nameRange(resource);
    const hash = hashKey(chunk.view, start, end);
    const at = this.#slotOf(chunk, start, end, hash);
    const old = this.#slots[at];
    this.#slots[at] = resource;
    this.#hashes[at] = hash;
    resource.slot = at;
    if (old !== undefined) {
      old.slot = -1;
      return old;
    }
    this.#size++;
    if (this.#size * 2 > this.#slots.length) this.#resize(this.#slots.length * 2);
    return undefined;
  }

  /** Takes a resource away; returns it, or undefined where there is none. */
  delete(key: string): Resource | undefined {
    const slots = this.#slots;
    const hashes = this.#hashes;
    const mask = slots.length - 1;
    const old = this.get(key);
    if (old === undefined) return undefined;
    let hole = old.slot;
    old.slot = -1;
    // What follows without a gap moves up, unless that would put it before the slot where its search begins.
    for (let at = (hole + 1) & mask; ; at = (at + 1) & mask) {
      const resource = slots[at];
      if (resource === undefined) break;
      const hash = hashes[at] as number;
      if (((at - hash) & mask) < ((at - hole) & mask)) continue;
      slots[hole] = resource;
      hashes[hole] = hash;
      resource.slot = hole;
      hole = at;
    }
    slots[hole] = undefined;
    this.#size--;
    if (slots.length > leastSlots && this.#size * 8 < slots.length) this.#resize(slots.length / 2);
    return old;
  }

  /** All resources, in no order. The table must not change meanwhile. */
  *values(): Generator<Resource> {
    for (const resource of this.#slots) if (resource !== undefined) yield resource;
  }

  /** All keys, in no order. The table must not change meanwhile. */
  *keys(): Generator<string> {
    for (const { key } of this.values()) yield key;
  }

  /** The slot that holds the key, or the free one where it belongs. */
  #slotOf(bytes: Viewed, start: number, end: number, hash: number): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const resource = slots[at];
      if (resource === undefined || (this.#hashes[at] === hash && isNamed(resource, bytes, start, end))) return at;
    }
  }

  #resize(size: number): void {
    const before = this.#slots;
    const hashesBefore = this.#hashes;
    const slots = newSlots(size);
    const hashes = new Int32Array(size);
    const mask = size - 1;
    for (let i = 0; i < before.length; i++) {
      const resource = before[i];
      if (resource === undefined) continue;
      const hash = hashesBefore[i] as number;
      let at = hash & mask;
      while (slots[at] !== undefined) at = (at + 1) & mask;
      slots[at] = resource;
      hashes[at] = hash;
      resource.slot = at;
    }
    this.#slots = slots;
    this.#hashes = hashes;
  }
}

function newSlots(size: number): (Resource | undefined)[] {
  return Array.from<Resource | undefined>({ length: size });
}
