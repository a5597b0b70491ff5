import type { Kind } from '../model/kinds.ts';
import { bodies } from '../wire/root.ts';

type Root = ReturnType<typeof bodies>;
export type MessageType = ReturnType<Root['lookupType']>;
export type EnumType = ReturnType<Root['lookupEnum']>;
type ReflectionField = MessageType['fieldsArray'][number];

/** What an enum's field holds; `isNull`: the one value that JSON has another word for. */
export type EnumValue = { readonly enum: EnumType; readonly isNull: boolean };

/** What a field holds: `scalar` is the proto name of the type, such as `uint32`. */
export type ValueType =
  | { readonly scalar: string }
  | EnumValue
  | { readonly message: MessageType; readonly name: string };

/** A field as the proto3 JSON mapping sees it. */
export type Field = {
  /** Name in the objects that protobufjs encodes. */
  readonly property: string;
  readonly jsonName: string;
  readonly number: number;
  /** Its place among the fields of its message. */
  readonly index: number;
  readonly repeated: boolean;
  /** Type of a map's keys; undefined for a field that is no map. */
  readonly key: string | undefined;
  /** Type of one element, of a map's values, or of the field itself. */
  readonly value: ValueType;
  /** True where a default on the wire differs from an absent field: messages, oneofs, `optional`. */
  readonly presence: boolean;
  /** The oneof that it is a member of, if that has others. */
  readonly oneof: string | undefined;
  /** A field that Istio no longer has: older sources may send it, istiod 1.9 and newer passes over it. */
  readonly dropped: boolean;
};

/** Fields in the order of the .proto file, which is that of Go's JSON. */
export type Message = {
  /** Full name; protobufjs puts it together anew whenever it is asked. */
  readonly name: string;
  readonly fields: readonly Field[];
  readonly byJsonName: ReadonlyMap<string, Field>;
  readonly byNumber: ReadonlyMap<number, Field>;
};

/**
 * The JSON name of a field, by protoc's rule (descriptor.cc, ToJsonName). protobufjs has its own and keeps the
 * underscore in `consecutive_5xx_errors`. Names that are JSON names already stay.
 */
export function toJsonName(name: string): string {
  return name.replace(/_+(.?)/g, (_, next: string) => next.toUpperCase());
}

/** The message of a kind's body. @throws where proto/ has none. */
export function typeOfBody({ body }: Kind): MessageType {
  let type = bodyTypes.get(body);
  if (type === undefined) bodyTypes.set(body, (type = bodies().lookupType(body)));
  return type;
}

/** Looked up once each. */
const bodyTypes = new Map<string, MessageType>();

const described = new WeakMap<MessageType, Message>();

/** The fields of a message. Worked out once per type. */
export function describe(type: MessageType): Message {
  let message = described.get(type);
  if (message === undefined) {
    const fields = type.fieldsArray.map(toField);
    message = {
      name: type.fullName.slice(1),
      fields,
      byJsonName: new Map(fields.map((field) => [field.jsonName, field])),
      byNumber: new Map(fields.map((field) => [field.number, field])),
    };
    described.set(type, message);
  }
  return message;
}

function toField(reflected: ReflectionField, index: number): Field {
  const field = reflected.resolve();
  const { partOf } = field;
  const declared: unknown = field.options?.['json_name'];
  const key = 'keyType' in field ? String(field.keyType) : undefined;
  const value = toValueType(field);
  return {
    property: field.name,
    jsonName: typeof declared === 'string' ? declared : toJsonName(field.name),
    number: field.id,
    index,
    repeated: field.repeated,
    key,
    value,
    presence: key === undefined && !field.repeated && ('message' in value || partOf !== null),
    oneof: partOf !== null && partOf.fieldsArray.length > 1 ? partOf.name : undefined,
    dropped: field.options?.['deprecated'] === true,
  };
}

function toValueType({ resolvedType, type }: ReflectionField): ValueType {
  if (resolvedType === null) return { scalar: type };
  if ('values' in resolvedType) {
    return { enum: resolvedType, isNull: resolvedType.fullName === '.google.protobuf.NullValue' };
  }
  return { message: resolvedType, name: resolvedType.fullName.slice(1) };
}
