import { write, writeSync } from 'node:fs';

/** Before another try where the reader of a pipe has no room. */
const retryMs = 100;

/**
 * Writes lines to a file descriptor, without waiting for it. What can't be written is lost, and what waits has a limit: a
 * full disk, a terminal that is gone or a reader that hangs ends nothing and costs no memory. (sonic-boom, pino's own, ends
 * the process at an error that nobody hears, and tries for ever to write its last lines before the process ends.)
 */
export class LogDestination {
  readonly #fd: number;
  readonly #limit: number;
  #lines: string[] = [];
  #length = 0;
  #writing: Buffer | undefined;

  /** @param limit characters that wait to be written; lines beyond are dropped. */
  constructor(fd: number, limit: number) {
    this.#fd = fd;
    this.#limit = limit;
    process.once('exit', () => this.#end());
  }

  /** Takes one line, with its end. */
  write(line: string): void {
    if (this.#length + line.length > this.#limit) return;
    this.#lines.push(line);
    this.#length += line.length;
    if (this.#writing === undefined) this.#next();
  }

  #next(): void {
    if (this.#lines.length === 0) this.#writing = undefined;
    else this.#write(this.#take());
  }

  #take(): Buffer {
    const bytes = Buffer.from(this.#lines.join(''));
    this.#lines = [];
    this.#length = 0;
    return bytes;
  }

  #write(bytes: Buffer): void {
    this.#writing = bytes;
    write(this.#fd, bytes, (error, written) => {
      if (error?.code === 'EAGAIN') setTimeout(() => this.#write(bytes), retryMs);
      else if (error !== null || written === bytes.length) this.#next();
      else this.#write(bytes.subarray(written));
    });
  }

  /** Writes what it can when the process ends. */
  #end(): void {
    try {
      // What was being written may be there already, which is better than that it is not.
      if (this.#writing !== undefined) writeSync(this.#fd, this.#writing);
      if (this.#lines.length > 0) writeSync(this.#fd, this.#take());
    } catch {
      // Nobody is left to hear of it.
    }
  }
}
