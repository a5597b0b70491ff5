import { isAscii, isUtf8 } from 'node:buffer';
import { type Viewed, viewed } from './bytes.ts';
import { canonicalise, type Shape } from './canonical.ts';
import { hash128, type HashSeed, hashed, resetHash } from './hash.ts';
import { cursor, MalformedError, readLength, readVarint, skip } from './scan.ts';

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
  /** Start and end pairs of complete label fields, adjacent ones joined. */
  labels: number[];
  annotations: number[];
  /** Labels and annotations as one range, where they are more than one span each; made by {@link orderMaps}. */
  gathered: (Buffer & Viewed) | undefined;
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
    labels: [],
    annotations: [],
    gathered: undefined,
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
  parts.gathered = undefined;
  // Setting a length is a call into the runtime, even to what it is.
  if (parts.labels.length > 0) parts.labels.length = 0;
  if (parts.annotations.length > 0) parts.annotations.length = 0;
  let at = start;
  while (at < end) {
    const tag = readVarint(bytes, at, end);
    if (tag === 0x0a) {
      if (parts.hasMetadata) {
        // Go merges both, so that the last name counts: nobody can tell which resource it is.
        parts.nameStart = parts.nameEnd = -1;
        throw new MalformedError('metadata twice');
      }
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
    let tag = bytes[at] as number;
    let length = at + 1 < end ? (bytes[at + 1] as number) : 0x80;
    let valueStart = at + 2;
    // A tag and a length of one byte each, as nearly all are, need no call.
    if (tag >= 0x80 || length >= 0x80 || (tag & 7) !== 2 || length > end - valueStart) {
      tag = readVarint(bytes, at, end);
      if ((tag & 7) !== 2) {
        at = skip(bytes, tag & 7, cursor, end);
        continue;
      }
      length = readLength(bytes, cursor, end);
      valueStart = cursor;
    }
    at = valueStart + length;
    if (tag !== 0x0a && tag !== 0x12 && tag !== 0x22 && tag !== 0x2a) continue;
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
    let tag = bytes[at] as number;
    let length = at + 1 < end ? (bytes[at + 1] as number) : 0x80;
    let valueStart = at + 2;
    if (tag >= 0x80 || length >= 0x80 || (tag & 7) !== 2 || length > end - valueStart) {
      tag = readVarint(bytes, at, end);
      if ((tag & 7) !== 2) {
        at = skip(bytes, tag & 7, cursor, end);
        continue;
      }
      length = readLength(bytes, cursor, end);
      valueStart = cursor;
    }
    at = valueStart + length;
    if (tag !== 0x0a && tag !== 0x12) continue;
    if (tag === 0x0a) {
      parts.typeStart = valueStart;
      parts.typeEnd = at;
    } else {
      parts.valueStart = valueStart;
      parts.valueEnd = at;
    }
  }
}

/** Forgets a create_time that Go would not take, so that the constant takes its place. Returns true where there was one. */
export function dropInvalidTime(bytes: Uint8Array, parts: ResourceParts): boolean {
  if (parts.createStart < 0 || validTimestamp(bytes, parts.createStart, parts.createEnd)) return false;
  parts.createStart = parts.createEnd = -1;
  return true;
}

/** True for a Timestamp that Go accepts: well formed, within years 1 to 9999, nanos within a second. */
export function validTimestamp(bytes: Uint8Array, start: number, end: number): boolean {
  // Whole seconds before the year 3058, as nearly all are, need no loop.
  if (end - start === 6 && bytes[start] === 0x08 && isFiveByteVarint(bytes, start + 1)) return true;
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

function isFiveByteVarint(bytes: Uint8Array, at: number): boolean {
  for (let i = at; i < at + 4; i++) if ((bytes[i] as number) < 0x80) return false;
  return (bytes[at + 4] as number) < 0x80;
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

/** Bytes that spans take together. */
export const spanBytes = (spans: readonly number[]): number => {
  let sum = 0;
  for (let i = 0; i < spans.length; i += 2) sum += (spans[i + 1] as number) - (spans[i] as number);
  return sum;
};

const metadataMaps: Shape = { 4: { map: true, shape: undefined }, 5: { map: true, shape: undefined } };

/**
 * Brings the labels, the annotations and the maps inside of the body of a scanned resource into canonical order, in
 * place: `bytes` belong to whoever scans them.
 *
 * @throws MalformedError where one of them is no protobuf message.
 */
export function orderMaps(bytes: Buffer, parts: ResourceParts, shape: Shape): void {
  const { labels, annotations } = parts;
  if (!gatherMaps(bytes, parts)) {
    if (labels.length > 0) canonicalise(bytes, labels[0] as number, labels[1] as number, metadataMaps);
    if (annotations.length > 0) canonicalise(bytes, annotations[0] as number, annotations[1] as number, metadataMaps);
  }
  if (parts.valueStart >= 0) canonicalise(bytes, parts.valueStart, parts.valueEnd, shape);
}

/**
 * Makes one range of labels and annotations, in order, where they are more than one span each; no encoder writes
 * them so. Returns false where there is nothing to do.
 */
function gatherMaps(bytes: Buffer, parts: ResourceParts): boolean {
  if (parts.labels.length <= 2 && parts.annotations.length <= 2) return false;
  const pieces: Buffer[] = [];
  for (const spans of [parts.labels, parts.annotations]) {
    for (let i = 0; i < spans.length; i += 2) pieces.push(bytes.subarray(spans[i], spans[i + 1]));
  }
  parts.gathered = viewed(Buffer.concat(pieces));
  canonicalise(parts.gathered, 0, parts.gathered.length, metadataMaps);
  return true;
}

/** What every hash of a resource of one kind begins with. */
export function seedOf(bodyType: Viewed): HashSeed {
  resetHash();
  hash128(bodyType.view, 0, bodyType.length);
  return { ...hashed };
}

/**
 * Hashes the content of a resource whose maps are in order into {@link hashed}: body type, name, labels, annotations
 * and body, each as a range of its own.
 *
 * @param name `namespace/name` as bytes; undefined = as it stands in the scanned bytes.
 * @param seed {@link seedOf} the body type.
 */
export function hashResource({ view }: Viewed, parts: ResourceParts, name: Viewed | undefined, seed: HashSeed): void {
  resetHash(seed);
  if (name === undefined) hash128(view, parts.nameStart, parts.nameEnd);
  else hash128(name.view, 0, name.length);
  if (parts.labels.length + parts.annotations.length > 0) {
    hashMaps(view, parts, parts.labels, 0);
    hashMaps(view, parts, parts.annotations, spanBytes(parts.labels));
  }
  hash128(view, Math.max(parts.valueStart, 0), Math.max(parts.valueEnd, 0));
}

function hashMaps(view: DataView, { gathered }: ResourceParts, spans: readonly number[], gatheredAt: number): void {
  if (spans.length === 0) hash128(view, 0, 0);
  else if (gathered === undefined) hash128(view, spans[0] as number, spans[1] as number);
  else hash128(gathered.view, gatheredAt, gatheredAt + spanBytes(spans));
}
