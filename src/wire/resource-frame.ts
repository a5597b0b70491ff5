import { isAscii, isUtf8 } from 'node:buffer';
import { hash } from 'node:crypto';
import type { Resource } from '../model/resource.ts';
import type { Arena } from './arena.ts';
import { canonicalise, type Shape } from './canonical.ts';
import { cursor, MalformedError, readLength, readVarint, skip, varintSize, writeVarint } from './scan.ts';

/** What MCP-over-xDS puts into every Any of a DiscoveryResponse (istio pkg/adsc, 1.9 to 1.30). */
const resourceTypeUrl = Buffer.from('type.googleapis.com/istio.mcp.v1alpha1.Resource');
const anyHeader = Buffer.concat([Buffer.from([0x0a, resourceTypeUrl.length]), resourceTypeUrl, Buffer.from([0x12])]);

/** Characters of a content version: 96 bits of SHA-256. */
export const versionLength = 16;

/**
 * create_time of a resource whose source sent none (or none that is valid): one second after 1970.
 * Fixed, so that replicas and restarts agree; istiod up to 1.13 drops a resource without it.
 */
export const defaultCreateTime = Buffer.from([0x08, 0x01]);

/** Go's valid range of a Timestamp: 0001-01-01 to 9999-12-31 (gogo types/timestamp.go). */
const minSeconds = -62_135_596_800;
const maxSeconds = 253_402_300_799;

/** Where the parts of one `istio.mcp.v1alpha1.Resource` lie. Offsets are into the scanned buffer; -1 = absent. */
export type ResourceParts = {
  hasMetadata: boolean;
  nameStart: number;
  nameEnd: number;
  createStart: number;
  createEnd: number;
  /** Set by {@link encodeResource}: there is a create_time, and Go would not take it. */
  timeIsInvalid: boolean;
  /** Start and end pairs of complete label fields, adjacent ones joined. */
  labels: number[];
  annotations: number[];
  hasBody: boolean;
  typeStart: number;
  typeEnd: number;
  valueStart: number;
  valueEnd: number;
};

/** A reusable {@link ResourceParts}: one is enough for a whole message. */
export function newResourceParts(): ResourceParts {
  return {
    hasMetadata: false,
    nameStart: -1,
    nameEnd: -1,
    createStart: -1,
    createEnd: -1,
    timeIsInvalid: false,
    labels: [],
    annotations: [],
    hasBody: false,
    typeStart: -1,
    typeEnd: -1,
    valueStart: -1,
    valueEnd: -1,
  };
}

/**
 * Finds the parts of the Resource in `bytes[start, end)`.
 * @throws MalformedError where the bytes are no such message. `parts` holds what was read before that.
 */
export function scanResource(bytes: Uint8Array, start: number, end: number, parts: ResourceParts): void {
  parts.hasMetadata = parts.hasBody = false;
  parts.nameStart = parts.nameEnd = parts.createStart = parts.createEnd = -1;
  parts.typeStart = parts.typeEnd = parts.valueStart = parts.valueEnd = -1;
  parts.labels.length = parts.annotations.length = 0;
  let at = start;
  while (at < end) {
    const tag = readVarint(bytes, at, end);
    if (tag === 0x0a) {
      if (parts.hasMetadata) throw new MalformedError('metadata twice');
      at = readLength(bytes, cursor, end) + cursor;
      parts.hasMetadata = true;
      scanMetadata(bytes, cursor, at, parts);
    } else if (tag === 0x12) {
      if (parts.hasBody) throw new MalformedError('body twice');
      at = readLength(bytes, cursor, end) + cursor;
      parts.hasBody = true;
      scanAny(bytes, cursor, at, parts);
    } else {
      at = skip(bytes, tag & 7, cursor, end);
    }
  }
}

function scanMetadata(bytes: Uint8Array, start: number, end: number, parts: ResourceParts): void {
  let at = start;
  while (at < end) {
    const fieldStart = at;
    const tag = readVarint(bytes, at, end);
    if (tag !== 0x0a && tag !== 0x12 && tag !== 0x22 && tag !== 0x2a) {
      at = skip(bytes, tag & 7, cursor, end);
      continue;
    }
    const length = readLength(bytes, cursor, end);
    const valueStart = cursor;
    at = valueStart + length;
    if (tag === 0x0a) {
      parts.nameStart = valueStart;
      parts.nameEnd = at;
    } else if (tag === 0x12) {
      if (parts.createStart >= 0) throw new MalformedError('create_time twice');
      parts.createStart = valueStart;
      parts.createEnd = at;
    } else {
      const spans = tag === 0x22 ? parts.labels : parts.annotations;
      if (spans.length > 0 && spans[spans.length - 1] === fieldStart) spans[spans.length - 1] = at;
      else spans.push(fieldStart, at);
    }
  }
}

function scanAny(bytes: Uint8Array, start: number, end: number, parts: ResourceParts): void {
  let at = start;
  while (at < end) {
    const tag = readVarint(bytes, at, end);
    if (tag !== 0x0a && tag !== 0x12) {
      at = skip(bytes, tag & 7, cursor, end);
      continue;
    }
    const length = readLength(bytes, cursor, end);
    const valueStart = cursor;
    at = valueStart + length;
    if (tag === 0x0a) {
      parts.typeStart = valueStart;
      parts.typeEnd = at;
    } else {
      parts.valueStart = valueStart;
      parts.valueEnd = at;
    }
  }
}

/** True for a Timestamp that Go accepts: well formed, within years 1 to 9999, nanos within a second. */
export function validTimestamp(bytes: Uint8Array, start: number, end: number): boolean {
  let seconds = 0;
  let nanos = 0;
  try {
    let at = start;
    while (at < end) {
      const tag = readVarint(bytes, at, end);
      if (tag !== 0x08 && tag !== 0x10) {
        at = skip(bytes, tag & 7, cursor, end);
        continue;
      }
      const valueStart = cursor;
      let value = readVarint(bytes, valueStart, end);
      // Ten bytes: a negative number, or one above 2^63, and more than a double can hold.
      if (cursor - valueStart >= 9) value = Number(readInt64(bytes, valueStart, cursor));
      if (tag === 0x08) seconds = value;
      else nanos = value;
      at = cursor;
    }
  } catch {
    return false;
  }
  return seconds >= minSeconds && seconds <= maxSeconds && nanos >= 0 && nanos < 1_000_000_000;
}

function readInt64(bytes: Uint8Array, start: number, end: number): bigint {
  let value = 0n;
  for (let i = end - 1; i >= start; i--) value = (value << 7n) | BigInt((bytes[i] as number) & 0x7f);
  return BigInt.asIntN(64, value);
}

/**
 * Says which of labels and annotations hold text that is no UTF-8; undefined where all is well. Go's protobuf
 * since 1.4 (istiod 1.14 and newer) refuses such a message whole.
 * @throws MalformedError where an entry is no protobuf message.
 */
export function invalidText(bytes: Buffer, parts: ResourceParts): 'labels' | 'annotations' | undefined {
  if (hasInvalidText(bytes, parts.labels)) return 'labels';
  return hasInvalidText(bytes, parts.annotations) ? 'annotations' : undefined;
}

function hasInvalidText(bytes: Buffer, spans: readonly number[]): boolean {
  for (let i = 0; i < spans.length; i += 2) {
    const end = spans[i + 1] as number;
    let at = spans[i] as number;
    if (isAscii(bytes.subarray(at, end))) continue;
    while (at < end) {
      readVarint(bytes, at, end);
      const entryEnd = readLength(bytes, cursor, end) + cursor;
      at = cursor;
      while (at < entryEnd) {
        const tag = readVarint(bytes, at, entryEnd);
        const textStart = cursor;
        at = skip(bytes, tag & 7, textStart, entryEnd);
        if ((tag & 7) !== 2) continue;
        readLength(bytes, textStart, entryEnd);
        if (!isUtf8(bytes.subarray(cursor, at))) return true;
      }
    }
  }
  return false;
}

const spanBytes = (spans: readonly number[]): number => {
  let sum = 0;
  for (let i = 0; i < spans.length; i += 2) sum += (spans[i + 1] as number) - (spans[i] as number);
  return sum;
};

const fieldSize = (length: number): number => 1 + varintSize(length) + length;

function writeSpans(target: Buffer, to: number, bytes: Buffer, spans: readonly number[]): number {
  let at = to;
  for (let i = 0; i < spans.length; i += 2) at += bytes.copy(target, at, spans[i], spans[i + 1]);
  return at;
}

const metadataMaps: Shape = { 4: { map: true, shape: undefined }, 5: { map: true, shape: undefined } };

/**
 * Encodes a scanned resource for MCP-over-xDS into `arena`, in canonical order, without a version yet
 * (see {@link sealResource}). The bytes are reserved, not committed: an unchanged resource costs no memory.
 *
 * Layout of the Resource: metadata { create_time, version, name, labels, annotations }, body. Everything
 * that counts as content lies behind the version, so that comparing and hashing are one range each.
 *
 * @param name `namespace/name` as bytes; undefined = as it stands in `bytes`.
 * @param bodyType full type URL of the body, as bytes.
 * @throws MalformedError where labels, annotations or body are no protobuf messages.
 */
export function encodeResource(
  bytes: Buffer,
  parts: ResourceParts,
  key: string,
  name: Buffer | undefined,
  bodyType: Buffer,
  shape: Shape,
  arena: Arena,
): Resource {
  const hasTime = parts.createStart >= 0 && validTimestamp(bytes, parts.createStart, parts.createEnd);
  parts.timeIsInvalid = !hasTime && parts.createStart >= 0;
  const nameLength = name === undefined ? parts.nameEnd - parts.nameStart : name.length;
  const timeLength = hasTime ? parts.createEnd - parts.createStart : defaultCreateTime.length;
  const valueLength = parts.valueStart < 0 ? 0 : parts.valueEnd - parts.valueStart;
  const mapBytes = spanBytes(parts.labels) + spanBytes(parts.annotations);
  const metadataLength = fieldSize(timeLength) + fieldSize(versionLength) + fieldSize(nameLength) + mapBytes;
  const bodyLength = fieldSize(bodyType.length) + (valueLength === 0 ? 0 : fieldSize(valueLength));
  const resourceLength = fieldSize(metadataLength) + fieldSize(bodyLength);
  const anyLength = anyHeader.length + varintSize(resourceLength) + resourceLength;
  const size = fieldSize(anyLength);

  arena.reserve(size);
  const chunk = arena.chunk;
  const start = arena.offset;
  let at = start;
  chunk[at++] = 0x12;
  at = writeVarint(chunk, at, anyLength);
  chunk.set(anyHeader, at);
  at += anyHeader.length;
  at = writeVarint(chunk, at, resourceLength);
  chunk[at++] = 0x0a;
  at = writeVarint(chunk, at, metadataLength);
  chunk[at++] = 0x12;
  at = writeVarint(chunk, at, timeLength);
  const time = hasTime ? bytes : defaultCreateTime;
  const timeStart = hasTime ? parts.createStart : 0;
  for (let i = 0; i < timeLength; i++) chunk[at++] = time[timeStart + i] as number;
  chunk[at++] = 0x1a;
  chunk[at++] = versionLength;
  at += versionLength;
  const contentOffset = at - start;
  chunk[at++] = 0x0a;
  at = writeVarint(chunk, at, nameLength);
  if (name === undefined) bytes.copy(chunk, at, parts.nameStart, parts.nameEnd);
  else chunk.set(name, at);
  at += nameLength;
  const mapsStart = at;
  at = writeSpans(chunk, at, bytes, parts.labels);
  at = writeSpans(chunk, at, bytes, parts.annotations);
  if (at > mapsStart) canonicalise(chunk, mapsStart, at, metadataMaps);
  chunk[at++] = 0x12;
  at = writeVarint(chunk, at, bodyLength);
  chunk[at++] = 0x0a;
  at = writeVarint(chunk, at, bodyType.length);
  chunk.set(bodyType, at);
  at += bodyType.length;
  if (valueLength > 0) {
    chunk[at++] = 0x12;
    at = writeVarint(chunk, at, valueLength);
    const valueStart = at;
    at += bytes.copy(chunk, at, parts.valueStart, parts.valueEnd);
    canonicalise(chunk, valueStart, at, shape);
  }
  return new EncodedResource(key, chunk, start, at, contentOffset);
}

/** Keeps its version in its bytes only: a hundred thousand short texts are work for the garbage collector. */
class EncodedResource implements Resource {
  readonly key: string;
  chunk: Buffer;
  start: number;
  end: number;
  readonly contentOffset: number;
  seen = 0;
  at = -1;

  constructor(key: string, chunk: Buffer, start: number, end: number, contentOffset: number) {
    this.key = key;
    this.chunk = chunk;
    this.start = start;
    this.end = end;
    this.contentOffset = contentOffset;
  }

  get version(): string {
    const end = this.start + this.contentOffset;
    return this.chunk.toString('latin1', end - versionLength, end);
  }
}

/** Computes the content version, writes it into the bytes and commits them. Before that there is no version. */
export function sealResource(resource: Resource, arena: Arena): Resource {
  const { chunk, start, end, contentOffset } = resource;
  const digest = hash('sha256', chunk.subarray(start + contentOffset, end), 'base64url');
  const versionStart = start + contentOffset - versionLength;
  for (let i = 0; i < versionLength; i++) chunk[versionStart + i] = digest.charCodeAt(i);
  arena.commit(end - start);
  return resource;
}
