import type { Resource } from '../model/resource.ts';
import { cursor, readLength, varintSize, writeVarint } from './scan.ts';
import { versionLength } from './resource-frame.ts';

/**
 * A message as pieces that are copied straight into the transport's frame. grpc-js 1.14 uses only
 * `length` and `copy(target, at)` of what a serialiser returns (compression filter and server-call's
 * serializeMessage), so joining the pieces first would be one copy of the whole push for nothing.
 * test/conformance has a test that fails should a grpc-js release want more.
 */
export class Rope {
  readonly #pieces: readonly Uint8Array[];
  /** Total bytes. */
  readonly length: number;

  constructor(pieces: readonly Uint8Array[]) {
    this.#pieces = pieces;
    this.length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  }

  get byteLength(): number {
    return this.length;
  }

  /** Copies everything into `target` from `at` on; returns the number of bytes, like Buffer's copy. */
  copy(target: Uint8Array, at = 0): number {
    let to = at;
    for (const piece of this.#pieces) {
      target.set(piece, to);
      to += piece.length;
    }
    return to - at;
  }

  /** The same bytes in one Buffer, for everyone who is not a transport. */
  toBuffer(): Buffer {
    const buffer = Buffer.allocUnsafe(this.length);
    this.copy(buffer);
    return buffer;
  }

  /** This rope with one more piece behind it. */
  with(tail: Uint8Array): Rope {
    return new Rope([...this.#pieces, tail]);
  }
}

/**
 * The resources of one response, ready to send. Neighbours in memory become one piece, so a type that
 * arrived in one message is a few large copies.
 */
export function spliceResources(resources: Iterable<Resource>): Rope {
  const pieces: Uint8Array[] = [];
  let chunk: Buffer | undefined;
  let start = 0;
  let end = 0;
  for (const resource of resources) {
    if (resource.chunk === chunk && resource.start === end) {
      end = resource.end;
      continue;
    }
    if (chunk !== undefined) pieces.push(chunk.subarray(start, end));
    ({ chunk, start, end } = resource);
  }
  if (chunk !== undefined) pieces.push(chunk.subarray(start, end));
  return new Rope(pieces);
}

/**
 * The same resources with an empty metadata.version, for istiod up to 1.11: 1.11 refuses every update of a
 * resource that carries a version (memory/store.go), 1.9 and 1.10 ignore it.
 */
export function spliceUnversioned(resources: Iterable<Resource>): Rope {
  return new Rope(Array.from(resources, withoutVersion));
}

/** Tag, length and text of the version field. */
const versionFieldBytes = 2 + versionLength;

/** Rewrites the four lengths around the version field. The layout is that of encodeResource. */
function withoutVersion(resource: Resource): Buffer {
  const { chunk, start, end, contentOffset } = resource;
  const anyLength = readLength(chunk, start + 1, end);
  const typeTag = cursor;
  const typeEnd = typeTag + 2 + (chunk[typeTag + 1] as number) + 1;
  const resourceLength = readLength(chunk, typeEnd, end);
  const metadataTag = cursor;
  const metadataLength = readLength(chunk, metadataTag + 1, end);
  const timeStart = cursor;
  const versionStart = start + contentOffset - versionFieldBytes;

  const newMetadata = metadataLength - versionFieldBytes;
  const newResource = resourceLength - versionFieldBytes - (varintSize(metadataLength) - varintSize(newMetadata));
  const newAny = anyLength - (resourceLength - newResource) - (varintSize(resourceLength) - varintSize(newResource));
  const out = Buffer.allocUnsafe(1 + varintSize(newAny) + newAny);
  out[0] = chunk[start] as number;
  let at = writeVarint(out, 1, newAny);
  at += chunk.copy(out, at, typeTag, typeEnd);
  at = writeVarint(out, at, newResource);
  out[at++] = chunk[metadataTag] as number;
  at = writeVarint(out, at, newMetadata);
  at += chunk.copy(out, at, timeStart, versionStart);
  chunk.copy(out, at, start + contentOffset, end);
  return out;
}
