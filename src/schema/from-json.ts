import { isRecord } from '../model/record.ts';
import {
  describe,
  toJsonName,
  type EnumValue,
  type Field,
  type Message,
  type MessageType,
  type ValueType,
} from './descriptor.ts';
import { valueText, type Path, type Problem } from './problem.ts';
import { isDefault, parseScalar, toLong, type Scalar } from './scalars.ts';
import { closest } from '../model/suggest.ts';
import { memberOfValue, parseDuration, parseTimestamp, transparent, type Seconds } from './well-known.ts';

/** A message in the form that protobufjs encodes. */
type PlainMessage = { readonly [property: string]: unknown };

/** Steps of a path that are taken. A step inside a Struct is three messages, and canonical.ts takes 100 of those. */
const maxDepth = 32;

/**
 * Reads JSON as a message, by the proto3 JSON mapping: names in lowerCamelCase or as in the .proto file, enums by
 * name or number, 64-bit numbers as text or number, null for absent. What is wrong is added to `problems`; a value
 * with an error is left out of the result. google.protobuf.Any and FieldMask, which no Istio kind holds, are read
 * as ordinary messages.
 */
export function messageFromJson(type: MessageType, json: unknown, path: Path, problems: Problem[]): PlainMessage {
  return new Reader(problems).message(type, describe(type).name, json, path);
}

class Reader {
  readonly #problems: Problem[];

  constructor(problems: Problem[]) {
    this.#problems = problems;
  }

  message(type: MessageType, name: string, json: unknown, path: Path): PlainMessage {
    if (path.length > maxDepth) {
      this.#error(path, `is nested deeper than ${maxDepth} levels`, 'flatten it');
      return {};
    }
    if (name === 'google.protobuf.Timestamp') {
      return this.#seconds(json, path, parseTimestamp, 'a time', 'write it as in "2026-01-31T12:00:00Z"');
    }
    if (name === 'google.protobuf.Duration') {
      return this.#seconds(json, path, parseDuration, 'a duration', 'write it as in "5s" or "0.25s"');
    }
    const inner = name === 'google.protobuf.Value' ? memberOfValue(json) : transparent.get(name);
    const message = describe(type);
    if (inner !== undefined) {
      const field = message.byJsonName.get(inner) as Field;
      return Object.fromEntries(this.#entry(field, json, path));
    }
    if (!isRecord(json)) {
      this.#error(path, `expected an object, found ${valueText(json)}`, fieldsHint(message));
      return {};
    }
    return this.#fields(message, json, path);
  }

  #fields(message: Message, json: object, path: Path): PlainMessage {
    const entries: [string, unknown][] = [];
    const seen = new Set<Field>();
    const oneofs = new Map<string, Field>();
    for (const [key, value] of Object.entries(json)) {
      const field = message.byJsonName.get(key) ?? message.byJsonName.get(toJsonName(key));
      const here = [...path, key];
      if (field === undefined) {
        this.#unknown(message, key, here);
        continue;
      }
      if (value === null && !isValueField(field)) continue;
      if (seen.has(field)) {
        this.#error(here, `is given twice, as "${field.jsonName}" and under its other name`, 'keep one of them', true);
        continue;
      }
      seen.add(field);
      const other = field.oneof === undefined ? undefined : oneofs.get(field.oneof);
      if (other !== undefined) {
        this.#error(here, `excludes "${other.jsonName}", which is set too`, 'keep one of them', true);
        continue;
      }
      if (field.oneof !== undefined) oneofs.set(field.oneof, field);
      if (field.dropped) this.#dropped(here);
      entries.push(...this.#entry(field, value, here));
    }
    return Object.fromEntries(entries);
  }

  /** The field as property and value; nothing where it is wrong, or a default that proto3 does not write. */
  #entry(field: Field, json: unknown, path: Path): [string, unknown][] {
    let value: unknown;
    if (field.key !== undefined) value = this.#map(field, field.key, json, path);
    else if (field.repeated) value = this.#list(field, json, path);
    else {
      value = this.#value(field.value, json, path);
      if (!field.presence && value !== undefined && isDefault(value as Scalar)) return [];
    }
    return value === undefined ? [] : [[field.property, value]];
  }

  #map(field: Field, keyType: string, json: unknown, path: Path): object | undefined {
    if (!isRecord(json)) {
      return this.#error(path, `expected an object, found ${valueText(json)}`, 'write it as "name: value" lines');
    }
    const entries: [string, unknown][] = [];
    for (const [key, item] of Object.entries(json)) {
      const here = [...path, key];
      const parsed = parseScalar(keyType, key);
      if ('expected' in parsed) this.#error(here, `expected ${parsed.expected} as a name`, parsed.hint, true);
      const value = this.#element(field, item, here);
      if (value !== undefined) entries.push([key, value]);
    }
    return Object.fromEntries(entries);
  }

  #list(field: Field, json: unknown, path: Path): unknown[] | undefined {
    if (!Array.isArray(json)) {
      return this.#error(path, `expected a list, found ${valueText(json)}`, 'begin each element with "- "');
    }
    return json.map((item, index) => this.#element(field, item, [...path, index])).filter((item) => item !== undefined);
  }

  #element(field: Field, json: unknown, path: Path): unknown {
    if (json !== null || isValueField(field)) return this.#value(field.value, json, path);
    return this.#error(path, 'is empty', 'write a value, or remove the line');
  }

  #value(type: ValueType, json: unknown, path: Path): unknown {
    if ('message' in type) return this.message(type.message, type.name, json, path);
    if ('enum' in type) return this.#enum(type, json, path);
    const parsed = parseScalar(type.scalar, json);
    if ('scalar' in parsed) return parsed.scalar;
    return this.#error(path, `expected ${parsed.expected}, found ${valueText(json)}`, parsed.hint);
  }

  #enum({ enum: type, isNull }: EnumValue, json: unknown, path: Path): number | undefined {
    const names = Object.keys(type.values);
    if (isNull && json === null) return 0;
    if (typeof json === 'string' && names.includes(json)) return type.values[json];
    // Open enums: a number that a later Istio knows is carried as it is.
    if (typeof json === 'number' && Number.isInteger(json) && Math.abs(json) <= 0x7fffffff) return json;
    const meant = typeof json === 'string' ? closest(json, names) : undefined;
    const choice = `write one of ${names.join(', ')}`;
    const hint = meant === undefined ? choice : `did you mean ${meant}? Otherwise ${choice}`;
    return this.#error(path, `${valueText(json)} is no value of ${type.name}`, hint);
  }

  #seconds(
    json: unknown,
    path: Path,
    parse: (text: string) => Seconds | undefined,
    what: string,
    hint: string,
  ): PlainMessage {
    const parsed = typeof json === 'string' ? parse(json) : undefined;
    if (parsed === undefined) {
      this.#error(path, `expected ${what}, found ${valueText(json)}`, hint);
      return {};
    }
    const { seconds, nanos } = parsed;
    return { ...(seconds === 0n ? {} : { seconds: toLong(seconds) }), ...(nanos === 0 ? {} : { nanos }) };
  }

  #unknown(message: Message, key: string, path: Path): void {
    const meant = closest(key, namesOfToday(message));
    const hint = meant === undefined ? fieldsHint(message) : `did you mean "${meant}"?`;
    this.#problems.push({ severity: 'warning', path, onKey: true, message: 'is no known field; it is left out', hint });
  }

  #dropped(path: Path): void {
    const message = 'is a field that istiod 1.9 and newer passes over';
    const hint = 'it is kept; say what it says with the fields of today';
    this.#problems.push({ severity: 'warning', path, onKey: true, isDropped: true, message, hint });
  }

  #error(path: Path, message: string, hint: string, onKey = false): undefined {
    this.#problems.push({ severity: 'error', path, onKey, message, hint });
  }
}

/** google.protobuf.Value is the one type for which null is a value. */
const isValueField = ({ value }: Field): boolean => 'name' in value && value.name === 'google.protobuf.Value';

/** What people may be told to write. */
const namesOfToday = (message: Message): string[] =>
  message.fields.filter((field) => !field.dropped).map((field) => field.jsonName);

function fieldsHint(message: Message): string {
  return message.fields.length === 0
    ? 'it has no fields: write {}'
    : `its fields are ${namesOfToday(message).join(', ')}`;
}
