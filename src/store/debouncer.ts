import type { Clock, Timer } from '../model/clock.ts';

/** Waits, in milliseconds. */
export type DebounceOptions = {
  /** Quiet time that ends a burst. */
  readonly afterMs: number;
  /** A burst that never gets quiet ends after this. */
  readonly maxMs: number;
};

/** Runs `run` once for each burst of calls, at its trailing edge. */
export class Debouncer {
  /** For the calls from now on. */
  options: DebounceOptions;
  readonly #clock: Clock;
  readonly #run: (calls: number) => void;
  #timer: Timer | undefined;
  #burstStart = 0;
  #calls = 0;

  /** @param run is told how many calls the burst was. */
  constructor(options: DebounceOptions, clock: Clock, run: (calls: number) => void) {
    this.options = options;
    this.#clock = clock;
    this.#run = run;
  }

  call(): void {
    const now = this.#clock.now();
    if (this.#timer === undefined) this.#burstStart = now;
    this.#calls++;
    this.#timer?.cancel();
    const latest = this.#burstStart + this.options.maxMs;
    const wait = Math.max(0, Math.min(this.options.afterMs, latest - now));
    this.#timer = this.#clock.after(wait, () => {
      this.#timer = undefined;
      this.#end();
    });
  }

  /** Ends a burst at once, if there is one. */
  flush(): void {
    if (this.#timer === undefined) return;
    this.#timer.cancel();
    this.#timer = undefined;
    this.#end();
  }

  /** Forgets a burst that has not run yet. */
  cancel(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#calls = 0;
  }

  #end(): void {
    const calls = this.#calls;
    this.#calls = 0;
    this.#run(calls);
  }
}
