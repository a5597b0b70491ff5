import type { Listing, Part } from '../wire/legacy-source.ts';

/** Names that are compared without a pause, some milliseconds; where it were more, a whole state is sent. */
const maxCompared = 20_000;

/** What a sink lacks. */
export type Delta = {
  /** Those that it does not have, or not in this version, encoded as entries of a message. */
  readonly entries: Buffer;
  readonly count: number;
  /** Names of what is gone. */
  readonly removed: readonly string[];
};

/**
 * Compares, by names and versions, what a sink has with what there is now (pkg/mcp/source/source.go calculateDelta, 1.8.6).
 * Parts that are in both are not looked into.
 *
 * @returns undefined where so much is another that a whole state is the better answer, or names can't be read.
 */
export function deltaOf(acked: readonly Listing[], parts: readonly Part[]): Delta | undefined {
  const now = listingsOf(parts);
  if (now === undefined) return undefined;
  const gone = without(acked, now);
  const come = without(now, acked);
  if (countOf(gone) + countOf(come) > maxCompared) return undefined;
  const versions = new Map<string, string>();
  for (const { names, versions: all } of gone)
    for (const [i, name] of names.entries()) versions.set(name, all[i] ?? '');
  const bytesOf = new Map(parts.map(({ listing, bytes }) => [listing, bytes]));
  const entries: Buffer[] = [];
  const still = new Set<string>();
  for (const listing of come) {
    for (const [i, name] of listing.names.entries()) {
      still.add(name);
      if (versions.get(name) === listing.versions[i]) continue;
      entries.push((bytesOf.get(listing) as Buffer).subarray(listing.bounds[i], listing.bounds[i + 1]));
    }
  }
  const removed = [...versions.keys()].filter((name) => !still.has(name));
  return { entries: Buffer.concat(entries), count: entries.length, removed };
}

/** Names and versions of parts; undefined where they can't be read. */
export function listingsOf(parts: readonly Part[]): Listing[] | undefined {
  try {
    return parts.map(({ listing }) => listing);
  } catch {
    return undefined;
  }
}

function without(all: readonly Listing[], others: readonly Listing[]): Listing[] {
  const known = new Set(others);
  return all.filter((listing) => !known.has(listing));
}

function countOf(listings: readonly Listing[]): number {
  return listings.reduce((sum, { names }) => sum + names.length, 0);
}
