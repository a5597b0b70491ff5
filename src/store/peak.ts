/** The highest count of this time is what removals are measured against. */
export const peakWindowMs = 600_000;

/** Counts of one such span are one entry: 61 of them at most, however fast a collection changes. */
const stepMs = 10_000;

/** The highest count of the last {@link peakWindowMs}; it may look back up to 10 s further. */
export class Peak {
  /** What a count was before it changed, by the span in which it did; oldest first. */
  readonly #steps: { readonly step: number; highest: number }[] = [];
  #count = 0;

  /** The count is this from now on. */
  see(count: number, now: number): void {
    if (count === this.#count) return;
    const step = Math.floor(now / stepMs);
    this.#forget(step);
    const last = this.#steps.at(-1);
    if (last?.step === step) last.highest = Math.max(last.highest, this.#count);
    else this.#steps.push({ step, highest: this.#count });
    this.#count = count;
  }

  highest(now: number): number {
    this.#forget(Math.floor(now / stepMs));
    return this.#steps.reduce((most, { highest }) => Math.max(most, highest), this.#count);
  }

  /** Everything before does not count any more. */
  startWith(count: number): void {
    this.#steps.length = 0;
    this.#count = count;
  }

  #forget(step: number): void {
    const oldest = step - peakWindowMs / stepMs;
    while ((this.#steps[0]?.step ?? oldest) < oldest) this.#steps.shift();
  }
}
