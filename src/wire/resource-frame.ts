import { type Chunk, noRow, type Resource, type ResourcePool } from '../model/resource.ts';
import type { SpanList } from './spans.ts';
import type { Arena } from './arena.ts';
import { copyBytes, isSame, isSameAt, type Viewed, viewed } from './bytes.ts';
import { hashed } from './hash.ts';
import { type ResourceParts, spanBytes } from './resource-parts.ts';
import { cursor, MalformedError, readLength, readVarint, varintSize, writeVarint } from './scan.ts';

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
 * Encodes a resource for MCP-over-xDS at the end of `arena`, as a new row of `pool`, after {@link orderMaps}, {@link dropInvalidTime} and
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
  pool: ResourcePool,
): number {
  const lengths = lengthsOf(parts, name, bodyType);
  const size = fieldSize(lengths.any);
  arena.reserve(size);
  const { chunk, offset } = arena;
  writeResource(bytes, parts, name, bodyType, lengths, chunk, offset);
  arena.commit(size);
  return pool.add(chunk, offset, offset + size, hashed, lengths);
}

/**
 * Does the same for what stands in `bytes[start, end)` in that form already, and was found there by {@link scanResources}:
 * copies it as it is. Returns {@link noRow}, and does nothing, where {@link encodeResource} would make other bytes of it.
 */
export function adoptResource(
  bytes: Viewed,
  start: number,
  end: number,
  parts: ResourceParts,
  bodyType: Viewed,
  arena: Arena,
  pool: ResourcePool,
): number {
  const lengths = lengthsOf(parts, undefined, bodyType);
  const size = end - start;
  if (fieldSize(lengths.any) !== size || !isLaidOut(bytes, start, parts, bodyType, lengths)) return noRow;
  arena.reserve(size);
  const { chunk, offset } = arena;
  copyBytes(bytes, start, end, chunk, offset);
  arena.commit(size);
  return pool.add(chunk, offset, offset + size, hashed, lengths);
}

/**
 * True where what could stand elsewhere is where the encoder puts it, {@link hashed} as the version. No part can be shorter
 * than that makes it: where the whole has the right length too, nothing else is in it, no tag or length is written the long
 * way, and what is not looked at has no other place left.
 */
function isLaidOut(
  bytes: Viewed,
  start: number,
  parts: ResourceParts,
  bodyType: Viewed,
  length: typeof lengths,
): boolean {
  const { labels, annotations, typeStart, typeEnd } = parts;
  if (parts.createStart < 0) return false;
  const content = start + length.head;
  const version = content - versionLength;
  writeVersion(ownVersion, 0, hashed.h1, hashed.h2, hashed.h3);
  if (bytes[version - 2] !== 0x1a || !isSame(bytes, version, content, ownVersion)) return false;
  const maps = content + fieldSize(length.name);
  return (
    (labels.length === 0 || labels[0] === maps) &&
    (annotations.length === 0 || annotations[0] === maps + spanBytes(labels)) &&
    (length.value === 0 || parts.valueEnd === start + fieldSize(length.any)) &&
    isSame(bytes, typeStart, typeEnd, bodyType)
  );
}

const ownVersion = viewed(Buffer.alloc(versionLength));

/**
 * Does the same as {@link encodeResource} in the place of `row`, which has the same key, if both have the same length.
 * Returns false, and does nothing, where they have not.
 *
 * @param before called before anything is changed.
 */
export function overwriteResource(
  bytes: Viewed,
  parts: ResourceParts,
  name: Viewed | undefined,
  bodyType: Viewed,
  pool: ResourcePool,
  row: number,
  before: (row: number) => void,
): boolean {
  const lengths = lengthsOf(parts, name, bodyType);
  const start = pool.start(row);
  const end = pool.end(row);
  if (fieldSize(lengths.any) !== end - start) return false;
  before(row);
  const chunk = pool.chunk(row);
  if (pool.hasLayout(row, lengths)) {
    overwriteParts(bytes, parts, bodyType, lengths, chunk, pool.contentStart(row));
  } else {
    writeResource(bytes, parts, name, bodyType, lengths, chunk, start);
    pool.setLayout(row, lengths);
  }
  pool.setContent(row, hashed);
  return true;
}

/** Lengths of the messages that a resource is made of; one object serves for all. */
const lengths = { name: 0, time: 0, value: 0, maps: 0, metadata: 0, body: 0, resource: 0, any: 0, head: 0 };

function lengthsOf(parts: ResourceParts, name: Viewed | undefined, bodyType: Viewed): typeof lengths {
  lengths.name = name === undefined ? parts.nameEnd - parts.nameStart : name.length;
  lengths.time = parts.createStart < 0 ? defaultCreateTime.length : parts.createEnd - parts.createStart;
  lengths.value = parts.valueStart < 0 ? 0 : parts.valueEnd - parts.valueStart;
  lengths.maps = spanBytes(parts.labels) + spanBytes(parts.annotations);
  lengths.metadata = fieldSize(lengths.time) + fieldSize(versionLength) + fieldSize(lengths.name) + lengths.maps;
  lengths.body = fieldSize(bodyType.length) + (lengths.value === 0 ? 0 : fieldSize(lengths.value));
  lengths.resource = fieldSize(lengths.metadata) + fieldSize(lengths.body);
  lengths.any = anyHeader.length + varintSize(lengths.resource) + lengths.resource;
  lengths.head =
    1 +
    varintSize(lengths.any) +
    anyHeader.length +
    varintSize(lengths.resource) +
    1 +
    varintSize(lengths.metadata) +
    fieldSize(lengths.time) +
    fieldSize(versionLength);
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

/** Writes what may be another one where name and layout are as they were: create_time, version, maps and body. */
function overwriteParts(
  bytes: Viewed,
  parts: ResourceParts,
  bodyType: Viewed,
  length: typeof lengths,
  chunk: Chunk,
  content: number,
): void {
  const version = content - versionLength;
  const time = version - 2 - length.time;
  if (parts.createStart < 0) copyBytes(defaultCreateTime, 0, length.time, chunk, time);
  else copyBytes(bytes, parts.createStart, parts.createEnd, chunk, time);
  let at = writeVersion(chunk, version, hashed.h1, hashed.h2, hashed.h3) + fieldSize(length.name);
  if (length.maps > 0) at = writeMaps(chunk, at, bytes, parts);
  at += 1 + varintSize(length.body) + fieldSize(bodyType.length);
  if (length.value > 0) {
    copyBytes(bytes, parts.valueStart, parts.valueEnd, chunk, at + 1 + varintSize(length.value));
  }
}

function writeMaps(chunk: Viewed, to: number, bytes: Viewed, { gathered, labels, annotations }: ResourceParts): number {
  if (gathered !== undefined) return copyBytes(gathered, 0, gathered.length, chunk, to);
  let at = to;
  if (labels.length > 0) at = copyBytes(bytes, labels[0] as number, labels[1] as number, chunk, at);
  if (annotations.length > 0) at = copyBytes(bytes, annotations[0] as number, annotations[1] as number, chunk, at);
  return at;
}

/**
 * Finds encoded resources that stand in `bytes[start, end)`, one after the other. Adds start and end of each to
 * `entries`, and those of the Resource in it to `resources`.
 *
 * @throws MalformedError where something else stands there.
 */
export function scanResources(bytes: Viewed, start: number, end: number, entries: SpanList, resources: SpanList): void {
  for (let at = start; at < end; ) {
    if (bytes[at] !== 0x12) throw new MalformedError('no resource');
    const anyEnd = readLength(bytes, at + 1, end) + cursor;
    const valueTag = cursor + anyHeader.length;
    if (valueTag > anyEnd || !isSame(bytes, cursor, valueTag, anyHeader)) throw new MalformedError('no resource');
    if (readLength(bytes, valueTag, anyEnd) + cursor !== anyEnd) throw new MalformedError('more than a resource');
    entries.add(at, anyEnd);
    resources.add(cursor, anyEnd);
    at = anyEnd;
  }
}

/** True where the row is encoded as `bytes[start, end)`. */
export function isEncodedAs(pool: ResourcePool, row: number, bytes: Viewed, start: number, end: number): boolean {
  return pool.bytes(row) === end - start && isSameAt(bytes, start, end, pool.chunk(row), pool.start(row));
}

/** Where the `istio.mcp.v1alpha1.Resource` of a row stands in its chunk, whose last field is its body. */
export function resourceRange(pool: ResourcePool, row: number): [start: number, end: number] {
  const chunk = pool.chunk(row);
  const end = pool.end(row);
  readLength(chunk, pool.start(row) + 1, end);
  readLength(chunk, cursor + anyHeader.length, end);
  return [cursor, end];
}

/** Where the name of a row stands in its chunk. */
export function nameRange(pool: ResourcePool, row: number): [start: number, end: number] {
  const length = nameLength(pool, row);
  return [cursor, cursor + length];
}

/** Where the value of the body of a row stands in its chunk. */
export function bodyRange(pool: ResourcePool, row: number): [start: number, end: number] {
  const chunk = pool.chunk(row);
  const [start, end] = resourceRange(pool, row);
  const metadata = readLength(chunk, start + 1, end);
  const bodyTag = cursor + metadata;
  readLength(chunk, bodyTag + 1, end);
  const type = readLength(chunk, cursor + 1, end);
  const valueTag = cursor + type;
  if (valueTag === end) return [end, end];
  readLength(chunk, valueTag + 1, end);
  return [cursor, end];
}

/** Length of the name of a row; moves {@link cursor} to its first byte. */
function nameLength(pool: ResourcePool, row: number): number {
  return readVarint(pool.chunk(row), pool.contentStart(row) + 1, pool.end(row));
}

/** True where `bytes[start, end)` are the key of a row. */
export function isNamed(pool: ResourcePool, row: number, bytes: Viewed, start: number, end: number): boolean {
  return nameLength(pool, row) === end - start && isSameAt(bytes, start, end, pool.chunk(row), cursor);
}

/** True where both rows have the same key. */
export function isSameName(pool: ResourcePool, a: number, b: number): boolean {
  const [start, end] = nameRange(pool, b);
  return isNamed(pool, a, pool.chunk(b), start, end);
}

/** `namespace/name` of a row. */
export function keyOf(pool: ResourcePool, row: number): string {
  const [start, end] = nameRange(pool, row);
  return pool.chunk(row).toString('utf8', start, end);
}

/** A row as an object, for whoever looks at a few of them. */
export function readRow(pool: ResourcePool, row: number): Resource {
  const chunk = pool.chunk(row);
  const content = pool.contentStart(row);
  const version = chunk.toString('latin1', content - versionLength, content);
  return { key: keyOf(pool, row), version, chunk, start: pool.start(row), end: pool.end(row) };
}

/** All of them, each read when it is its turn. */
export function* readRows(pool: ResourcePool, rows: Iterable<number>): Generator<Resource> {
  for (const row of rows) yield readRow(pool, row);
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
