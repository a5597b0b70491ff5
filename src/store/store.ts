import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Change } from '../model/change.ts';
import type { Clock } from '../model/clock.ts';
import type { ConflictPolicy } from '../model/conflict.ts';
import { kinds } from '../model/kinds.ts';
import type { HoldOutcome, Reporter } from '../model/reporter.ts';
import { noRow } from '../model/resource.ts';
import { placeTurn } from '../model/sizes.ts';
import type { Snapshot } from '../model/snapshot.ts';
import type { ConflictNews, Conflicts } from './conflicts.ts';
import { Debouncer, type DebounceOptions } from './debouncer.ts';
import { defaultGuard, Guard, type GuardOptions, type Hold, type Stream } from './guard.ts';
import { HoldWatch } from './hold-watch.ts';
import { type Applied, Holding, type Remembered } from './holding.ts';
import { Merged } from './merged.ts';
import { Sharing } from './sharing.ts';

export type StoreOptions = {
  readonly clock: Clock;
  readonly reporter: Reporter;
  readonly debounce: DebounceOptions;
  /** @default {@link defaultGuard} */
  readonly guard?: GuardOptions;
  /**
   * Asks a source for all that it has, on a stream that began at `since`, by the clock, or later.
   * @default nobody is asked
   */
  readonly askAgain?: (origin: string, since: number) => void;
  /** @default that of {@link Sharing} */
  readonly conflicts?: ConflictPolicy;
};

/** What moves its memory in turns. */
type Movable = { readonly layOut: (listed: Int32Array) => Generator<void> };

/** A hold that has begun, or ended where there is an outcome. */
export type HoldEvent = {
  readonly origin: string;
  /** {@link Kind.id}. */
  readonly kind: string;
  /** As it began, or as it was before it ended. */
  readonly hold: Hold;
  /** Resources that left at its end. */
  readonly removed: number;
  readonly outcome: HoldOutcome | undefined;
};

/**
 * All that is known, by origin and kind, and its merge into one {@link Snapshot} per kind. Of a key that several
 * origins hold, what the origin that was added first has is sent, unless {@link StoreOptions.conflicts} says otherwise.
 */
export class Store {
  readonly #options: StoreOptions;
  /** Origin → kind → holding, in order of precedence. */
  readonly #origins = new Map<string, Map<string, Holding>>();
  readonly #merged = new Map<string, Merged>();
  readonly #listeners = new Set<(kinds: ReadonlySet<string>) => void>();
  readonly #debouncer: Debouncer;
  readonly #layingOut = new Set<Movable>();
  readonly #sharing: Sharing;
  /** Messages of a kind whose new keys are on their way into the merged list: it may lack some of them. */
  readonly #settling = new Map<string, number>();
  /** True where a publication came meanwhile, and was not one of that kind. */
  #isPostponed = false;
  readonly #holdListeners = new Set<(event: HoldEvent) => void>();
  readonly #holdWatch: HoldWatch;
  /** The work that came last, by the holding that it is about. */
  readonly #turns = new Map<Holding, Promise<void>>();

  constructor(options: StoreOptions) {
    this.#options = options;
    this.#debouncer = new Debouncer(options.debounce, options.clock, () => this.#publish());
    this.#holdWatch = new HoldWatch(options.clock);
    for (const { id } of kinds) this.#merged.set(id, new Merged(id));
    this.#sharing = new Sharing(this.#merged, this.#origins, options.clock, options.conflicts);
  }

  /**
   * Makes an origin known that may hold `kindIds`. None of them is complete until it has spoken of it; what others said
   * before is published at once, so that streams which begin meanwhile are given what the older ones have.
   */
  addOrigin(origin: string, kindIds: Iterable<string>): void {
    this.#debouncer.flush();
    const holdings = new Map<string, Holding>();
    const { guard = defaultGuard } = this.#options;
    for (const id of kindIds) holdings.set(id, new Holding(this.#mergedOf(id).pool, new Guard(guard)));
    this.#origins.set(origin, holdings);
    this.#sharing.originAdded();
    for (const [id, merged] of this.#merged) {
      const listed = this.#isOnly(id) ? merged.listed : undefined;
      for (const others of this.#origins.values()) {
        const holding = others.get(id);
        if (holding !== undefined) holding.listed = listed;
      }
    }
  }

  /** What is held of one origin and kind. @throws for an origin or kind that was not added. */
  holding(origin: string, kindId: string): Holding {
    const holding = this.#origins.get(origin)?.get(kindId);
    if (holding === undefined) throw new Error(`origin ${origin} holds no ${kindId}`);
    return holding;
  }

  /** What several origins have. */
  get conflicts(): Conflicts {
    return this.#sharing.conflicts;
  }

  /** Every origin with its holdings by kind, in order of precedence. */
  get origins(): ReadonlyMap<string, ReadonlyMap<string, Holding>> {
    return this.#origins;
  }

  /**
   * Runs what reads and changes one holding, once all that came before it there is done: a message from its first look
   * at what is held, a release.
   */
  inTurn<T>(origin: string, kindId: string, work: () => Promise<T>): Promise<T> {
    const holding = this.holding(origin, kindId);
    const turn = (this.#turns.get(holding) ?? Promise.resolve()).then(work);
    const settled = () => {};
    this.#turns.set(holding, turn.then(settled, settled));
    return turn;
  }

  /**
   * Takes what a message says: the next one of this origin and kind may come once the promise is settled. Listeners hear
   * of it after the debounce, if anything is another one then.
   *
   * @param stream on which it came.
   */
  async apply(origin: string, kindId: string, change: Change, stream?: Stream): Promise<void> {
    const before = this.holding(origin, kindId).hold;
    const { upserts, removals, withheld } = await this.#apply(origin, kindId, change, stream);
    this.#report(origin, kindId, change, upserts + change.overwritten, removals, withheld);
    this.#tellOfHold(origin, kindId, before);
  }

  /**
   * Puts in what an earlier process held. It counts as said, and as stale until the origin says something itself; nothing
   * may have been said of it before.
   */
  async restore(origin: string, kindId: string, change: Change, remembered: Remembered): Promise<void> {
    await this.#apply(origin, kindId, change, undefined);
    this.holding(origin, kindId).restored(remembered);
  }

  async #apply(origin: string, kindId: string, change: Change, stream: Stream | undefined): Promise<Applied> {
    const { clock } = this.#options;
    const holding = this.holding(origin, kindId);
    const merged = this.#mergedOf(kindId);
    const wasComplete = this.complete(kindId);
    const heard = { date: clock.date(), at: clock.now(), stream };
    const applied = await inTurns(holding.apply(change, heard, this.#changed(kindId)));
    const { fresh } = change;
    if (this.#isOnly(kindId)) {
      merged.add(fresh, change.upserts.slice(change.upserts.length - fresh.length));
      await inTurns(merged.prepare());
    } else await this.#settleAll(kindId, fresh);
    this.#afterChange(merged, holding, kindId);
    if (!wasComplete) this.#debouncer.call();
    return applied;
  }

  /**
   * Lets go what is held of one origin and kind, as the operator says. Returns how many resources left; undefined where
   * nothing was held.
   */
  release(origin: string, kindId: string): Promise<number | undefined> {
    return this.inTurn(origin, kindId, async () =>
      this.holding(origin, kindId).withheld.size === 0 ? undefined : this.#letGo(origin, kindId, 'operator'),
    );
  }

  /** Says that a collection counts as empty although nothing came. What is held already stays. */
  setEmpty(origin: string, kindId: string, why: 'silent' | 'unsupported'): void {
    const holding = this.holding(origin, kindId);
    if (holding.sync === 'synced' && why === 'silent') return;
    if (why === 'unsupported' && holding.resources.size > 0) return;
    holding.countAsEmpty(why);
    this.#debouncer.call();
  }

  /** True where some origin may hold resources of this kind. */
  isExpected(kindId: string): boolean {
    for (const holdings of this.#origins.values()) if (holdings.has(kindId)) return true;
    return false;
  }

  /**
   * True once every origin that may hold the kind has spoken of it, in this process or in an earlier one. The gate of everything that is sent: istiod
   * deletes what a response lacks.
   */
  complete(kindId: string): boolean {
    for (const holdings of this.#origins.values()) if (holdings.get(kindId)?.sync === 'waiting') return false;
    return true;
  }

  /**
   * What may be sent of the kind; undefined while it is not complete, or not published yet. Resources that were
   * overwritten since the last publication are their new form already, and the version says so.
   */
  snapshot(kindId: string): Snapshot | undefined {
    const merged = this.#merged.get(kindId);
    return merged?.announced === true ? merged.snapshot : undefined;
  }

  /** Calls `listener` with the kinds whose snapshot is another one now. Returns what ends that. */
  onChange(listener: (kinds: ReadonlySet<string>) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Calls `listener` when a hold begins and when it ends. */
  onHold(listener: (event: HoldEvent) => void): void {
    this.#holdListeners.add(listener);
  }

  /** Calls `listener` with conflicts that began or ended: after a publication, and when hosts were looked at. */
  onConflicts(listener: (news: ConflictNews) => void): void {
    this.#sharing.onNews(listener);
  }

  /** Forgets a pending publication, and what is to be done about holds. */
  close(): void {
    this.#sharing.close();
    this.#debouncer.cancel();
    this.#holdWatch.close();
    this.#listeners.clear();
    this.#holdListeners.clear();
  }

  #mergedOf(kindId: string): Merged {
    return this.#merged.get(kindId) as Merged;
  }

  /** Takes note, for the merged list, of a key whose effective form is another row now, or none. */
  #changed(kindId: string): (key: string, row: number, old: number) => void {
    const merged = this.#mergedOf(kindId);
    return (key, row, old) => {
      if (!this.#isOnly(kindId)) this.#settle(kindId, key);
      else if (row !== noRow || !merged.remove(old)) merged.set(key, row);
    };
  }

  /** Called in the holding's turn. */
  async #letGo(origin: string, kindId: string, who: 'operator' | 'source'): Promise<number> {
    const holding = this.holding(origin, kindId);
    const merged = this.#mergedOf(kindId);
    const { hold } = holding;
    const removed = await inTurns(holding.release(who, this.#changed(kindId)));
    if (removed > 0) this.#options.reporter.changed(origin, kindId, 0, removed);
    this.#afterChange(merged, holding, kindId);
    const outcome = who === 'operator' ? 'released_by_operator' : 'confirmed_by_source';
    if (hold !== undefined) this.#holdEnded(origin, kindId, hold, outcome, removed);
    this.#watchHold(origin, kindId);
    return removed;
  }

  /** After a message. @param before what was held before it. */
  #tellOfHold(origin: string, kindId: string, before: Hold | undefined): void {
    const { resources, hold } = this.holding(origin, kindId);
    if (before === hold) return;
    const goesOn = before?.since === hold?.since;
    if (before !== undefined && !goesOn) {
      // Single removals, by name, may be what has ended it.
      const removed = [...before.keys].filter((key) => !resources.has(key)).length;
      this.#holdEnded(origin, kindId, before, removed > 0 ? 'confirmed_by_source' : 'recovered', removed);
    }
    if (hold !== undefined && !goesOn) this.#tellHold({ origin, kind: kindId, hold, removed: 0, outcome: undefined });
    this.#watchHold(origin, kindId);
  }

  #holdEnded(origin: string, kind: string, hold: Hold, outcome: HoldOutcome, removed: number): void {
    this.#options.reporter.holdEnded(origin, kind, outcome);
    this.#tellHold({ origin, kind, hold, removed, outcome });
  }

  #tellHold(event: HoldEvent): void {
    for (const listener of this.#holdListeners) listener(event);
  }

  #watchHold(origin: string, kindId: string): void {
    const { guard } = this.holding(origin, kindId);
    this.#holdWatch.watch(guard, (what) => {
      if (what === 'ask') {
        const since = guard.ask();
        if (since !== undefined) this.#options.askAgain?.(origin, since);
        this.#watchHold(origin, kindId);
        return;
      }
      void this.inTurn(origin, kindId, async () => {
        // A message that was under way may have said something else.
        if (guard.due(this.#options.clock.now()) === 'believe') await this.#letGo(origin, kindId, 'source');
      });
    });
  }

  /**
   * Decides anew what is sent of a key. To be called, while several origins may hold the kind or one of two has just gone,
   * in the turn in which one of them holds another form of it, or none.
   */
  #settle(kindId: string, key: string): void {
    this.#mergedOf(kindId).keep(key, this.#sharing.settle(kindId, key));
  }

  /** The same of all new keys of a message. The kind is not published until it has them all. */
  async #settleAll(kindId: string, keys: readonly string[]): Promise<void> {
    this.#settling.set(kindId, (this.#settling.get(kindId) ?? 0) + 1);
    try {
      for (const [i, key] of keys.entries()) {
        if (i > 0 && i % placeTurn === 0) await nextTurn();
        this.#settle(kindId, key);
      }
    } finally {
      this.#settling.set(kindId, (this.#settling.get(kindId) ?? 0) - 1);
      if (this.#isPostponed) this.#debouncer.call();
      this.#isPostponed = false;
    }
  }

  #afterChange(merged: Merged, holding: Holding, kindId: string): void {
    const shared = this.#sharing.keysOf(kindId);
    if (holding.isWasteful) this.#layOut(merged, holding);
    if (shared.isWasteful) this.#layOut(merged, shared);
    if (merged.isUntold || this.#sharing.conflicts.hasNews) this.#debouncer.call();
  }

  /** True where no other origin can have a word in what is sent of this kind. */
  #isOnly(kindId: string): boolean {
    let holders = 0;
    for (const holdings of this.#origins.values()) if (holdings.has(kindId)) holders++;
    return holders === 1;
  }

  #publish(): void {
    const news = new Set<string>();
    for (const [kindId, merged] of this.#merged) {
      if (!this.complete(kindId)) continue;
      if ((this.#settling.get(kindId) ?? 0) > 0) {
        this.#isPostponed = true;
        continue;
      }
      const changes = merged.fold();
      for (const holdings of this.#origins.values()) {
        const holding = holdings.get(kindId);
        if (holding?.isScattered(changes) === true) this.#layOut(merged, holding);
      }
      if (merged.tell()) news.add(kindId);
    }
    if (news.size > 0) for (const listener of this.#listeners) listener(news);
    this.#sharing.published();
  }

  /** Orders the memory of a holding. A large one takes several turns; what is read meanwhile is as good as ever. */
  #layOut(merged: Merged, holding: Movable): void {
    if (this.#layingOut.has(holding)) return;
    this.#layingOut.add(holding);
    const work = holding.layOut(merged.snapshot.rows);
    const step = () => {
      const isDone = work.next().done === true;
      merged.moved();
      if (isDone) this.#layingOut.delete(holding);
      else setImmediate(step);
    };
    setImmediate(step);
  }

  #report(origin: string, kindId: string, change: Change, upserts: number, removals: number, withheld: number): void {
    const { reporter } = this.#options;
    if (upserts + removals > 0) reporter.changed(origin, kindId, upserts, removals);
    for (const { reason } of change.quarantined) reporter.quarantined(origin, kindId, reason);
    const { bareNames, createTimes, duplicates } = change.repairs;
    if (bareNames > 0) reporter.repaired(origin, kindId, 'bare_name', bareNames);
    if (createTimes > 0) reporter.repaired(origin, kindId, 'create_time', createTimes);
    if (duplicates > 0) reporter.repaired(origin, kindId, 'duplicate', duplicates);
    if (withheld > 0) reporter.removalsWithheld(origin, kindId, withheld);
  }
}

/** Work that yields, to its end. */
async function inTurns<T>(work: Generator<void, T>): Promise<T> {
  let step = work.next();
  for (; step.done !== true; step = work.next()) await nextTurn();
  return step.value;
}
