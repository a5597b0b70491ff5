import { cursor, MalformedError, readLength, readVarint, skip } from '../wire/scan.ts';
import { describe, type EnumValue, type Field, type MessageType, type ValueType } from './descriptor.ts';
import type { Path, Problem } from './problem.ts';
import { defaultJson, scalarJson, varint, wireTypeOf } from './scalars.ts';
import { durationText, timestampText, transparent, type Seconds } from './well-known.ts';

/**
 * Where values lie: start and end of each, in pairs. A value is a complete varint, four or eight bytes, or the content of
 * a length-delimited field.
 */
type Spans = number[];

/** A step of a path, behind another one: most paths are never written out. */
type Place = { readonly before: Place | undefined; readonly step: string | number };

/** Nesting that is read, as in wire/canonical.ts. Bounds recursion on hostile input. */
const maxDepth = 100;

/**
 * Reads the bytes of a message as JSON, by the proto3 JSON mapping: names in lowerCamelCase, fields in the order of
 * the .proto file, defaults left out, enums by name. Fields that proto/ does not know (protobufjs would drop them in
 * silence), wire types that do not fit and text that is no UTF-8 are left out and added to `problems`.
 *
 * @throws MalformedError where the bytes are no protobuf message.
 */
export function messageToJson(type: MessageType, bytes: Buffer, path: Path, problems: Problem[]): unknown {
  let place: Place | undefined;
  for (const step of path) place = { before: place, step };
  return new Writer(problems).message(type, describe(type).name, bytes, place, 0);
}

class Writer {
  readonly #problems: Problem[];

  constructor(problems: Problem[]) {
    this.#problems = problems;
  }

  message(type: MessageType, name: string, bytes: Buffer, place: Place | undefined, depth: number): unknown {
    if (depth > maxDepth) throw new MalformedError(`nested deeper than ${maxDepth}`);
    const { fields } = describe(type);
    const found = this.#scan(type, bytes, place);
    const json: Record<string, unknown> = {};
    for (let i = 0; i < fields.length; i++) {
      const spans = found[i];
      if (spans !== undefined) this.#write(json, fields[i] as Field, bytes, spans, place, depth);
    }
    return wellKnownJson(type, name, json);
  }

  /** The spans of each field, in the order of the wire, by its index. Of the members of a oneof only the last one stays. */
  #scan(type: MessageType, bytes: Buffer, place: Place | undefined): (Spans | undefined)[] {
    const { byNumber } = describe(type);
    const found: (Spans | undefined)[] = [];
    let oneofs: Map<string, Field> | undefined;
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
        this.#leftOut(place, `field number ${number} (wire type ${wireType}, ${at - start} bytes) is not known here`);
        continue;
      }
      if (field.oneof !== undefined) {
        oneofs ??= new Map();
        const other = oneofs.get(field.oneof);
        if (other !== undefined && other !== field) found[other.index] = undefined;
        oneofs.set(field.oneof, field);
      }
      const spans = (found[field.index] ??= []);
      if (wireType === elementTypeOf(field)) spans.push(start, at);
      else pushElements(spans, elementTypeOf(field), bytes, start, at);
    }
    return found;
  }

  /** Adds what the spans of a field hold to `json`, unless that is nothing. */
  #write(
    json: Record<string, unknown>,
    field: Field,
    bytes: Buffer,
    spans: Spans,
    place: Place | undefined,
    depth: number,
  ): void {
    const { jsonName, value } = field;
    const here: Place = { before: place, step: jsonName };
    if (field.key !== undefined) {
      json[jsonName] = this.#map(field, field.key, bytes, spans, here, depth);
    } else if (field.repeated) {
      const list: unknown[] = [];
      for (let i = 0; i < spans.length; i += 2) {
        const item = this.#single(value, bytes, spans, i, { before: here, step: i / 2 }, depth);
        if (item !== undefined) list.push(item);
      }
      if (list.length > 0) json[jsonName] = list;
    } else {
      const item = this.#value(value, bytes, spans, here, depth);
      if (item === undefined || (!field.presence && Object.is(item, defaultOf(value)))) return;
      json[jsonName] = item;
    }
  }

  #map(field: Field, keyType: string, bytes: Buffer, spans: Spans, place: Place, depth: number): unknown {
    const entries: [string, unknown][] = [];
    for (let i = 0; i < spans.length; i += 2) {
      const entry = bytes.subarray(spans[i], spans[i + 1]);
      let keyStart = -1;
      let keyEnd = -1;
      const values: Spans = [];
      let at = 0;
      while (at < entry.length) {
        const tag = readVarint(entry, at, entry.length);
        let from = cursor;
        at = skip(entry, tag % 8, from, entry.length);
        if (tag % 8 === 2) {
          readLength(entry, from, entry.length);
          from = cursor;
        }
        if (tag === 8 + wireTypeOf(keyType)) {
          keyStart = from;
          keyEnd = at;
        } else if (tag === 16 + wireTypeOfValue(field.value)) values.push(from, at);
        else this.#leftOut(place, `field ${Math.floor(tag / 8)} of an entry is not known here`);
      }
      const name = keyStart < 0 ? defaultJson(keyType) : scalarJson(keyType, entry.subarray(keyStart, keyEnd));
      if (name === undefined) {
        this.#leftOut(place, 'a name is no UTF-8 text', true);
        continue;
      }
      const here: Place = { before: place, step: String(name) };
      const json =
        values.length > 0 || 'message' in field.value
          ? this.#value(field.value, entry, values, here, depth)
          : defaultOf(field.value);
      if (json !== undefined) entries.push([String(name), json]);
    }
    return Object.fromEntries(entries);
  }

  /** The value in `spans`: of a message all of them, joined as protobuf says, of everything else the last one. */
  #value(type: ValueType, bytes: Buffer, spans: Spans, place: Place, depth: number): unknown {
    if (!('message' in type) || spans.length === 2) {
      return this.#single(type, bytes, spans, spans.length - 2, place, depth);
    }
    const parts: Buffer[] = [];
    for (let i = 0; i < spans.length; i += 2) parts.push(bytes.subarray(spans[i], spans[i + 1]));
    return this.message(type.message, type.name, Buffer.concat(parts), place, depth + 1);
  }

  /** The value in one of the spans. */
  #single(type: ValueType, bytes: Buffer, spans: Spans, at: number, place: Place, depth: number): unknown {
    const value = bytes.subarray(spans[at], spans[at + 1]);
    if ('message' in type) return this.message(type.message, type.name, value, place, depth + 1);
    if ('enum' in type) return enumJson(type, enumNumber(value));
    const json = scalarJson(type.scalar, value);
    if (json === undefined) this.#leftOut(place, 'is no UTF-8 text', true);
    return json;
  }

  #leftOut(place: Place | undefined, message: string, notText = false): void {
    const path: (string | number)[] = [];
    for (let step = place; step !== undefined; step = step.before) path.push(step.step);
    this.#problems.push({
      severity: 'warning',
      path: path.toReversed(),
      ...(notText ? { notText } : {}),
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

const elementTypeOf = (field: Field): number => (field.key === undefined ? wireTypeOfValue(field.value) : 2);

/** Adds the spans of the elements of a packed list. */
function pushElements(spans: Spans, elementType: number, bytes: Buffer, start: number, end: number): void {
  for (let at = start; at < end; ) {
    const from = at;
    at = skip(bytes, elementType, from, end);
    spans.push(from, at);
  }
}

/** The number of an enum on the wire: 32 bits. */
function enumNumber(bytes: Uint8Array): number {
  return bytes.length === 1 ? (bytes[0] as number) : Number(BigInt.asIntN(32, varint(bytes)));
}

const enumJson = (type: EnumValue, number: number): unknown =>
  type.isNull ? null : (type.enum.valuesById[number] ?? number);

/** JSON of a value that is not on the wire. */
const defaultOf = (type: ValueType): unknown =>
  'enum' in type ? enumJson(type, 0) : 'scalar' in type ? defaultJson(type.scalar) : {};

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
