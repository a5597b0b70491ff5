import type { ConflictPolicy, ConflictReason } from '../model/conflict.ts';
import { kindOfId, serviceEntryId } from '../model/kinds.ts';
import { noRow, type ResourcePool, verdicts } from '../model/resource.ts';
import { placeTurn } from '../model/sizes.ts';
import { Arena, discard, relocate } from '../wire/arena.ts';
import { viewed } from '../wire/bytes.ts';
import { isEncodedAs } from '../wire/resource-frame.ts';
import { seedOf } from '../wire/resource-parts.ts';
import { hashKey, type ResourceTable } from '../wire/resource-table.ts';
import { uniteEndpoints } from '../wire/unite-endpoints.ts';
import type { ConflictSet } from './conflicts.ts';

/** What origins hold of a kind at the moment, in order of precedence. */
export type HoldersOf = { of(kindId: string): ReadonlyMap<string, { readonly resources: ResourceTable }> };

/**
 * Of one kind, what is sent of each key that several origins hold. It depends on what they hold alone, and not on how
 * that came about, so replicas agree. A form that no origin has is made here, and belongs to whoever made it.
 */
export class SharedKeys {
  readonly #kind: string;
  readonly #pool: ResourcePool;
  readonly #holders: HoldersOf;
  readonly #unites: boolean;
  readonly #prefersValid: boolean;
  readonly #conflicts: ConflictSet;
  readonly #bodyType: ReturnType<typeof viewed>;
  readonly #seed: ReturnType<typeof seedOf>;
  /** Key → the form that was made for it. */
  readonly #made = new Map<string, number>();
  #arena = new Arena();
  #liveBytes = 0;
  /** Lists of origins that share something; each once. */
  readonly #groups = new Map<string, readonly string[]>();
  /** Who holds the key that is being looked at, and its row there. */
  readonly #names: string[] = [];
  readonly #rows: number[] = [];
  /**
   * Of the key that was settled last: its row in the merged list, as far as somebody holds that still; noRow where there is
   * none.
   */
  listed = noRow;

  constructor(
    kind: string,
    pool: ResourcePool,
    holders: HoldersOf,
    { sameKey, refusedGivesWay = true }: ConflictPolicy,
    conflicts: ConflictSet,
  ) {
    this.#kind = kind;
    this.#pool = pool;
    this.#holders = holders;
    // The only kind whose endpoints can be united.
    this.#unites = sameKey === 'mergeEndpoints' && kind === serviceEntryId;
    this.#prefersValid = refusedGivesWay;
    this.#conflicts = conflicts;
    this.#bodyType = viewed(Buffer.from(`type.googleapis.com/${kindOfId(kind)?.body}`));
    this.#seed = seedOf(this.#bodyType);
  }

  /**
   * The row that is to be sent of a key, {@link noRow} where nobody holds it. To be asked for, and put into the merged
   * list, in the same turn in which an origin holds another form of the key, or none any more, or a form is refused; and
   * once the origins that hold it come in another order.
   */
  settle(key: string): number {
    this.#find(key);
    this.listed = this.#findListed(key);
    const rows = this.#usable();
    const [first = noRow] = rows;
    let sent = first;
    let reason: ConflictReason | undefined;
    if (this.#rows.length > 1) {
      const others = rows.filter((row) => row === first || !this.#isEqual(row, first));
      if (others.length === 1) reason = 'equal';
      else if (!this.#unites) reason = 'precedence';
      else {
        const { row, obstacle } = uniteEndpoints(this.#pool, others, this.#bodyType, this.#seed, this.#arena);
        sent = row;
        reason = obstacle ?? 'merged';
      }
      if (rows.length < this.#rows.length) reason = 'invalid';
    }
    this.#conflicts.set(key, reason && { reason, origins: this.#group(), resources: none });
    return this.#keep(key, first, sent);
  }

  #find(key: string): void {
    const bytes = viewed(Buffer.from(key));
    const hash = hashKey(bytes.view, 0, bytes.length);
    this.#names.length = this.#rows.length = 0;
    for (const [origin, { resources }] of this.#holders.of(this.#kind)) {
      const row = resources.find(bytes, 0, bytes.length, hash);
      if (row === noRow) continue;
      this.#names.push(origin);
      this.#rows.push(row);
    }
  }

  #findListed(key: string): number {
    for (const row of this.#rows) if (this.#pool.isListed(row)) return row;
    const made = this.#made.get(key) ?? noRow;
    return made !== noRow && this.#pool.isListed(made) ? made : noRow;
  }

  /** The forms that count: those that break no rule of Istio as far as is known, or all where none is left then. */
  #usable(): readonly number[] {
    const rows = this.#rows;
    if (!this.#prefersValid || rows.length < 2) return rows;
    const usable = rows.filter((row) => this.#pool.verdict(row) !== verdicts.refused);
    return usable.length === 0 ? rows : usable;
  }

  /** Both have the same key. */
  #isEqual(row: number, other: number): boolean {
    const pool = this.#pool;
    return pool.hasContent(row, { h1: pool.v1(other), h2: pool.v2(other), h3: pool.v3(other) });
  }

  #group(): readonly string[] {
    const id = this.#names.join(' ');
    const group = this.#groups.get(id) ?? [...this.#names];
    this.#groups.set(id, group);
    return group;
  }

  /** Keeps what was made for a key, if anything was, instead of what was before. Returns what is to be sent. */
  #keep(key: string, first: number, sent: number): number {
    const pool = this.#pool;
    const old = this.#made.get(key) ?? noRow;
    const isMade = sent !== first;
    if (isMade) this.#liveBytes += pool.bytes(sent);
    if (isMade && old !== noRow && isEncodedAs(pool, old, pool.chunk(sent), pool.start(sent), pool.end(sent))) {
      this.#discard(sent);
      return old;
    }
    if (isMade) this.#made.set(key, sent);
    // Where the one stands in the merged list, the other one will.
    const before = old === noRow ? first : old;
    if (sent !== before && sent !== noRow && !pool.isListed(sent)) pool.setAt(sent, pool.at(before));
    if (old === noRow) return sent;
    if (!isMade) this.#made.delete(key);
    this.#discard(old);
    return sent;
  }

  #discard(row: number): void {
    this.#liveBytes -= this.#pool.bytes(row);
    discard(this.#pool, row, this.#arena);
  }

  /** True where more than half of the memory is garbage: then it should be laid out anew. */
  get isWasteful(): boolean {
    return this.#arena.isWasteful(this.#liveBytes);
  }

  /** Moves everything to a new arena. Yields when something else should get its turn: what moved so far lies elsewhere. */
  *layOut(): Generator<void> {
    this.#arena = new Arena();
    let moved = 0;
    for (const row of this.#made.values()) {
      // What was made meanwhile is there already.
      if (this.#arena.has(this.#pool.chunk(row))) continue;
      relocate(this.#pool, [row], this.#arena);
      if (++moved % placeTurn === 0) yield;
    }
  }
}

const none: readonly never[] = [];
