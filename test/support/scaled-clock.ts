import { type Clock, systemClock } from '../../src/model/clock.ts';

/** The machine's clock, `factor` times as fast: minutes of a protocol pass in seconds of a test. */
export class ScaledClock implements Clock {
  readonly #factor: number;
  readonly #startedAt = Date.now();
  readonly #start = systemClock.now();

  constructor(factor: number) {
    this.#factor = factor;
  }

  now(): number {
    return (systemClock.now() - this.#start) * this.#factor;
  }

  date(): Date {
    return new Date(this.#startedAt + this.now());
  }

  after(ms: number, run: () => void): { cancel(): void } {
    return systemClock.after(ms / this.#factor, run);
  }
}
