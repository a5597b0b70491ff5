import * as promises from 'node:fs/promises';
import { dirname } from 'node:path';
import { messageOf } from '../model/errors.ts';
import { readState, type SavedState, UnreadableStateError } from './state-format.ts';

/** What is used of `node:fs/promises`. */
export type StateFs = Pick<
  typeof promises,
  'open' | 'rename' | 'rm' | 'mkdir' | 'lstat' | 'readFile' | 'readdir' | 'utimes'
>;

export const realFs: StateFs = promises;

/** Folder of the files in the state folder, and how their names end. */
export const stateFolder = 'last-known-good';
export const stateExtension = '.state';

/** A file that could not be read, and what became of it. */
export type StateProblem = { readonly file: string; readonly what: string; readonly next: string };

/** How a file was read: which generation was good, if any was. */
export type Loaded = { readonly generation: 'current' | 'previous' | undefined; readonly problems: StateProblem[] };

/**
 * One file and the generation before it, `.prev`. Whatever interrupts a write, at least one of them is whole, and later
 * than what was whole before.
 */
export class StateFile {
  readonly path: string;
  readonly #fs: StateFs;
  /** True where what is there is worth nothing: then it does not become the previous one. */
  #isBad = false;
  /** Why it must not be overwritten. */
  #locked: string | undefined;

  constructor(path: string, fs: StateFs = realFs) {
    this.path = path;
    this.#fs = fs;
  }

  /** Puts `pieces` in its place, each written before the next one is asked for; returns their bytes. @throws as fs does. */
  async write(pieces: Iterable<Buffer>): Promise<number> {
    if (this.#locked !== undefined) throw new Error(this.#locked);
    const { path } = this;
    const fs = this.#fs;
    const temporary = `${path}.tmp`;
    await fs.rm(temporary, { force: true });
    let bytes = 0;
    try {
      const file = await fs.open(temporary, 'wx', 0o600);
      try {
        for (const piece of pieces) {
          await file.writeFile(piece);
          bytes += piece.length;
        }
        // Else the new name may be on the disk before the content is.
        await file.sync();
      } finally {
        await file.close();
      }
      if (!this.#isBad) await fs.rename(path, `${path}.prev`).catch(unlessMissing);
      await fs.rename(temporary, path);
    } catch (error) {
      await fs.rm(temporary, { force: true }).catch(() => {});
      throw error;
    }
    this.#isBad = false;
    await syncFolder(fs, dirname(path));
    return bytes;
  }

  /** Takes it away, with the generation before it; what was set aside stays. @throws as fs does. */
  async remove(): Promise<void> {
    // In this order, so that the older one never stands alone.
    await this.#fs.rm(`${this.path}.prev`, { force: true });
    await this.#fs.rm(this.path, { force: true });
  }

  /**
   * Hands what was written last to `use`; where that can't be read, or `use` throws, the generation before it. What is
   * damaged is kept as `.damaged`, what another Isthmus wrote as `.format-N`.
   *
   * @param readFile reads a file; may give up.
   */
  async load(readFile: (path: string) => Promise<Buffer>, use: (saved: SavedState) => Promise<void>): Promise<Loaded> {
    const problems: StateProblem[] = [];
    for (const generation of ['current', 'previous'] as const) {
      const path = generation === 'current' ? this.path : `${this.path}.prev`;
      try {
        await use(await readState(await readFile(path)));
        return { generation, problems };
      } catch (error) {
        if (isMissing(error)) continue;
        const isFirst = problems.length === 0;
        // What the disk did not let us read may be whole.
        if (generation === 'current') this.#isBad = codeOf(error) === undefined;
        const where = isFirst ? await this.#setAside(path, generation, error) : 'it stays where it is';
        const then = generation === 'current' ? 'the one before it is tried' : 'its source has to say it anew';
        problems.push({ file: path, what: messageOf(error), next: `${where}; ${then}` });
      }
    }
    return { generation: undefined, problems };
  }

  /** Returns where it is now. */
  async #setAside(path: string, generation: 'current' | 'previous', error: unknown): Promise<string> {
    if (!(error instanceof UnreadableStateError)) return 'it stays where it is';
    const aside = `${this.path}.${error.format === undefined ? 'damaged' : `format-${error.format}`}`;
    try {
      await this.#fs.rename(path, aside);
    } catch (failure) {
      if (error.format !== undefined && generation === 'current') {
        this.#locked = `${path} is of another format and can't be moved away: ${messageOf(failure)}`;
      }
      return `it can't be moved away (${messageOf(failure)})`;
    }
    if (generation === 'current') this.#isBad = false;
    return `it is ${aside} now`;
  }
}

/** Reads a regular file; anything else might keep a reader waiting for ever. @throws as fs does */
export async function readRegularFile(fs: StateFs, path: string): Promise<Buffer> {
  if (!(await fs.lstat(path)).isFile()) throw new Error('it is no regular file');
  return fs.readFile(path);
}

/** Makes names last that were changed in a folder. */
async function syncFolder(fs: StateFs, path: string): Promise<void> {
  const folder = await fs.open(path, 'r');
  try {
    await folder.sync();
  } catch (error) {
    // Some file systems have no such thing.
    if (!['EINVAL', 'ENOTSUP', 'EOPNOTSUPP'].includes(codeOf(error) ?? '')) throw error;
  } finally {
    await folder.close();
  }
}

/** Code of an error of the operating system. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
}

export function isMissing(error: unknown): boolean {
  return codeOf(error) === 'ENOENT';
}

function unlessMissing(error: unknown): void {
  if (!isMissing(error)) throw error;
}
