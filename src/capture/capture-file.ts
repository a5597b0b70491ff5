import { closeSync, createReadStream, openSync, readSync, statSync } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { constants, createGunzip, gzip } from 'node:zlib';
import { IsthmusError, messageOf } from '../model/errors.ts';
import {
  BadLineError,
  captureLimits,
  captureMagic,
  type CaptureHeader,
  type CaptureRecord,
  headerLine,
  readHeaderLine,
  readRecordLine,
  recordLine,
} from './format.ts';

const compress = promisify(gzip);

/**
 * Writes a capture, record by record. Until it is finished its name ends with `.partial`: what an end by force leaves
 * there is a capture too, as far as it goes. It may hold secrets, so nobody but its owner may read it.
 */
export class CaptureWriter {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #isZipped: boolean;
  readonly #maxBytes: number;
  #bytes = 0;

  private constructor(path: string, file: FileHandle, maxBytes: number) {
    this.#path = path;
    this.#file = file;
    this.#isZipped = path.endsWith('.gz');
    this.#maxBytes = maxBytes;
  }

  /**
   * @param path compressed where it ends with `.gz`.
   * @param maxBytes of the file.
   * @throws IsthmusError USAGE where there is such a file, STATE_UNWRITABLE where it can't be written.
   */
  static async create(
    path: string,
    header: CaptureHeader,
    maxBytes = Number.POSITIVE_INFINITY,
  ): Promise<CaptureWriter> {
    if (exists(path)) {
      throw new IsthmusError('USAGE', path, 'there is such a file already', { hint: 'give another name with -o' });
    }
    return unwritable(path, async () => {
      await rm(partialOf(path), { force: true });
      const writer = new CaptureWriter(path, await open(partialOf(path), 'wx', 0o600), maxBytes);
      await writer.#append(headerLine(header));
      return writer;
    });
  }

  /** Of the file, so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Returns false, and writes nothing, where the file would become too large.
   * @throws IsthmusError STATE_UNWRITABLE
   */
  write(record: CaptureRecord): Promise<boolean> {
    return unwritable(this.#path, () => this.#append(recordLine(record), record.type === 'stop'));
  }

  /** Gives the file its name. @throws IsthmusError STATE_UNWRITABLE */
  async finish(): Promise<void> {
    await unwritable(this.#path, async () => {
      await this.#file.sync();
      await this.#file.close();
      await rename(partialOf(this.#path), this.#path);
    });
  }

  /** Ends it, and leaves what is there. Nothing happens where it is finished. */
  async close(): Promise<void> {
    await this.#file.close().catch(() => {});
  }

  /** The same, and leaves nothing. */
  async discard(): Promise<void> {
    await this.close();
    await rm(partialOf(this.#path), { force: true });
  }

  async #append(line: string, always = false): Promise<boolean> {
    // Members of their own, one after the other, are one gzip file, and the ones before are good whatever follows.
    const piece = this.#isZipped ? await compress(line) : Buffer.from(line);
    if (!always && this.#bytes + piece.length > this.#maxBytes) return false;
    await this.#file.writeFile(piece);
    this.#bytes += piece.length;
    return true;
  }
}

/** Where a capture is before it is finished. */
const partialOf = (path: string): string => `${path}.partial`;

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

async function unwritable<T>(path: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    throw new IsthmusError('STATE_UNWRITABLE', path, `it can't be written: ${messageOf(error)}`, { cause: error });
  }
}

/** True for a file that begins as a capture does, compressed or not. False where there is none. */
export async function isCaptureFile(path: string): Promise<boolean> {
  try {
    if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return false;
    const chunks = chunksOf(path);
    const first = await chunks.next();
    await chunks.return(undefined);
    return first.done !== true && first.value.toString('latin1', 0, captureMagic.length) === captureMagic;
  } catch {
    return false;
  }
}

/** What is read of a capture, piece by piece. */
export type CaptureReading = {
  readonly onHeader: (header: CaptureHeader) => Promise<void> | void;
  /** The next record is read when the promise is settled. */
  readonly onRecord: (record: CaptureRecord) => Promise<void> | void;
};

/**
 * Reads a capture, of which one line at a time is in memory. Returns true where it ends in the middle of a line, as one
 * does that was cut off.
 *
 * @throws IsthmusError USAGE where there is no such file, CONFIG_INVALID where it is no capture, or a damaged one.
 */
export async function readCaptureFile(path: string, { onHeader, onRecord }: CaptureReading): Promise<boolean> {
  requireFile(path);
  let number = 0;
  let isCutOff = false;
  try {
    for await (const { line, isWhole } of linesOf(chunksOf(path))) {
      number++;
      try {
        if (number === 1) await onHeader(readHeaderLine(line, path));
        else {
          const record = readRecordLine(line);
          if (record !== undefined) await onRecord(record);
        }
      } catch (error) {
        if (!(error instanceof BadLineError)) throw error;
        if (isWhole || number === 1) throw bad(path, `line ${number}: ${error.message}`);
        isCutOff = true;
      }
    }
  } catch (error) {
    if (error instanceof IsthmusError) throw error;
    if (error instanceof LongLineError)
      throw bad(path, `line ${number + 1} is longer than ${captureLimits.line} bytes`);
    const { code } = error as NodeJS.ErrnoException;
    // A mistake of ours, and no fault of the file.
    if (code === undefined) throw error;
    // The end of the file in the middle of a piece.
    if (code !== 'Z_BUF_ERROR') throw bad(path, messageOf(error));
    isCutOff = true;
  }
  if (number === 0) throw bad(path, 'it is empty');
  return isCutOff;
}

function bad(path: string, what: string): IsthmusError {
  return new IsthmusError('CONFIG_INVALID', path, what, {
    hint: 'a file that isthmus capture has written is expected; docs/capture-format.md says what it looks like',
  });
}

function requireFile(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) throw new IsthmusError('USAGE', path, 'there is no such file');
  // Anything else might keep a reader waiting for ever.
  if (!found.isFile()) throw new IsthmusError('USAGE', path, 'it is no regular file');
}

/** The bytes of a file, out of their compression where they are in one. */
async function* chunksOf(path: string): AsyncGenerator<Buffer> {
  const file = createReadStream(path);
  const gunzip = isZipped(path) ? createGunzip({ finishFlush: constants.Z_SYNC_FLUSH }) : undefined;
  if (gunzip !== undefined) {
    file.on('error', (error) => gunzip.destroy(error));
    file.pipe(gunzip);
  }
  const from: Readable = gunzip ?? file;
  try {
    for await (const chunk of from) yield chunk as Buffer;
  } finally {
    from.destroy();
    file.destroy();
  }
}

function isZipped(path: string): boolean {
  const file = openSync(path, 'r');
  try {
    const magic = Buffer.alloc(2);
    readSync(file, magic, 0, 2, 0);
    return magic[0] === 0x1f && magic[1] === 0x8b;
  } finally {
    closeSync(file);
  }
}

/** Thrown for a line that is too long to be looked at. */
class LongLineError extends Error {}

/** Lines without their breaks; the last one may have none, and so not be whole. Empty ones are left out. */
async function* linesOf(
  chunks: AsyncIterable<Buffer>,
): AsyncGenerator<{ readonly line: string; readonly isWhole: boolean }> {
  let parts: Buffer[] = [];
  let length = 0;
  const push = (part: Buffer) => {
    parts.push(part);
    length += part.length;
    if (length > captureLimits.line) throw new LongLineError();
  };
  const take = () => {
    const line = (parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts)).toString();
    parts = [];
    length = 0;
    return line;
  };
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, start)) {
      push(chunk.subarray(start, end));
      start = end + 1;
      const line = take();
      if (line !== '') yield { line, isWhole: true };
    }
    if (start < chunk.length) push(chunk.subarray(start));
  }
  if (length > 0) yield { line: take(), isWhole: false };
}
