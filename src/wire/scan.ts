/**
 * Reading protobuf without building objects. The cursor is module state because a returned
 * (value, position) pair would cost an allocation per field; every function that moves it says so.
 * Nothing here is re-entrant across an await, and nothing here awaits.
 */

/** Position after the last read. */
export let cursor = 0;

/** Thrown for bytes that are no protobuf message. */
export class MalformedError extends Error {
  override readonly name = 'MalformedError';
}

/** Reads a varint at `at`, moves {@link cursor} behind it. Values above 2^53 lose precision (lengths never get there). */
export function readVarint(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end) throw new MalformedError('truncated varint');
  let byte = bytes[at++] as number;
  if (byte < 0x80) {
    cursor = at;
    return byte;
  }
  let value = byte & 0x7f;
  let factor = 128;
  for (let i = 1; i < 10; i++) {
    if (at >= end) throw new MalformedError('truncated varint');
    byte = bytes[at++] as number;
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) {
      cursor = at;
      return value;
    }
    factor *= 128;
  }
  throw new MalformedError('varint longer than ten bytes');
}

/** Reads a length and checks that so many bytes follow before `end`; moves {@link cursor} to the first of them. */
export function readLength(bytes: Uint8Array, at: number, end: number): number {
  const length = readVarint(bytes, at, end);
  if (length > end - cursor) throw new MalformedError('length runs past the end');
  return length;
}

/** Skips the value of a field whose tag ends at `at`; returns and moves {@link cursor} to the position behind it. */
export function skip(bytes: Uint8Array, wireType: number, at: number, end: number): number {
  switch (wireType) {
    case 0:
      readVarint(bytes, at, end);
      return cursor;
    case 1:
      cursor = at + 8;
      break;
    case 2: {
      const length = readLength(bytes, at, end);
      cursor += length;
      return cursor;
    }
    case 5:
      cursor = at + 4;
      break;
    default:
      throw new MalformedError(`wire type ${wireType}`);
  }
  if (cursor > end) throw new MalformedError('fixed value runs past the end');
  return cursor;
}

/** Bytes that `value` takes as a varint. */
export function varintSize(value: number): number {
  let size = 1;
  while (value >= 128) {
    value = Math.floor(value / 128);
    size++;
  }
  return size;
}

/** Writes `value` at `at`; returns the position behind it. */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  while (value >= 128) {
    bytes[at++] = (value % 128) | 0x80;
    value = Math.floor(value / 128);
  }
  bytes[at++] = value;
  return at;
}
