import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { kinds } from '../../../src/model/kinds.ts';
import { describe as fieldsOf, type MessageType, typeOfBody } from '../../../src/schema/descriptor.ts';
import { bodyFromJson, bodyToJson } from '../../../src/schema/json.ts';
import { resourceToObject, toYaml } from '../../../src/schema/object.ts';
import { findingText, type ParsedResource, parseYaml } from '../../../src/schema/yaml.ts';
import { canonicalise } from '../../../src/wire/canonical.ts';
import { encodeResourceMessage, viewResourceBytes } from '../../../src/wire/resource-view.ts';
import { shapes } from '../../../src/wire/shapes.ts';
import { sampleOf } from '../../support/samples.ts';
import { field, fieldsOf as wireFieldsOf } from '../wire/fields.ts';
import { fieldNames, fieldsIn, isGoogles } from './field-names.ts';

type Fixture = { readonly kind: string; readonly name: string; readonly bytes: string; readonly json: object };

const fixtures = JSON.parse(readFileSync(new URL('fixtures/kinds.json', import.meta.url), 'utf8')) as Fixture[];

/** A parsed resource after its way over the wire. */
const carried = ({ kind, namespace, name, ...rest }: ParsedResource) =>
  viewResourceBytes(encodeResourceMessage({ ...rest, name: `${namespace}/${name}`, bodyType: kind.body }));

/** The same fields by number: Go writes the members of oneofs last. */
function inOrder(type: MessageType, bytes: Buffer): Buffer {
  const fields = wireFieldsOf(bytes).toSorted((a, b) => a.id - b.id);
  return Buffer.concat(
    fields.map(({ id, raw, content }) => {
      const one = fieldsOf(type).byNumber.get(id);
      const isMessage = one !== undefined && one.key === undefined && 'message' in one.value;
      return isMessage && !isGoogles(one.value.message) ? field(id, inOrder(one.value.message, content)) : raw;
    }),
  );
}

describe.each(kinds)('$kind', (kind) => {
  const { text, objects } = sampleOf(kind.kind);
  const ofGo = fixtures.filter((fixture) => fixture.kind === kind.kind);

  test('its YAML is read without a finding, and is the same text after its way over the wire', () => {
    const { resources, findings } = parseYaml(text, 'f.yaml');
    expect(findings.map(findingText)).toEqual([]);
    const shown = resources.map((resource) => resourceToObject(carried(resource)));
    expect(shown.flatMap(({ notes }) => notes)).toEqual([]);
    expect(toYaml(shown.map(({ object }) => object))).toBe(text);
  });

  test('Go has made the bytes of each of its documents', () => {
    expect(ofGo.map(({ name }) => name)).toEqual(objects.map(({ metadata }) => metadata.name));
  });

  test.each(ofGo)('$name: bytes and JSON are those of Go', ({ name, bytes, json }) => {
    const { spec } = objects.find(({ metadata }) => metadata.name === name) ?? {};
    const theirs = Buffer.from(bytes, 'base64');
    expect(bodyToJson(kind, theirs)).toStrictEqual({ spec: json, problems: [] });
    const { body, problems } = bodyFromJson(kind, spec);
    expect(problems).toEqual([]);
    // Go sorts the names of a map alphabetically, our canonical form sorts shorter ones first.
    const ordered = inOrder(typeOfBody(kind), theirs);
    canonicalise(ordered, 0, ordered.length, shapes[kind.body] ?? {});
    expect(body?.toString('hex')).toBe(ordered.toString('hex'));
  });
});

test('the samples hold every field that Istio has today', () => {
  const set = new Set(
    kinds.flatMap((kind) => sampleOf(kind.kind).objects.flatMap(({ spec }) => [...fieldsIn(typeOfBody(kind), spec)])),
  );
  const today = fieldNames({ dropped: false });
  expect([...today].filter((name) => !set.has(name))).toEqual([]);
  expect(today.size).toBeGreaterThan(500);
});
