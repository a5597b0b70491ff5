import { noRow, type ResourcePool } from '../model/resource.ts';
import { placeTurn } from '../model/sizes.ts';
import { keyOf } from '../wire/resource-frame.ts';
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

  /**
   * Calls `meet` with every key that several hold now and until it settles: those in the merged list in its order. Gives
   * other work its turn, by `pause`.
   */
  async meetShared(
    kindId: string,
    pool: ResourcePool,
    listed: () => Int32Array,
    meet: (key: string) => void,
    pause: () => Promise<void>,
  ): Promise<void> {
    const all = [...this.of(kindId).values()];
    const [, ...others] = all.toSorted((a, b) => b.resources.size - a.resources.size);
    if (others.length === 0) return;
    const visit = async (rows: Int32Array, isMeant: (held: readonly number[]) => boolean) => {
      for (let i = 0; i < rows.length; i++) {
        if (i > 0 && i % placeTurn === 0) await pause();
        const row = rows[i] as number;
        // A listed one may be held by nobody: what was made of several.
        if (!pool.isListed(row) && !this.#isHeld(kindId, row)) continue;
        const key = keyOf(pool, row);
        const held = this.#rowsOf(kindId, key);
        if (held.length > 1 && isMeant(held)) meet(key);
      }
    };
    // A key of two is one of those that are not the largest. The list is looked at last: what comes into it meanwhile is met.
    for (const { resources } of others) {
      await visit(resources.rows(), (held) => !held.some((row) => pool.isListed(row)));
    }
    await visit(listed(), () => true);
  }

  #isHeld(kindId: string, row: number): boolean {
    for (const { resources } of this.of(kindId).values()) if (resources.holds(row)) return true;
    return false;
  }

  #rowsOf(kindId: string, key: string): number[] {
    const rows: number[] = [];
    for (const { resources } of this.of(kindId).values()) {
      const row = resources.get(key);
      if (row !== noRow) rows.push(row);
    }
    return rows;
  }
}

const nobody: ReadonlyMap<string, Holding> = new Map();
