import { type PendingSetting, pendingSettings } from './changes.ts';
import { ConfigError } from './load.ts';
import type { Config } from './schema.ts';
import type { Clock } from '../model/clock.ts';
import { IsthmusError, messageOf } from '../model/errors.ts';
import type { Logger } from '../model/logger.ts';

/** What an operator sees of the readings of the config. */
export type ReloadView = {
  /** Undefined where there is none. */
  readonly file: string | undefined;
  /** When what is in force was read. */
  readonly readAt: Date;
  /** Why the last reading has changed nothing; undefined where it has, and before the first. */
  readonly failed:
    | {
        readonly at: Date;
        readonly message: string;
        /** `at`: a place in the file, as `file:line:column`, or a flag. */
        readonly mistakes: readonly { readonly at: string; readonly what: string }[];
      }
    | undefined;
  /** What the file has that a restart alone takes. */
  readonly pending: readonly PendingSetting[];
};

export type ReloadOptions = {
  readonly file: string | undefined;
  /** Undefined where there is nothing to read. */
  readonly read: (() => Promise<Config>) | undefined;
  readonly inForce: () => Config;
  /** Takes from a valid config what can be taken while the bridge runs. */
  readonly apply: (wanted: Config) => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
};

/** Reads the config again when it is told to, and says what came of it. One reading at a time. */
export class Reload {
  readonly #options: ReloadOptions;
  #view: ReloadView;
  #work: Promise<void> | undefined;
  #isAsked = false;
  #isStopped = false;

  constructor(options: ReloadOptions) {
    this.#options = options;
    this.#view = { file: options.file, readAt: options.clock.date(), failed: undefined, pending: [] };
  }

  get view(): ReloadView {
    return this.#view;
  }

  /** Settles once all that was asked for is done; never rejects. */
  request(): Promise<void> {
    this.#isAsked = true;
    this.#work ??= this.#run();
    return this.#work;
  }

  stop(): void {
    this.#isStopped = true;
  }

  async #run(): Promise<void> {
    while (this.#isAsked) {
      this.#isAsked = false;
      await this.#readOnce();
    }
    this.#work = undefined;
  }

  async #readOnce(): Promise<void> {
    const { file, read, inForce, apply, clock, log } = this.#options;
    if (this.#isStopped) {
      log.info({}, 'shutting down: the config is not read again');
      return;
    }
    if (read === undefined) {
      const hint = 'start isthmus serve with --config FILE, so that there is something to read again';
      log.warn({ hint }, 'there is no config file to read again; nothing has changed');
      return;
    }
    try {
      const wanted = await read();
      if (this.#isStopped) return;
      const readAt = clock.date();
      await apply(wanted);
      const pending = pendingSettings(inForce(), wanted);
      this.#view = { file, readAt, failed: undefined, pending };
      log.info({ file }, 'the config was read again, and is in force');
      if (pending.length === 0) return;
      log.warn(
        { file, settings: pending },
        'some settings of the config need a restart of the bridge; the others are in force',
      );
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    const { file, clock, log } = this.#options;
    const message = messageOf(error);
    const mistakes = error instanceof ConfigError ? error.mistakes.map(({ at, what }) => ({ at, what })) : [];
    this.#view = { ...this.#view, failed: { at: clock.date(), message, mistakes } };
    const advice = error instanceof IsthmusError ? error.hint : undefined;
    const hint = `${advice ?? 'mend it, and send SIGHUP again'}; isthmus check --config FILE tells what is wrong before`;
    const fields = { file, mistakes, hint, ...(error instanceof IsthmusError ? {} : { err: error }) };
    log.error(fields, `the config can't be read again; what was in force stays: ${message}`);
  }
}
