import { join } from 'node:path';
import type { Clock, Timer } from '../model/clock.ts';
import { messageOf } from '../model/errors.ts';
import { kindOfId, kinds, shortName } from '../model/kinds.ts';
import type { Logger } from '../model/logger.ts';
import type { Holding } from '../store/holding.ts';
import type { Store } from '../store/store.ts';
import { FolderLock } from './folder-lock.ts';
import { holdingPieces } from './holding-pieces.ts';
import { restore } from './restore.ts';
import {
  codeOf,
  isMissing,
  readRegularFile,
  realFs,
  stateExtension,
  StateFile,
  stateFolder,
  type StateFs,
  type StateProblem,
} from './state-file.ts';
import { readHeader } from './state-format.ts';

export type LastKnownGoodOptions = {
  /** The state folder; the files are in a folder of their own in there. */
  readonly stateDir: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  /** Of Isthmus. */
  readonly version: string;
  /** @default {@link realFs} */
  readonly fs?: StateFs;
};

/** Why nothing can be saved at present. */
export type StateFailure = {
  readonly since: Date;
  /** Code of the operating system, or one of ours: LOCKED, SLOW. */
  readonly code: string;
  readonly what: string;
  readonly hint: string;
};

/** What an operator sees of the files. */
export type StateView = {
  readonly folder: string;
  /** Undefined while all is well. */
  readonly failing: StateFailure | undefined;
  /** Files that could not be read when the bridge started. */
  readonly problems: readonly StateProblem[];
  /** Files of which nobody knows what they are of, or which can't be read, of no source or collection of the config. */
  readonly unused: readonly UnusedState[];
  readonly files: readonly {
    readonly source: string;
    readonly kind: string;
    /** True where something is held that is not in the file yet. */
    readonly isDue: boolean;
    readonly savedAt: Date | undefined;
    readonly bytes: number | undefined;
  }[];
};

export type UnusedState = {
  readonly file: string;
  readonly source: string;
  readonly kind: string;
  readonly resources: number;
};

/** Between two looks at what has changed; so much is lost, at most, where the process is killed. In milliseconds. */
export const saveEveryMs = 5000;

/** Longest time between two attempts to write what could not be written. */
const maxRetryMs = 60_000;

/** So long may the files take to be read: then the sources are asked without them. */
export const loadWithinMs = 30_000;

/** A disk that takes longer is an alarm. */
const slowMs = 60_000;

/** One origin and kind. */
type Entry = {
  readonly source: string;
  readonly kindId: string;
  readonly kind: string;
  readonly holding: Holding;
  readonly file: StateFile;
  /** What the file has; -1 = something else. */
  savedRevision: number;
  savedAt: Date | undefined;
  bytes: number | undefined;
  /** True where the file is what was read or written here: then it goes with what it is of. */
  isKnown: boolean;
};

/**
 * Keeps what is held in files, one for each origin and kind, so that a restart while a source is down serves what was
 * known. Follows the store: what that has no more has no file either. Never throws: what goes wrong with the files is an
 * alarm, and the service goes on.
 */
export class LastKnownGood {
  readonly #options: LastKnownGoodOptions;
  readonly #fs: StateFs;
  readonly #folder: string;
  readonly #lock: FolderLock;
  #entries: readonly Entry[] = [];
  /** Files of what has left the store. */
  readonly #leaving = new Set<StateFile>();
  readonly #problems: StateProblem[] = [];
  readonly #unused: UnusedState[] = [];
  #failing: StateFailure | undefined;
  /** Holder of a lock of which it is not known whether it lives, once that was said. */
  #waitsFor: string | undefined;
  #timer: Timer | undefined;
  #retryAt = 0;
  #retryMs = saveEveryMs;
  #work: Promise<void> = Promise.resolve();
  #isOpen = false;
  #isStopped = false;

  /** Of all origins that the store has. */
  constructor(options: LastKnownGoodOptions) {
    this.#options = options;
    const { stateDir, clock, fs = realFs } = options;
    this.#fs = fs;
    this.#folder = join(stateDir, stateFolder);
    this.#lock = new FolderLock(join(this.#folder, 'lock'), clock, fs);
    this.#follow();
  }

  get view(): StateView {
    this.#follow();
    return {
      folder: this.#folder,
      failing: this.#failing,
      problems: this.#problems,
      unused: this.#unused,
      files: this.#entries.map(({ source, kind, holding, savedRevision, savedAt, bytes }) => ({
        source,
        kind,
        isDue: holding.revision !== savedRevision,
        savedAt,
        bytes,
      })),
    };
  }

  /** Brings the entries up to what the store has. */
  #follow(): void {
    const before = new Map(this.#entries.map((entry) => [entry.holding, entry]));
    this.#entries = Array.from(this.#options.store.origins).flatMap(([source, holdings]) =>
      Array.from(holdings, ([kindId, holding]) => before.get(holding) ?? this.#newEntry(source, kindId, holding)),
    );
    for (const { holding } of this.#entries) before.delete(holding);
    for (const { file, isKnown } of before.values()) if (isKnown) this.#leaving.add(file);
    // Who has come back writes there.
    const used = new Set(this.#entries.map(({ file }) => file.path));
    for (const file of this.#leaving) if (used.has(file.path)) this.#leaving.delete(file);
  }

  #newEntry(source: string, kindId: string, holding: Holding): Entry {
    const kind = shortName(kindId);
    const file = new StateFile(join(this.#folder, `${source}.${kind}${stateExtension}`), this.#fs);
    const unsaved = { savedRevision: 0, savedAt: undefined, bytes: undefined, isKnown: false };
    return { source, kindId, kind, holding, file, ...unsaved };
  }

  /**
   * Puts into the store what the files have, of origins and kinds that it did not know too. To be called once, before any
   * source says something.
   */
  async load(): Promise<void> {
    const { clock } = this.#options;
    this.#isOpen = true;
    // Who has waited once does not wait again for each file.
    let isHanging = false;
    const tooLate = () => {
      const error = new Error(`the disk has not answered for ${loadWithinMs / 1000} s`);
      return Object.assign(error, { code: 'ETIMEDOUT' });
    };
    const inTime = async <T>(work: Promise<T>): Promise<T> => {
      work.catch(() => {});
      if (isHanging) throw tooLate();
      let timer: Timer | undefined;
      const late = new Promise<never>((_, reject) => {
        timer = clock.after(loadWithinMs, () => {
          isHanging = true;
          reject(tooLate());
        });
      });
      try {
        return await Promise.race([work, late]);
      } finally {
        timer?.cancel();
      }
    };
    await this.#lookAround(inTime);
    this.#follow();
    for (const entry of this.#entries) await this.#loadEntry(entry, inTime);
  }

  async #loadEntry(entry: Entry, inTime: <T>(work: Promise<T>) => Promise<T>): Promise<void> {
    const { store, log } = this.#options;
    const { source, kindId, kind, holding, file } = entry;
    const kindOfEntry = kindOfId(kindId);
    if (kindOfEntry === undefined) return;
    const { generation, problems } = await file.load(
      (path) => inTime(readRegularFile(this.#fs, path)),
      async (saved) => {
        await restore(store, source, kindOfEntry, saved);
        entry.savedAt = new Date(saved.header.savedAt);
        entry.bytes = saved.bytes.length;
      },
    );
    for (const problem of problems) {
      const hint = `${problem.next}; look at the disk, and at the file before you delete it`;
      log.error({ source, kind, file: problem.file, hint }, `a last-known-good file can't be read: ${problem.what}`);
    }
    this.#problems.push(...problems);
    if (generation === undefined) return;
    entry.isKnown = true;
    // What was put in is no news for the file that it comes from.
    entry.savedRevision = generation === 'current' ? holding.revision : -1;
    const fields = { source, kind, resources: holding.resources.size, saidAt: holding.lastMessageAt };
    log.info(fields, 'what the source said before is served, as stale, until it says something');
  }

  /** Looks at what is in the folder; makes known to the store what it has files of. */
  async #lookAround(inTime: <T>(work: Promise<T>) => Promise<T>): Promise<void> {
    const { store, log } = this.#options;
    const folder = this.#folder;
    const unused: string[] = [];
    try {
      const { mode } = await inTime(this.#fs.lstat(folder));
      if ((mode & 0o002) !== 0) {
        const hint = 'chmod o-w, so that nobody else can change what is served';
        log.warn({ folder, hint }, 'everybody on this host may write to the folder of the last-known-good files');
      }
      for (const name of (await inTime(this.#fs.readdir(folder))).toSorted()) {
        const owner = ownerOf(name);
        if (owner !== undefined) {
          const { source, kindId } = owner;
          if (store.origins.get(source)?.has(kindId) !== true) store.addOrigin(source, [kindId]);
        } else if (name.endsWith(stateExtension)) unused.push(join(folder, name));
      }
    } catch (error) {
      if (isMissing(error)) return;
      const what = messageOf(error);
      const next = 'what it has of sources that the config does not name is not served';
      this.#problems.push({ file: folder, what, next });
      log.error({ folder, hint: `${next}; look at the disk` }, `cannot look at all last-known-good files: ${what}`);
    }
    for (const file of unused) await this.#tellUnused(file, inTime);
  }

  async #tellUnused(file: string, inTime: <T>(work: Promise<T>) => Promise<T>): Promise<void> {
    const { log } = this.#options;
    const hint = 'if nobody needs it, delete the file and its .prev';
    try {
      const { header, resources } = await readHeader(await inTime(readRegularFile(this.#fs, file)));
      const { source, kind } = header;
      this.#unused.push({ file, source, kind, resources });
      const what = 'a last-known-good file has not the name of a source and kind; it is not served';
      log.warn({ source, kind, resources, file, hint }, what);
    } catch (error) {
      const what = messageOf(error);
      this.#problems.push({ file, what, next: 'it has not the name of a source and kind, and would not be served' });
      log.warn({ file, hint }, `what looks like a last-known-good file can't be read: ${what}`);
    }
  }

  /** Saves what changes from now on. */
  start(): void {
    this.#work = this.#tick();
  }

  /** Settles once what is being written is. */
  get idle(): Promise<void> {
    return this.#work;
  }

  /** Saves what has changed, without waiting for its time. */
  saveNow(): Promise<void> {
    this.#isOpen = true;
    this.#work = this.#work.then(() => {
      this.#retryAt = 0;
      return this.#save();
    });
    return this.#work;
  }

  /** Saves what has changed, once more, and ends, where anything was read or saved. Takes no longer than `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    this.#isStopped = true;
    if (!this.#isOpen) return;
    this.#timer?.cancel();
    const last = this.saveNow().then(() => this.#lock.release().catch(() => {}));
    let timer: Timer | undefined;
    const grace = new Promise<void>((resolve) => {
      timer = this.#options.clock.after(graceMs, resolve);
    });
    await Promise.race([last, grace]);
    timer?.cancel();
  }

  async #tick(): Promise<void> {
    await this.#save();
    if (this.#isStopped) return;
    this.#timer = this.#options.clock.after(saveEveryMs, () => {
      this.#work = this.#tick();
    });
  }

  async #save(): Promise<void> {
    const { clock } = this.#options;
    const slow = clock.after(slowMs, () => this.#fail('SLOW', `a write takes longer than ${slowMs / 1000} s`));
    try {
      if (!(await this.#hold()) || clock.now() < this.#retryAt) return;
      let failure: unknown;
      this.#follow();
      for (const file of this.#leaving) {
        try {
          await file.remove();
          this.#leaving.delete(file);
        } catch (error) {
          failure ??= error;
        }
      }
      for (const entry of this.#entries) {
        if (entry.holding.revision === entry.savedRevision) continue;
        try {
          await this.#saveEntry(entry);
          await this.#hold();
        } catch (error) {
          failure ??= error;
        }
      }
      if (failure !== undefined) throw failure;
      this.#recover();
    } catch (error) {
      this.#fail(codeOf(error) ?? 'UNKNOWN', messageOf(error));
      this.#retryAt = clock.now() + this.#retryMs;
      this.#retryMs = Math.min(2 * this.#retryMs, maxRetryMs);
    } finally {
      slow.cancel();
    }
  }

  /** True while the folder is ours to write to. @throws as fs does. */
  async #hold(): Promise<boolean> {
    await this.#fs.mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const { isOurs, holder, isAlive } = await this.#lock.hold();
    if (isOurs) {
      this.#waitsFor = undefined;
      return true;
    }
    if (isAlive) this.#fail('LOCKED', `another process writes to it: ${holder}`);
    else if (this.#waitsFor !== holder) {
      const fields = { folder: this.#folder, holder };
      this.#options.log.info(fields, 'nothing is saved for a minute: the process that saved here before may be alive');
      this.#waitsFor = holder;
    }
    return false;
  }

  async #saveEntry(entry: Entry): Promise<void> {
    const { clock, version } = this.#options;
    const { source, kindId, holding, file } = entry;
    const { revision, sync } = holding;
    const savedAt = clock.date();
    const header = {
      source,
      kind: kindId,
      sync,
      isthmus: version,
      savedAt: savedAt.toISOString(),
      lastMessageAt: holding.lastMessageAt?.toISOString(),
    };
    entry.isKnown = true;
    entry.bytes = await file.write(holdingPieces(holding, header));
    entry.savedRevision = revision;
    entry.savedAt = savedAt;
  }

  #fail(code: string, what: string): void {
    const hint = hints[code] ?? 'look at the disk of the state folder';
    const since = this.#failing?.since ?? this.#options.clock.date();
    const isNews = this.#failing?.code !== code;
    this.#failing = { since, code, what, hint };
    if (!isNews) return;
    const fields = { folder: this.#folder, code, hint };
    this.#options.log.error(
      fields,
      `cannot save what is known; a restart now would serve what was saved before: ${what}`,
    );
  }

  #recover(): void {
    this.#retryMs = saveEveryMs;
    if (this.#failing === undefined) return;
    this.#failing = undefined;
    this.#options.log.info({ folder: this.#folder }, 'what is known is saved again');
  }
}

/** Whose file it is, by its name; undefined where that says nothing. */
function ownerOf(name: string): { readonly source: string; readonly kindId: string } | undefined {
  const [, source, kindName] = /^([a-z0-9][-a-z0-9]*)\.([A-Za-z]+)\.state(?:\.prev)?$/.exec(name) ?? [];
  const kindId = kinds.find(({ kind }) => kind === kindName)?.id;
  return source === undefined || kindId === undefined ? undefined : { source, kindId };
}

const writable = 'make it a folder that this user may write to';

/** What to do next. */
const hints: Readonly<Record<string, string>> = {
  ENOSPC: 'make room on that disk',
  EDQUOT: 'make room in the quota of this user',
  EROFS: writable,
  EACCES: writable,
  EPERM: writable,
  ENOTDIR: writable,
  LOCKED: 'give each bridge a state folder of its own',
};
