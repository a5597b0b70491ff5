import type { Change, Quarantined, Repairs } from '../model/change.ts';
import { noRow, type ResourcePool, verdicts } from '../model/resource.ts';
import { maxScattered, placeTurn } from '../model/sizes.ts';
import type { Listed } from '../model/snapshot.ts';
import { Arena, discard, relocate } from '../wire/arena.ts';
import { keyOf } from '../wire/resource-frame.ts';
import { ResourceTable } from '../wire/resource-table.ts';
import { EffectTally } from './effect-tally.ts';
import { Guard, type Hold, type Stream } from './guard.ts';
import type { HoldingWalk } from './holding-walk.ts';

/**
 * What is known of one collection of one origin:
 * `waiting`: it has not spoken yet · `stale`: it has not either, and what was known before is served ·
 * `synced`: it has · `silent`: it never spoke while others did, which counts as empty · `unsupported`: the source refused
 * the collection, which counts as empty too · `overdue`: it has not spoken in the time that the operator gave it, and counts
 * as empty until it does.
 */
export type SyncState = 'waiting' | 'stale' | 'synced' | 'silent' | 'unsupported' | 'overdue';

/** A quarantined resource, with its history. */
export type QuarantineEntry = Quarantined & {
  readonly since: Date;
  /** True where an earlier, good form of it is being sent. */
  readonly lastGoodSent: boolean;
};

/** What an earlier process knew besides the resources. */
export type Remembered = {
  readonly quarantine: Iterable<Omit<QuarantineEntry, 'lastGoodSent'>>;
  readonly withheld: Iterable<string>;
  readonly lastMessageAt: Date | undefined;
};

/** How many there were of each. */
export type Applied = { readonly upserts: number; readonly removals: number; readonly withheld: number };

/** When a message came: for people, by the clock, and on which stream. */
export type Heard = { readonly date: Date; readonly at: number; readonly stream?: Stream | undefined };

/**
 * Told in the same turn of a key whose effective form is another row now, or none ({@link noRow}), while `old` can still be
 * read: not of the `fresh` ones of a change, and not where the merged list has it already.
 */
type Changed = (key: string, row: number, old: number) => void;

/**
 * The three states of one origin and kind. `effective` is kept whole; the other two are kept as what differs
 * from it, since they are nearly always equal: received = effective − withheld + quarantined,
 * released = received + withheld.
 */
export class Holding {
  readonly resources: ResourceTable;
  quarantine: ReadonlyMap<string, QuarantineEntry> = new Map();
  /** What is sent as it came although it is not valid, because no better form of it is known. */
  readonly refused = new Map<string, QuarantineEntry>();
  /** Keys that stay although the source does not name them any more. */
  readonly withheld = new Set<string>();
  arena = new Arena();
  sync: SyncState = 'waiting';
  /** Messages taken so far, and when the last one came. */
  messages = 0;
  lastMessageAt: Date | undefined;
  /** When what is sent of it was another thing last; undefined where that is not known. */
  lastChangeAt: Date | undefined;
  /** What was put right in the last message. */
  repairs: Repairs | undefined;
  /** Another number whenever something is another one that should outlive the process. */
  revision = 0;
  /** What has become of resources since the work that is being done began. Of new keys, and where others hold the kind, the store says it. */
  readonly effects = new EffectTally();
  /** Told of every row that is put in, while somebody walks through them. */
  walk: HoldingWalk | undefined;
  /** Since when nobody feeds it any more, as the config does not name it; undefined where somebody does. */
  retiredSince: Date | undefined;

  /** Decides which removals are believed. */
  readonly guard: Guard;
  #listed: Listed | undefined;
  #watched: Listed | undefined;
  /** Bytes of {@link resources}. */
  #liveBytes = 0;
  /** Quarantined ones of which no good form is held. */
  #onlyBad = 0;
  /** Resources that came since the last time that all were laid out, at most. */
  #scattered = 0;

  /** @param pool of the kind. */
  constructor(pool: ResourcePool, guard = new Guard()) {
    this.resources = new ResourceTable(pool);
    this.guard = guard;
  }

  /** Set by the store while nobody else holds the kind; it may be another one, of the same list, the next time. */
  get listed(): Listed | undefined {
    return this.effects.isNaming ? this.#watched : this.#listed;
  }

  set listed(listed: Listed | undefined) {
    if (listed === this.#listed) return;
    this.#listed = listed;
    this.#watched = listed && this.effects.watching(this.resources.pool, listed);
  }

  /** Of {@link resources}, as they stand in a response. */
  get bytes(): number {
    return this.#liveBytes;
  }

  /** Resources that the source says it has, good and bad. */
  get received(): number {
    return this.resources.size - this.withheld.size + this.#onlyBad;
  }

  get released(): number {
    return this.received + this.withheld.size;
  }

  /**
   * Applies `change`, its upserts first. Yields when something else should get its turn: what was done so far is in
   * effect then, and nothing else may be applied meanwhile.
   */
  *apply(change: Change, heard: Heard, changed: Changed): Generator<void, Applied> {
    const before = this.resources.size;
    const { upserts, replaced, fresh } = change;
    this.effects.overwritten(change.overwritten);
    const known = upserts.length - fresh.length;
    for (let i = 0; i < upserts.length; i++) {
      if (i > 0 && i % placeTurn === 0) yield;
      this.#put(upserts[i] as number, replaced[i], i < known ? changed : undefined);
    }
    this.#scattered = Math.min(this.#scattered + upserts.length, this.resources.size);

    const { removals, withheld } = this.guard.judge(change, {
      before,
      after: this.resources.size,
      has: (key) => this.resources.has(key),
      spokenOf: () => this.#spokenOf(change),
      now: heard.at,
      date: heard.date,
      stream: heard.stream,
    });
    const withheldBefore = this.withheld.size;
    if (change.full) this.withheld.clear();
    else for (const key of this.#spokenOf(change)) this.withheld.delete(key);
    for (const key of withheld) this.withheld.add(key);
    const gone = yield* this.#remove(removals, changed);
    const isOther = yield* this.#updateQuarantine(change, heard.date);
    const isWithheld = withheld.length > 0 || this.withheld.size !== withheldBefore;
    const isNews = upserts.length + change.overwritten + gone > 0 || isOther || isWithheld;
    if (isNews || this.sync !== 'synced') this.revision++;
    if (upserts.length + change.overwritten + gone > 0) this.lastChangeAt = heard.date;
    this.sync = 'synced';
    this.messages++;
    this.repairs = change.repairs;
    this.lastMessageAt = heard.date;
    return { upserts: upserts.length, removals: gone, withheld: withheld.length };
  }

  /** What the guard holds; undefined where it holds nothing. */
  get hold(): Hold | undefined {
    return this.guard.hold;
  }

  /**
   * Ends what keeps removals from being believed, with them: those of the hold, or all where it is the operator who
   * says so. Yields as {@link apply} does. Returns how many resources left.
   */
  *release(who: 'operator' | 'source', changed: Changed, now: Date): Generator<void, number> {
    const keys = [...(who === 'operator' ? this.withheld : (this.hold?.keys ?? []))];
    const gone = yield* this.#remove(keys, changed);
    if (gone > 0) this.lastChangeAt = now;
    this.revision++;
    if (who === 'operator') this.guard.release(this.resources.size);
    else this.guard.believe(this.resources.size);
    return gone;
  }

  /** Forgets which message named a resource last: another intake counts from the beginning. */
  forgetMessages(): void {
    const { pool } = this.resources;
    for (const row of this.resources.values()) pool.setSeen(row, 0);
  }

  /** Says that nobody feeds it any more: what is held is old from now on. */
  retire(since: Date): void {
    this.retiredSince = since;
    this.sync = 'stale';
  }

  /**
   * Takes everything away. Yields as {@link apply} does. Returns how many resources left.
   *
   * @param listed the merged list: in its order, where they are in there.
   */
  *clear(listed: Int32Array, changed: Changed): Generator<void, number> {
    const { pool } = this.resources;
    let gone = 0;
    for (const rows of [listed, this.resources.rows()]) {
      for (let i = 0; i < rows.length; i += placeTurn) {
        const held = rows.subarray(i, i + placeTurn).filter((row) => this.resources.holds(row));
        const keys = Array.from(held, (row) => keyOf(pool, row));
        gone += yield* this.#remove(keys, changed);
        yield;
      }
    }
    this.quarantine = new Map();
    this.#onlyBad = 0;
    this.withheld.clear();
    this.guard.believe(0);
    this.revision++;
    return gone;
  }

  *#remove(keys: readonly string[], changed: Changed): Generator<void, number> {
    let gone = 0;
    for (const key of keys) {
      this.withheld.delete(key);
      this.refused.delete(key);
      const old = this.resources.delete(key);
      if (old === noRow) continue;
      if (gone > 0 && gone % placeTurn === 0) yield;
      gone++;
      if (this.quarantine.has(key)) this.#onlyBad++;
      if (this.listed !== undefined) this.effects.replaced(this.resources.pool, old, noRow, key);
      changed(key, noRow, old);
      this.#release(old);
    }
    return gone;
  }

  /**
   * @param changed told of it unless the row stands in the merged list now, in the place of another form of it. Undefined
   * for a new key, of which the store takes care.
   */
  #put(row: number, replaced: number | undefined, changed: Changed | undefined): void {
    const { pool } = this.resources;
    // Memory was laid out anew while the message was read: nobody would count what lies in the old one.
    if (!this.arena.has(pool.chunk(row))) relocate(pool, [row], this.arena);
    const old = this.resources.put(row, replaced);
    this.walk?.put(row, old);
    if (old === noRow && this.quarantine.size > 0 && this.quarantine.has(keyOf(pool, row))) this.#onlyBad--;
    if (this.refused.size > 0 && pool.verdict(row) === verdicts.accepted) this.refused.delete(keyOf(pool, row));
    this.#liveBytes += pool.bytes(row);
    if (this.listed !== undefined && changed !== undefined) this.effects.replaced(pool, old, row);
    const isListed = old !== noRow && this.listed?.replace(old, row) === true;
    if (old !== noRow && !isListed) pool.setAt(row, pool.at(old));
    if (!isListed) changed?.(keyOf(pool, row), row, old);
    if (old !== noRow) this.#release(old);
  }

  /**
   * Makes stale what was just put in, of which the source itself has not spoken yet, and adds what else was known of it.
   */
  restored({ quarantine, withheld, lastMessageAt }: Remembered): void {
    const entries = new Map(this.quarantine);
    for (const entry of quarantine) {
      const lastGoodSent = this.resources.has(entry.key);
      if (!lastGoodSent && !entries.has(entry.key)) this.#onlyBad++;
      entries.set(entry.key, { ...entry, lastGoodSent });
    }
    this.quarantine = entries;
    for (const key of withheld) if (this.resources.has(key)) this.withheld.add(key);
    this.sync = 'stale';
    this.messages = 0;
    this.repairs = undefined;
    this.lastMessageAt = lastMessageAt;
    this.lastChangeAt = lastMessageAt;
  }

  /** Says that the collection counts as empty although nothing came; what is held stays. */
  countAsEmpty(why: 'silent' | 'unsupported' | 'overdue'): void {
    if (this.sync === why) return;
    this.sync = why;
    // Who only stopped to wait has nothing to tell the next process.
    if (why !== 'overdue') this.revision++;
  }

  /** Returns whether it is another one now. */
  *#updateQuarantine(change: Change, now: Date): Generator<void, boolean> {
    const before = this.quarantine;
    let isOther = false;
    const entries = change.full ? new Map<string, QuarantineEntry>() : new Map(before);
    let onlyBad = change.full ? 0 : this.#onlyBad;
    if (!change.full) {
      for (const key of this.#spokenOf(change)) if (entries.delete(key) && !this.resources.has(key)) onlyBad--;
    }
    for (const [i, entry] of change.quarantined.entries()) {
      if (i > 0 && i % placeTurn === 0) yield;
      const known = before.get(entry.key);
      const since = known !== undefined && known.reason === entry.reason ? known.since : now;
      const lastGoodSent = this.resources.has(entry.key);
      if (!lastGoodSent && !entries.has(entry.key)) onlyBad++;
      if (known?.message !== entry.message || known.since !== since) {
        isOther = true;
        this.effects.quarantined(entry, lastGoodSent);
      }
      entries.set(entry.key, { ...entry, since, lastGoodSent });
    }
    this.quarantine = entries;
    this.#onlyBad = onlyBad;
    return isOther || entries.size !== before.size;
  }

  #release(row: number): void {
    const { pool } = this.resources;
    this.#liveBytes -= pool.bytes(row);
    discard(pool, row, this.arena);
  }

  /** True where more than half of the memory is garbage: then it should be laid out anew. */
  get isWasteful(): boolean {
    return this.arena.isWasteful(this.#liveBytes);
  }

  /**
   * True where it should be laid out anew so that a response is a few large pieces.
   *
   * @param changed resources that are new in the merged list. While most of what is scattered is, the next change may be
   * as large, and the work for nothing.
   */
  isScattered(changed: number): boolean {
    return this.#scattered > Math.max(maxScattered, 2 * changed);
  }

  /**
   * Moves everything to a new arena, in the order of the merged list. Frames that were made before keep the old bytes
   * alive until dropped. Yields when something else should get its turn: what moved so far lies somewhere else then.
   *
   * @param listed the merged list.
   */
  *layOut(listed: Int32Array): Generator<void> {
    const { pool } = this.resources;
    this.arena = new Arena();
    this.#scattered = 0;
    // What is not held any more, or not here, is somebody else's; what has come meanwhile is there already.
    const isToMove = (row: number) => this.resources.holds(row) && !this.arena.has(pool.chunk(row));
    for (const rowsOf of [() => listed, () => this.resources.rows()]) {
      const rows = rowsOf();
      for (let i = 0; i < rows.length; i += placeTurn) {
        relocate(pool, rows.subarray(i, i + placeTurn).filter(isToMove), this.arena);
        yield;
      }
    }
  }

  /** Every key that an incremental message says something about. */
  *#spokenOf({ upserts, confirmed, quarantined, missing }: Change): Generator<string> {
    for (const row of upserts) yield keyOf(this.resources.pool, row);
    yield* confirmed;
    for (const { key } of quarantined) yield key;
    yield* missing;
  }
}
