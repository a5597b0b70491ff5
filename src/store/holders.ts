import { setImmediate as nextTurn } from 'node:timers/promises';
import { placeTurn } from '../model/sizes.ts';
import { keyOf } from '../wire/resource-frame.ts';
import type { ResourceTable } from '../wire/resource-table.ts';
import type { Holding } from './holding.ts';

/** The origins in order of precedence, and who holds what of a kind. */
export class Holders {
  /** Origin → kind → holding. */
  readonly #origins = new Map<string, Map<string, Holding>>();
  /** By kind, in order of precedence; what nobody feeds any more comes last. */
  readonly #ofKind = new Map<string, ReadonlyMap<string, Holding>>();

  get origins(): ReadonlyMap<string, ReadonlyMap<string, Holding>> {
    return this.#origins;
  }

  /** Who holds a kind, in order of precedence, as of the last {@link arrange}. */
  of(kindId: string): ReadonlyMap<string, Holding> {
    return this.#ofKind.get(kindId) ?? nobody;
  }

  /** Has somebody feed these kinds of an origin; those that it has not yet are made. */
  add(origin: string, kindIds: Iterable<string>, make: (kindId: string) => Holding): void {
    const holdings = this.#origins.get(origin) ?? new Map<string, Holding>();
    this.#origins.set(origin, holdings);
    for (const id of kindIds) {
      const known = holdings.get(id);
      if (known === undefined) holdings.set(id, make(id));
      else known.retiredSince = undefined;
    }
  }

  /** The origin goes with its last kind. */
  remove(origin: string, kindId: string): void {
    const holdings = this.#origins.get(origin);
    holdings?.delete(kindId);
    if (holdings?.size === 0) this.#origins.delete(origin);
  }

  /** Those that are not named come last, in the order that they had. */
  setPrecedence(origins: readonly string[]): void {
    const others = [...this.#origins.keys()].filter((name) => !origins.includes(name));
    for (const name of [...origins, ...others]) {
      const holdings = this.#origins.get(name);
      if (holdings === undefined) continue;
      this.#origins.delete(name);
      this.#origins.set(name, holdings);
    }
  }

  /** Takes note of who holds a kind now. Returns whether those that held it before are in another order. */
  arrange(kindId: string): boolean {
    const fed: [string, Holding][] = [];
    const retired: [string, Holding][] = [];
    for (const [origin, holdings] of this.#origins) {
      const holding = holdings.get(kindId);
      if (holding === undefined) continue;
      (holding.retiredSince === undefined ? fed : retired).push([origin, holding]);
    }
    const before = [...this.of(kindId).values()];
    const now = new Map([...fed, ...retired]);
    this.#ofKind.set(kindId, now);
    const stayed = [...now.values()].filter((holding) => before.includes(holding));
    return before.filter((holding) => stayed.includes(holding)).some((holding, i) => holding !== stayed[i]);
  }

  /** Calls `meet` with every key that several hold now and until it settles. Gives other work its turn. */
  async meetShared(kindId: string, meet: (key: string) => void): Promise<void> {
    const all = [...this.of(kindId).values()];
    const [, ...others] = all.toSorted((a, b) => b.resources.size - a.resources.size);
    // A key of two is one of those that are not the largest.
    for (const { resources } of others) {
      const rows = resources.rows();
      for (let i = 0; i < rows.length; i++) {
        if (i > 0 && i % placeTurn === 0) await nextTurn();
        const row = rows[i] as number;
        if (!resources.holds(row)) continue;
        const key = keyOf(resources.pool, row);
        if (this.#isHeldBeside(kindId, key, resources)) meet(key);
      }
    }
  }

  #isHeldBeside(kindId: string, key: string, resources: ResourceTable): boolean {
    for (const one of this.of(kindId).values()) if (one.resources !== resources && one.resources.has(key)) return true;
    return false;
  }
}

const nobody: ReadonlyMap<string, Holding> = new Map();
