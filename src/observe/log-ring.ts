/** Keeps the last lines of the log in memory, for `/debug/log` and `isthmus bundle`. */
export class LogRing {
  readonly #maxLines: number;
  readonly #maxLength: number;
  #lines: string[] = [];
  /** Index of the oldest line; those before it are to be forgotten. */
  #first = 0;
  #length = 0;

  /**
   * @param maxLines lines that are kept.
   * @param maxLength characters of them all; the newest line is kept whatever its length.
   */
  constructor(maxLines = 1000, maxLength = 1 << 20) {
    this.#maxLines = maxLines;
    this.#maxLength = maxLength;
  }

  /** Takes one line, with its end. */
  write(line: string): void {
    this.#lines.push(line);
    this.#length += line.length;
    while (this.#count > this.#maxLines || (this.#length > this.#maxLength && this.#count > 1)) {
      this.#length -= (this.#lines[this.#first] as string).length;
      this.#lines[this.#first++] = '';
    }
    // Not at each line: the array is moved once for as many lines as are kept.
    if (this.#first < this.#maxLines) return;
    this.#lines = this.#lines.slice(this.#first);
    this.#first = 0;
  }

  /** The newest `limit` lines, the oldest of them first. */
  last(limit: number): string[] {
    return this.#lines.slice(Math.max(this.#first, this.#lines.length - limit));
  }

  get #count(): number {
    return this.#lines.length - this.#first;
  }
}
