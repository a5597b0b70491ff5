/** Waits in milliseconds. */
export type BackoffOptions = { readonly firstMs: number; readonly maxMs: number };

export const defaultBackoff: BackoffOptions = { firstMs: 1000, maxMs: 15_000 };

/**
 * Exponential backoff with full jitter: each wait is drawn from 0 to a ceiling that doubles up to `maxMs`, so that
 * many clients of one server that came back do not arrive together.
 */
export class Backoff {
  readonly #options: BackoffOptions;
  readonly #random: () => number;
  #attempts = 0;

  /** @param random 0 ≤ x < 1. */
  constructor(options: BackoffOptions, random: () => number) {
    this.#options = options;
    this.#random = random;
  }

  /** The next wait. */
  next(): number {
    const ceiling = Math.min(this.#options.maxMs, this.#options.firstMs * 2 ** this.#attempts);
    if (ceiling < this.#options.maxMs) this.#attempts++;
    return this.#random() * ceiling;
  }

  /** The peer was well: start from the first ceiling again. */
  reset(): void {
    this.#attempts = 0;
  }
}
