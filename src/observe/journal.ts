import type { Effect, EffectCause, EffectCounts, Effects } from '../model/effects.ts';

export type JournalLimits = {
  /** Entries that are kept. */
  readonly entries: number;
  /** Bytes of forms of resources that are kept, of all entries together. */
  readonly bodyBytes: number;
};

/**
 * A day of a mesh in which something changes every 43 seconds, or the last hundred large messages. 4 MiB are the forms of
 * all of them where a resource has a kilobyte, and a hundredth of what a bridge with 100,000 resources takes.
 */
export const defaultJournalLimits: JournalLimits = { entries: 2000, bodyBytes: 4 << 20 };

/** One resource that became another one, or all those of a message that are not named one by one. */
export type JournalEntry = {
  /** From 1, one more with each. */
  readonly id: number;
  /** Common to what one message, or one decision, has changed of a kind. */
  readonly batch: number;
  readonly at: Date;
  /** Undefined where no source has said anything. */
  readonly origin: string | undefined;
  /** Kind.id. */
  readonly kind: string;
  readonly cause: EffectCause;
  /** Undefined for those that are not named. */
  readonly effect: Effect | undefined;
  /** How many there are of those; undefined for one. */
  readonly others: EffectCounts | undefined;
  /** True where its forms had to make room for newer ones. */
  readonly isFaded: boolean;
};

/** Which entries are asked for; what is not given does not matter. */
export type JournalFilter = {
  readonly origin?: string | undefined;
  /** Kind.id. */
  readonly kind?: string | undefined;
  /** A part of `namespace/name`. */
  readonly name?: string | undefined;
};

/** Entries, the newest first. */
export type JournalPage = {
  readonly entries: readonly JournalEntry[];
  /** What the next page begins behind; undefined where there is none. */
  readonly last: number | undefined;
};

/**
 * What has changed lately in what istiod is given: a ring in memory, bounded whatever comes. The forms of the oldest
 * entries go first, and then the entries. Nothing in it is decoded.
 */
export class Journal {
  readonly #limits: JournalLimits;
  /** By id modulo the limit. */
  readonly #entries: JournalEntry[] = [];
  #nextId = 1;
  #nextBatch = 1;
  /** The oldest entry that may have forms. */
  #firstWithForms = 1;
  #bodyBytes = 0;

  constructor(limits = defaultJournalLimits) {
    this.#limits = limits;
  }

  /** Entries that are kept. */
  get size(): number {
    return this.#nextId - this.#firstId;
  }

  /** Bytes of all forms that are kept. */
  get bodyBytes(): number {
    return this.#bodyBytes;
  }

  get #firstId(): number {
    return Math.max(1, this.#nextId - this.#limits.entries);
  }

  /** Adds an entry for each resource that is named, and one for all others, which is the oldest of them. */
  add({ origin, kind, cause, named, others }: Effects, at: Date): void {
    const batch = this.#nextBatch++;
    const common = { batch, at, origin, kind, cause, isFaded: false };
    if (sumOf(others) > 0) this.#add({ id: this.#nextId, ...common, effect: undefined, others });
    for (const effect of named.toReversed()) {
      this.#add({ id: this.#nextId, ...common, origin: origin ?? effect.sentFrom, effect, others: undefined });
    }
  }

  #add(entry: JournalEntry): void {
    const place = entry.id % this.#limits.entries;
    const oldest = this.#entries[place];
    if (oldest !== undefined) this.#bodyBytes -= bytesOf(oldest);
    this.#entries[place] = entry;
    this.#nextId++;
    this.#bodyBytes += bytesOf(entry);
    this.#firstWithForms = Math.max(this.#firstWithForms, this.#firstId);
    while (this.#bodyBytes > this.#limits.bodyBytes) this.#fade(this.#firstWithForms++);
  }

  #fade(id: number): void {
    const place = id % this.#limits.entries;
    const entry = this.#entries[place] as JournalEntry;
    const bytes = bytesOf(entry);
    if (entry.effect === undefined || bytes === 0) return;
    this.#bodyBytes -= bytes;
    const effect = { ...entry.effect, before: undefined, after: undefined };
    this.#entries[place] = { ...entry, effect, isFaded: true };
  }

  /** Undefined where there is none, or none any more. */
  get(id: number): JournalEntry | undefined {
    if (!(Number.isInteger(id) && id >= this.#firstId && id < this.#nextId)) return undefined;
    return this.#entries[id % this.#limits.entries];
  }

  /**
   * The newest entries that the filter lets through, so many at most.
   * @param after {@link JournalPage.last} of the page before. Default: the first page.
   */
  page(filter: JournalFilter, limit: number, after = this.#nextId): JournalPage {
    const entries: JournalEntry[] = [];
    for (let id = Math.min(after, this.#nextId) - 1; id >= this.#firstId; id--) {
      const entry = this.get(id);
      if (entry === undefined || !isMeant(entry, filter)) continue;
      if (entries.length === limit) return { entries, last: entries.at(-1)?.id };
      entries.push(entry);
    }
    return { entries, last: undefined };
  }
}

/** What is only counted has no name. */
function isMeant({ origin, kind, effect }: JournalEntry, filter: JournalFilter): boolean {
  if (filter.origin !== undefined && filter.origin !== origin && filter.origin !== effect?.sentFrom) return false;
  if (filter.kind !== undefined && filter.kind !== kind) return false;
  return filter.name === undefined || effect?.key.includes(filter.name) === true;
}

function sumOf({ added, changed, removed, quarantined }: EffectCounts): number {
  return added + changed + removed + quarantined;
}

function bytesOf({ effect }: JournalEntry): number {
  return (effect?.before?.length ?? 0) + (effect?.after?.length ?? 0);
}
