import type { Resource } from '../../../src/model/resource.ts';
import { Arena } from '../../../src/wire/arena.ts';
import { encodeResource, newResourceParts, scanResource, sealResource } from '../../../src/wire/resource-frame.ts';
import { shapes } from '../../../src/wire/shapes.ts';

export const serviceEntry = 'istio.networking.v1alpha3.ServiceEntry';

/** The bytes of one `istio.mcp.v1alpha1.Resource` on their whole way: scanned, encoded, sealed. */
export function encoded(
  bytes: Buffer,
  options: { readonly arena?: Arena; readonly body?: string; readonly name?: string } = {},
): Resource {
  const { arena = new Arena(), body = serviceEntry, name } = options;
  const parts = newResourceParts();
  scanResource(bytes, 0, bytes.length, parts);
  const key = name ?? bytes.toString('utf8', parts.nameStart, parts.nameEnd);
  const nameBytes = name === undefined ? undefined : Buffer.from(name);
  const type = Buffer.from(`type.googleapis.com/${body}`);
  return sealResource(encodeResource(bytes, parts, key, nameBytes, type, shapes[body] ?? {}, arena), arena);
}

/** The bytes of a resource as they stand in a response. */
export function bytesOf(resource: Resource): Buffer {
  return resource.chunk.subarray(resource.start, resource.end);
}
