import { Worker } from 'node:worker_threads';
import type { Clock, Timer } from '../model/clock.ts';
import { messageOf } from '../model/errors.ts';
import type { Logger } from '../model/logger.ts';
import type { Answer, Batch, Findings, Question } from './messages.ts';
import { type Place, Progress } from './progress.ts';

/** What was found in a batch. */
export type Checked = Findings & {
  /** Places over which the thread has hung or died: nobody knows what is wrong there. @default none */
  readonly skipped?: readonly number[];
};

/** Looks at resources by the rules of Istio. */
export type Validator = {
  /**
   * @param isWanted true while a change waits for it: it is answered before all that none waits for, and not looked at
   * once that has given up. Default: no change waits.
   * @returns undefined where nobody could look, or has.
   */
  check(batch: Batch, isWanted?: () => boolean): Promise<Checked | undefined>;
  stop(): Promise<void>;
};

export type ThreadOptions = {
  readonly clock: Clock;
  readonly log: Logger;
  /** @default the one beside this file */
  readonly script?: URL;
  /** A thread that has not begun with a batch for so long is ended. @default 10000 */
  readonly timeoutMs?: number;
  /** A resource takes less than a millisecond: a thread that is at one for so long is ended. @default 4000 */
  readonly resourceMs?: number;
};

/** Batches in the hands of the thread: while it is at one, the next is there. What waits here can be overtaken. */
const maxOut = 2;

/** Time between two looks at where the thread is. */
const lookMs = 500;

/** Failures over one resource each that are followed by no pause, until there is an answer again. */
const maxQuick = 3;

/** Pause after a failure; doubled after each that follows. */
const firstPauseMs = 1000;
const maxPauseMs = 60_000;

/** Megabytes: what a body of the largest message needs, many times over. */
const maxHeapMb = 512;

type Waiting = {
  readonly batch: Batch;
  /** {@link Question.skip} */
  readonly skip: number[];
  readonly isUrgent: boolean;
  readonly isWanted: () => boolean;
  readonly answer: (found: Checked | undefined) => void;
};

/**
 * A {@link Validator} in a thread of its own, which is begun when something is to be looked at. A resource over which the
 * thread hangs or dies is left out; the thread is begun anew, and goes on with the others.
 */
export class ValidatorThread implements Validator {
  readonly #options: ThreadOptions;
  readonly #urgent: Waiting[] = [];
  readonly #others: Waiting[] = [];
  /** In the hands of the thread, by number. */
  readonly #out = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #progress = new Progress();
  #next = 0;
  #watch: Timer | undefined;
  /** In a row. */
  #failures = 0;
  #notBefore = 0;
  #isStopped = false;

  constructor(options: ThreadOptions) {
    this.#options = options;
  }

  check(batch: Batch, isWanted?: () => boolean): Promise<Checked | undefined> {
    if (this.#isStopped || (this.#worker === undefined && this.#options.clock.now() < this.#notBefore)) {
      return Promise.resolve(undefined);
    }
    return new Promise((answer) => {
      const isUrgent = isWanted !== undefined;
      const waiting = { batch, skip: [], isUrgent, isWanted: isWanted ?? (() => true), answer };
      (isUrgent ? this.#urgent : this.#others).push(waiting);
      this.#send();
    });
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    const worker = this.#worker;
    this.#giveUp();
    await worker?.terminate();
  }

  #send(): void {
    while (this.#out.size < maxOut) {
      const waiting = this.#urgent.shift() ?? this.#others.shift();
      if (waiting === undefined) return;
      if (!waiting.isWanted()) {
        waiting.answer(undefined);
        continue;
      }
      const id = this.#next++;
      const question: Question = { id, ...waiting.batch, skip: waiting.skip };
      this.#out.set(id, waiting);
      try {
        // A copy: another thread may have to look at it again.
        // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is for windows
        this.#thread().postMessage(question);
      } catch (error) {
        // There may be no more threads to be had.
        this.#failed(messageOf(error));
        return;
      }
      if (this.#out.size === 1) this.#expect();
    }
  }

  /** An answer; or that the thread goes on meanwhile. */
  #expect(): void {
    this.#watch?.cancel();
    const { clock, timeoutMs = 10_000, resourceMs = 4000 } = this.#options;
    let seen = this.#place();
    let since = clock.now();
    const look = () => {
      const at = this.#place();
      if (at?.id !== seen?.id || at?.place !== seen?.place) since = clock.now();
      seen = at;
      const limit = seen === undefined ? timeoutMs : resourceMs;
      if (clock.now() - since >= limit) this.#failed(`it said nothing for ${limit / 1000} s`);
      else this.#watch = clock.after(lookMs, look);
    };
    this.#watch = clock.after(lookMs, look);
  }

  /** Where the thread is in what it has not answered yet. */
  #place(): Place | undefined {
    const { at } = this.#progress;
    return this.#out.has(at.id) ? at : undefined;
  }

  #thread(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const { script = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url) } =
      this.#options;
    this.#progress = new Progress();
    const worker = new Worker(script, {
      name: 'validator',
      resourceLimits: { maxOldGenerationSizeMb: maxHeapMb },
      workerData: this.#progress.memory,
    });
    worker.unref();
    worker.on('message', (answer: Answer) => this.#answered(answer));
    worker.on('error', (error) => worker === this.#worker && this.#failed(messageOf(error)));
    worker.on('exit', () => worker === this.#worker && this.#failed('it ended'));
    this.#worker = worker;
    return worker;
  }

  #answered({ id, ...found }: Answer): void {
    const waiting = this.#out.get(id);
    if (waiting === undefined) return;
    this.#out.delete(id);
    this.#failures = 0;
    this.#watch?.cancel();
    if (this.#out.size > 0) this.#expect();
    waiting.answer({ ...found, skipped: waiting.skip });
    this.#send();
  }

  #failed(why: string): void {
    const worker = this.#worker;
    const at = this.#place();
    this.#worker = undefined;
    this.#watch?.cancel();
    void worker?.terminate();
    this.#failures++;
    const quick = at === undefined ? 0 : maxQuick;
    const doublings = this.#failures - quick - 1;
    const retryInMs = doublings < 0 ? 0 : Math.min(firstPauseMs * 2 ** doublings, maxPauseMs);
    this.#notBefore = this.#options.clock.now() + retryInMs;
    const fields = { why, retryInMs, hint: 'please report it; quarantine.invalid: ignore turns this off' };
    const what = 'the thread that checks resources by the rules of Istio has failed';
    const { log } = this.#options;
    if (at === undefined) {
      log.error(fields, `${what}; what comes is sent unchecked until it is back`);
      this.#giveUp();
    } else {
      log.error(fields, `${what} over one of them; that one is sent unchecked`);
      this.#out.get(at.id)?.skip.push(at.place);
      this.#goOn(retryInMs);
    }
  }

  /** With what the thread has not answered, before all else. */
  #goOn(pauseMs: number): void {
    for (const waiting of [...this.#out.values()].toReversed()) {
      (waiting.isUrgent ? this.#urgent : this.#others).unshift(waiting);
    }
    this.#out.clear();
    if (pauseMs === 0) this.#send();
    else this.#watch = this.#options.clock.after(pauseMs, () => this.#send());
  }

  #giveUp(): void {
    this.#worker = undefined;
    this.#watch?.cancel();
    const waiting = [...this.#out.values(), ...this.#urgent.splice(0), ...this.#others.splice(0)];
    this.#out.clear();
    for (const { answer } of waiting) answer(undefined);
  }
}
