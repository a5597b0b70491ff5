import type { QuarantineReason } from '../../../src/model/change.ts';
import type { Kind } from '../../../src/model/kinds.ts';
import type { GuardOptions } from '../../../src/store/guard.ts';
import type { SyncState } from '../../../src/store/holding.ts';
import { type Item, isReadable, type Name, readingOf } from './item.ts';

/** A form that came: its content, or why it is not sent. */
type Form = { readonly text: string } | { readonly reason: QuarantineReason };

/** Stands behind the reason of a quarantined key that has one. */
export const lastGoodNote = ', last good form sent';

/** A stream of a source. */
type Stream = { readonly spoken: Set<Kind>; readonly startedAt: number; isLive: boolean };

/** What the guard holds back. */
type Hold = {
  readonly keys: Set<string>;
  readonly until: number;
  isAsked: boolean;
  /** The stream on which the source said last that they are gone, and since when it has said so of all of them there. */
  said: { readonly stream: Stream; at: number } | undefined;
};

/** How long an answer must stand, and how much younger than the question a stream may not be (docs/guard.md). */
const answerMs = 30_000;
const youngMs = 5000;

/** One origin and kind: the table of docs/adr/0001-state-model.md, with the plainest means there are. */
export class HoldingModel {
  sync: SyncState = 'waiting';
  readonly received = new Map<string, Form>();
  /** Place → reason of received resources that may be any. */
  readonly strangers = new Map<string, QuarantineReason>();
  readonly withheld = new Set<string>();
  /** Key → content. */
  readonly effective = new Map<string, string>();
  hold: Hold | undefined;
  readonly #guard: GuardOptions;
  /** Strangers in the last whole state that was believed, and in the last one. */
  #baseline = 0;
  #strangers = 0;
  /** Highest count since the last hold ended with removals. No test of this model lasts 10 minutes. */
  #highest = 0;

  constructor(guard: GuardOptions) {
    this.#guard = guard;
  }

  take(kind: Kind, full: boolean, items: readonly Item[], removed: readonly Name[], now: number, stream: Stream): void {
    this.sync = 'synced';
    const readings = items.map((item) => readingOf(item, kind));
    const named = new Set(readings.flatMap(({ key }) => key ?? []));
    const brought = new Set(readings.flatMap((reading) => ('text' in reading ? [reading.key] : [])));
    const left = new Set([...this.effective.keys(), ...brought]);
    const strangers = readings.filter(({ key }) => key === undefined).length;
    const missing = new Set(
      full ? this.effective.keys() : removed.flatMap((name) => (isReadable(name, kind) ? name.key : [])),
    );
    for (const key of missing) if (named.has(key) || !this.effective.has(key)) missing.delete(key);
    // Of the hold, what the message says nothing else of.
    for (const key of this.hold?.keys ?? []) if (named.has(key)) this.hold?.keys.delete(key);
    if (this.hold?.keys.size === 0) this.hold = undefined;

    if (full) {
      this.received.clear();
      this.strangers.clear();
      this.withheld.clear();
      this.#strangers = strangers;
    } else {
      for (const name of removed) {
        if (!isReadable(name, kind) || named.has(name.key)) continue;
        this.received.delete(name.key);
        this.withheld.delete(name.key);
      }
    }
    const isDoubtful = full && missing.size > 0 && strangers > this.#baseline;
    if (isDoubtful) {
      if (this.hold !== undefined) this.hold.said = undefined;
    } else {
      const gone = new Set([...missing, ...(this.hold?.keys ?? [])]);
      for (const key of gone) left.delete(key);
      if (this.#isTooMuch(missing.size, gone.size, left.size)) {
        const isMore = [...missing].some((key) => this.hold?.keys.has(key) !== true);
        this.hold ??= { keys: new Set(), until: now + this.#guard.holdMs, isAsked: false, said: undefined };
        for (const key of missing) this.hold.keys.add(key);
        if (isMore && this.hold.said !== undefined) this.hold.said.at = now;
      } else {
        for (const key of missing) {
          // A whole state that lacks it is no more than it was; by its name, it is let go.
          if (full && this.hold?.keys.has(key) === true) continue;
          this.effective.delete(key);
          this.hold?.keys.delete(key);
        }
        if (full && (this.hold?.keys.size ?? 0) === 0) this.#baseline = strangers;
      }
      if (full && this.hold !== undefined && this.hold.said?.stream !== stream) this.hold.said = { stream, at: now };
    }
    for (const key of missing) if (this.effective.has(key)) this.withheld.add(key);
    if (this.hold?.keys.size === 0) this.hold = undefined;
    for (const [place, reading] of readings.entries()) {
      if (reading.key === undefined) {
        this.strangers.set(`#${place}`, reading.reason);
        continue;
      }
      this.received.set(reading.key, reading);
      this.withheld.delete(reading.key);
      if ('text' in reading) this.effective.set(reading.key, reading.text);
    }
    this.#highest = Math.max(this.#highest, this.effective.size);
  }

  #isTooMuch(missing: number, gone: number, left: number): boolean {
    const { holdMs, minRemoved, maxRemovalPercent } = this.#guard;
    if (missing < 2 || holdMs === 0) return false;
    const fallen = Math.max(gone, this.#highest - left);
    return left === 0 || (fallen > minRemoved && fallen / this.#highest > maxRemovalPercent / 100);
  }

  /** When something is done about the hold that no message brings about; undefined = not before the next one. */
  get due(): number | undefined {
    if (this.hold === undefined) return undefined;
    const { until, isAsked, said } = this.hold;
    if (!isAsked) return until;
    if (said === undefined || !said.stream.isLive || said.stream.startedAt < this.freshSince) return undefined;
    return said.at + Math.min(answerMs, this.#guard.holdMs);
  }

  /** A stream must have begun then or later to bring an answer. */
  get freshSince(): number {
    return (this.hold?.until ?? 0) - Math.min(youngMs, this.#guard.holdMs / 60);
  }

  /** The source is believed, or the operator: what is held, or all that is withheld, is gone. */
  release(who: 'source' | 'operator'): void {
    for (const key of who === 'source' ? (this.hold?.keys ?? []) : this.withheld) {
      this.effective.delete(key);
      this.withheld.delete(key);
    }
    this.hold = undefined;
    this.#highest = this.effective.size;
    if (who === 'operator') this.#baseline = this.#strangers;
  }

  countAsEmpty(why: 'silent' | 'unsupported'): void {
    if (why === 'silent' ? this.sync !== 'synced' : this.effective.size === 0) this.sync = why;
  }

  /** A bridge that is restarted remembers all but how many strangers it believed, and since when it holds back what it does. */
  restart(): void {
    if (this.sync !== 'waiting') this.sync = 'stale';
    this.#baseline = this.#strangers = 0;
    this.hold = undefined;
    this.#highest = this.effective.size;
  }

  /** Key or place → reason, and whether a good form is sent. */
  get quarantine(): Map<string, string> {
    const entries = new Map<string, string>();
    for (const [place, reason] of this.strangers) entries.set(place, reason);
    for (const [key, form] of this.received) {
      if ('reason' in form) entries.set(key, form.reason + (this.effective.has(key) ? lastGoodNote : ''));
    }
    return entries;
  }
}

/** What was said of all kinds by all origins; the first origin that has a key wins. */
export class Model {
  readonly #holdings = new Map<string, ReadonlyMap<Kind, HoldingModel>>();
  readonly #streams = new Map<string, Stream>();
  readonly #guard: GuardOptions;

  constructor(guard: GuardOptions) {
    this.#guard = guard;
  }

  addOrigin(origin: string, kinds: readonly Kind[]): void {
    this.#holdings.set(origin, new Map(kinds.map((kind) => [kind, new HoldingModel(this.#guard)])));
  }

  get holdings(): ReadonlyMap<string, ReadonlyMap<Kind, HoldingModel>> {
    return this.#holdings;
  }

  holding(origin: string, kind: Kind): HoldingModel | undefined {
    return this.#holdings.get(origin)?.get(kind);
  }

  /** Returns whether the message counts as the whole state; undefined where nobody asked for its collection. */
  take(
    origin: string,
    kind: Kind,
    incremental: boolean,
    items: readonly Item[],
    removed: readonly Name[],
    now: number,
  ): boolean | undefined {
    const stream = this.#streams.get(origin) ?? { spoken: new Set<Kind>(), startedAt: now, isLive: true };
    this.#streams.set(origin, stream);
    const holding = this.holding(origin, kind);
    if (holding === undefined) return undefined;
    const full = !incremental || !stream.spoken.has(kind);
    stream.spoken.add(kind);
    holding.take(kind, full, items, removed, now, stream);
    return full;
  }

  restart(): void {
    this.#streams.clear();
    for (const kinds of this.#holdings.values()) for (const holding of kinds.values()) holding.restart();
  }

  endStream(origin: string): void {
    const stream = this.#streams.get(origin);
    if (stream !== undefined) stream.isLive = false;
    this.#streams.delete(origin);
  }

  /** When the guard does something by itself the next time. */
  get due(): number | undefined {
    const all = [...this.#holdings.values()].flatMap((kinds) => [...kinds.values()].flatMap(({ due }) => due ?? []));
    return all.length === 0 ? undefined : Math.min(...all);
  }

  /** Does it, for all that is due. */
  act(now: number): void {
    for (const [origin, kinds] of this.#holdings) {
      for (const holding of kinds.values()) {
        const { hold, due } = holding;
        if (hold === undefined || due === undefined || due > now) continue;
        if (hold.isAsked) holding.release('source');
        else {
          hold.isAsked = true;
          const stream = this.#streams.get(origin);
          if (stream !== undefined && stream.startedAt < holding.freshSince) this.endStream(origin);
        }
      }
    }
  }

  isComplete(kind: Kind): boolean {
    return [...this.#holdings.values()].every((kinds) => kinds.get(kind)?.sync !== 'waiting');
  }

  /** Key → content of what should be sent. */
  merged(kind: Kind): Map<string, string> {
    const inReverse = [...this.#holdings.values()].toReversed();
    return new Map(inReverse.flatMap((kinds) => [...(kinds.get(kind)?.effective ?? [])]));
  }
}
