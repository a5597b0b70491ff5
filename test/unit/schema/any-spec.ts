import fc from 'fast-check';
import type { Kind } from '../../../src/model/kinds.ts';
import { bodies } from '../../../src/wire/root.ts';

type Type = ReturnType<ReturnType<typeof bodies>['lookupType']>;
type ReflectionField = Type['fieldsArray'][number];

/** Text that protobuf takes, names of JavaScript's own properties and text with YAML's signs among it. */
export const text = fc.oneof(
  fc.string({ unit: 'binary', minLength: 1 }).filter((value) => !/\p{Surrogate}/u.test(value)),
  fc.constantFrom(
    '__proto__',
    'constructor',
    'toString',
    '10',
    '9',
    'yes',
    'null',
    '0o7',
    '1e3',
    '<<',
    '- a',
    '# b',
    'a: b',
  ),
);
const some = <T>(values: fc.Arbitrary<T>, maxLength = 2): fc.Arbitrary<T[]> =>
  fc.array(values, { minLength: 1, maxLength });
const mapOf = <T>(names: fc.Arbitrary<string>, values: fc.Arbitrary<T>): fc.Arbitrary<{ [name: string]: T }> =>
  fc
    .uniqueArray(fc.tuple(names, values), { minLength: 1, maxLength: 3, selector: ([name]) => name })
    .map((entries) => Object.fromEntries(entries));

const int32 = fc.integer({ min: -0x80000000, max: 0x7fffffff });
const uint32 = fc.integer({ min: 0, max: 0xffffffff });
/** JSON has no -0, and our bytes do. */
const double = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);

/** JSON of each scalar type, defaults included. */
const scalars: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  string: fc.oneof(text, fc.constant('')),
  bytes: fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes).toString('base64')),
  bool: fc.boolean(),
  int32,
  uint32,
  uint64: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String),
  double,
};
const defaults: readonly unknown[] = ['', false, 0, '0'];

const scalarOf = (type: string): fc.Arbitrary<unknown> => {
  const found = scalars[type];
  if (found === undefined) throw new Error(`no field of Istio was of the type ${type} so far`);
  return found;
};

/** Any JSON as google.protobuf.Value carries it. */
const { json } = fc.letrec<{ json: unknown }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 3 },
    fc.oneof(fc.constant(null), fc.boolean(), double, scalarOf('string')),
    fc.array(tie('json'), { maxLength: 2 }),
    mapOf(text, tie('json')),
    fc.constant({}),
  ),
}));

const wrapped = /^google\.protobuf\.(\w+)Value$/;
const duration = fc
  .tuple(fc.integer({ min: 0, max: 315_576_000_000 }), fc.constantFrom('', '.500', '.000001', '.000000001'))
  .map(([seconds, fraction]) => `${seconds}${fraction}s`);

function messageOf(type: Type): fc.Arbitrary<unknown> {
  const name = type.fullName.slice(1);
  const [, scalar] = wrapped.exec(name) ?? [];
  if (name === 'google.protobuf.Duration') return fc.oneof(duration, fc.constant('-3.250s'));
  if (name === 'google.protobuf.Struct') return fc.oneof(mapOf(text, json), fc.constant({}));
  if (scalar !== undefined) return scalarOf(scalar.toLowerCase());
  if (name.startsWith('google.')) throw new Error(`no field of Istio was a ${name} so far`);
  return specOf(type);
}

function elementOf({ resolvedType, type }: ReflectionField): fc.Arbitrary<unknown> {
  if (resolvedType === null) return scalarOf(type);
  if ('fieldsArray' in resolvedType) return messageOf(resolvedType);
  // Enums are open: numbers that a later Istio knows are carried.
  return fc.constantFrom<unknown>(...Object.keys(resolvedType.values), 77);
}

/** A value as it is shown: without presence no defaults, which are not on the wire. */
function valueOf(field: ReflectionField): fc.Arbitrary<unknown> {
  const element = elementOf(field);
  if (field.map) {
    const isText = (field as unknown as { keyType: string }).keyType === 'string';
    return mapOf(isText ? scalarOf('string').map(String) : uint32.map(String), element);
  }
  if (field.repeated) return some(element);
  if (field.partOf !== null || (field.resolvedType !== null && 'fieldsArray' in field.resolvedType)) return element;
  const unset = field.resolvedType === null ? defaults : [Object.keys(field.resolvedType.values)[0]];
  return element.filter((value) => !unset.includes(value));
}

const known = new Map<Type, fc.Arbitrary<unknown>>();

/** Some fields of a message, of each oneof one member at most. */
function specOf(type: Type): fc.Arbitrary<unknown> {
  let spec = known.get(type);
  if (spec === undefined) {
    const alone = type.fieldsArray.filter(({ partOf }) => partOf === null).map((field) => [field]);
    const choices = [...alone, ...type.oneofsArray.map(({ fieldsArray }) => fieldsArray)];
    const entry = (field: ReflectionField) =>
      fc.tuple(fc.constant(jsonNameOf(field.name)), field.resolve() && valueOf(field));
    const entries = choices.map((members) => fc.oneof(...members.map(entry)));
    spec = fc
      .shuffledSubarray(entries, { maxLength: Math.min(4, entries.length) })
      .chain((chosen) => (chosen.length === 0 ? fc.constant({}) : fc.tuple(...chosen).map(Object.fromEntries)));
    known.set(type, spec);
  }
  return spec;
}

/** protobufjs keeps the underscore before a digit. */
const jsonNameOf = (name: string): string => name.replace(/_(\w)/g, (_, next: string) => next.toUpperCase());

/** Specs of a kind as Kubernetes shows them, made from its .proto file: any field may be missing, defaults are. */
export function anySpec(kind: Kind): fc.Arbitrary<object> {
  return specOf(bodies().lookupType(kind.body)) as fc.Arbitrary<object>;
}
