import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Resource, ResourcePool } from '../../../src/model/resource.ts';
import { Arena } from '../../../src/wire/arena.ts';
import { viewed } from '../../../src/wire/bytes.ts';
import { readRow } from '../../../src/wire/resource-frame.ts';
import { seedOf } from '../../../src/wire/resource-parts.ts';
import { encodeResourceMessage, viewResource } from '../../../src/wire/resource-view.ts';
import { hostsOf } from '../../../src/wire/service-entry.ts';
import { uniteEndpoints } from '../../../src/wire/unite-endpoints.ts';
import { serviceEntry, serviceEntryBody, serviceEntryResource } from '../../support/resources.ts';
import { distinctEndpoints, resolutions, serviceAt, spec, type Spec } from '../../support/service-specs.ts';
import { addressesOf, SourceView } from '../../support/source-view.ts';
import { field, fields } from '../../support/wire-bytes.ts';

const bodyType = viewed(Buffer.from(`type.googleapis.com/${serviceEntry.body}`));
const seed = seedOf(bodyType);

/** Each of them encoded as an origin holds it, and what becomes of them together. */
async function unite(...resources: readonly Buffer[]) {
  const pool = new ResourcePool();
  const rows: number[] = [];
  for (const bytes of resources) {
    const view = new SourceView(pool);
    rows.push(...(await view.take([bytes])).upserts);
  }
  expect(rows).toHaveLength(resources.length);
  const { row, obstacle } = uniteEndpoints(pool, rows, bodyType, seed, new Arena());
  const resource = readRow(pool, row);
  return { pool, row, isNew: !rows.includes(row), obstacle, resource, first: readRow(pool, rows[0] as number) };
}

const ofSpec = (one: Spec, metadata: Parameters<typeof serviceEntryResource>[2] = {}) =>
  serviceEntryResource('shop/orders', one, metadata);

const bytesOf = ({ chunk, start, end }: Resource) => Buffer.from(chunk.subarray(start, end)).toString('hex');

describe('endpoints of several ServiceEntries', () => {
  test('come one after the other, in the order of their origins, each once', async () => {
    const { resource, obstacle, isNew } = await unite(
      ofSpec(serviceAt('10.0.0.2', '10.0.0.1')),
      ofSpec(serviceAt('10.0.0.3', '10.0.0.1')),
      ofSpec(serviceAt('10.0.0.4', '10.0.0.3', '10.0.0.2')),
    );
    expect([obstacle, isNew]).toEqual([undefined, true]);
    expect(addressesOf(resource)).toEqual(['10.0.0.2', '10.0.0.1', '10.0.0.3', '10.0.0.4']);
  });

  test('are those of the first, in its own bytes, where nothing is to be added', async () => {
    const { isNew, obstacle } = await unite(ofSpec(serviceAt('10.0.0.1', '10.0.0.2')), ofSpec(serviceAt('10.0.0.2')));
    expect([isNew, obstacle]).toEqual([false, undefined]);
  });

  test('of the same address are two where they differ in anything', async () => {
    const of = (weight: number): Spec => ({ ...serviceAt(), endpoints: [{ address: '10.0.0.1', weight }] });
    expect(addressesOf((await unite(ofSpec(of(1)), ofSpec(of(2)))).resource)).toEqual(['10.0.0.1', '10.0.0.1']);
  });

  test('with labels in any order are the same', async () => {
    const label = (key: string) => field(3, fields(field(1, key), field(2, 'x')));
    const of = (...labels: readonly string[]) =>
      encodeResourceMessage({
        name: 'shop/orders',
        createTime: new Date(0),
        bodyType: serviceEntry.body,
        body: fields(serviceEntryBody(serviceAt()), field(6, fields(field(1, '10.0.0.1'), ...labels.map(label)))),
      });
    const { isNew, obstacle } = await unite(of('a', 'b', 'c'), of('c', 'b', 'a'), ofSpec(serviceAt()));
    expect([isNew, obstacle]).toEqual([false, undefined]);
  });

  test('are added where the first has none, and where a field stands behind them', async () => {
    const { resource } = await unite(
      ofSpec({ ...serviceAt(), exportTo: ['*'] }),
      ofSpec({ ...serviceAt('10.0.0.1'), exportTo: ['*'] }),
    );
    const alone = await unite(ofSpec({ ...serviceAt('10.0.0.1'), exportTo: ['*'] }));
    expect(bytesOf(resource)).toBe(bytesOf(alone.resource));
  });

  test.each<[string, string, Buffer]>([
    ['hosts', 'other_spec', ofSpec({ ...serviceAt('10.0.0.2'), hosts: ['other.example.com'] })],
    [
      'ports',
      'other_spec',
      ofSpec({ ...serviceAt('10.0.0.2'), ports: [{ number: 81, name: 'http', protocol: 'HTTP' }] }),
    ],
    ['resolution', 'other_spec', ofSpec({ ...serviceAt('10.0.0.2'), resolution: resolutions.dns })],
    ['location', 'other_spec', ofSpec({ ...serviceAt('10.0.0.2'), location: 1 })],
    ['who may see it', 'other_spec', ofSpec({ ...serviceAt('10.0.0.2'), exportTo: ['.'] })],
    ['labels', 'other_metadata', ofSpec(serviceAt('10.0.0.2'), { labels: { 'istio.io/rev': 'canary' } })],
    ['annotations', 'other_metadata', ofSpec(serviceAt('10.0.0.2'), { annotations: { a: 'b' } })],
  ])('of one with other %s are left out', async (_, obstacle, other) => {
    const found = await unite(ofSpec(serviceAt('10.0.0.1')), other, ofSpec(serviceAt('10.0.0.3')));
    expect(found.obstacle).toBe(obstacle);
    expect(addressesOf(found.resource), 'the third one is none the worse for it').toEqual(['10.0.0.1', '10.0.0.3']);
  });

  test.each([
    ['DNS, where one stands for its hosts themselves', resolutions.dns, []],
    ['DNS_ROUND_ROBIN, of which istiod takes one', resolutions.dnsRoundRobin, ['b.example.com']],
    ['NONE, of which istiod takes none', resolutions.none, ['b.example.com']],
  ])('are not united with resolution %s', async (_, resolution, addresses) => {
    const { isNew, obstacle } = await unite(
      ofSpec({ ...serviceAt('a.example.com'), resolution }),
      ofSpec({ ...serviceAt(...addresses), resolution }),
    );
    expect([isNew, obstacle]).toEqual([false, 'resolution']);
  });

  test('are united with resolution DNS, where both have some', async () => {
    const of = (address: string): Spec => ({ ...serviceAt(address), resolution: resolutions.dns });
    expect(addressesOf((await unite(ofSpec(of('a.example.com')), ofSpec(of('b.example.com')))).resource)).toEqual([
      'a.example.com',
      'b.example.com',
    ]);
  });

  test('whatever they are, make the bytes that a source which has them all would have sent', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(spec, { minLength: 2, maxLength: 3 }), async (specs) => {
        const one = specs[0] as Spec;
        const alike = specs.map(({ endpoints = [] }) => ({ ...one, resolution: resolutions.static, endpoints }));
        const whole = { ...alike[0], endpoints: distinctEndpoints(alike.map(({ endpoints }) => endpoints)) };
        const { resource, obstacle } = await unite(...alike.map((each) => ofSpec(each)));
        const expected = await unite(ofSpec(whole as Spec));
        expect(obstacle).toBeUndefined();
        expect(bytesOf(resource)).toBe(bytesOf(expected.first));
        expect(resource.version).toBe(expected.first.version);
      }),
      { numRuns: 200 },
    );
  });
});

test('what is united can be united again, and keeps create time and labels of the first', async () => {
  const labels = { app: 'orders' };
  const annotations = { owner: 'shop' };
  const createTime = new Date('2020-01-02T03:04:05Z');
  const { resource, first, pool, row } = await unite(
    ofSpec(serviceAt('10.0.0.1'), { labels, annotations, createTime }),
    ofSpec(serviceAt('10.0.0.2'), { labels, annotations, createTime: new Date('2021-01-01T00:00:00Z') }),
  );
  expect(viewResource(resource)).toMatchObject({ labels, annotations, createTime: '2020-01-02T03:04:05.000Z' });
  expect(resource.key).toBe('shop/orders');
  expect(resource.version).not.toBe(first.version);
  const [third = row] = (await new SourceView(pool).take([ofSpec(serviceAt('10.0.0.3'), { labels, annotations })]))
    .upserts;
  const again = uniteEndpoints(pool, [row, third], bodyType, seed, new Arena());
  expect(addressesOf(readRow(pool, again.row))).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3']);
});

test('hosts and who may see them are read off the bytes', async () => {
  const hosts = ['a.example.com', '*.b.example.com'];
  const { pool, row } = await unite(ofSpec({ ...serviceAt('10.0.0.1'), hosts, exportTo: ['.', 'shop'] }));
  expect(hostsOf(pool, row)).toEqual({ hosts, exportTo: ['.', 'shop'] });
  const bare = await unite(
    encodeResourceMessage({ name: 'shop/empty', bodyType: serviceEntry.body, body: Buffer.alloc(0) }),
  );
  expect(hostsOf(bare.pool, bare.row)).toEqual({ hosts: [], exportTo: [] });
});
