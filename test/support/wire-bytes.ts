import { varintSize, writeVarint } from '../../src/wire/scan.ts';

function varint(value: number): Buffer {
  const bytes = Buffer.alloc(varintSize(value));
  writeVarint(bytes, 0, value);
  return bytes;
}

/** One protobuf field: a number as a varint, everything else length-delimited. */
export function field(number: number, content: number | string | Uint8Array): Buffer {
  if (typeof content === 'number') return Buffer.concat([varint(number << 3), varint(content)]);
  const bytes = Buffer.from(content);
  return Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes]);
}

/** A message of these fields. */
export function fields(...parts: readonly Uint8Array[]): Buffer {
  return Buffer.concat(parts);
}

/** A length-delimited field that promises more than there is. */
export function truncated(number: number): Buffer {
  return Buffer.from([(number << 3) | 2, 0x7f, 0x01]);
}
