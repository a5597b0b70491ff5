import type { Chunk, ResourcePool } from '../model/resource.ts';
import { chunkBytes, smallGarbageBytes } from '../model/sizes.ts';
import { copyBytes, viewed } from './bytes.ts';

/**
 * Memory for encoded resources; what was committed stays where it is. Chunks are small enough that one long-lived
 * resource keeps at most a megabyte of its former neighbours alive.
 */
export class Arena {
  #chunk: Chunk = newChunk(0);
  #used = 0;
  /** Chunks in which something is in use, and the present one. */
  readonly #chunks = new Set<Chunk>();
  /** Of all chunks that are held by something in use in them, and of the present one. */
  #heldBytes = 0;

  /** True for a chunk of this arena that is in use. */
  has(chunk: Chunk): boolean {
    return this.#chunks.has(chunk);
  }

  /** Makes room for `size` bytes; write them to {@link chunk} from {@link offset} on, then {@link commit}. */
  reserve(size: number): void {
    if (this.#chunk.length - this.#used >= size) return;
    this.#forget(this.#chunk);
    this.#chunk = newChunk(Math.max(size, chunkBytes));
    this.#chunks.add(this.#chunk);
    this.#heldBytes += this.#chunk.length;
    this.#used = 0;
  }

  get chunk(): Chunk {
    return this.#chunk;
  }

  get offset(): number {
    return this.#used;
  }

  /** True where more than half of it is garbage, and that is worth a look, while `liveBytes` of it are in use. */
  isWasteful(liveBytes: number): boolean {
    return this.#heldBytes > 2 * liveBytes + smallGarbageBytes;
  }

  /** Keeps `size` bytes of what was reserved. Without it the next {@link reserve} hands out the same place. */
  commit(size: number): void {
    this.#used += size;
    this.#chunk.liveBytes += size;
  }

  /** Says that so many bytes of `chunk` are not in use any more. It may be one of another arena. */
  release(chunk: Chunk, size: number): void {
    chunk.liveBytes -= size;
    if (chunk !== this.#chunk) this.#forget(chunk);
  }

  #forget(chunk: Chunk): void {
    if (chunk.liveBytes === 0 && this.#chunks.delete(chunk)) this.#heldBytes -= chunk.length;
  }
}

function newChunk(size: number): Chunk {
  return Object.assign(viewed(Buffer.allocUnsafeSlow(size)), { liveBytes: 0 });
}

/** Says that nobody holds a row any more, nor its bytes in `arena`. */
export function discard(pool: ResourcePool, row: number, arena: Arena): void {
  arena.release(pool.chunk(row), pool.bytes(row));
  pool.retire(row);
}

/** Moves resources, in this order, to the end of `arena`. Frames that were made before keep the old bytes alive. */
export function relocate(pool: ResourcePool, rows: Iterable<number>, arena: Arena): void {
  for (const row of rows) {
    const size = pool.bytes(row);
    arena.reserve(size);
    const { chunk, offset } = arena;
    copyBytes(pool.chunk(row), pool.start(row), pool.end(row), chunk, offset);
    pool.move(row, chunk, offset, offset + size);
    arena.commit(size);
  }
}
