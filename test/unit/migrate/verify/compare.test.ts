import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareContent } from '../../../../migrate/verify/compare.ts';
import type { HeldConfig } from '../../../../migrate/verify/istiod.ts';
import { type Kind, kinds } from '../../../../src/model/kinds.ts';
import { readContent } from '../../../../src/schema/content.ts';
import { bodyFromJson } from '../../../../src/schema/json.ts';
import { encodeResourceMessage } from '../../../../src/wire/resource-view.ts';
import { requireKind } from '../../../support/resources.ts';
import { field } from '../../../support/wire-bytes.ts';
import { anySpec, text } from '../../schema/any-spec.ts';

type Meta = {
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly version?: string;
};

const bodyOf = (kind: Kind, spec: unknown): Buffer => bodyFromJson(kind, spec).body as Buffer;

/** What a bridge serves. */
function served(kind: Kind, body: Buffer, { labels = {}, annotations = {}, version = '' }: Meta = {}) {
  const bytes = encodeResourceMessage({ name: 'shop/a', version, labels, annotations, bodyType: kind.body, body });
  return readContent(kind, bytes);
}

/** What istiod shows. */
function held(kind: Kind, spec: unknown, { labels = {}, annotations = {}, version = '' }: Meta = {}): HeldConfig {
  return { kind, key: 'shop/a', labels, annotations, version, spec };
}

const serviceEntry = requireKind('ServiceEntry');
const envoyFilter = requireKind('EnvoyFilter');
const virtualService = requireKind('VirtualService');
const spec = { hosts: ['a.example'], ports: [{ number: 80, name: 'http' }], endpoints: [{ address: '192.0.2.1' }] };

/** The same JSON with the names of its objects the other way around, as a Go map may print them. */
function turned(json: unknown): unknown {
  if (Array.isArray(json)) return json.map(turned);
  if (typeof json !== 'object' || json === null) return json;
  const entries = Object.entries(json).toReversed();
  return Object.fromEntries(entries.map(([name, value]) => [name, turned(value)]));
}

/** Places of a JSON value: of each property and element of it. */
function placesOf(json: unknown, at: readonly string[] = []): string[][] {
  if (typeof json !== 'object' || json === null) return [];
  return Object.entries(json).flatMap(([name, value]) => [[...at, name], ...placesOf(value, [...at, name])]);
}

/** The value without what is at a place. */
function without(json: unknown, [step = '', ...rest]: readonly string[]): unknown {
  if (Array.isArray(json)) {
    if (rest.length === 0) return json.filter((_, i) => i !== Number(step));
    return json.map((item, i) => (i === Number(step) ? without(item, rest) : item));
  }
  const entries = Object.entries(json as object);
  const kept = rest.length === 0 ? entries.filter(([name]) => name !== step) : entries;
  return Object.fromEntries(kept.map(([name, value]) => [name, name === step ? without(value, rest) : value]));
}

describe.each(kinds.map((kind) => ({ title: kind.kind, kind })))('any $title', ({ kind }) => {
  test('is equal to itself, whatever order istiod prints it in', () => {
    fc.assert(
      fc.property(anySpec(kind), (one) => {
        const compared = compareContent(kind, served(kind, bodyOf(kind, one)), held(kind, turned(one)));
        expect(compared).toEqual({ fields: [], passedOver: [], unseen: [] });
      }),
    );
  });

  test('differs from another one exactly where their bytes do', () => {
    fc.assert(
      fc.property(anySpec(kind), anySpec(kind), (one, other) => {
        const [a, b] = [bodyOf(kind, one), bodyOf(kind, other)];
        const { fields, passedOver } = compareContent(kind, served(kind, a), held(kind, other));
        expect(fields.length + passedOver.length > 0).toBe(!a.equals(b));
      }),
    );
  });

  test('that lacks one field or element is found out, on either side', () => {
    fc.assert(
      fc.property(anySpec(kind), fc.nat(), (one, choice) => {
        const places = placesOf(one);
        fc.pre(places.length > 0);
        const less = without(one, places[choice % places.length] ?? []);
        const [whole, part] = [bodyOf(kind, one), bodyFromJson(kind, less).body];
        // What is in the way: a member of a Struct's list that was null, a duration that is no message any more.
        fc.pre(part !== undefined && !part.equals(whole));
        const gone = compareContent(kind, served(kind, whole), held(kind, less));
        expect(gone.fields.length + gone.passedOver.length).toBeGreaterThan(0);
        const added = compareContent(kind, served(kind, part), held(kind, one));
        expect(added.fields.length).toBeGreaterThan(0);
      }),
    );
  });
});

test.each(['labels', 'annotations'] as const)('any change of %s is found, and none that is none', (part) => {
  const maps = fc.dictionary(text, fc.oneof(text, fc.constant('')), { maxKeys: 3, noNullPrototype: true });
  const body = bodyOf(serviceEntry, spec);
  fc.assert(
    fc.property(maps, maps, (one, other) => {
      const { fields } = compareContent(
        serviceEntry,
        served(serviceEntry, body, { [part]: one }),
        held(serviceEntry, spec, { [part]: turned(other) as Record<string, string> }),
      );
      const isSame =
        Object.keys(one).length === Object.keys(other).length &&
        Object.entries(one).every(([name, value]) => Object.hasOwn(other, name) && other[name] === value);
      expect(fields.length === 0).toBe(isSame);
    }),
  );
});

describe('ways in which Go writes the same', () => {
  test.each<[string, Kind, unknown, unknown]>([
    ['a default that is written out', serviceEntry, spec, { ...spec, location: 'MESH_EXTERNAL', addresses: [] }],
    ['an enum as its number', serviceEntry, { ...spec, resolution: 'STATIC' }, { ...spec, resolution: 1 }],
    ['a duration in other units', virtualService, { http: [{ timeout: '90s' }] }, { http: [{ timeout: '1m30s' }] }],
    ['a duration with more digits', virtualService, { http: [{ timeout: '1.500s' }] }, { http: [{ timeout: '1.5s' }] }],
    ['names as in the .proto file', serviceEntry, { exportTo: ['.'] }, { export_to: ['.'] }],
    ['null for what is not there', serviceEntry, spec, { ...spec, workloadSelector: null }],
  ])('%s', (_, kind, one, other) => {
    expect(compareContent(kind, served(kind, bodyOf(kind, one)), held(kind, other)).fields).toEqual([]);
  });
});

test('what differs is named by its path, with both values', () => {
  const other = { ...spec, ports: [{ number: 81, name: 'http' }], resolution: 'DNS', endpoints: [] };
  const compared = compareContent(
    serviceEntry,
    served(serviceEntry, bodyOf(serviceEntry, spec), { labels: { app: 'a' } }),
    held(serviceEntry, other, { annotations: { note: 'b' } }),
  );
  expect(compared.fields).toEqual([
    { path: 'metadata.labels.app', bridge: 'a' },
    { path: 'metadata.annotations.note', istiod: 'b' },
    { path: 'spec.ports[0].number', bridge: 80, istiod: 81 },
    { path: 'spec.endpoints', bridge: [{ address: '192.0.2.1' }] },
    { path: 'spec.resolution', istiod: 'DNS' },
  ]);
});

test('JSON that is no spec of the kind is compared as it stands', () => {
  const { fields } = compareContent(
    serviceEntry,
    served(serviceEntry, bodyOf(serviceEntry, spec)),
    held(serviceEntry, { ...spec, ports: 'none' }),
  );
  expect(fields).toEqual([{ path: 'spec.ports', bridge: [{ number: 80, name: 'http' }], istiod: 'none' }]);
});

describe('a field that istiod does not show', () => {
  const old = { filters: [{ filterName: 'lua' }], workloadSelector: { labels: { app: 'a' } } };

  test('is passed over where 1.9 and newer has dropped it', () => {
    const shown = { workloadSelector: { labels: { app: 'a' } } };
    const compared = compareContent(
      envoyFilter,
      served(envoyFilter, bodyOf(envoyFilter, old)),
      held(envoyFilter, shown),
    );
    expect(compared).toEqual({ fields: [], passedOver: ['spec.filters'], unseen: [] });
  });

  test('is missing where nothing explains it, and passed over where the version is the one that was sent', () => {
    const shown = { hosts: ['a.example'] };
    const all = { hosts: ['a.example'], subjectAltNames: ['a'] };
    const compared = (version: string) =>
      compareContent(
        serviceEntry,
        served(serviceEntry, bodyOf(serviceEntry, all), { version: 'aaaaaaaaaaaaaaaa' }),
        held(serviceEntry, shown, { version }),
      );
    expect(compared('bbbbbbbbbbbbbbbb').fields).toEqual([{ path: 'spec.subjectAltNames', bridge: ['a'] }]);
    expect(compared('aaaaaaaaaaaaaaaa')).toEqual({ fields: [], passedOver: ['spec.subjectAltNames'], unseen: [] });
  });

  test('is never passed over where it is a label, a key of a map or an element of a list', () => {
    const version = 'aaaaaaaaaaaaaaaa';
    const all = { hosts: ['a', 'b'], endpoints: [{ address: 'x', labels: { app: 'a', v: '1' } }] };
    const shown = { hosts: ['a'], endpoints: [{ address: 'x', labels: { app: 'a' } }] };
    const { fields, passedOver } = compareContent(
      serviceEntry,
      served(serviceEntry, bodyOf(serviceEntry, all), { version, labels: { app: 'a' } }),
      held(serviceEntry, shown, { version }),
    );
    expect(passedOver).toEqual([]);
    expect(fields.map(({ path }) => path)).toEqual([
      'metadata.labels.app',
      'spec.hosts[1]',
      'spec.endpoints[0].labels.v',
    ]);
  });
});

describe('what Isthmus itself does not know', () => {
  const body = Buffer.concat([bodyOf(serviceEntry, spec), field(999, 'later')]);

  test('is said to be not compared, unless the version speaks for it', () => {
    const compared = (version: string) =>
      compareContent(
        serviceEntry,
        served(serviceEntry, body, { version }),
        held(serviceEntry, spec, { version: 'aaaaaaaaaaaaaaaa' }),
      );
    expect(compared('').fields).toEqual([]);
    expect(compared('').unseen).toEqual(['spec: field number 999 (wire type 2, 5 bytes) is not known here']);
    expect(compared('aaaaaaaaaaaaaaaa').unseen).toEqual([]);
  });

  test('is said too where istiod shows it', () => {
    const shown = { ...spec, laterField: 1 };
    const compared = compareContent(
      serviceEntry,
      served(serviceEntry, bodyOf(serviceEntry, spec)),
      held(serviceEntry, shown),
    );
    expect(compared.fields).toEqual([]);
    expect(compared.unseen).toEqual(['spec.laterField: is no known field; it is left out']);
  });
});
