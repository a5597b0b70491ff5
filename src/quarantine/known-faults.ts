import type { Fault } from '../model/change.ts';
import type { ResourcePool } from '../model/resource.ts';
import { keyOf } from '../wire/resource-frame.ts';

/** Faults that are remembered of one kind. */
const maxKnown = 10_000;

/** `unknown`: nobody can tell, since the thread hangs or dies over it. */
type Known = Fault | 'unknown';

/**
 * What is wrong with resources, by their content: a source that repeats a bad form with every message costs one look.
 * Those that were not met for the longest time are forgotten.
 */
export class KnownFaults {
  readonly #faults = new Map<string, Known>();

  get(pool: ResourcePool, row: number): Known | undefined {
    if (this.#faults.size === 0) return undefined;
    const content = contentOf(pool, row);
    const fault = this.#faults.get(content);
    if (fault !== undefined) this.#renew(content, fault);
    return fault;
  }

  add(pool: ResourcePool, row: number, fault: Known): void {
    this.#renew(contentOf(pool, row), fault);
    for (const oldest of this.#faults.keys()) {
      if (this.#faults.size <= maxKnown) return;
      this.#faults.delete(oldest);
    }
  }

  #renew(content: string, fault: Known): void {
    this.#faults.delete(content);
    this.#faults.set(content, fault);
  }
}

/** With the name, since whoever can choose some bytes of a resource can give it the hash of another. */
const contentOf = (pool: ResourcePool, row: number): string =>
  `${pool.v1(row)},${pool.v2(row)},${pool.v3(row)} ${keyOf(pool, row)}`;
