import type { ResourcePool } from '../model/resource.ts';
import { copyBytes, type Viewed, viewed } from './bytes.ts';
import { hash128, hashed, resetHash } from './hash.ts';
import { resourceRange } from './resource-frame.ts';
import { root } from './root.ts';
import { cursor, MalformedError, readLength, readVarint, skip, varintSize, writeVarint } from './scan.ts';

/** Tag of a resource in a `Resources` message. */
const resourceTag = 0x1a;

/** Names and versions of the resources of a {@link Part}, and where they stand in its bytes. */
export type Listing = {
  readonly names: readonly string[];
  /** Another one wherever the resource is another one. */
  readonly versions: readonly string[];
  /** Where each begins; behind the last one, where that ends. */
  readonly bounds: readonly number[];
};

/**
 * Some resources of a collection, encoded as they stand in a `Resources` message, tags and lengths included. Nothing in it
 * ever changes: the same object means the same resources.
 */
export class Part {
  readonly bytes: Buffer & Viewed;
  readonly count: number;
  readonly #isVersioned: boolean;
  #listing: Listing | undefined;

  /** @param isVersioned false where metadata.version may stay the same while a resource changes: some servers do that. */
  constructor(bytes: Buffer & Viewed, count: number, isVersioned: boolean) {
    this.bytes = bytes;
    this.count = count;
    this.#isVersioned = isVersioned;
  }

  /** True where {@link listing} costs nothing. */
  get isListed(): boolean {
    return this.#listing !== undefined;
  }

  /** Made when first asked for. @throws MalformedError where something in it is no Resource. */
  get listing(): Listing {
    this.#listing ??= list(this.bytes, this.#isVersioned);
    return this.#listing;
  }
}

/** Of encoded `istio.mcp.v1alpha1.Resource` messages. */
export function partOf(resources: readonly Uint8Array[]): Part {
  const size = resources.reduce((sum, { length }) => sum + 1 + varintSize(length) + length, 0);
  const bytes = viewed(Buffer.allocUnsafeSlow(size));
  let at = 0;
  for (const resource of resources) {
    bytes[at++] = resourceTag;
    at = writeVarint(bytes, at, resource.length);
    bytes.set(resource, at);
    at += resource.length;
  }
  return new Part(bytes, resources.length, false);
}

/** The same of rows: their Resources are cut out of the ready bytes. */
export function partOfRows(pool: ResourcePool, rows: Int32Array): Part {
  let size = 0;
  for (const row of rows) size += 1 + lengthOf(pool, row);
  const bytes = viewed(Buffer.allocUnsafeSlow(size));
  let at = 0;
  for (const row of rows) {
    const end = pool.end(row);
    bytes[at++] = resourceTag;
    // The length before a Resource is what has to stand here too.
    at = copyBytes(pool.chunk(row), end - lengthOf(pool, row), end, bytes, at);
  }
  return new Part(bytes, rows.length, true);
}

/** Bytes of the Resource of a row, with its length before it. */
function lengthOf(pool: ResourcePool, row: number): number {
  const [start, end] = resourceRange(pool, row);
  return varintSize(end - start) + end - start;
}

/**
 * Everything of a `Resources` message but its resources. Protobuf fields may come in any order, so that this is a small
 * tail behind bytes that many streams share.
 */
export function encodeResourcesTail(tail: {
  readonly systemVersionInfo: string;
  readonly collection: string;
  readonly nonce: string;
  readonly incremental: boolean;
  readonly removedResources: readonly string[];
}): Buffer {
  return Buffer.from(root().lookupType('istio.mcp.v1alpha1.Resources').encode(tail).finish());
}

function list(bytes: Buffer & Viewed, isVersioned: boolean): Listing {
  const names: string[] = [];
  const versions: string[] = [];
  const bounds: number[] = [];
  let at = 0;
  while (at < bytes.length) {
    bounds.push(at);
    const length = readLength(bytes, at + 1, bytes.length);
    const start = cursor;
    at = start + length;
    const [metadata, metadataEnd] = metadataRange(bytes, start, at);
    names.push(textOf(bytes, metadata, metadataEnd, 0x0a));
    versions.push(isVersioned ? textOf(bytes, metadata, metadataEnd, 0x1a) : hashOf(bytes, start, at));
  }
  bounds.push(at);
  return { names, versions, bounds };
}

function hashOf({ view }: Viewed, start: number, end: number): string {
  resetHash();
  hash128(view, start, end);
  return `${hashed.h1} ${hashed.h2} ${hashed.h3}`;
}

function metadataRange(bytes: Buffer, start: number, end: number): [start: number, end: number] {
  let at = start;
  while (at < end) {
    const tag = readVarint(bytes, at, end);
    if (tag === 0x0a) {
      const length = readLength(bytes, cursor, end);
      return [cursor, cursor + length];
    }
    at = skip(bytes, tag & 7, cursor, end);
  }
  throw new MalformedError('no metadata');
}

/** The text of a field; '' where there is none. */
function textOf(bytes: Buffer, start: number, end: number, field: number): string {
  let text = '';
  let at = start;
  while (at < end) {
    const tag = readVarint(bytes, at, end);
    const valueAt = cursor;
    at = skip(bytes, tag & 7, valueAt, end);
    if (tag !== field) continue;
    readLength(bytes, valueAt, end);
    text = bytes.toString('utf8', cursor, at);
  }
  return text;
}
