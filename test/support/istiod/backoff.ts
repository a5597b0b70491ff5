import type { Clock } from '../../../src/model/clock.ts';
import type { IstiodProfile } from './profile.ts';

/** MaxElapsedTime of cenkalti/backoff v4, which istiod leaves at its default. */
const maxElapsedMs = 15 * 60_000;

/** istiod's wait between two streams: cenkalti/backoff v4, 500 ms × 1.5 up to 60 s, each ± 50 %. */
export class ReconnectBackoff {
  readonly #profile: IstiodProfile;
  readonly #clock: Clock;
  readonly #random: () => number;
  #intervalMs = 500;
  #since: number;

  constructor(profile: IstiodProfile, clock: Clock, random: () => number) {
    this.#profile = profile;
    this.#clock = clock;
    this.#random = random;
    this.#since = clock.now();
  }

  reset(): void {
    this.#intervalMs = 500;
    this.#since = this.#clock.now();
  }

  /** Milliseconds until the next try. */
  next(): number {
    const wait = this.#intervalMs * (0.5 + this.#random());
    this.#intervalMs = Math.min(this.#intervalMs * 1.5, 60_000);
    return this.#clock.now() - this.#since + wait > maxElapsedMs ? this.#profile.afterStopMs : wait;
  }
}

/** gRPC's own wait between two dials (grpc/backoff.DefaultConfig): 1 s × 1.6 up to 120 s, each ± 20 %. */
export function dialBackoffMs(failures: number, random: () => number): number {
  return Math.min(1000 * 1.6 ** (failures - 1), 120_000) * (0.8 + 0.4 * random());
}
