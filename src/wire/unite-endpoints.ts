import type { ResourcePool } from '../model/resource.ts';
import type { Arena } from './arena.ts';
import { type Viewed, viewed } from './bytes.ts';
import type { HashSeed } from './hash.ts';
import { encodeResource } from './resource-frame.ts';
import { hashResource, newResourceParts, scanResource } from './resource-parts.ts';
import { dnsResolution, type ServiceEntryView, staticResolution, viewServiceEntry } from './service-entry.ts';

/** Why the endpoints of a ServiceEntry cannot be added to those of another one. */
export type Obstacle = 'other_spec' | 'other_metadata' | 'resolution';

/** What became of ServiceEntries that were to be one. */
export type United = {
  /** A new row; the first of those that were given where nothing had to be added to it. */
  readonly row: number;
  /** Why one of them was left out, the first that was; undefined where none was. */
  readonly obstacle: Obstacle | undefined;
};

/**
 * Adds to the first of some encoded ServiceEntries the endpoints of the others, in their order; one that is there
 * already, byte for byte, is not added. What differs in anything but its endpoints is left out; nothing that was given
 * is equal to the first. The create_time, which is no content, is the first one's; the version is that of the new content.
 *
 * @param bodyType full type URL of the body, as bytes.
 * @param seed its `seedOf`.
 */
export function uniteEndpoints(
  pool: ResourcePool,
  rows: readonly number[],
  bodyType: Viewed,
  seed: HashSeed,
  arena: Arena,
): United {
  const row = rows[0] as number;
  const first = viewServiceEntry(pool, row);
  const known = new Set(first.endpoints.map(({ value }) => value.toString('latin1')));
  const added: Buffer[] = [];
  let obstacle: Obstacle | undefined;
  for (const other of rows.slice(1).map((one) => viewServiceEntry(pool, one))) {
    const between = obstacleBetween(first, other);
    obstacle ??= between;
    if (between !== undefined) continue;
    for (const { whole, value } of other.endpoints) {
      const text = value.toString('latin1');
      if (known.has(text)) continue;
      known.add(text);
      added.push(whole);
    }
  }
  if (added.length === 0) return { row, obstacle };
  const { resource, endpointsEnd } = first;
  scanResource(resource, 0, resource.length, parts);
  const bytes = viewed(Buffer.concat([resource.subarray(0, endpointsEnd), ...added, resource.subarray(endpointsEnd)]));
  // Only the body is longer, and nothing is behind it.
  parts.valueEnd += bytes.length - resource.length;
  hashResource(bytes, parts, undefined, seed);
  return { row: encodeResource(bytes, parts, undefined, bodyType, arena, pool), obstacle };
}

/** One object serves for all. */
const parts = newResourceParts();

function obstacleBetween(one: ServiceEntryView, other: ServiceEntryView): Obstacle | undefined {
  if (!one.rest.equals(other.rest)) return 'other_spec';
  if (!one.metadata.equals(other.metadata)) return 'other_metadata';
  if (one.resolution === staticResolution) return undefined;
  // Without endpoints, DNS is asked for the host itself; with those of another one, it would not be any more.
  const isAlike = one.endpoints.length > 0 === other.endpoints.length > 0;
  if (one.resolution === dnsResolution && isAlike) return undefined;
  // The others take no endpoints, or a single one: istiod would refuse the whole.
  return 'resolution';
}
