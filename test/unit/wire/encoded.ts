import { type Resource, ResourcePool } from '../../../src/model/resource.ts';
import { Arena } from '../../../src/wire/arena.ts';
import { viewed } from '../../../src/wire/bytes.ts';
import { leastUnversionedLength, type Rope, spliceResources, spliceUnversioned } from '../../../src/wire/frame.ts';
import { encodeResource, readRow } from '../../../src/wire/resource-frame.ts';
import {
  dropInvalidTime,
  hashResource,
  newResourceParts,
  orderMaps,
  scanResource,
  seedOf,
} from '../../../src/wire/resource-parts.ts';
import { shapes } from '../../../src/wire/shapes.ts';

export const serviceEntry = 'istio.networking.v1alpha3.ServiceEntry';

/** Of everything that {@link encoded} makes. */
export const pool = new ResourcePool();

export type Encoded = Resource & { readonly row: number };

/** A copy of the bytes of one `istio.mcp.v1alpha1.Resource` on its whole way: scanned, ordered, hashed, encoded. */
export function encoded(
  message: Buffer,
  options: { readonly arena?: Arena; readonly body?: string; readonly name?: string } = {},
): Encoded {
  const { arena = new Arena(), body = serviceEntry, name } = options;
  const bytes = viewed(Buffer.from(message));
  const parts = newResourceParts();
  scanResource(bytes, 0, bytes.length, parts);
  const nameBytes = name === undefined ? undefined : viewed(Buffer.from(name));
  const type = viewed(Buffer.from(`type.googleapis.com/${body}`));
  orderMaps(bytes, parts, shapes[body] ?? {});
  dropInvalidTime(bytes, parts);
  hashResource(bytes, parts, nameBytes, seedOf(type));
  const row = encodeResource(bytes, parts, nameBytes, type, arena, pool);
  return { ...readRow(pool, row), row };
}

/** The bytes of a resource as they stand in a response. */
export function bytesOf(resource: Resource): Buffer {
  return resource.chunk.subarray(resource.start, resource.end);
}

/** True where both have the same version, and the same name, labels, annotations and body, byte for byte. */
export function sameContent(a: Encoded, b: Encoded): boolean {
  const contentOf = ({ chunk, row, end }: Encoded) => chunk.subarray(pool.contentStart(row), end);
  const sameBytes = contentOf(a).equals(contentOf(b));
  if (sameBytes !== (a.version === b.version)) throw new Error(`${a.key}: version and bytes do not agree`);
  return sameBytes;
}

const rowsOf = (list: readonly Encoded[]): Int32Array => Int32Array.from(list, ({ row }) => row);

export const splice = (list: readonly Encoded[]): Rope => spliceResources(pool, rowsOf(list));
export const spliceWithoutVersions = (list: readonly Encoded[]): Rope => spliceUnversioned(pool, rowsOf(list));
export const leastWithoutVersions = (list: readonly Encoded[]): number => leastUnversionedLength(pool, rowsOf(list));
