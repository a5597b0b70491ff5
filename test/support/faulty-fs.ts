import type { FileHandle } from 'node:fs/promises';
import { realFs, type StateFs } from '../../src/state/state-file.ts';

/** An error of the operating system. */
function osError(code: string): Error {
  return Object.assign(new Error(`${code}: it fails`), { code });
}

/** The real file system; whichever operation a test chooses fails, as a real disk does. */
export class FaultyFs {
  /** Operations so far, as `name path`; writes, syncs and closes of an open file are named too. */
  readonly operations: string[] = [];
  /** The operation that fails, counted from 0, and all that come after it while this is not undefined. */
  failsFrom: number | undefined;
  /** Operations that fail. */
  failsOn: RegExp | undefined;
  code = 'EIO';

  /** To be used in place of `node:fs/promises`. */
  get fs(): StateFs {
    const wrapped = Object.fromEntries(
      (['rename', 'rm', 'mkdir', 'lstat', 'readFile', 'readdir', 'utimes'] as const).map((name) => {
        const real = realFs[name] as (...args: unknown[]) => Promise<unknown>;
        return [
          name,
          (...args: unknown[]) => {
            this.#count(`${name} ${String(args[0])}`);
            return real(...args);
          },
        ];
      }),
    );
    return { ...wrapped, open: (path: string, ...more: unknown[]) => this.#open(path, more) } as unknown as StateFs;
  }

  async #open(path: string, more: unknown[]): Promise<FileHandle> {
    this.#count(`open ${path}`);
    const open = realFs.open as (...args: unknown[]) => Promise<FileHandle>;
    const file = await open(path, ...more);
    const writeFile = file.writeFile.bind(file);
    const sync = file.sync.bind(file);
    file.writeFile = async (data) => {
      try {
        this.#count(`write ${path}`);
      } catch (error) {
        // A disk takes what it still can.
        await writeFile((data as Buffer).subarray(0, (data as Buffer).length / 2));
        throw error;
      }
      return writeFile(data);
    };
    file.sync = async () => {
      this.#count(`sync ${path}`);
      return sync();
    };
    return file;
  }

  #count(what: string): void {
    const place = this.operations.push(what) - 1;
    const isLate = this.failsFrom !== undefined && place >= this.failsFrom;
    if (isLate || this.failsOn?.test(what) === true) throw osError(this.code);
  }
}
