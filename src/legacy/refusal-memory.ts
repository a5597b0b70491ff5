import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { messageOf } from '../model/errors.ts';
import type { Logger } from '../model/logger.ts';
import type { Refusals } from './collection-probe.ts';

/** Collection → since when, in milliseconds since 1970; under {@link serverKey} whom that is about. */
type Contents = Record<string, Record<string, number | string>>;

/** No collection is called so. */
const serverKey = '@server';

/**
 * Remembers in `stateDir/collections.json` which collections each source refuses, so that a restart does not have
 * to break a stream to learn it again. Nothing depends on it: an unreadable file is as good as none.
 */
export class RefusalMemory {
  readonly #file: string | undefined;
  readonly #log: Logger;
  readonly #contents: Contents;

  /**
   * @param stateDir undefined = remember nothing.
   * @throws where it can be no folder, as something else is in its place.
   */
  constructor(stateDir: string | undefined, log: Logger) {
    this.#file = stateDir === undefined ? undefined : join(stateDir, 'collections.json');
    this.#log = log;
    if (stateDir !== undefined) makeFolder(stateDir);
    this.#contents = this.#read();
  }

  /** @param server its address: what another one under this name has refused says nothing of it. */
  of(origin: string, server: string): Refusals {
    const known = this.#contents[origin] ?? {};
    const { [serverKey]: about = server } = known;
    if (about !== server) return new Map();
    const refusals = Object.entries(known);
    return new Map(refusals.filter((entry): entry is [string, number] => typeof entry[1] === 'number'));
  }

  /** Writes in the background; a failure is logged. */
  remember(origin: string, server: string, refusals: Refusals): void {
    this.#contents[origin] = { [serverKey]: server, ...Object.fromEntries(refusals) };
    if (this.#file === undefined) return;
    const file = this.#file;
    writeFileAtomic(file, `${JSON.stringify(this.#contents, undefined, 2)}\n`, { mode: 0o600 }).catch(
      (error: unknown) => {
        this.#log.warn({ file, err: error }, 'cannot remember unsupported collections');
      },
    );
  }

  #read(): Contents {
    if (this.#file === undefined) return {};
    try {
      const contents: unknown = JSON.parse(readFileSync(this.#file, 'utf8'));
      if (typeof contents === 'object' && contents !== null && !Array.isArray(contents)) return contents as Contents;
      throw new Error('a JSON object is expected');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
        this.#log.warn(
          { file: this.#file, why: messageOf(error) },
          'cannot read the remembered collections; learning them again',
        );
      }
      return {};
    }
  }
}

/** A disk that is full or read-only now may be mended while we run. */
function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (error) {
    if (['EEXIST', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}
