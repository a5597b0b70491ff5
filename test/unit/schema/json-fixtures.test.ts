import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';
import { describe, expect, test } from 'vitest';
import { kindOf, type Kind } from '../../../src/model/kinds.ts';
import { messageFromJson } from '../../../src/schema/from-json.ts';
import { bodyFromJson, bodyToJson } from '../../../src/schema/json.ts';
import type { Problem } from '../../../src/schema/problem.ts';
import { messageToJson } from '../../../src/schema/to-json.ts';
import { canonicalise } from '../../../src/wire/canonical.ts';
import { shapes } from '../../../src/wire/shapes.ts';

type Fixture = { readonly name: string; readonly kind: string; readonly bytes: string; readonly json: unknown };

function load<T>(name: string): T[] {
  return JSON.parse(readFileSync(new URL(`fixtures/${name}`, import.meta.url), 'utf8')) as T[];
}

const kind = (name: string): Kind => kindOf('networking.istio.io', name) as Kind;

describe('agrees with the Go library of istio.io/api 1.24.0', () => {
  for (const fixture of load<Fixture>('bodies.json')) {
    const bytes = Buffer.from(fixture.bytes, 'base64');

    test(`${fixture.name}: bytes to JSON`, () => {
      expect(bodyToJson(kind(fixture.kind), bytes)).toStrictEqual({ spec: fixture.json, problems: [] });
    });

    test(`${fixture.name}: JSON to bytes`, () => {
      const { body, problems } = bodyFromJson(kind(fixture.kind), fixture.json);
      expect(problems).toEqual([]);
      // Go sorts the names of a map alphabetically, our canonical form sorts shorter ones first.
      const canonical = Buffer.from(bytes);
      canonicalise(canonical, 0, canonical.length, shapes[kind(fixture.kind).body] ?? {});
      expect(body?.toString('base64')).toBe(canonical.toString('base64'));
    });
  }

  test('the fixtures hold every field of both kinds', () => {
    const text = JSON.stringify(load<Fixture>('bodies.json').map(({ json }) => json));
    const names = ['ServiceEntry', 'ServicePort', 'WorkloadEntry', 'WorkloadSelector'].flatMap((name) =>
      Object.keys(protobufFields(name)),
    );
    expect(names.length).toBe(21);
    for (const name of names) expect(text).toContain(`"${name}":`);
  });
});

function protobufFields(name: string): object {
  const proto = new URL('../../../proto/xds/istio/networking/v1alpha3/', import.meta.url);
  const file = name.startsWith('Service') ? 'service_entry.proto' : 'workload_entry.proto';
  const { root } = protobuf.parse(readFileSync(new URL(file, proto), 'utf8'));
  return root.lookupType(name).fields;
}

describe('agrees with Go on the well-known types', () => {
  const root = new protobuf.Root();
  for (const name of ['struct', 'timestamp', 'duration', 'wrappers']) {
    root.addJSON(protobuf.common.get(`google/protobuf/${name}.proto`)?.nested ?? {});
  }
  root.resolveAll();

  for (const { type: name, bytes: base64, json } of load<{ type: string; bytes: string; json: unknown }>(
    'well-known.json',
  )) {
    test(`${name} ${JSON.stringify(json).slice(0, 40)}`, () => {
      const type = root.lookupType(name);
      const problems: Problem[] = [];
      expect(messageToJson(type, Buffer.from(base64, 'base64'), [], problems)).toStrictEqual(json);
      const message = messageFromJson(type, json, [], problems);
      expect(Buffer.from(type.encode(message).finish()).toString('base64')).toBe(base64);
      expect(problems).toEqual([]);
    });
  }
});
