import type { Clock } from '../model/clock.ts';

/** Sorts that are remembered: where addresses are part of them, there may be any number. */
const maxSorts = 1000;

/** Lets one event of each sort pass per interval, and counts the others: for log lines that strangers can cause. */
export class Throttle<Sort extends string> {
  readonly #clock: Clock;
  readonly #everyMs: number;
  readonly #sorts = new Map<Sort, { at: number; held: number }>();

  /** @param everyMs milliseconds. */
  constructor(clock: Clock, everyMs: number) {
    this.#clock = clock;
    this.#everyMs = everyMs;
  }

  /** How many of this sort were held back since the last one that passed; undefined where this one is held back too. */
  pass(sort: Sort): number | undefined {
    const now = this.#clock.now();
    const last = this.#sorts.get(sort);
    if (last !== undefined && now - last.at < this.#everyMs) {
      last.held++;
      return undefined;
    }
    this.#sorts.delete(sort);
    this.#sorts.set(sort, { at: now, held: 0 });
    const [oldest] = this.#sorts.keys();
    if (this.#sorts.size > maxSorts && oldest !== undefined) this.#sorts.delete(oldest);
    return last?.held ?? 0;
  }
}
