import type { Clock } from '../model/clock.ts';

/** How often something may happen: so many at once, and so many more each second. */
export type Rate = { readonly burst: number; readonly perSecond: number };

/**
 * Says how long to wait, so that something happens no more often than a {@link Rate} allows. As many as a burst can wait;
 * those beyond wait no longer than these.
 */
export class TokenBucket {
  readonly #rate: Rate;
  readonly #clock: Clock;
  #tokens: number;
  #at: number;

  constructor(rate: Rate, clock: Clock) {
    this.#rate = rate;
    this.#clock = clock;
    this.#tokens = rate.burst;
    this.#at = clock.now();
  }

  /** Takes one. @returns milliseconds after which it may be used; 0 = at once. */
  take(): number {
    this.#refill();
    this.#tokens = Math.max(this.#tokens - 1, -this.#rate.burst);
    return this.#tokens >= 0 ? 0 : (-this.#tokens * 1000) / this.#rate.perSecond;
  }

  /** True where nothing was taken for so long that it is as good as new. */
  get isFull(): boolean {
    this.#refill();
    return this.#tokens >= this.#rate.burst;
  }

  #refill(): void {
    const now = this.#clock.now();
    this.#tokens = Math.min(this.#rate.burst, this.#tokens + ((now - this.#at) * this.#rate.perSecond) / 1000);
    this.#at = now;
  }
}
