/**
 * Where parts of a buffer are: start and end of each, in pairs. Numbers that are added to a plain list one by one cost more
 * than finding a hundred thousand parts does.
 */
export type Spans = Int32Array<ArrayBuffer>;

/** {@link Spans} that are found one after the other. */
export class SpanList {
  #words: Spans = new Int32Array(64);
  #length = 0;

  add(start: number, end: number): void {
    if (this.#length === this.#words.length) this.#grow();
    this.#words[this.#length] = start;
    this.#words[this.#length + 1] = end;
    this.#length += 2;
  }

  /** All that were added so far. */
  all(): Spans {
    return this.#words.subarray(0, this.#length);
  }

  #grow(): void {
    const words = new Int32Array(2 * this.#words.length);
    words.set(this.#words);
    this.#words = words;
  }
}
