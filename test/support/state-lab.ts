import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Kind } from '../../src/model/kinds.ts';
import { frameOf } from '../../src/push/frames.ts';
import { LastKnownGood } from '../../src/state/last-known-good.ts';
import type { StateFs } from '../../src/state/state-file.ts';
import { readRows } from '../../src/wire/resource-frame.ts';
import { MemoryLogger } from './memory-logger.ts';
import { contentsOf } from './source-view.ts';
import { StoreLab } from './store-lab.ts';

/** A store with its last-known-good files, in one life of a bridge. */
export class StateLab extends StoreLab {
  readonly log = new MemoryLogger();
  #state: LastKnownGood | undefined;

  /** The files of all origins that were added. */
  open(stateDir: string, fs?: StateFs): LastKnownGood {
    const { store, clock, log } = this;
    this.#state = new LastKnownGood({
      stateDir,
      store,
      clock,
      log,
      version: '1.2.3',
      ...(fs === undefined ? {} : { fs }),
    });
    return this.#state;
  }

  /** The same, loaded. */
  async load(stateDir: string, fs?: StateFs): Promise<LastKnownGood> {
    const state = this.open(stateDir, fs);
    await state.load();
    return state;
  }

  get state(): LastKnownGood {
    if (this.#state === undefined) throw new Error('no files were opened');
    return this.#state;
  }

  /** Ends this life as a process does that is told to: all is saved. */
  async end(): Promise<void> {
    await this.state.stop(60_000);
  }

  /** What istiods are given of a kind, as bytes; undefined where nothing is. */
  given(kind: Kind): string | undefined {
    const snapshot = this.store.snapshot(kind.id);
    return snapshot && `${snapshot.version} ${frameOf(snapshot, { versioned: true }).toBuffer().toString('hex')}`;
  }

  /** Key → content of what is held of an origin. */
  held(origin: string, kind: Kind): Record<string, string> {
    const { resources } = this.store.holding(origin, kind.id);
    return contentsOf(readRows(resources.pool, resources.values()));
  }
}

/** The folder of the files, and what is in there but the lock. */
export function stateFiles(stateDir: string): { readonly folder: string; readonly names: string[] } {
  const folder = join(stateDir, 'last-known-good');
  return {
    folder,
    names: readdirSync(folder)
      .filter((name) => name !== 'lock')
      .toSorted(),
  };
}
