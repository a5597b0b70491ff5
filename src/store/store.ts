import { setImmediate as nextTurn } from 'node:timers/promises';
import { bodyRepairs, type Change } from '../model/change.ts';
import type { Clock } from '../model/clock.ts';
import type { ConflictPolicy } from '../model/conflict.ts';
import type { Effects } from '../model/effects.ts';
import { kinds } from '../model/kinds.ts';
import type { News, PushCause } from '../model/news.ts';
import type { HoldOutcome, Reporter } from '../model/reporter.ts';
import { noRow, type ResourcePool } from '../model/resource.ts';
import { placeTurn } from '../model/sizes.ts';
import type { Snapshot } from '../model/snapshot.ts';
import type { ConflictNews, Conflicts } from './conflicts.ts';
import { Debouncer, type DebounceOptions } from './debouncer.ts';
import { EffectTally } from './effect-tally.ts';
import { defaultGuard, Guard, type GuardOptions, type Hold, type Stream } from './guard.ts';
import { Holders } from './holders.ts';
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
  /** False where more origins may turn up until {@link Store.open} is called. @default true */
  readonly isOpen?: boolean;
};

/** What moves its memory in turns. */
type Movable = { readonly layOut: (listed: Int32Array) => Generator<void> };

/** What an origin holds of a key. */
export type Form = { readonly origin: string; readonly holding: Holding; readonly row: number };

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
 * origins hold, what the first of them has is sent, in their order of precedence, unless {@link StoreOptions.conflicts} says otherwise.
 */
export class Store {
  readonly #options: StoreOptions;
  readonly #holders = new Holders();
  readonly #merged = new Map<string, Merged>();
  readonly #listeners = new Set<(kinds: ReadonlySet<string>, news: ReadonlyMap<string, News>) => void>();
  /** What waits to be published, by kind. */
  readonly #news = new Map<string, News>();
  /** When what is given of each kind became what it is. */
  readonly #publishedAt = new Map<string, Date>();
  readonly #debouncer: Debouncer;
  readonly #layingOut = new Set<Movable>();
  readonly #sharing: Sharing;
  /** How much of a kind is on its way into the merged list: new keys of messages, keys that are decided anew, and so on. */
  readonly #settling = new Map<string, number>();
  /** True where a publication came meanwhile, and was not one of that kind. */
  #isPostponed = false;
  readonly #holdListeners = new Set<(event: HoldEvent) => void>();
  readonly #effectListeners = new Set<(effects: Effects) => void>();
  /** By kind, what verdicts have changed since the last publication: there may be as many as there are resources. */
  readonly #verdicts = new Map<string, EffectTally>();
  readonly #holdWatch: HoldWatch;
  /** The work that came last, by the holding that it is about. */
  readonly #turns = new WeakMap<Holding, Promise<void>>();
  #guard: GuardOptions;
  #isOpen: boolean;
  /** Settles once the present order of the holders counts for every key. */
  #arranged = Promise.resolve();

  constructor(options: StoreOptions) {
    this.#options = options;
    this.#guard = options.guard ?? defaultGuard;
    this.#isOpen = options.isOpen ?? true;
    this.#debouncer = new Debouncer(options.debounce, options.clock, (calls) => this.#publish(calls));
    this.#holdWatch = new HoldWatch(options.clock);
    for (const { id } of kinds) this.#merged.set(id, new Merged(id));
    this.#sharing = new Sharing(this.#merged, this.#holders, options.clock, options.conflicts);
  }

  /**
   * Makes an origin known that may hold `kindIds`, besides those that it may hold already; of these, what was retired is
   * so no more, and what comes from now on is looked at by another intake. None of the others is complete until it has
   * spoken of it; what others said before is published at once, so that streams which begin meanwhile are given what the
   * older ones have.
   */
  addOrigin(origin: string, kindIds: readonly string[]): void {
    this.#debouncer.flush();
    for (const id of kindIds) {
      const known = this.origins.get(origin)?.get(id);
      if (known !== undefined) void this.inTurn(origin, id, async () => known.forgetMessages());
    }
    this.#holders.add(origin, kindIds, (id) => new Holding(this.#mergedOf(id).pool, new Guard(this.#guard)));
    this.#sharing.originAdded();
    void this.#arrange();
  }

  /**
   * Says that nobody feeds a kind of an origin any more. What is held of it stays, as stale, and gives way to what others
   * have of the same keys; where nothing is held, that is gone. Returns how many resources stay.
   */
  retire(origin: string, kindId: string): Promise<number> {
    return this.inTurn(origin, kindId, async () => {
      const holding = this.holding(origin, kindId);
      const { size } = holding.resources;
      if (size === 0) this.#forget(origin, kindId);
      else holding.retire(this.#options.clock.date());
      await this.#arrange();
      return size;
    });
  }

  /** Takes away a kind of an origin, with all that is held of it, at once. Returns how many resources left. */
  removeOrigin(origin: string, kindId: string): Promise<number> {
    return this.inTurn(origin, kindId, async () => {
      const holding = this.holding(origin, kindId);
      const { hold } = holding;
      const merged = this.#mergedOf(kindId);
      holding.effects.begin('source_removed');
      const work = holding.clear(merged.snapshot.rows, this.#changed(kindId, holding));
      const removed = await this.#whileSettling(kindId, () => inTurns(work, () => this.#foldSome(kindId)));
      this.#tookOut(origin, kindId, removed, 'reload');
      if (hold !== undefined) this.#holdEnded(origin, kindId, hold, 'released_by_operator', removed);
      this.#forget(origin, kindId);
      await this.#arrange();
      return removed;
    });
  }

  /** Brings the origins into an order of precedence; those that are not named come last, in the order that they had. */
  async setPrecedence(origins: readonly string[]): Promise<void> {
    this.#holders.setPrecedence(origins);
    await this.#arrange();
  }

  /** Takes other waits, and other limits for what comes from now on; holds that have begun keep their deadline. */
  configure({ debounce, guard }: { readonly debounce: DebounceOptions; readonly guard: GuardOptions }): void {
    this.#debouncer.options = debounce;
    this.#guard = guard;
    for (const [origin, holdings] of this.#holders.origins) {
      for (const [kindId, holding] of holdings) {
        holding.guard.options = guard;
        this.#watchHold(origin, kindId);
      }
    }
  }

  /**
   * Says that all origins are known. Before, in a store that was made so, nothing is complete, and every kind is expected:
   * what an earlier process held may be of origins and kinds that nobody else has.
   */
  open(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#debouncer.call();
  }

  /** What is held of one origin and kind. @throws for an origin or kind that was not added. */
  holding(origin: string, kindId: string): Holding {
    const holding = this.#holders.origins.get(origin)?.get(kindId);
    if (holding === undefined) throw new Error(`origin ${origin} holds no ${kindId}`);
    return holding;
  }

  /** What several origins have. */
  get conflicts(): Conflicts {
    return this.#sharing.conflicts;
  }

  /** Every origin with its holdings by kind, in order of precedence. */
  get origins(): ReadonlyMap<string, ReadonlyMap<string, Holding>> {
    return this.#holders.origins;
  }

  /**
   * Runs what reads and changes one holding, once all that came before it there is done: a message from its first look
   * at what is held, a release.
   */
  inTurn<T>(origin: string, kindId: string, work: () => Promise<T>): Promise<T> {
    const holding = this.holding(origin, kindId);
    const turn = (this.#turns.get(holding) ?? Promise.resolve()).then(work);
    const settled = () => this.#tellEffects(origin, kindId, holding.effects);
    this.#turns.set(holding, turn.then(settled, settled));
    return turn;
  }

  /**
   * Takes what a message says: the next one of this origin and kind may come once the promise is settled. Listeners hear
   * of it after the debounce, if anything is another one then.
   *
   * @param stream on which it came.
   * @param cameAt when it was there whole, by the clock. Default: now.
   */
  async apply(origin: string, kindId: string, change: Change, stream?: Stream, cameAt?: number): Promise<void> {
    const before = this.holding(origin, kindId).hold;
    const since = cameAt ?? this.#options.clock.now();
    const { upserts, removals, withheld } = await this.#apply(origin, kindId, change, stream, since);
    this.#report(origin, kindId, change, upserts + change.overwritten, removals, withheld);
    this.#tellOfHold(origin, kindId, before);
  }

  /**
   * Puts in what an earlier process held. It counts as said, and as stale until the origin says something itself; nothing
   * may have been said of it before.
   */
  async restore(origin: string, kindId: string, change: Change, remembered: Remembered): Promise<void> {
    const holding = this.holding(origin, kindId);
    holding.effects.begin('restart');
    await this.#apply(origin, kindId, change, undefined, this.#options.clock.now());
    holding.restored(remembered);
    this.#tellEffects(origin, kindId, holding.effects);
  }

  async #apply(
    origin: string,
    kindId: string,
    change: Change,
    stream: Stream | undefined,
    since: number,
  ): Promise<Applied> {
    const { clock } = this.#options;
    const holding = this.holding(origin, kindId);
    const merged = this.#mergedOf(kindId);
    const wasComplete = this.complete(kindId);
    const heard = { date: clock.date(), at: clock.now(), stream };
    const { fresh, missing } = change;
    const work = async () => {
      const done = await inTurns(holding.apply(change, heard, this.#changed(kindId, holding)));
      if (isAlone(holding)) {
        const rows = change.upserts.slice(change.upserts.length - fresh.length);
        merged.add(fresh, rows);
        holding.effects.added(merged.pool, rows);
        await inTurns(merged.prepare());
      } else await this.#settleAll(kindId, fresh, holding);
      return done;
    };
    // What leaves may be what comes, under another name: neither is published without the other.
    const isSwap = fresh.length > 0 && missing.length > 0;
    // Before the first turn in which others may publish what has come in so far.
    const isNews = change.upserts.length + change.overwritten + missing.length > 0;
    if (isNews) this.#tookIn(kindId, 'change', since);
    const applied = await (isSwap ? this.#whileSettling(kindId, work) : work());
    if (isNews) this.#tookIn(kindId, 'change', since);
    this.#afterChange(kindId, holding);
    if (!wasComplete) this.#debouncer.call();
    return applied;
  }

  /**
   * Lets go what is held of one origin and kind, as the operator says. Returns how many resources left; undefined where
   * nothing was held.
   */
  release(origin: string, kindId: string): Promise<number | undefined> {
    return this.inTurn(origin, kindId, async () => {
      // It may have left meanwhile.
      const { size } = this.#holders.origins.get(origin)?.get(kindId)?.withheld ?? { size: 0 };
      return size === 0 ? undefined : this.#letGo(origin, kindId, 'operator');
    });
  }

  /** Says that a form that an origin holds of a key was refused: where others hold the key too, it may have to give way. */
  refused(kindId: string, key: string): void {
    if (!this.isShared(kindId)) return;
    let effects = this.#verdicts.get(kindId);
    if (effects === undefined) this.#verdicts.set(kindId, (effects = new EffectTally('verdict')));
    this.#settle(kindId, key, effects);
    this.#tookIn(kindId, 'verdict');
    this.#afterChange(kindId);
  }

  /** True where several origins may hold the kind. */
  isShared(kindId: string): boolean {
    return this.#holders.of(kindId).size > 1;
  }

  /**
   * What origins hold of a key, in order of precedence.
   * @param without one that is not asked. Default: all are.
   */
  formsOf(kindId: string, key: string, without?: string): Form[] {
    const forms: Form[] = [];
    for (const [origin, holding] of this.#holders.of(kindId)) {
      const row = origin === without ? noRow : holding.resources.get(key);
      if (row !== noRow) forms.push({ origin, holding, row });
    }
    return forms;
  }

  /** Says that a collection counts as empty although nothing came. What is held already stays. */
  setEmpty(origin: string, kindId: string, why: 'silent' | 'unsupported' | 'overdue'): void {
    const holding = this.holding(origin, kindId);
    if (holding.sync === 'synced' && why === 'silent') return;
    if (holding.sync !== 'waiting' && why === 'overdue') return;
    if (why === 'unsupported' && holding.resources.size > 0) return;
    holding.countAsEmpty(why);
    this.#debouncer.call();
  }

  /** True where some origin may hold resources of this kind. */
  isExpected(kindId: string): boolean {
    return !this.#isOpen || this.#holders.of(kindId).size > 0;
  }

  /**
   * True once all origins are known, and each that may hold the kind has spoken of it, in this process or in an earlier
   * one, or is waited for no longer. The gate of everything that is sent: istiod deletes what a response lacks.
   */
  complete(kindId: string): boolean {
    return this.#isOpen && Array.from(this.#holders.of(kindId).values()).every(({ sync }) => sync !== 'waiting');
  }

  /**
   * What may be sent of the kind; undefined while it is not complete, or not published yet. Resources that were
   * overwritten since the last publication are their new form already, and the version says so.
   */
  snapshot(kindId: string): Snapshot | undefined {
    const merged = this.#merged.get(kindId);
    return merged?.announced === true ? merged.snapshot : undefined;
  }

  /** When what is given of a kind became what it is; undefined where nothing is given. */
  publishedAt(kindId: string): Date | undefined {
    return this.#publishedAt.get(kindId);
  }

  /**
   * Calls `listener` with the kinds whose snapshot is another one now, and what is known of where that comes from. Returns
   * what ends that.
   */
  onChange(listener: (kinds: ReadonlySet<string>, news: ReadonlyMap<string, News>) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Calls `listener` when a hold begins and when it ends. */
  onHold(listener: (event: HoldEvent) => void): void {
    this.#holdListeners.add(listener);
  }

  /**
   * Calls `listener` with what has become another one in what istiod is given, or will be with the next publication: once
   * for each message or decision that has changed something, or has brought what is quarantined.
   */
  onEffects(listener: (effects: Effects) => void): void {
    this.#effectListeners.add(listener);
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
    this.#effectListeners.clear();
  }

  #mergedOf(kindId: string): Merged {
    return this.#merged.get(kindId) as Merged;
  }

  /** Takes note of who holds what now, and in which order. Settles once that counts for every key. */
  #arrange(): Promise<void> {
    for (const [kindId, merged] of this.#merged) {
      const isReordered = this.#holders.arrange(kindId);
      this.#letWrite(kindId, merged);
      if (!isReordered) continue;
      this.#sharing.reordered(kindId);
      const before = this.#arranged;
      this.#arranged = this.#whileSettling(kindId, () => before.then(() => this.#rejudge(kindId)));
    }
    return this.#arranged;
  }

  /** Decides anew what is sent of every key that several hold. */
  async #rejudge(kindId: string): Promise<void> {
    const merged = this.#mergedOf(kindId);
    const listed = () => merged.snapshot.rows;
    const effects = new EffectTally('precedence');
    const meet = (key: string) => this.#settle(kindId, key, effects);
    this.#tookIn(kindId, 'reload');
    await this.#holders.meetShared(kindId, merged.pool, listed, meet, () => {
      this.#foldSome(kindId);
      return nextTurn();
    });
    this.#tellEffects(undefined, kindId, effects);
    this.#afterChange(kindId);
    // Who is named first in a conflict may be another one, whatever is sent.
    this.#debouncer.call();
  }

  /**
   * Folds in what is many already, so that it is not too much for one turn; who listens hears of it with the rest. Not
   * while the list may lack what somebody holds: a stream that begins meanwhile is given it.
   */
  #foldSome(kindId: string): void {
    const merged = this.#mergedOf(kindId);
    const isOnlyWork = this.#settling.get(kindId) === 1;
    if (isOnlyWork && merged.pending >= placeTurn && this.complete(kindId)) merged.foldEarly();
  }

  /** Lets the only holder of a kind write to the merged list, once nothing waits that others had a word in. */
  #letWrite(kindId: string, merged: Merged): void {
    const holders = this.#holders.of(kindId);
    for (const holding of holders.values()) {
      if (holders.size > 1) holding.listed = undefined;
      else if (merged.pending === 0) holding.listed = merged.listed;
    }
  }

  #forget(origin: string, kindId: string): void {
    this.#holdWatch.forget(this.holding(origin, kindId).guard);
    this.#holders.remove(origin, kindId);
    // It may have been what the others waited for.
    this.#debouncer.call();
  }

  /** Takes note, for the merged list, of a key whose effective form is another row now, or none. */
  #changed(kindId: string, holding: Holding): (key: string, row: number, old: number) => void {
    const merged = this.#mergedOf(kindId);
    return (key, row, old) => {
      if (!isAlone(holding)) this.#settle(kindId, key, holding.effects, holding, old);
      else if (row !== noRow || !merged.remove(old)) merged.set(key, row);
    };
  }

  /** Called in the holding's turn. */
  async #letGo(origin: string, kindId: string, who: 'operator' | 'source'): Promise<number> {
    const holding = this.holding(origin, kindId);
    const { hold } = holding;
    const outcome = who === 'operator' ? 'released_by_operator' : 'confirmed_by_source';
    holding.effects.begin(outcome);
    const removed = await inTurns(holding.release(who, this.#changed(kindId, holding), this.#options.clock.date()));
    this.#tookOut(origin, kindId, removed, 'release');
    this.#afterChange(kindId, holding);
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
   * Decides anew what is sent of a key. To be called, while several origins hold the kind or what they have had is not all
   * folded in, in the turn in which one of them holds another form of it, or none, or another one comes first.
   *
   * @param effects take note of it.
   * @param holding which holds another form now, in the place of `old`. Default: none does.
   */
  #settle(kindId: string, key: string, effects: EffectTally, holding?: Holding, old = noRow): void {
    const merged = this.#mergedOf(kindId);
    const { pool } = merged;
    const waiting = merged.waiting(key);
    const sent = this.#sharing.settle(kindId, key);
    const listed = old !== noRow && pool.isListed(old) ? old : this.#sharing.keysOf(kindId).listed;
    const before = waiting ?? listed;
    if (before !== sent && !isSameContent(pool, before, sent)) {
      effects.replaced(pool, before, sent, key, () => this.#senderOf(kindId, sent, holding));
    }
    merged.keep(key, sent);
  }

  /** Who holds what is sent; undefined where that is `holding`, or nobody, and where it was made of what several hold. */
  #senderOf(kindId: string, row: number, holding: Holding | undefined): string | undefined {
    for (const [origin, one] of this.#holders.of(kindId)) {
      if (one.resources.holds(row)) return one === holding ? undefined : origin;
    }
    return undefined;
  }

  /** The same of all new keys of a message. */
  #settleAll(kindId: string, keys: readonly string[], holding: Holding): Promise<void> {
    return this.#whileSettling(kindId, async () => {
      for (const [i, key] of keys.entries()) {
        if (i > 0 && i % placeTurn === 0) await nextTurn();
        this.#settle(kindId, key, holding.effects, holding);
      }
    });
  }

  /** The kind is not published until the work is done. */
  async #whileSettling<T>(kindId: string, work: () => Promise<T>): Promise<T> {
    this.#settling.set(kindId, (this.#settling.get(kindId) ?? 0) + 1);
    try {
      return await work();
    } finally {
      this.#settling.set(kindId, (this.#settling.get(kindId) ?? 0) - 1);
      if (this.#isPostponed) this.#debouncer.call();
      this.#isPostponed = false;
    }
  }

  #afterChange(kindId: string, holding?: Holding): void {
    const merged = this.#mergedOf(kindId);
    const shared = this.#sharing.keysOf(kindId);
    if (holding?.isWasteful === true) this.#layOut(merged, holding);
    if (shared.isWasteful) this.#layOut(merged, shared);
    // What was withheld, or was there already, is nothing to publish.
    if (!merged.isUntold) this.#news.delete(kindId);
    if (merged.isUntold || this.#sharing.conflicts.hasNews) this.#debouncer.call();
  }

  /** The same of so many resources that have left without a message. */
  #tookOut(origin: string, kindId: string, removed: number, cause: PushCause): void {
    if (removed === 0) return;
    this.#options.reporter.changed(origin, kindId, 0, removed);
    this.#tookIn(kindId, cause);
  }

  #tellEffects(origin: string | undefined, kindId: string, tally: EffectTally): void {
    const effects = tally.take(origin, kindId);
    if (effects === undefined) return;
    for (const listener of this.#effectListeners) listener(effects);
  }

  /** Takes note of what is to be published. @param since by the clock. Default: now. */
  #tookIn(kindId: string, cause: PushCause, since = this.#options.clock.now()): void {
    const known = this.#news.get(kindId);
    if (known === undefined || since < known.since) this.#news.set(kindId, { since, cause });
  }

  /** @param count how many changes make up this publication. */
  #publish(count: number): void {
    const kindsWithNews = new Set<string>();
    const news = new Map<string, News>();
    for (const [kindId, effects] of this.#verdicts) this.#tellEffects(undefined, kindId, effects);
    this.#verdicts.clear();
    for (const [kindId, merged] of this.#merged) {
      if (!this.complete(kindId)) continue;
      if ((this.#settling.get(kindId) ?? 0) > 0) {
        this.#isPostponed = true;
        continue;
      }
      const changes = merged.fold();
      this.#letWrite(kindId, merged);
      for (const holding of this.#holders.of(kindId).values()) {
        if (holding.isScattered(changes)) this.#layOut(merged, holding);
      }
      const known = this.#news.get(kindId);
      this.#news.delete(kindId);
      if (!merged.tell()) continue;
      kindsWithNews.add(kindId);
      if (known !== undefined) news.set(kindId, known);
      this.#publishedAt.set(kindId, this.#options.clock.date());
    }
    if (kindsWithNews.size > 0) {
      this.#options.reporter.published(count);
      for (const listener of this.#listeners) listener(kindsWithNews, news);
    }
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
    const { bareNames, createTimes, duplicates, escapedNames = 0, bodies = {} } = change.repairs;
    if (bareNames > 0) reporter.repaired(origin, kindId, 'bare_name', bareNames);
    if (createTimes > 0) reporter.repaired(origin, kindId, 'create_time', createTimes);
    if (duplicates > 0) reporter.repaired(origin, kindId, 'duplicate', duplicates);
    if (escapedNames > 0) reporter.repaired(origin, kindId, 'escaped_name', escapedNames);
    for (const repair of bodyRepairs) {
      const count = bodies[repair];
      if (count !== undefined) reporter.repaired(origin, kindId, repair, count);
    }
    if (withheld > 0) reporter.removalsWithheld(origin, kindId, withheld);
  }
}

/** True where both are rows, of one content. */
function isSameContent(pool: ResourcePool, a: number, b: number): boolean {
  if (a === noRow || b === noRow) return false;
  return pool.hasContent(a, { h1: pool.v1(b), h2: pool.v2(b), h3: pool.v3(b) });
}

/** True where no other origin has a word in what is sent of its kind. */
function isAlone({ listed }: Holding): boolean {
  return listed !== undefined;
}

/** Work that yields, to its end. */
async function inTurns<T>(work: Generator<void, T>, between: () => void = () => {}): Promise<T> {
  let step = work.next();
  for (; step.done !== true; step = work.next()) {
    between();
    await nextTurn();
  }
  return step.value;
}
