/**
 * Protobuf by hand, independent of src/wire: tests write what no library would write (fields in any order, varints that
 * are longer than needed, entries without a key), and read back what is there, field by field.
 */

/** `value` as a varint, with `padding` bytes more than it needs. */
export function varint(value: number | bigint, padding = 0): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  while (rest >= 128n) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  for (let i = 0; i < padding; i++) {
    bytes[bytes.length - 1] = (bytes[bytes.length - 1] as number) | 0x80;
    bytes.push(0);
  }
  return Buffer.from(bytes);
}

/** A tag. */
export function tag(id: number, wireType: number): Buffer {
  return varint(BigInt(id) * 8n + BigInt(wireType));
}

/** A number field (wire type 0). */
export function number(id: number, value: number | bigint): Buffer {
  return Buffer.concat([tag(id, 0), varint(value)]);
}

/** A field with text, bytes, or a message made of parts (wire type 2). */
export function field(id: number, ...parts: readonly (string | Uint8Array)[]): Buffer {
  const content = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
  return Buffer.concat([tag(id, 2), varint(content.length), content]);
}

/** A map entry with its key and its value, as every encoder writes it. */
export function entry(id: number, key: string, value: string): Buffer {
  return field(id, field(1, key), field(2, value));
}

/** One field that was read: `raw` with its tag, `content` without tag and length. */
export type Field = { readonly id: number; readonly wireType: number; readonly raw: Buffer; readonly content: Buffer };

/** Reads well-formed bytes. */
export function fieldsOf(bytes: Buffer): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const readVarint = (): number => {
    let value = 0n;
    let shift = 0n;
    for (;;) {
      const byte = BigInt(bytes.readUInt8(at++));
      value |= (byte & 0x7fn) << shift;
      shift += 7n;
      if (byte < 128n) return Number(BigInt.asUintN(64, value));
    }
  };
  while (at < bytes.length) {
    const from = at;
    const head = readVarint();
    const wireType = head % 8;
    let contentAt = at;
    if (wireType === 0) readVarint();
    else if (wireType === 1) at += 8;
    else if (wireType === 5) at += 4;
    else if (wireType === 2) {
      const length = readVarint();
      contentAt = at;
      at += length;
    } else throw new Error(`wire type ${wireType}`);
    fields.push({
      id: Math.floor(head / 8),
      wireType,
      raw: bytes.subarray(from, at),
      content: bytes.subarray(contentAt, at),
    });
  }
  return fields;
}

/** The one field with this id. */
export function only(bytes: Buffer, id: number): Buffer {
  const found = fieldsOf(bytes).filter((f) => f.id === id);
  if (found.length !== 1) throw new Error(`${found.length} fields ${id}`);
  return (found[0] as Field).content;
}

/**
 * What a map field of text to text means to a protobuf reader: of fields that occur twice the last one counts, for the
 * key and the value of an entry as well as for entries with one key; what is absent is empty.
 */
export function mapOf(bytes: Buffer, id: number): Map<string, string> {
  const map = new Map<string, string>();
  for (const { content } of fieldsOf(bytes).filter((f) => f.id === id && f.wireType === 2)) {
    let key = '';
    let value = '';
    for (const part of fieldsOf(content)) {
      if (part.wireType !== 2) continue;
      if (part.id === 1) key = part.content.toString('latin1');
      if (part.id === 2) value = part.content.toString('latin1');
    }
    map.set(key, value);
  }
  return map;
}
