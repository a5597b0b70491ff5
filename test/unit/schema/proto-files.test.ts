import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { describe as fieldsOf, type Field, type ValueType } from '../../../src/schema/descriptor.ts';
import { bodies } from '../../../src/wire/root.ts';

/** protobufjs writes the names of oneofs in another way. */
const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

describe('the .proto files', () => {
  const go = JSON.parse(readFileSync(new URL('fixtures/fields.json', import.meta.url), 'utf8')) as {
    readonly messages: Record<string, Record<string, string>>;
    readonly enums: Record<string, Record<string, number>>;
  };
  const typeName = (value: ValueType): string =>
    'scalar' in value ? value.scalar : 'enum' in value ? value.enum.fullName.slice(1) : value.name;
  const text = ({ key, repeated, value, jsonName, oneof }: Field): string => {
    const type = typeName(value);
    const whole = key === undefined ? `${repeated ? 'repeated ' : ''}${type}` : `map<${key}, ${type}>`;
    return `${whole} ${jsonName}${oneof === undefined ? '' : ` of ${snakeCase(oneof)}`}`;
  };

  test.each(Object.keys(go.messages))('have every field of %s, and no other', (name) => {
    const { fields } = fieldsOf(bodies().lookupType(name));
    const today = fields.filter(({ dropped }) => !dropped);
    expect(Object.fromEntries(today.map((one) => [one.number, text(one)]))).toEqual(go.messages[name]);
  });

  test('have no google.protobuf.Any and no FieldMask, whose JSON is not read', () => {
    const types = new Set(Object.values(go.messages).flatMap((fields) => Object.values(fields).join(' ').split(' ')));
    const google = [...types].filter((type) => type.startsWith('google.'));
    expect(google.map((type) => type.replace('google.protobuf.', '')).toSorted()).toEqual([
      'BoolValue',
      'DoubleValue',
      'Duration',
      'Int32Value',
      'Struct',
      'UInt32Value',
    ]);
  });

  test('have every value of every enum', () => {
    const ours = Object.keys(go.enums).map((name) => [name, bodies().lookupEnum(name).values]);
    expect(Object.fromEntries(ours)).toEqual(go.enums);
  });
});
