import { describe, expect, test } from 'vitest';
import { Intake } from '../../../src/intake/intake.ts';
import type { NameRules } from '../../../src/intake/name.ts';
import type { Change, Quarantined } from '../../../src/model/change.ts';
import { type Resource, ResourcePool } from '../../../src/model/resource.ts';
import { readRow } from '../../../src/wire/resource-frame.ts';
import { ResourceTable } from '../../../src/wire/resource-table.ts';
import { Arena } from '../../../src/wire/arena.ts';
import { encodeResourceMessage, viewResource } from '../../../src/wire/resource-view.ts';
import {
  contentOf,
  legacyResource,
  messageOf,
  requireKind,
  serviceEntry,
  serviceEntryBody,
} from '../../support/resources.ts';
import { field, fields, truncated } from '../../support/wire-bytes.ts';

const guessed: NameRules = { defaultNamespace: 'default', namespaceIsExplicit: false };
const body = serviceEntryBody({ hosts: ['a'] });
const typeUrl = `type.googleapis.com/${serviceEntry.body}`;
const goodBody = fields(field(1, typeUrl), field(2, body));

type Taken = Omit<Change, 'upserts'> & { readonly upserts: readonly Resource[] };

async function takeAll(resources: readonly Uint8Array[], kind = serviceEntry, rules = guessed): Promise<Taken> {
  const pool = new ResourcePool();
  const held = { resources: new ResourceTable(pool), arena: new Arena(), listed: undefined };
  const change = await new Intake(kind, rules).take(messageOf(resources), held);
  return { ...change, upserts: change.upserts.map((row) => readRow(pool, row)) };
}

const take = (resource: Uint8Array, kind = serviceEntry, rules = guessed) => takeAll([resource], kind, rules);

async function accepted(resource: Uint8Array, kind = serviceEntry, rules = guessed): Promise<Resource> {
  const { upserts, quarantined } = await take(resource, kind, rules);
  expect(quarantined).toEqual([]);
  expect(upserts).toHaveLength(1);
  return upserts[0] as Resource;
}

async function refused(resource: Uint8Array, kind = serviceEntry, rules = guessed): Promise<Quarantined> {
  const { upserts, quarantined } = await take(resource, kind, rules);
  expect(upserts).toEqual([]);
  expect(quarantined).toHaveLength(1);
  return quarantined[0] as Quarantined;
}

describe('a good resource', () => {
  test('comes out with its name, labels, annotations, time and body, and a version of its own', async () => {
    const view = {
      name: 'shop/orders',
      createTime: new Date('2026-01-31T12:00:00.123Z'),
      labels: { app: 'orders' },
      annotations: { note: 'ä' },
      bodyType: serviceEntry.body,
      body,
    };
    const resource = await accepted(encodeResourceMessage({ ...view, version: 'of the source' }));
    expect(resource.key).toBe('shop/orders');
    expect(resource.version).toMatch(/^[\w-]{16}$/);
    expect(viewResource(resource)).toEqual({
      ...view,
      version: resource.version,
      createTime: '2026-01-31T12:00:00.123Z',
    });
  });

  test('has a version that depends on content only: not on the source version, the time or the order of maps', async () => {
    const view = { name: 'a/b', bodyType: serviceEntry.body, body };
    const one = await accepted(
      encodeResourceMessage({ ...view, version: '1', labels: { x: '1', y: '2' }, annotations: { p: '1', q: '2' } }),
    );
    const same = await accepted(
      encodeResourceMessage({
        ...view,
        version: '2',
        createTime: new Date(5000),
        labels: { y: '2', x: '1' },
        annotations: { q: '2', p: '1' },
      }),
    );
    expect(same.version).toBe(one.version);
  });

  test.each([
    ['name', { name: 'a/c' }],
    ['labels', { labels: { x: '2' } }],
    ['annotations', { annotations: { x: '1' } }],
    ['body', { body: serviceEntryBody({ hosts: ['b'] }) }],
  ])('has another version when its %s is another one', async (_what, change) => {
    const view = { name: 'a/b', labels: { x: '1' }, bodyType: serviceEntry.body, body };
    const one = await accepted(encodeResourceMessage(view));
    const other = await accepted(encodeResourceMessage({ ...view, ...change }));
    expect(other.version).not.toBe(one.version);
  });

  test('may have an empty body message', async () => {
    const bytes = fields(field(1, field(1, 'a/b')), field(2, field(1, typeUrl)));
    expect(viewResource(await accepted(bytes))).toMatchObject({ bodyType: serviceEntry.body, body: Buffer.alloc(0) });
  });

  test('keeps fields of its body that nobody here knows', async () => {
    const strange = fields(body, field(99, 'from a newer Istio'));
    const bytes = encodeResourceMessage({ name: 'a/b', bodyType: serviceEntry.body, body: strange });
    expect(viewResource(await accepted(bytes)).body).toEqual(strange);
  });

  test('with a bare name goes to the default namespace, and that is counted', async () => {
    const { upserts, repairs } = await take(legacyResource('orders'));
    expect(upserts.map(({ key }) => key)).toEqual(['default/orders']);
    expect(viewResource(upserts[0] as Resource).name).toBe('default/orders');
    expect(repairs.bareNames).toBe(1);
  });

  test('whose name begins with a slash is sent without it', async () => {
    const resource = await accepted(legacyResource('/shop/orders'));
    expect(resource.key).toBe('shop/orders');
    expect(viewResource(resource).name).toBe('shop/orders');
  });
});

describe('create_time', () => {
  const withTime = (time: Uint8Array | undefined) =>
    fields(
      field(1, fields(field(1, 'a/b'), time === undefined ? Buffer.alloc(0) : field(2, time))),
      field(2, goodBody),
    );
  const signed = (tag: number, value: bigint) => {
    const bytes = [tag];
    let rest = BigInt.asUintN(64, value);
    for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
    return Buffer.from([...bytes, Number(rest)]);
  };

  test('that is missing becomes one fixed constant, which is nothing to report', async () => {
    const { upserts, repairs } = await take(withTime(undefined));
    expect(viewResource(upserts[0] as Resource).createTime).toBe('1970-01-01T00:00:01.000Z');
    expect(repairs.createTimes).toBe(0);
  });

  test.each([
    ['negative: the zero time of Go', signed(0x08, -62_135_596_800n), '0001-01-01T00:00:00.000Z'],
    ['empty: the epoch', Buffer.alloc(0), '1970-01-01T00:00:00.000Z'],
    ['the last second that Go takes', signed(0x08, 253_402_300_799n), '9999-12-31T23:59:59.000Z'],
  ])('is kept where it is %s', async (_what, time, shown) => {
    const { upserts, repairs } = await take(withTime(time));
    expect(viewResource(upserts[0] as Resource).createTime).toBe(shown);
    expect(repairs.createTimes).toBe(0);
  });

  test.each([
    ['before year 1', signed(0x08, -62_135_596_801n)],
    ['after year 9999', signed(0x08, 253_402_300_800n)],
    ['with too many nanoseconds', field(2, 1_000_000_000)],
    ['with negative nanoseconds', signed(0x10, -1n)],
    ['that is no Timestamp', truncated(1)],
  ])('%s becomes the constant, and is reported', async (_what, time) => {
    const { upserts, quarantined, repairs } = await take(withTime(time));
    expect(quarantined).toEqual([]);
    expect(viewResource(upserts[0] as Resource).createTime).toBe('1970-01-01T00:00:01.000Z');
    expect(repairs.createTimes).toBe(1);
  });
});

describe('a body', () => {
  const resource = (content: Uint8Array) => fields(field(1, field(1, 'a/b')), field(2, content));

  test.each([
    ['a bare message name', serviceEntry.body],
    ['another host', `example.com/${serviceEntry.body}`],
    ['the name of v1beta1', 'type.googleapis.com/istio.networking.v1beta1.ServiceEntry'],
    ['the name of v1', 'type.googleapis.com/istio.networking.v1.ServiceEntry'],
  ])('whose type is %s is sent under the name that every istiod knows, with the same version', async (_what, type) => {
    const rewritten = await accepted(resource(fields(field(1, type), field(2, body))));
    const plain = await accepted(resource(goodBody));
    expect(viewResource(rewritten)).toEqual(viewResource(plain));
    expect(viewResource(rewritten).bodyType).toBe('istio.networking.v1alpha3.ServiceEntry');
  });

  test('of a kind that never moved takes no other package', async () => {
    const plugin = requireKind('WasmPlugin', 'extensions.istio.io');
    const type = 'istio.extensions.v1beta1.WasmPlugin';
    expect(await refused(resource(field(1, type)), plugin)).toMatchObject({ reason: 'wrong_kind' });
  });

  test.each([
    ['of another kind', 'type.googleapis.com/istio.networking.v1alpha3.Gateway', 'istio.networking.v1alpha3.Gateway'],
    ['of a package that nobody has', 'istio.networking.v9.ServiceEntry', 'istio.networking.v9.ServiceEntry'],
    ['without a type', '', 'message without a type'],
  ])('%s is quarantined by name', async (_what, type, shown) => {
    const entry = await refused(resource(fields(field(1, type), field(2, body))));
    expect(entry).toMatchObject({ key: 'a/b', named: true, reason: 'wrong_kind' });
    expect(entry.message).toContain(shown);
  });

  test('of an endless type name is shown in part', async () => {
    const entry = await refused(resource(field(1, 'x'.repeat(100_000))));
    expect(entry.message.length).toBeLessThan(500);
  });

  test.each([
    ['that is missing', field(1, field(1, 'a/b'))],
    ['whose Any is empty', resource(Buffer.alloc(0))],
    ['whose Any has no type', resource(field(2, body))],
  ])('%s is quarantined by name', async (_what, bytes) => {
    expect(await refused(bytes)).toMatchObject({ key: 'a/b', named: true, reason: 'no_body' });
  });
});

describe('labels and annotations', () => {
  const invalid = Buffer.from([0xff, 0xfe]);
  const resource = (number: number, entry: Uint8Array) =>
    fields(field(1, fields(field(1, 'a/b'), field(number, entry))), field(2, goodBody));

  test.each([
    ['labels', 'value', resource(4, fields(field(1, 'x'), field(2, invalid)))],
    ['labels', 'key', resource(4, fields(field(1, invalid), field(2, 'x')))],
    ['annotations', 'value', resource(5, fields(field(1, 'x'), field(2, invalid)))],
  ])(
    '%s with a %s that is no UTF-8 are quarantined: a newer istiod would refuse the whole',
    async (which, _w, bytes) => {
      const entry = await refused(bytes);
      expect(entry).toMatchObject({ key: 'a/b', named: true, reason: 'malformed' });
      expect(entry.message).toContain(which);
    },
  );

  test('may hold any text that is UTF-8', async () => {
    const bytes = resource(4, fields(field(1, 'stadt'), field(2, 'Köln 🏙')));
    expect(viewResource(await accepted(bytes)).labels).toEqual({ stadt: 'Köln 🏙' });
  });

  test('that are no map entries are quarantined by name', async () => {
    expect(await refused(resource(4, truncated(1)))).toMatchObject({ key: 'a/b', named: true, reason: 'malformed' });
  });
});

describe('bytes that are no resource', () => {
  const metadata = field(1, field(1, 'a/b'));

  test.each([
    ['from the first byte on', Buffer.from([0xff])],
    ['inside the metadata, before the name', field(1, fields(truncated(4), field(1, 'a/b')))],
    ['in the name itself', field(1, truncated(1))],
    ['in the body, before the metadata', fields(field(2, truncated(1)), metadata)],
  ])('%s are quarantined without a name', async (_where, bytes) => {
    expect(await refused(bytes)).toMatchObject({ key: '#0', named: false, reason: 'malformed' });
  });

  test.each([
    ['inside the metadata, after the name', field(1, fields(field(1, 'a/b'), truncated(4)))],
    ['inside the Any', fields(metadata, field(2, truncated(1)))],
    [
      'in the body, where it leads to maps',
      fields(metadata, field(2, fields(field(1, typeUrl), field(2, truncated(6))))),
    ],
    ['behind the metadata', fields(metadata, truncated(2))],
    ['at the very end', fields(metadata, field(2, goodBody), Buffer.from([0x80]))],
    ['where the body comes twice', fields(metadata, field(2, goodBody), field(2, goodBody))],
  ])('%s are quarantined by the name that was read before', async (_where, bytes) => {
    expect(await refused(bytes)).toMatchObject({ key: 'a/b', named: true, reason: 'malformed' });
  });

  test('behind a name that can not be used are quarantined without one', async () => {
    const bytes = fields(field(1, field(1, 'a/b/c')), truncated(2));
    expect(await refused(bytes)).toMatchObject({ named: false, reason: 'malformed' });
  });

  test('where the metadata comes twice are quarantined without a name: Go takes the last one', async () => {
    const bytes = fields(metadata, metadata, field(2, goodBody));
    expect(await refused(bytes)).toMatchObject({ key: '#0', named: false, reason: 'malformed' });
  });

  test('without metadata are quarantined without a name', async () => {
    expect(await refused(field(2, goodBody))).toMatchObject({ key: '#0', named: false, reason: 'no_metadata' });
    expect(await refused(Buffer.alloc(0))).toMatchObject({ key: '#0', named: false, reason: 'no_metadata' });
  });

  test.each([
    ['no name', field(1, field(3, 'version'))],
    ['a name that istiod can not split', field(1, field(1, 'a/b/c'))],
  ])('with %s are quarantined without one', async (_what, head) => {
    const entry = await refused(fields(head, field(2, goodBody)));
    expect(entry).toMatchObject({ key: '#0', named: false, reason: 'bad_name' });
  });
});

test('a bare name of a mesh-wide kind is quarantined until the operator chooses a namespace', async () => {
  const sidecar = requireKind('Sidecar');
  const bytes = encodeResourceMessage({ name: 'default', bodyType: sidecar.body, body: Buffer.alloc(0) });
  expect(await refused(bytes, sidecar)).toMatchObject({ named: false, reason: 'bare_mesh_wide_name' });
  const chosen = await accepted(bytes, sidecar, { defaultNamespace: 'istio-config', namespaceIsExplicit: true });
  expect(chosen.key).toBe('istio-config/default');
});

test('the content of a resource survives whatever stands beside it in the message', async () => {
  const resources = [
    legacyResource('a/1', 'one'),
    Buffer.from([0xff]),
    field(2, goodBody),
    legacyResource('a/2', 'two'),
  ];
  const change = await takeAll(resources);
  expect(change.upserts.map((resource) => [resource.key, contentOf(resource)])).toEqual([
    ['a/1', 'one'],
    ['a/2', 'two'],
  ]);
  expect(change.quarantined.map(({ key }) => key)).toEqual(['#1', '#2']);
  expect(change.received).toBe(4);
});
