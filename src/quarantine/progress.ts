/** Where a thread is: the number of a question, and a place in it. */
export type Place = { readonly id: number; readonly place: number };

/**
 * Where a thread is, in memory that it shares with who watches it: a thread that hangs or has died can't be asked any
 * more.
 */
export class Progress {
  readonly memory: SharedArrayBuffer;
  readonly #numbers: Int32Array;

  /** @param memory of the other side. @default memory of its own, at no place yet */
  constructor(memory?: SharedArrayBuffer) {
    this.memory = memory ?? new SharedArrayBuffer(8);
    this.#numbers = new Int32Array(this.memory);
    if (memory === undefined) this.#numbers.fill(-1);
  }

  /** The question is -1 before the first one. */
  get at(): Place {
    return { id: Atomics.load(this.#numbers, 0), place: Atomics.load(this.#numbers, 1) };
  }

  set at({ id, place }: Place) {
    Atomics.store(this.#numbers, 1, place);
    Atomics.store(this.#numbers, 0, id);
  }
}
