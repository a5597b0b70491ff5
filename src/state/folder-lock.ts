import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Clock } from '../model/clock.ts';
import { beganAt, ownMark } from './process-mark.ts';
import { isMissing, type StateFs } from './state-file.ts';

/** A lock that nobody has touched for so long belongs to a process that is gone, in milliseconds. */
export const lockTtlMs = 60_000;

/** Who has a folder: nobody else, somebody who is alive, or somebody of whom that is not known yet. */
export type LockState = { readonly isOurs: boolean; readonly holder: string; readonly isAlive: boolean };

/** What was seen of somebody else's lock. */
type Seen = { readonly mark: string; readonly since: number; readonly hasMoved: boolean };

/**
 * Says of a folder that this process writes to it, by a file that it touches again and again. Clocks of others are not
 * believed, and process numbers only where they are ours to look at: on one host, in one container. There the lock of a
 * process that is gone is taken over at once. Best effort: two processes
 * that find the same dead lock in the same moment may both take it, until the next look of one of them.
 */
export class FolderLock {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #fs: StateFs;
  readonly #token = randomUUID();
  #seen: Seen | undefined;

  constructor(path: string, clock: Clock, fs: StateFs) {
    this.#path = path;
    this.#clock = clock;
    this.#fs = fs;
  }

  /** Takes or keeps the lock; to be called at least every {@link lockTtlMs} / 2. @throws as fs does. */
  async hold(): Promise<LockState> {
    const now = this.#clock.now();
    const { content, mark } = await this.#look();
    if (content === undefined) return this.#take();
    if (content.token === this.#token) {
      const date = this.#clock.date();
      await this.#fs.utimes(this.#path, date, date);
      return ours;
    }
    if (isGone(content)) {
      await this.#fs.rm(this.#path, { force: true });
      return this.#take();
    }
    const seen = this.#seen;
    if (seen?.mark !== mark) this.#seen = { mark, since: now, hasMoved: seen !== undefined };
    else if (now - seen.since >= lockTtlMs) {
      await this.#fs.rm(this.#path, { force: true });
      return this.#take();
    }
    const { host = 'unknown host', pid = 'unknown', since = 'unknown' } = content;
    const holder = `process ${pid} on ${host}, since ${since}`;
    return { isOurs: false, holder, isAlive: this.#seen?.hasMoved === true };
  }

  /** Gives it back. */
  async release(): Promise<void> {
    const { content } = await this.#look();
    if (content?.token === this.#token) await this.#fs.rm(this.#path, { force: true });
  }

  async #take(): Promise<LockState> {
    this.#seen = undefined;
    let file: Awaited<ReturnType<StateFs['open']>>;
    try {
      file = await this.#fs.open(this.#path, 'wx', 0o600);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      return { isOurs: false, holder: 'a process that came at the same moment', isAlive: false };
    }
    const since = this.#clock.date().toISOString();
    const content: Content = { host: hostname(), pid: String(process.pid), since, token: this.#token, ...ownMark() };
    try {
      await file.writeFile(`${JSON.stringify(content)}\n`);
    } catch (error) {
      await this.#fs.rm(this.#path, { force: true });
      throw error;
    } finally {
      await file.close();
    }
    return ours;
  }

  async #look(): Promise<{ content: Content | undefined; mark: string }> {
    try {
      const { mtimeMs } = await this.#fs.lstat(this.#path);
      const text = String(await this.#fs.readFile(this.#path));
      return { content: contentOf(text), mark: `${mtimeMs} ${text}` };
    } catch (error) {
      if (isMissing(error)) return { content: undefined, mark: '' };
      throw error;
    }
  }
}

type Content = Partial<Record<'host' | 'pid' | 'since' | 'token' | 'home' | 'began', string>>;

/** True where the process that wrote this would be seen from here, and is not there any more. */
function isGone({ pid, home, began }: Content): boolean {
  if (!/^\d+$/.test(String(pid)) || home === undefined || began === undefined) return false;
  return home === ownMark()?.home && beganAt(String(pid)) !== began;
}

const ours: LockState = { isOurs: true, holder: 'this process', isAlive: true };

function contentOf(text: string): Content {
  try {
    return (JSON.parse(text) ?? {}) as Content;
  } catch {
    return {};
  }
}
