import type { Chunk, Resource } from '../model/resource.ts';
import type { Arena } from './arena.ts';
import { copyBytes, isSameAt, type Viewed, viewed } from './bytes.ts';
import { hashed } from './hash.ts';
import { type ResourceParts, spanBytes } from './resource-parts.ts';
import { cursor, readVarint, varintSize, writeVarint } from './scan.ts';

/** What MCP-over-xDS puts into every Any of a DiscoveryResponse (istio pkg/adsc, 1.9 to 1.30). */
const resourceTypeUrl = Buffer.from('type.googleapis.com/istio.mcp.v1alpha1.Resource');
const anyHeader = viewed(
  Buffer.concat([Buffer.from([0x0a, resourceTypeUrl.length]), resourceTypeUrl, Buffer.from([0x12])]),
);

/** Characters of a content version: 96 bits of MurmurHash3 in base64url. */
export const versionLength = 16;

/**
 * create_time of a resource whose source sent none (or none that is valid): one second after 1970.
 * Fixed, so that replicas and restarts agree; istiod up to 1.13 drops a resource without it.
 */
const defaultCreateTime = viewed(Buffer.from([0x08, 0x01]));

const fieldSize = (length: number): number => 1 + varintSize(length) + length;

/**
 * Encodes a resource for MCP-over-xDS at the end of `arena`, after {@link orderMaps}, {@link dropInvalidTime} and
 * {@link hashResource}, whose result is its version.
 *
 * Layout of the Resource: metadata { create_time, version, name, labels, annotations }, body. Everything
 * that counts as content lies behind the version.
 *
 * @param name `namespace/name` as bytes; undefined = as it stands in `bytes`.
 * @param bodyType full type URL of the body, as bytes.
 */
export function encodeResource(
  bytes: Viewed,
  parts: ResourceParts,
  name: Viewed | undefined,
  bodyType: Viewed,
  arena: Arena,
): Resource {
  const lengths = lengthsOf(parts, name, bodyType);
  const size = fieldSize(lengths.any);
  arena.reserve(size);
  const { chunk, offset } = arena;
  writeResource(bytes, parts, name, bodyType, lengths, chunk, offset);
  arena.commit(size);
  return new EncodedResource(chunk, offset, offset + size);
}

/**
 * Does the same in the place of `resource`, which has the same key, if both have the same length. Returns false, and
 * does nothing, where they have not.
 *
 * @param before called before anything is changed.
 */
export function overwriteResource(
  bytes: Viewed,
  parts: ResourceParts,
  name: Viewed | undefined,
  bodyType: Viewed,
  resource: Resource,
  before: (resource: Resource) => void,
): boolean {
  const lengths = lengthsOf(parts, name, bodyType);
  if (fieldSize(lengths.any) !== resource.end - resource.start) return false;
  before(resource);
  if (!overwriteParts(bytes, parts, bodyType, lengths, resource)) {
    writeResource(bytes, parts, name, bodyType, lengths, resource.chunk, resource.start);
  }
  resource.v1 = hashed.h1;
  resource.v2 = hashed.h2;
  resource.v3 = hashed.h3;
  return true;
}

/** Lengths of the messages that a resource is made of; one object serves for all. */
const lengths = { name: 0, time: 0, value: 0, maps: 0, metadata: 0, body: 0, resource: 0, any: 0 };

function lengthsOf(parts: ResourceParts, name: Viewed | undefined, bodyType: Viewed): typeof lengths {
  lengths.name = name === undefined ? parts.nameEnd - parts.nameStart : name.length;
  lengths.time = parts.createStart < 0 ? defaultCreateTime.length : parts.createEnd - parts.createStart;
  lengths.value = parts.valueStart < 0 ? 0 : parts.valueEnd - parts.valueStart;
  lengths.maps = spanBytes(parts.labels) + spanBytes(parts.annotations);
  lengths.metadata = fieldSize(lengths.time) + fieldSize(versionLength) + fieldSize(lengths.name) + lengths.maps;
  lengths.body = fieldSize(bodyType.length) + (lengths.value === 0 ? 0 : fieldSize(lengths.value));
  lengths.resource = fieldSize(lengths.metadata) + fieldSize(lengths.body);
  lengths.any = anyHeader.length + varintSize(lengths.resource) + lengths.resource;
  return lengths;
}

function writeResource(
  bytes: Viewed,
  parts: ResourceParts,
  name: Viewed | undefined,
  bodyType: Viewed,
  length: typeof lengths,
  chunk: Chunk,
  start: number,
): void {
  let at = start;
  chunk[at++] = 0x12;
  at = writeVarint(chunk, at, length.any);
  at = copyBytes(anyHeader, 0, anyHeader.length, chunk, at);
  at = writeVarint(chunk, at, length.resource);
  chunk[at++] = 0x0a;
  at = writeVarint(chunk, at, length.metadata);
  chunk[at++] = 0x12;
  at = writeVarint(chunk, at, length.time);
  at =
    parts.createStart < 0
      ? copyBytes(defaultCreateTime, 0, length.time, chunk, at)
      : copyBytes(bytes, parts.createStart, parts.createEnd, chunk, at);
  chunk[at++] = 0x1a;
  chunk[at++] = versionLength;
  at = writeVersion(chunk, at, hashed.h1, hashed.h2, hashed.h3);
  chunk[at++] = 0x0a;
  at = writeVarint(chunk, at, length.name);
  at =
    name === undefined
      ? copyBytes(bytes, parts.nameStart, parts.nameEnd, chunk, at)
      : copyBytes(name, 0, length.name, chunk, at);
  if (length.maps > 0) at = writeMaps(chunk, at, bytes, parts);
  chunk[at++] = 0x12;
  at = writeVarint(chunk, at, length.body);
  chunk[at++] = 0x0a;
  at = writeVarint(chunk, at, bodyType.length);
  at = copyBytes(bodyType, 0, bodyType.length, chunk, at);
  if (length.value > 0) {
    chunk[at++] = 0x12;
    at = writeVarint(chunk, at, length.value);
    copyBytes(bytes, parts.valueStart, parts.valueEnd, chunk, at);
  }
}

/**
 * Writes what may be another one where all lengths are as they were: create_time, version, maps and body. Returns false
 * where one is not.
 */
function overwriteParts(
  bytes: Viewed,
  parts: ResourceParts,
  bodyType: Viewed,
  length: typeof lengths,
  { chunk, start, end }: Resource,
): boolean {
  readVarint(chunk, start + 1, end);
  if (readVarint(chunk, cursor + anyHeader.length, end) !== length.resource) return false;
  if (readVarint(chunk, cursor + 1, end) !== length.metadata) return false;
  if (readVarint(chunk, cursor + 1, end) !== length.time) return false;
  let at = cursor;
  if (parts.createStart < 0) copyBytes(defaultCreateTime, 0, length.time, chunk, at);
  else copyBytes(bytes, parts.createStart, parts.createEnd, chunk, at);
  at = writeVersion(chunk, at + length.time + 2, hashed.h1, hashed.h2, hashed.h3) + fieldSize(length.name);
  if (length.maps > 0) at = writeMaps(chunk, at, bytes, parts);
  at += 1 + varintSize(length.body) + fieldSize(bodyType.length);
  if (length.value > 0) {
    copyBytes(bytes, parts.valueStart, parts.valueEnd, chunk, at + 1 + varintSize(length.value));
  }
  return true;
}

function writeMaps(chunk: Viewed, to: number, bytes: Viewed, { gathered, labels, annotations }: ResourceParts): number {
  if (gathered !== undefined) return copyBytes(gathered, 0, gathered.length, chunk, to);
  let at = to;
  if (labels.length > 0) at = copyBytes(bytes, labels[0] as number, labels[1] as number, chunk, at);
  if (annotations.length > 0) at = copyBytes(bytes, annotations[0] as number, annotations[1] as number, chunk, at);
  return at;
}

/**
 * Where the content of an encoded resource begins, which is name, labels, annotations and body: behind the version,
 * for which create_time is the only thing before it that has no fixed length.
 */
export function contentStart({ chunk, start, end }: Resource): number {
  readVarint(chunk, start + 1, end);
  readVarint(chunk, cursor + anyHeader.length, end);
  readVarint(chunk, cursor + 1, end);
  const timeLength = readVarint(chunk, cursor + 1, end);
  return cursor + timeLength + 2 + versionLength;
}

/** Where the name of an encoded resource stands in its chunk. */
export function nameRange(resource: Resource): [start: number, end: number] {
  const length = readVarint(resource.chunk, contentStart(resource) + 1, resource.end);
  return [cursor, cursor + length];
}

/** True where `bytes[start, end)` are the key of `resource`. */
export function isNamed(resource: Resource, bytes: Viewed, start: number, end: number): boolean {
  const { chunk } = resource;
  const length = readVarint(chunk, contentStart(resource) + 1, resource.end);
  return length === end - start && isSameAt(bytes, start, end, chunk, cursor);
}

/** True where both have the same key. */
export function isSameName(a: Resource, b: Resource): boolean {
  const [start, end] = nameRange(b);
  return isNamed(a, b.chunk, start, end);
}

/** Has {@link hashed} for its version. Reads its texts from its bytes: they would be work for the garbage collector. */
class EncodedResource implements Resource {
  // What a search reads comes first, in one line of the cache.
  v1 = hashed.h1;
  v2 = hashed.h2;
  v3 = hashed.h3;
  seen = 0;
  rank = 0;
  chunk: Chunk;
  start: number;
  end: number;
  at = -1;
  slot = -1;
  isListed = false;

  constructor(chunk: Chunk, start: number, end: number) {
    this.chunk = chunk;
    this.start = start;
    this.end = end;
  }

  get key(): string {
    const [start, end] = nameRange(this);
    return this.chunk.toString('utf8', start, end);
  }

  get version(): string {
    const end = contentStart(this);
    return this.chunk.toString('latin1', end - versionLength, end);
  }
}

const base64url = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_');

/** Writes 96 bits as text, the most significant first; returns the position behind it. */
function writeVersion(chunk: Buffer, at: number, v1: number, v2: number, v3: number): number {
  writeSextets(chunk, at, v1 >>> 8);
  writeSextets(chunk, at + 4, ((v1 & 0xff) << 16) | (v2 >>> 16));
  writeSextets(chunk, at + 8, ((v2 & 0xffff) << 8) | (v3 >>> 24));
  writeSextets(chunk, at + 12, v3 & 0xffffff);
  return at + versionLength;
}

/** Writes 24 bits as four characters. */
function writeSextets(chunk: Buffer, at: number, bits: number): void {
  chunk[at] = base64url[bits >>> 18] as number;
  chunk[at + 1] = base64url[(bits >>> 12) & 63] as number;
  chunk[at + 2] = base64url[(bits >>> 6) & 63] as number;
  chunk[at + 3] = base64url[bits & 63] as number;
}
