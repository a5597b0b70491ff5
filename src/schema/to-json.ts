import { cursor, MalformedError, readLength, readVarint, skip } from '../wire/scan.ts';
import { describe, type EnumType, type Field, type MessageType, type ValueType } from './descriptor.ts';
import type { Path, Problem } from './problem.ts';
import { defaultJson, scalarJson, varint, wireTypeOf } from './scalars.ts';
import { durationText, timestampText, transparent, type Seconds } from './well-known.ts';

/** Where a value lies: a complete varint, four or eight bytes, or the content of a length-delimited field. */
type Span = { readonly start: number; readonly end: number };

/** Nesting that is read, as in wire/canonical.ts. Bounds recursion on hostile input. */
const maxDepth = 100;

/** The name of a field of `path`, and the value there. */
type Entry = readonly [name: string, json: unknown];

/**
 * Reads the bytes of a message as JSON, by the proto3 JSON mapping: names in lowerCamelCase, fields in the order of
 * the .proto file, defaults left out, enums by name. Fields that proto/ does not know (protobufjs would drop them in
 * silence), wire types that do not fit and text that is no UTF-8 are left out and added to `problems`.
 *
 * @throws MalformedError where the bytes are no protobuf message.
 */
export function messageToJson(type: MessageType, bytes: Buffer, path: Path, problems: Problem[]): unknown {
  return new Writer(problems).message(type, type.fullName.slice(1), bytes, path, 0);
}

class Writer {
  readonly #problems: Problem[];

  constructor(problems: Problem[]) {
    this.#problems = problems;
  }

  message(type: MessageType, name: string, bytes: Buffer, path: Path, depth: number): unknown {
    if (depth > maxDepth) throw new MalformedError(`nested deeper than ${maxDepth}`);
    const spans = this.#scan(type, bytes, path);
    const entries: Entry[] = [];
    for (const field of describe(type).fields) {
      const found = spans.get(field);
      if (found !== undefined) entries.push(...this.#entry(field, bytes, found, path, depth));
    }
    return wellKnownJson(type, name, Object.fromEntries(entries));
  }

  /** The spans of each field, in the order of the wire. Of the members of a oneof only the last one stays. */
  #scan(type: MessageType, bytes: Buffer, path: Path): Map<Field, Span[]> {
    const spans = new Map<Field, Span[]>();
    const oneofs = new Map<string, Field>();
    const { byNumber } = describe(type);
    let at = 0;
    while (at < bytes.length) {
      const tag = readVarint(bytes, at, bytes.length);
      const wireType = tag % 8;
      const number = Math.floor(tag / 8);
      if (number === 0) throw new MalformedError('field number 0');
      let start = cursor;
      at = skip(bytes, wireType, start, bytes.length);
      if (wireType === 2) {
        readLength(bytes, start, bytes.length);
        start = cursor;
      }
      const field = byNumber.get(number);
      if (field === undefined || !fits(field, wireType)) {
        this.#leftOut(path, `field number ${number} (wire type ${wireType}, ${at - start} bytes) is not known here`);
        continue;
      }
      if (field.oneof !== undefined) {
        const other = oneofs.get(field.oneof);
        if (other !== undefined && other !== field) spans.delete(other);
        oneofs.set(field.oneof, field);
      }
      const found = elements(field, wireType, bytes, start, at);
      const before = spans.get(field);
      if (before === undefined) spans.set(field, found);
      else for (const span of found) before.push(span);
    }
    return spans;
  }

  #entry(field: Field, bytes: Buffer, spans: readonly Span[], path: Path, depth: number): Entry[] {
    const here = [...path, field.jsonName];
    if (field.key !== undefined) return [[field.jsonName, this.#map(field, field.key, bytes, spans, here, depth)]];
    if (field.repeated) {
      const list = spans
        .map((span, index) => this.#value(field.value, bytes, [span], [...here, index], depth))
        .filter((item) => item !== undefined);
      return list.length === 0 ? [] : [[field.jsonName, list]];
    }
    const json = this.#value(field.value, bytes, spans, here, depth);
    const absent = json === undefined || (!field.presence && Object.is(json, defaultOf(field.value)));
    return absent ? [] : [[field.jsonName, json]];
  }

  #map(field: Field, keyType: string, bytes: Buffer, spans: readonly Span[], path: Path, depth: number): unknown {
    const entries: Entry[] = [];
    for (const { start, end } of spans) {
      const entry = bytes.subarray(start, end);
      let key: Span | undefined;
      const values: Span[] = [];
      let at = 0;
      while (at < entry.length) {
        const tag = readVarint(entry, at, entry.length);
        let from = cursor;
        at = skip(entry, tag % 8, from, entry.length);
        if (tag % 8 === 2) {
          readLength(entry, from, entry.length);
          from = cursor;
        }
        if (tag === 8 + wireTypeOf(keyType)) key = { start: from, end: at };
        else if (tag === 16 + wireTypeOfValue(field.value)) values.push({ start: from, end: at });
        else this.#leftOut(path, `field ${Math.floor(tag / 8)} of an entry is not known here`);
      }
      const name = key === undefined ? defaultJson(keyType) : scalarJson(keyType, entry.subarray(key.start, key.end));
      if (name === undefined) {
        this.#leftOut(path, 'a name is no UTF-8 text');
        continue;
      }
      const here = [...path, String(name)];
      const json =
        values.length > 0 || 'message' in field.value
          ? this.#value(field.value, entry, values, here, depth)
          : defaultOf(field.value);
      if (json !== undefined) entries.push([String(name), json]);
    }
    return Object.fromEntries(entries);
  }

  /** The value in `spans`: of a message all of them, joined as protobuf says, of everything else the last one. */
  #value(type: ValueType, bytes: Buffer, spans: readonly Span[], path: Path, depth: number): unknown {
    const parts = spans.map(({ start, end }) => bytes.subarray(start, end));
    if ('message' in type) {
      const joined = parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
      return this.message(type.message, type.name, joined, path, depth + 1);
    }
    const last = parts[parts.length - 1] as Buffer;
    if ('enum' in type) return enumJson(type.enum, Number(BigInt.asIntN(32, varint(last))));
    const json = scalarJson(type.scalar, last);
    if (json === undefined) this.#leftOut(path, 'is no UTF-8 text');
    return json;
  }

  #leftOut(path: Path, message: string): void {
    this.#problems.push({
      severity: 'warning',
      path,
      message,
      hint: 'it is left out of this view; the bytes themselves are carried as they are',
    });
  }
}

function wireTypeOfValue(type: ValueType): number {
  if ('message' in type) return 2;
  return 'enum' in type ? 0 : wireTypeOf(type.scalar);
}

/** True where a field may come with that wire type; lists of numbers come packed or not. */
function fits(field: Field, wireType: number): boolean {
  if (field.key !== undefined) return wireType === 2;
  return wireType === wireTypeOfValue(field.value) || (wireType === 2 && field.repeated);
}

/** One span, or those of the elements of a packed list. */
function elements(field: Field, wireType: number, bytes: Buffer, start: number, end: number): Span[] {
  const elementType = field.key === undefined ? wireTypeOfValue(field.value) : 2;
  if (wireType === elementType) return [{ start, end }];
  const spans: Span[] = [];
  for (let at = start; at < end; ) {
    const from = at;
    at = skip(bytes, elementType, from, end);
    spans.push({ start: from, end: at });
  }
  return spans;
}

const enumJson = (type: EnumType, number: number): unknown =>
  type.fullName === '.google.protobuf.NullValue' ? null : (type.valuesById[number] ?? number);

/** JSON of a value that is not on the wire. */
const defaultOf = (type: ValueType): unknown =>
  'enum' in type ? enumJson(type.enum, 0) : 'scalar' in type ? defaultJson(type.scalar) : {};

/** The special JSON forms of google.protobuf's types; `json` itself for every other message. */
function wellKnownJson(type: MessageType, name: string, json: Record<string, unknown>): unknown {
  if (name === 'google.protobuf.Timestamp') return timestampText(secondsOf(json)) ?? json;
  if (name === 'google.protobuf.Duration') return durationText(secondsOf(json)) ?? json;
  if (name === 'google.protobuf.Value') return Object.values(json)[0] ?? null;
  const inner = transparent.get(name);
  if (inner === undefined) return json;
  const field = describe(type).byJsonName.get(inner) as Field;
  if (field.repeated) return json[inner] ?? [];
  return json[inner] ?? (field.key === undefined ? defaultOf(field.value) : {});
}

const secondsOf = (json: Record<string, unknown>): Seconds => ({
  seconds: BigInt((json['seconds'] as string | undefined) ?? 0),
  nanos: (json['nanos'] as number | undefined) ?? 0,
});
