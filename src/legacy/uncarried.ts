import type { Collection } from '../model/kinds.ts';
import type { Refusals } from './collection-probe.ts';
import type { Dropped } from './dropped-count.ts';

/** What a source says of collections that the bridge does not carry. */
export type CountedSource = {
  /** False where it is not asked for them. */
  readonly isCounted: boolean;
  readonly refused: Refusals;
  readonly counts: readonly Dropped[];
};

/**
 * True where one of the sources has something in a collection, or is asked and has not said yet. To answer that it is empty
 * would take from an old Pilot what its sources have, such as the rules of who may call whom.
 */
export function mayHold(sources: Iterable<CountedSource>, collection: Collection): boolean {
  for (const { isCounted, refused, counts } of sources) {
    if (!isCounted || refused.has(collection)) continue;
    if (counts.find((one) => one.collection === collection)?.resources !== 0) return true;
  }
  return false;
}
