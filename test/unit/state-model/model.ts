import type { QuarantineReason } from '../../../src/model/change.ts';
import type { Kind } from '../../../src/model/kinds.ts';
import type { SyncState } from '../../../src/store/holding.ts';
import { type Item, isReadable, type Name, readingOf } from './item.ts';

/** A form that came: its content, or why it is not sent. */
type Form = { readonly text: string } | { readonly reason: QuarantineReason };

/** Stands behind the reason of a quarantined key that has one. */
export const lastGoodNote = ', last good form sent';

/** One origin and kind: the table of docs/adr/0001-state-model.md, with the plainest means there are. */
export class HoldingModel {
  sync: SyncState = 'waiting';
  readonly received = new Map<string, Form>();
  /** Place → reason of received resources that may be any. */
  readonly strangers = new Map<string, QuarantineReason>();
  readonly withheld = new Set<string>();
  /** Key → content. */
  readonly effective = new Map<string, string>();
  /** Strangers in the last whole state that was believed. */
  #baseline = 0;

  take(kind: Kind, full: boolean, items: readonly Item[], removed: readonly Name[]): void {
    this.sync = 'synced';
    const readings = items.map((item) => readingOf(item, kind));
    const named = new Set(readings.map(({ key }) => key));
    if (full) {
      const strangers = readings.filter(({ key }) => key === undefined).length;
      const missing = [...this.effective.keys()].filter((key) => !named.has(key));
      const isBelieved = missing.length === 0 || strangers <= this.#baseline;
      if (isBelieved) this.#baseline = strangers;
      this.received.clear();
      this.strangers.clear();
      this.withheld.clear();
      for (const key of missing) {
        if (isBelieved) this.effective.delete(key);
        else this.withheld.add(key);
      }
    } else {
      for (const name of removed) {
        if (!isReadable(name, kind) || named.has(name.key)) continue;
        this.received.delete(name.key);
        this.withheld.delete(name.key);
        this.effective.delete(name.key);
      }
    }
    for (const [place, reading] of readings.entries()) {
      if (reading.key === undefined) {
        this.strangers.set(`#${place}`, reading.reason);
        continue;
      }
      this.received.set(reading.key, reading);
      this.withheld.delete(reading.key);
      if ('text' in reading) this.effective.set(reading.key, reading.text);
    }
  }

  countAsEmpty(why: 'silent' | 'unsupported'): void {
    if (why === 'silent' ? this.sync !== 'synced' : this.effective.size === 0) this.sync = why;
  }

  /** A bridge that is restarted remembers all but how many strangers it believed. */
  restart(): void {
    if (this.sync !== 'waiting') this.sync = 'stale';
    this.#baseline = 0;
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
  /** Of each origin: the kinds that have spoken on its stream. */
  readonly #spoken = new Map<string, Set<Kind>>();

  addOrigin(origin: string, kinds: readonly Kind[]): void {
    this.#holdings.set(origin, new Map(kinds.map((kind) => [kind, new HoldingModel()])));
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
  ): boolean | undefined {
    const holding = this.holding(origin, kind);
    if (holding === undefined) return undefined;
    const spoken = this.#spoken.get(origin) ?? new Set();
    this.#spoken.set(origin, spoken);
    const full = !incremental || !spoken.has(kind);
    spoken.add(kind);
    holding.take(kind, full, items, removed);
    return full;
  }

  restart(): void {
    this.#spoken.clear();
    for (const kinds of this.#holdings.values()) for (const holding of kinds.values()) holding.restart();
  }

  endStream(origin: string): void {
    this.#spoken.delete(origin);
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
