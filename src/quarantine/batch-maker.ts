import type { Hash, ResourcePool } from '../model/resource.ts';
import { resourceRange } from '../wire/resource-frame.ts';
import type { Batch } from './messages.ts';

/** Resources and bytes of a batch, about: 10 ms of the thread's time. */
const maxRows = 200;
const maxBytes = 1 << 18;

/** Rows, what they held, and their bytes for the thread. */
export type Rows = { readonly rows: readonly number[]; readonly contents: readonly Hash[]; readonly batch: Batch };

/** Copies the resources of rows together, as long as a batch has room. */
export class BatchMaker {
  readonly #kindId: string;
  readonly #pool: ResourcePool;
  #rows: number[] = [];
  #bytes = 0;

  constructor(kindId: string, pool: ResourcePool) {
    this.#kindId = kindId;
    this.#pool = pool;
  }

  get isEmpty(): boolean {
    return this.#rows.length === 0;
  }

  /** Returns true where the batch is full. */
  add(row: number): boolean {
    this.#rows.push(row);
    this.#bytes += this.#pool.bytes(row);
    return this.#rows.length >= maxRows || this.#bytes >= maxBytes;
  }

  /** What was added since the last time. Nothing may change these rows between {@link add} and this. */
  take(): Rows {
    const pool = this.#pool;
    const rows = this.#rows;
    const ends = new Int32Array(rows.length);
    const bytes = new Uint8Array(this.#bytes);
    let at = 0;
    for (const [i, row] of rows.entries()) {
      const part = pool.chunk(row).subarray(...resourceRange(pool, row));
      bytes.set(part, at);
      at += part.length;
      ends[i] = at;
    }
    const contents = rows.map((row) => ({ h1: pool.v1(row), h2: pool.v2(row), h3: pool.v3(row) }));
    this.#rows = [];
    this.#bytes = 0;
    return { rows, contents, batch: { kindId: this.#kindId, bytes, ends } };
  }
}
