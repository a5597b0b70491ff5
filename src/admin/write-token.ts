import { createHash, timingSafeEqual } from 'node:crypto';
import { constants, open } from 'node:fs/promises';
import { IsthmusError, messageOf } from '../model/errors.ts';
import type { Logger } from '../model/logger.ts';

/** A shorter one can be guessed; a longer one is another file. */
const minLength = 16;
const maxLength = 4096;

/**
 * The token of `--admin-token-file`, which lets its bearer change something from other hosts. The file is read at each
 * request that brings one, so a renewed token counts at once. One that everybody on the host may read is not taken. What
 * is in it is never logged, nor part of an error.
 */
export class WriteToken {
  readonly #file: string;
  readonly #log: Logger;
  /** What is wrong with the file, as it was logged last. */
  #told: string | undefined;

  constructor(file: string, log: Logger) {
    this.#file = file;
    this.#log = log;
  }

  /** Tells the log where the file can't be used; such a file lets in nobody, until it is mended. */
  async look(): Promise<void> {
    await this.#read();
  }

  /** True where this is the token. Takes the same time for every wrong one. */
  async is(given: string): Promise<boolean> {
    const token = await this.#read();
    return token !== undefined && timingSafeEqual(digest(given), digest(token));
  }

  async #read(): Promise<string | undefined> {
    try {
      const token = await readToken(this.#file);
      if (this.#told !== undefined) this.#log.info({ file: this.#file }, 'the admin token can be used now');
      this.#told = undefined;
      return token;
    } catch (error) {
      const { message, hint = '' } = error as IsthmusError;
      if (message !== this.#told) {
        this.#log.error({ file: this.#file, hint }, `the admin token lets in nobody: ${message}`);
      }
      this.#told = message;
      return undefined;
    }
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/**
 * Reads a file of a token, of a bridge or of who asks one.
 * @throws IsthmusError ACCESS_DENIED where it can't be used; nothing of its contents is in it.
 */
export async function readToken(file: string): Promise<string> {
  let text: string;
  let mode: number;
  try {
    // Of a pipe that nobody writes to, nothing would ever come.
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stat = await handle.stat();
      if (!stat.isFile()) throw new Error('it is no file');
      if (stat.size > maxLength + 2) throw new Error(`it is longer than ${maxLength} characters`);
      text = await handle.readFile('utf8');
      mode = stat.mode;
    } finally {
      await handle.close();
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const what = code === 'ENOENT' ? 'there is no such file' : messageOf(error);
    throw unusable(file, what, 'see that it is mounted, and that this user may read it', error);
  }
  if ((mode & 0o006) !== 0) {
    const next = 'chmod o-rw; of a Secret in Kubernetes, set defaultMode: 0400 and fsGroup; and make a new token';
    throw unusable(file, 'everybody on this host may read it, or write to it', next);
  }
  const token = text.trim();
  if (!/^[\x21-\x7e]+$/.test(token) || token.length < minLength) {
    const what = `one word of at least ${minLength} characters is expected in it`;
    throw unusable(file, what, 'make one: openssl rand -hex 32');
  }
  return token;
}

function unusable(file: string, what: string, hint: string, cause?: unknown): IsthmusError {
  return new IsthmusError('ACCESS_DENIED', file, what, { hint, cause });
}
