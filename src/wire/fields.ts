import { cursor, readLength, readVarint, skip, varintSize, writeVarint } from './scan.ts';

/** One field of a message: whole, and its value alone; where it ends in the bytes that were read. */
export type Field = { readonly tag: number; readonly whole: Buffer; readonly value: Buffer; readonly end: number };

/**
 * The fields of the message in `bytes[start, end)`, in the order in which they stand there, as views of `bytes`.
 * @throws MalformedError where it is none.
 */
export function* fieldsOf(bytes: Buffer, start = 0, end = bytes.length): Generator<Field> {
  for (let at = start; at < end; ) {
    const tag = readVarint(bytes, at, end);
    let valueStart = cursor;
    const fieldEnd = skip(bytes, tag & 7, valueStart, end);
    if ((tag & 7) === 2) {
      readLength(bytes, valueStart, end);
      valueStart = cursor;
    }
    yield { tag, whole: bytes.subarray(at, fieldEnd), value: bytes.subarray(valueStart, fieldEnd), end: fieldEnd };
    at = fieldEnd;
  }
}

/** A field with a text or message as its value, encoded. @param tag of one byte. */
export function lengthField(tag: number, value: Uint8Array): Buffer {
  const head = Buffer.allocUnsafe(1 + varintSize(value.length));
  head[0] = tag;
  writeVarint(head, 1, value.length);
  return Buffer.concat([head, value]);
}

/** A field with a number as its value, encoded. @param tag of one byte. */
export function numberField(tag: number, value: number): Buffer {
  const field = Buffer.allocUnsafe(1 + varintSize(value));
  field[0] = tag;
  writeVarint(field, 1, value);
  return field;
}
