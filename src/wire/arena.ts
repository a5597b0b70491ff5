/** Bytes of one allocation. Larger resources get a chunk of their own. */
const chunkBytes = 1 << 20;

/**
 * Append-only memory for encoded resources. Chunks are small enough that one long-lived resource
 * keeps at most a megabyte of its former neighbours alive.
 */
export class Arena {
  #chunk: Buffer = Buffer.alloc(0);
  #used = 0;

  /** Makes room for `size` bytes; write them to {@link chunk} from {@link offset} on, then {@link commit}. */
  reserve(size: number): void {
    if (this.#chunk.length - this.#used >= size) return;
    this.#chunk = Buffer.allocUnsafeSlow(Math.max(size, chunkBytes));
    this.#used = 0;
  }

  get chunk(): Buffer {
    return this.#chunk;
  }

  get offset(): number {
    return this.#used;
  }

  /** Keeps `size` bytes of what was reserved. Without it the next {@link reserve} hands out the same place. */
  commit(size: number): void {
    this.#used += size;
  }
}
