import { expect, test } from 'vitest';
import type { QuarantineView } from '../../../src/admin/views.ts';
import { Bridge } from '../../support/bridge.ts';
import { run } from '../../support/cli.ts';
import { legacyResource, requireKind, serviceEntry } from '../../support/resources.ts';
import { until } from '../../support/until.ts';

type Page = { readonly resources: readonly QuarantineView[]; readonly next: string | null };

const gateway = requireKind('Gateway');

/** A source that has so many resources whose body is of another kind, in no order, and some good ones. */
function source(...bad: readonly [collection: string, bodyType: string, count: number][]) {
  return new Map(
    bad.map(([collection, bodyType, count]) => {
      const resources = Array.from({ length: count }, (_, i) =>
        legacyResource(nameOf((i * 7) % count), 'x', 'other.Type'),
      );
      return [
        collection,
        { version: '1', resources: [...resources, legacyResource('a/good', 'x', bodyType)] },
      ] as const;
    }),
  );
}

const nameOf = (i: number) => `shop/s-${String(i).padStart(5, '0')}`;

const se = serviceEntry.collection ?? '';
const gw = gateway.collection ?? '';

async function start(...views: readonly ReturnType<typeof source>[]): Promise<Bridge> {
  const bridge = await Bridge.start(Object.fromEntries(views.map((view, i) => [`source-${i}`, view])));
  await bridge.complete();
  return bridge;
}

async function pagesOf(bridge: Bridge, first: string): Promise<Page[]> {
  const pages: Page[] = [];
  for (let path: string | null = first; path !== null; path = pages.at(-1)?.next ?? null) {
    pages.push(await bridge.page<Page>(path));
  }
  return pages;
}

const nameIn = ({ source: from, kind, resource }: QuarantineView) => `${from} ${kind} ${resource}`;

test.each([1, 4, 10, 14, 29, 1000])(
  'pages of %i together are all that is quarantined, once each, in order',
  async (limit) => {
    const bridge = await start(
      source([se, serviceEntry.body, 10], [gw, gateway.body, 4]),
      source([se, serviceEntry.body, 15]),
    );
    const all = ([from, kind, count]: readonly [string, string, number]) =>
      Array.from({ length: count }, (_, i) => `${from} ${kind} ${nameOf(i)}`);
    const pages = await pagesOf(bridge, `/debug/quarantine?limit=${limit}`);
    const names = pages.flatMap(({ resources }) => resources.map(nameIn));
    const expected = [
      ['source-0', 'ServiceEntry', 10],
      ['source-0', 'Gateway', 4],
      ['source-1', 'ServiceEntry', 15],
    ] as const;
    expect(names.toSorted()).toEqual(expected.flatMap(all).toSorted());
    for (const [from, kind, count] of expected) {
      expect(names.filter((name) => name.startsWith(`${from} ${kind} `))).toEqual(all([from, kind, count]));
    }
    expect(pages.map(({ resources }) => resources.length)).toEqual(
      Array.from({ length: Math.ceil(29 / limit) }, (_, i) => Math.min(limit, 29 - i * limit)),
    );
  },
);

test('a page goes on behind a resource that is mended meanwhile', async () => {
  const bridge = await start(source([se, serviceEntry.body, 10]));
  const after = (key: string) =>
    `/debug/quarantine?limit=2&after=${encodeURIComponent(`source-0/ServiceEntry/${key}`)}`;
  const { resources } = await bridge.page<Page>(after('shop/s-00004-gone'));
  expect(resources.map(({ resource }) => resource)).toEqual([nameOf(5), nameOf(6)]);
});

test('isthmus get --quarantined and status read all pages', async () => {
  const count = 5001;
  const bridge = await start(source([se, serviceEntry.body, count]));
  await until(
    'all is quarantined',
    async () => (await bridge.page<Page>('/debug/quarantine?limit=5000')).next !== null,
  );
  const { code, stdout } = await run('get', bridge.adminUrl, '--quarantined', '-o', 'json');
  const found = JSON.parse(stdout) as QuarantineView[];
  expect([code, found.length, new Set(found.map(({ resource }) => resource)).size]).toEqual([1, count, count]);
  expect((await run('status', bridge.adminUrl)).stdout).toContain(
    `${count.toLocaleString('en-US')} resources are quarantined`,
  );
});
