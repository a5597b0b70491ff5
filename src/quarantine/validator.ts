import { Worker } from 'node:worker_threads';
import type { Clock, Timer } from '../model/clock.ts';
import { messageOf } from '../model/errors.ts';
import type { Logger } from '../model/logger.ts';
import type { Answer, Batch, Question } from './messages.ts';

/** Looks at resources by the rules of Istio. */
export type Validator = {
  /**
   * @param isWanted true while a change waits for it: it is answered before all that none waits for, and not looked at
   * once that has given up. Default: no change waits.
   * @returns undefined where nobody could look, or has.
   */
  check(batch: Batch, isWanted?: () => boolean): Promise<Omit<Answer, 'id'> | undefined>;
  stop(): Promise<void>;
};

export type ThreadOptions = {
  readonly clock: Clock;
  readonly log: Logger;
  /** @default the one beside this file */
  readonly script?: URL;
  /** A batch takes a few milliseconds: a thread that is silent for so long is ended. @default 10000 */
  readonly timeoutMs?: number;
};

/** Batches in the hands of the thread: while it is at one, the next is there. What waits here can be overtaken. */
const maxOut = 2;

/** Pause after a failure; doubled after each that follows. */
const firstPauseMs = 1000;
const maxPauseMs = 60_000;

/** Megabytes: what a body of the largest message needs, many times over. */
const maxHeapMb = 512;

type Waiting = {
  readonly batch: Batch;
  readonly isWanted: () => boolean;
  readonly answer: (found: Omit<Answer, 'id'> | undefined) => void;
};

/** A {@link Validator} in a thread of its own, which is begun when something is to be looked at. */
export class ValidatorThread implements Validator {
  readonly #options: ThreadOptions;
  readonly #urgent: Waiting[] = [];
  readonly #others: Waiting[] = [];
  /** In the hands of the thread, by number. */
  readonly #out = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #next = 0;
  #watch: Timer | undefined;
  #pauseMs = 0;
  #notBefore = 0;
  #isStopped = false;

  constructor(options: ThreadOptions) {
    this.#options = options;
  }

  check(batch: Batch, isWanted?: () => boolean): Promise<Omit<Answer, 'id'> | undefined> {
    if (this.#isStopped || (this.#worker === undefined && this.#options.clock.now() < this.#notBefore)) {
      return Promise.resolve(undefined);
    }
    return new Promise((answer) => {
      if (isWanted === undefined) this.#others.push({ batch, isWanted: () => true, answer });
      else this.#urgent.push({ batch, isWanted, answer });
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
      const { kindId, bytes, ends } = waiting.batch;
      const question: Question = { id, kindId, bytes, ends };
      this.#out.set(id, waiting);
      try {
        this.#thread().postMessage(question, [bytes.buffer, ends.buffer]);
      } catch (error) {
        // There may be no more threads to be had.
        this.#failed(messageOf(error));
        return;
      }
      if (this.#out.size === 1) this.#expect();
    }
  }

  /** An answer, within the time for it. */
  #expect(): void {
    this.#watch?.cancel();
    const { clock, timeoutMs = 10_000 } = this.#options;
    this.#watch = clock.after(timeoutMs, () => this.#failed(`it said nothing for ${timeoutMs / 1000} s`));
  }

  #thread(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const { script = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url) } =
      this.#options;
    const worker = new Worker(script, { name: 'validator', resourceLimits: { maxOldGenerationSizeMb: maxHeapMb } });
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
    this.#pauseMs = 0;
    this.#watch?.cancel();
    if (this.#out.size > 0) this.#expect();
    waiting.answer(found);
    this.#send();
  }

  #failed(why: string): void {
    const worker = this.#worker;
    this.#pauseMs = Math.min(Math.max(firstPauseMs, 2 * this.#pauseMs), maxPauseMs);
    this.#notBefore = this.#options.clock.now() + this.#pauseMs;
    this.#options.log.error(
      { why, retryInMs: this.#pauseMs, hint: 'please report it; quarantine.invalid: ignore turns this off' },
      'the thread that checks resources by the rules of Istio has failed; what comes is sent unchecked until it is back',
    );
    this.#giveUp();
    void worker?.terminate();
  }

  #giveUp(): void {
    this.#worker = undefined;
    this.#watch?.cancel();
    const waiting = [...this.#out.values(), ...this.#urgent.splice(0), ...this.#others.splice(0)];
    this.#out.clear();
    for (const { answer } of waiting) answer(undefined);
  }
}
