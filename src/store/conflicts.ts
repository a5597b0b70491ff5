import type { Clock } from '../model/clock.ts';
import type { Conflict, ConflictReason } from '../model/conflict.ts';

/** What became of conflicts since somebody was told last. */
export type ConflictNews = {
  /** They are new, or have another reason. */
  readonly begun: readonly Conflict[];
  readonly ended: readonly Conflict[];
};

/** What is known of a conflict beside its name. */
type Found = Pick<Conflict, 'reason' | 'origins' | 'resources'>;

/** Conflicts of one kind about keys, or about hosts. */
export class ConflictSet {
  readonly kind: string;
  readonly same: Conflict['same'];
  readonly #clock: Clock;
  readonly #next: () => number;
  /** In the order of their numbers. */
  readonly #present = new Map<string, Conflict>();
  /** What has changed since somebody was told: what it was then. */
  readonly #before = new Map<string, Conflict | undefined>();
  readonly #counts = new Map<ConflictReason, number>();

  constructor(kind: string, same: Conflict['same'], clock: Clock, next: () => number) {
    this.kind = kind;
    this.same = same;
    this.#clock = clock;
    this.#next = next;
  }

  get size(): number {
    return this.#present.size;
  }

  get(name: string): Conflict | undefined {
    return this.#present.get(name);
  }

  /** How many there are, by reason. */
  get counts(): ReadonlyMap<ConflictReason, number> {
    return this.#counts;
  }

  /** Says what is the matter with a name now; undefined = nothing any more. */
  set(name: string, found: Found | undefined): void {
    const old = this.#present.get(name);
    if (old === undefined && found === undefined) return;
    if (old?.reason === found?.reason) {
      // Who takes part may be others; it goes on.
      const isSame = old?.origins === found?.origins && old?.resources === found?.resources;
      if (!isSame) this.#present.set(name, { ...(old as Conflict), ...found });
      return;
    }
    if (!this.#before.has(name)) this.#before.set(name, old);
    this.#present.delete(name);
    if (old !== undefined) this.#count(old.reason, -1);
    if (found === undefined) return;
    this.#count(found.reason, 1);
    const { kind } = this;
    const since = this.#clock.date().getTime();
    this.#present.set(name, { kind, same: this.same, name, ...found, since, number: this.#next() });
  }

  #count(reason: ConflictReason, by: 1 | -1): void {
    const count = (this.#counts.get(reason) ?? 0) + by;
    if (count === 0) this.#counts.delete(reason);
    else this.#counts.set(reason, count);
  }

  /** Up to `limit` that have a number above `after`, in their order. */
  *page(after: number, limit: number): Generator<Conflict> {
    let left = limit;
    for (const conflict of this.#present.values()) {
      if (left === 0) return;
      if (conflict.number <= after) continue;
      left--;
      yield conflict;
    }
  }

  get hasNews(): boolean {
    return this.#before.size > 0;
  }

  /** Adds what is news to both lists, and forgets that it is. */
  tell(begun: Conflict[], ended: Conflict[]): void {
    for (const [name, before] of this.#before) {
      const now = this.#present.get(name);
      if (before?.reason === now?.reason) continue;
      if (now !== undefined) begun.push(now);
      else if (before !== undefined) ended.push(before);
    }
    this.#before.clear();
  }
}

/** What several origins have, of all kinds. It is kept up to date as they change; nothing is looked for when it is read. */
export class Conflicts {
  readonly #clock: Clock;
  readonly #sets: ConflictSet[] = [];
  #number = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A new set, for one kind. */
  newSet(kind: string, same: Conflict['same']): ConflictSet {
    const set = new ConflictSet(kind, same, this.#clock, () => ++this.#number);
    this.#sets.push(set);
    return set;
  }

  /** The one about a key of a kind, if there is one. */
  ofKey(kind: string, key: string): Conflict | undefined {
    return this.#sets.find((set) => set.kind === kind && set.same === 'key')?.get(key);
  }

  /** How many there are of each kind and reason; none of them 0. */
  *counts(): Generator<{ readonly kind: string; readonly reason: ConflictReason; readonly count: number }> {
    for (const { kind, counts } of this.#sets) for (const [reason, count] of counts) yield { kind, reason, count };
  }

  /** Up to `limit` that have a number above `after`, in the order in which they began. */
  page(after: number, limit: number): Conflict[] {
    const found = this.#sets.flatMap((set) => [...set.page(after, limit)]);
    return found.toSorted((a, b) => a.number - b.number).slice(0, limit);
  }

  get hasNews(): boolean {
    return this.#sets.some((set) => set.hasNews);
  }

  /** What is news since the last call. */
  tell(): ConflictNews {
    const begun: Conflict[] = [];
    const ended: Conflict[] = [];
    for (const set of this.#sets) set.tell(begun, ended);
    return { begun, ended };
  }
}
