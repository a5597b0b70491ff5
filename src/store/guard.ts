import type { Change } from '../model/change.ts';
import { Peak } from './peak.ts';

/** When a message takes away too much to be believed at once. */
export type GuardOptions = {
  /** Removals above this share of the highest count of the last 10 minutes … */
  readonly maxRemovalPercent: number;
  /** … and above this number are held; so is a message that takes two or more to nothing. */
  readonly minRemoved: number;
  /** After so long, in milliseconds, the source is asked again. 0 = nothing is ever held. */
  readonly holdMs: number;
};

export const defaultGuard: GuardOptions = { maxRemovalPercent: 50, minRemoved: 20, holdMs: 300_000 };

/** So long must the answer stand on a living stream until it is believed: a source that has just started may be empty. */
export const answerMs = 30_000;

/** A stream that began so shortly before the question is as good as a new one: a source has several collections. */
const youngStreamMs = 5000;

/** `emptied`: the collection would be empty now · `mass_removal`: it would have lost too much. */
export type HoldReason = 'emptied' | 'mass_removal';

/** A stream of a source, as far as it proves anything. */
export type Stream = {
  /** When it was begun, by the clock. */
  readonly startedAt: number;
  readonly isLive: boolean;
};

/** Removals that are held. */
export type Hold = {
  readonly reason: HoldReason;
  readonly since: Date;
  /** When the source is asked again: by the clock, and for people. */
  readonly until: number;
  readonly askedAt: Date;
  /** The highest count of the last 10 minutes when it began. */
  readonly of: number;
  /** They stay, although the source does not name them any more. */
  readonly keys: ReadonlySet<string>;
  /** True once the source was asked again. */
  readonly isAsked: boolean;
  /** The stream on which the source said so last, and since when it has said the same there. */
  readonly said: { readonly stream: Stream | undefined; readonly at: number } | undefined;
};

/** What the guard decides about the keys that a message does not have any more. */
export type Verdict = {
  /** These leave. */
  readonly removals: readonly string[];
  /** These stay, although the source does not name them. */
  readonly withheld: readonly string[];
};

/** What is held, and when a message about it comes. */
export type Situation = {
  /** Resources held before the message, and with what it brings. */
  readonly before: number;
  readonly after: number;
  readonly has: (key: string) => boolean;
  /** Keys that an incremental message says something about. */
  readonly spokenOf: () => Iterable<string>;
  /** By the clock, and for people. */
  readonly now: number;
  readonly date: Date;
  readonly stream: Stream | undefined;
};

/**
 * Decides which removals of one origin and kind are believed. A key leaves only on positive evidence that its source
 * removed it (docs/adr/0001, docs/guard.md). Knows no timers: who asks says what time it is.
 *
 * A resource whose name can't be read may be any of those that the message lacks, so a full message with more
 * of such resources than the last believed one is no evidence: what is missing stays.
 */
export class Guard {
  /** For what comes from now on. */
  options: GuardOptions;
  readonly #peak = new Peak();
  /** Unreadable resources that stood beside everything we hold: those are known to be none of it. */
  #unreadable = 0;
  /** The same, in the last full message. */
  #lastUnreadable = 0;
  #hold: Hold | undefined;

  constructor(options: GuardOptions = defaultGuard) {
    this.options = options;
  }

  get hold(): Hold | undefined {
    return this.#hold;
  }

  judge(change: Change, situation: Situation): Verdict {
    const { before, after, now } = situation;
    // What was held before the first message may have come out of a file.
    this.#peak.see(before, now);
    const verdict = change.full ? this.#judgeFull(change, situation) : this.#judgeIncremental(change, situation);
    this.#peak.see(after - verdict.removals.length, now);
    return verdict;
  }

  /** `held` until the source is asked again · `asked` until it has answered · `answered` until that has stood long enough. */
  get state(): 'held' | 'asked' | 'answered' | undefined {
    if (this.#hold === undefined) return undefined;
    if (!this.#hold.isAsked) return 'held';
    return this.#answerStandsAt === undefined ? 'asked' : 'answered';
  }

  /** What is to be done now about a hold: ask the source again, or believe it. */
  due(now: number): 'ask' | 'believe' | undefined {
    const { dueAt } = this;
    if (this.#hold === undefined || dueAt === undefined || now < dueAt) return undefined;
    if (!this.#hold.isAsked) return 'ask';
    return this.#hold.said?.stream?.isLive === false ? undefined : 'believe';
  }

  /** When {@link due} has to be asked the next time unless a message comes first; undefined = never. */
  get dueAt(): number | undefined {
    return this.#hold?.isAsked === false ? this.#hold.until : this.#answerStandsAt;
  }

  /** Takes note that the source is asked again. Returns when a stream must have begun, at the earliest, to be an answer. */
  ask(): number | undefined {
    if (this.#hold === undefined) return undefined;
    this.#hold = { ...this.#hold, isAsked: true };
    return this.#answerableSince(this.#hold);
  }

  /** Ends the hold: its keys are to leave. Of so many there are left then. */
  believe(left: number): void {
    this.#hold = undefined;
    this.#peak.startWith(left);
  }

  /** The operator says that what is missing is gone, whatever can't be read in its stead. */
  release(left: number): void {
    this.believe(left);
    this.#unreadable = this.#lastUnreadable;
  }

  #answerableSince({ until }: Hold): number {
    return until - Math.min(youngStreamMs, this.options.holdMs / 60);
  }

  /** When what the source has said on a stream that is new enough will have stood long enough. */
  get #answerStandsAt(): number | undefined {
    if (this.#hold?.said === undefined) return undefined;
    const { stream, at } = this.#hold.said;
    const isAnswer = (stream?.startedAt ?? at) >= this.#answerableSince(this.#hold);
    return isAnswer ? at + Math.min(answerMs, this.options.holdMs) : undefined;
  }

  #judgeFull(change: Change, situation: Situation): Verdict {
    const { missing } = change;
    const listed = change.quarantined.reduce((count, { named }) => count + (named ? 0 : 1), 0);
    const unreadable = listed + (change.unlisted ?? 0);
    this.#lastUnreadable = unreadable;
    const held = this.#hold?.keys ?? noKeys;
    const [still, fresh] = held.size === 0 ? [[], missing] : split(missing, (key) => held.has(key));
    if (missing.length > 0 && unreadable > this.#unreadable) {
      this.#keep(still);
      if (this.#hold !== undefined) this.#hold = { ...this.#hold, said: undefined };
      return { removals: [], withheld: missing };
    }
    const reason = this.#tooMuch(missing.length, missing.length, situation, change.isDoubtful);
    if (reason !== undefined) {
      this.#holdBack(reason, still, fresh, situation);
      this.#say(situation);
      return { removals: [], withheld: missing };
    }
    this.#keep(still);
    this.#say(situation);
    if (still.length === 0) this.#unreadable = unreadable;
    return { removals: fresh, withheld: still };
  }

  #judgeIncremental(change: Change, situation: Situation): Verdict {
    const missing = change.missing.filter(situation.has);
    const rest = new Set(this.#hold?.keys);
    if (rest.size > 0) for (const key of situation.spokenOf()) rest.delete(key);
    const reason = this.#tooMuch(missing.length, missing.length + rest.size, situation);
    if (reason === undefined) {
      this.#keep([...rest]);
      return { removals: change.missing, withheld: [] };
    }
    this.#holdBack(reason, [...rest], missing, situation);
    return { removals: [], withheld: missing };
  }

  /**
   * @param removed keys that the message takes away.
   * @param gone the same with what is held already.
   * @param isDoubtful whether the source may say so although it has something: then the last one does not pass either.
   */
  #tooMuch(removed: number, gone: number, { after, now }: Situation, isDoubtful = false): HoldReason | undefined {
    const { maxRemovalPercent, minRemoved, holdMs } = this.options;
    const left = after - gone;
    // One by one, down to the last, they pass.
    if (holdMs === 0 || removed < (isDoubtful && left === 0 ? 1 : 2)) return undefined;
    if (left === 0) return 'emptied';
    const highest = this.#peak.highest(now);
    const fallen = Math.max(gone, highest - left);
    return fallen > minRemoved && fallen * 100 > maxRemovalPercent * highest ? 'mass_removal' : undefined;
  }

  #holdBack(reason: HoldReason, still: readonly string[], fresh: readonly string[], situation: Situation): void {
    const { now, date } = situation;
    const of = this.#peak.highest(now);
    const until = now + this.options.holdMs;
    const askedAt = new Date(date.getTime() + this.options.holdMs);
    const none = { since: date, until, askedAt, of, keys: noKeys, isAsked: false, said: undefined };
    const held = this.#hold?.keys ?? noKeys;
    // Where the source has all that was held, and something else is missing, that is another hold.
    const goesOn = still.length > 0 || fresh.some((key) => held.has(key));
    const before = (goesOn ? this.#hold : undefined) ?? none;
    const isSame = fresh.length === 0 && still.length === before.keys.size;
    const keys = isSame ? before.keys : new Set([...still, ...fresh]);
    const isMore = fresh.some((key) => !before.keys.has(key));
    // What has come to it has to stand as long as the rest.
    const said = isMore && before.said !== undefined ? { ...before.said, at: now } : before.said;
    this.#hold = { ...before, reason, of: Math.max(before.of, of), keys, said };
  }

  /** Of the hold, these are left. */
  #keep(keys: readonly string[]): void {
    if (this.#hold === undefined || keys.length === this.#hold.keys.size) return;
    this.#hold = keys.length === 0 ? undefined : { ...this.#hold, keys: new Set(keys) };
  }

  /** A full message that can be read lacks all that is held. */
  #say({ now, stream }: Situation): void {
    const hold = this.#hold;
    if (hold === undefined || (hold.said !== undefined && hold.said.stream === stream)) return;
    this.#hold = { ...hold, said: { stream, at: now } };
  }
}

const noKeys: ReadonlySet<string> = new Set();

/** Those of which it is true, and the others. */
function split(keys: readonly string[], isFirst: (key: string) => boolean): [readonly string[], readonly string[]] {
  const both: [string[], string[]] = [[], []];
  for (const key of keys) both[isFirst(key) ? 0 : 1].push(key);
  return both;
}
