import type { Change } from '../model/change.ts';

/** What the guard decides about the keys that a message does not have any more. */
export type Verdict = {
  /** These leave. */
  readonly removals: readonly string[];
  /** These stay, although the source does not name them. */
  readonly withheld: readonly string[];
};

/**
 * Decides which removals are believed. A key leaves only on positive evidence that its source removed it.
 *
 * A resource whose name can't be read may be any of those that the message lacks, so a full message with more
 * of such resources than the last believed one is no evidence: what is missing stays.
 * Mass deletions pass for now; this is where they will be held (design: decision 9).
 */
export class Guard {
  /** Unreadable resources that stood beside everything we hold: those are known to be none of it. */
  #unreadable = 0;

  judge(change: Change): Verdict {
    if (!change.full) return { removals: change.missing, withheld: [] };
    const unreadable = change.quarantined.reduce((count, { named }) => count + (named ? 0 : 1), 0);
    if (change.missing.length > 0 && unreadable > this.#unreadable) return { removals: [], withheld: change.missing };
    this.#unreadable = unreadable;
    return { removals: change.missing, withheld: [] };
  }
}
