import type { Clock, Timer } from '../../src/model/clock.ts';
import { settle } from './settle.ts';

type Pending = { readonly at: number; readonly run: () => void };

/** A clock that stands still until it is told to go on. */
export class FakeClock implements Clock {
  readonly #startedAt: number;
  readonly #pending = new Set<Pending>();
  #now = 0;

  constructor(startedAt = Date.UTC(2026, 0, 31, 12)) {
    this.#startedAt = startedAt;
  }

  now(): number {
    return this.#now;
  }

  date(): Date {
    return new Date(this.#startedAt + this.#now);
  }

  after(ms: number, run: () => void): Timer {
    const pending = { at: this.#now + Math.max(0, ms), run };
    this.#pending.add(pending);
    return { cancel: () => void this.#pending.delete(pending) };
  }

  /** Timers that were neither run nor cancelled. */
  get timers(): number {
    return this.#pending.size;
  }

  /** Lets `ms` pass: runs what becomes due, in order of time, then of creation; what that adds runs too. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) this.#fire(next);
    this.#now = end;
  }

  /** The same, and lets promises settle before the first timer and after each. */
  async run(ms: number): Promise<void> {
    await settle();
    const end = this.#now + ms;
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#fire(next);
      await settle();
    }
    this.#now = end;
  }

  #next(end: number): Pending | undefined {
    let next: Pending | undefined;
    for (const pending of this.#pending) {
      if (pending.at <= end && (next === undefined || pending.at < next.at)) next = pending;
    }
    return next;
  }

  #fire(pending: Pending): void {
    this.#pending.delete(pending);
    this.#now = pending.at;
    pending.run();
  }
}
