import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Kind, kinds, shortName } from '../model/kinds.ts';
import { searchTurn } from '../model/sizes.ts';
import { lowerBound } from '../store/merge.ts';
import type { Store } from '../store/store.ts';
import { bodyRange, keyOf, nameRange } from '../wire/resource-frame.ts';

/** A resource whose name or body holds what was searched for. */
export type Match = {
  readonly kind: string;
  /** `namespace/name`, or the stand-in of a quarantined one without a usable name. */
  readonly resource: string;
  /** Where it was found. `body`: for example a host. */
  readonly in: 'name' | 'body';
  /** `sent`, or why not: `quarantined` (nothing is sent of it) · `incomplete` (its kind waits for a source). */
  readonly state: 'sent' | 'quarantined' | 'incomplete';
  readonly sources: readonly string[];
};

export type SearchResult = {
  readonly matches: readonly Match[];
  /** True where there are more. */
  readonly more: boolean;
};

/**
 * Finds resources by a part of their name, or by a text that stands in their body as it is, such as a host; upper and
 * lower case count. Looks at all that is sent, then at what is not: what is quarantined, and kinds that are not complete.
 * Gives other work its turn, so what changes meanwhile may or may not be found.
 *
 * @param text not empty.
 */
export async function search(store: Store, text: string, limit: number): Promise<SearchResult> {
  const matches: Match[] = [];
  const add = (match: Match): boolean => {
    if (matches.length <= limit) matches.push(match);
    return matches.length <= limit;
  };
  for (const kind of kinds) {
    if (!(await searchSent(store, kind, text, add))) break;
  }
  if (matches.length <= limit) await searchUnsent(store, text, add);
  return { matches: matches.slice(0, limit), more: matches.length > limit };
}

/** Returns false once there is no more to be found. */
async function searchSent(store: Store, kind: Kind, text: string, add: (match: Match) => boolean): Promise<boolean> {
  const wanted = Buffer.from(text);
  let behind: string | undefined;
  for (;;) {
    // Rows and their bytes are only good until somebody else has had a turn.
    const snapshot = store.snapshot(kind.id);
    if (snapshot === undefined) return searchIncomplete(store, kind, text, add);
    const { pool, rows } = snapshot;
    let at = behind === undefined ? 0 : lowerBound(pool, rows, behind, 0);
    if (at < rows.length && keyOf(pool, rows[at] as number) === behind) at++;
    const end = Math.min(rows.length, at + searchTurn);
    for (; at < end; at++) {
      const row = rows[at] as number;
      const chunk = pool.chunk(row);
      const holds = ([from, to]: readonly [number, number]) => chunk.subarray(from, to).includes(wanted);
      const where = holds(nameRange(pool, row)) ? 'name' : holds(bodyRange(pool, row)) ? 'body' : undefined;
      if (where === undefined) continue;
      const resource = keyOf(pool, row);
      const match: Match = {
        ...nameOf(kind, resource),
        in: where,
        state: 'sent',
        sources: sourcesOf(store, kind, resource),
      };
      if (!add(match)) return false;
    }
    if (end === rows.length) return true;
    behind = keyOf(pool, rows[end - 1] as number);
    await nextTurn();
  }
}

/** Of a kind that is not sent yet, by name alone. Returns false once there is no more to be found. */
async function searchIncomplete(
  store: Store,
  kind: Kind,
  text: string,
  add: (match: Match) => boolean,
): Promise<boolean> {
  const wanted = Buffer.from(text);
  const seen = new Set<string>();
  for (const [, holdings] of store.origins) {
    const resources = holdings.get(kind.id)?.resources;
    if (resources === undefined) continue;
    const { pool } = resources;
    const rows = resources.rows();
    for (let i = 0; i < rows.length; i += searchTurn) {
      if (i > 0) await nextTurn();
      for (const row of rows.subarray(i, i + searchTurn)) {
        // What has gone meanwhile has no name any more.
        if (
          !resources.holds(row) ||
          !pool
            .chunk(row)
            .subarray(...nameRange(pool, row))
            .includes(wanted)
        )
          continue;
        const resource = keyOf(pool, row);
        if (seen.has(resource)) continue;
        seen.add(resource);
        const sources = sourcesOf(store, kind, resource);
        if (!add({ ...nameOf(kind, resource), in: 'name', state: 'incomplete', sources })) return false;
      }
    }
  }
  return true;
}

async function searchUnsent(store: Store, text: string, add: (match: Match) => boolean): Promise<void> {
  let passed = 0;
  for (const [origin, holdings] of store.origins) {
    for (const [kindId, holding] of holdings) {
      for (const [key, { lastGoodSent }] of holding.quarantine) {
        if (++passed % searchTurn === 0) await nextTurn();
        if (lastGoodSent || !key.includes(text)) continue;
        const match: Match = {
          kind: shortName(kindId),
          resource: key,
          in: 'name',
          state: 'quarantined',
          sources: [origin],
        };
        if (!add(match)) return;
      }
    }
  }
}

/** Names of the sources that hold it, in order of precedence. */
export function sourcesOf(store: Store, { id }: Kind, key: string): string[] {
  return Array.from(store.origins).flatMap(([origin, holdings]) =>
    holdings.get(id)?.resources.has(key) === true ? [origin] : [],
  );
}

const nameOf = ({ id }: Kind, resource: string) => ({ kind: shortName(id), resource });
