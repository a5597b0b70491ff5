import { describe, expect, test } from 'vitest';
import type { ChangeDetail, ChangeView, StateReport } from '../../../src/admin/views.ts';
import type { SourceServer } from '../../../src/legacy/source-server.ts';
import { Bridge, startSource } from '../../support/bridge.ts';
import { type Entries, viewOf } from '../../support/legacy-states.ts';
import { legacyResource } from '../../support/resources.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { until } from '../../support/until.ts';

type Page = { readonly changes: readonly ChangeView[]; readonly next: string | null };

const collection = 'istio/networking/v1alpha3/serviceentries';

async function start(entries: Entries, settings: Parameters<typeof Bridge.of>[0] = {}) {
  const { server, address } = await startSource(viewOf(entries));
  const bridge = await Bridge.of({ sources: [{ name: 'consul', address }], ...settings });
  await bridge.complete();
  return { bridge, server };
}

const changesOf = async (bridge: Bridge, query = '') => (await bridge.page<Page>(`/debug/changes${query}`)).changes;

/** Says something else, and returns once there are so many changes. */
async function say(bridge: Bridge, server: SourceServer, entries: Entries, total: number): Promise<void> {
  server.update(viewOf(entries));
  await until(`${total} changes`, async () => (await changesOf(bridge, '?limit=5000')).length === total);
}

const lineOf = ({ source, kind, resource, what, why }: ChangeView) => [source, kind, resource, what, why].join(' ');

/** What a page shows: no tags, blanks as one. */
async function read(bridge: Bridge, path: string): Promise<{ status: number; html: string; text: string }> {
  const response = await bridge.fetch(path, { headers: { accept: 'text/html' } });
  const html = await response.text();
  const text = html
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll('&#39;', "'")
    .replaceAll(/\s+/g, ' ');
  return { status: response.status, html, text };
}

describe('a message of a source', () => {
  async function changed() {
    const lab = await start({ 'shop/orders': 'a.example', 'shop/cart': 'b.example', 'shop/stock': 'c.example' });
    await say(
      lab.bridge,
      lab.server,
      { 'shop/orders': 'x.example', 'shop/cart': 'longer.example', 'shop/new': 'n' },
      7,
    );
    return lab;
  }

  test('is told resource by resource, the newest first', async () => {
    const { bridge } = await changed();
    const changes = await changesOf(bridge);
    expect(changes.map(lineOf)).toEqual([
      'consul ServiceEntry shop/stock removed message',
      'consul ServiceEntry shop/orders changed message',
      'consul ServiceEntry shop/cart changed message',
      'consul ServiceEntry shop/new added message',
      'consul ServiceEntry shop/cart added message',
      'consul ServiceEntry shop/orders added message',
      'consul ServiceEntry shop/stock added message',
    ]);
    expect(new Set(changes.slice(0, 4).map(({ batch }) => batch)).size).toBe(1);
    expect(Number.isNaN(Date.parse(changes[0]?.at ?? ''))).toBe(false);
  });

  test('each with the resource before and after, and what is different', async () => {
    const { bridge } = await changed();
    const [change] = await changesOf(bridge, '?name=orders');
    const detail = await bridge.page<ChangeDetail>(`/debug/changes/${change?.id}`);
    expect(detail).toMatchObject({
      what: 'changed',
      forms: 'kept',
      before: { kind: 'ServiceEntry', metadata: { name: 'orders', namespace: 'shop' }, spec: { hosts: ['a.example'] } },
      after: { kind: 'ServiceEntry', metadata: { name: 'orders', namespace: 'shop' }, spec: { hosts: ['x.example'] } },
    });
    expect(detail.diff).toMatch(/^--- before\n\+\+\+ after\n@@ /);
    expect(detail.diff?.split('\n').filter((line) => /^[+-] /.test(line))).toEqual([
      '-    - a.example',
      '+    - x.example',
    ]);
    const page = await read(bridge, `/ui/changes/${change?.id}`);
    expect(page.text).toContain('1 line added, 1 removed.');
    expect(page.html).toMatch(/<ins><span class="aside">added:<\/span>\+ {4}- x\.example\n<\/ins>/);
    expect(page.html).toMatch(/<del><span class="aside">removed:<\/span>- {4}- a\.example\n<\/del>/);
  });

  test('is on the page, on the first page too, with a link to each', async () => {
    const { bridge } = await changed();
    const [change] = await changesOf(bridge, '?name=orders');
    for (const path of ['/', '/ui/changes']) {
      const { html, text } = await read(bridge, path);
      expect(text, path).toMatch(
        /shop\/orders changed [\d-]+ [\d:]+ consul ServiceEntry its source said so Difference/,
      );
      expect(html, path).toContain(`href="/ui/changes/${change?.id}" aria-label="Difference: shop/orders"`);
    }
    expect((await bridge.fetch('/changes', { redirect: 'manual' })).headers.get('location')).toBe('/ui/changes');
    expect((await read(bridge, '/ui/changes?kind=WorkloadEntry')).text).toContain('Nothing of that is kept.');
    expect((await read(bridge, '/ui/changes/9999')).status).toBe(404);
    expect((await bridge.fetch('/debug/changes/9999')).status).toBe(404);
    expect((await bridge.fetch('/debug/changes/x')).status).toBe(404);
  });

  test('when the source last said something is not when something changed', async () => {
    const { bridge, server } = await changed();
    const timesOf = async () => {
      const [origin] =
        await bridge.page<
          { kinds: { kind: string; messages: number; lastMessageAt: string; lastChangeAt: string }[] }[]
        >('/debug/origins');
      return origin?.kinds.find(({ kind }) => kind === 'ServiceEntry');
    };
    const before = await timesOf();
    server.update(viewOf({ 'shop/orders': 'x.example', 'shop/cart': 'longer.example', 'shop/new': 'n' }));
    const after = await until('a message came', async () => {
      const now = await timesOf();
      return (now?.messages ?? 0) > (before?.messages ?? 0) && now;
    });
    expect(after.lastChangeAt).toBe(before?.lastChangeAt);
    expect(after.lastMessageAt).not.toBe(before?.lastMessageAt);
    const shown = (at: string) => at.slice(0, 19).replace('T', ' ');
    expect((await read(bridge, '/ui/sources/consul')).html).toContain(
      `<time datetime="${after.lastChangeAt}">${shown(after.lastChangeAt)}</time>`,
    );
  });
});

test('of 5,000 changes twenty are named; the pages of JSON have each entry once', async () => {
  const many = (content: string) =>
    Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`shop/s-${String(i).padStart(4, '0')}`, content]));
  const { bridge, server } = await start(many('a'));
  await say(bridge, server, many('b'), 42);
  const [first, ...rest] = (await changesOf(bridge)).slice(0, 21);
  expect([first?.what, first?.resource]).toEqual(['changed', 'shop/s-0000']);
  expect(rest.at(-1)).toMatchObject({
    what: 'others',
    resource: null,
    counts: { added: 0, changed: 4980, removed: 0, quarantined: 0 },
    forms: 'none',
    batch: first?.batch,
  });
  expect((await read(bridge, '/ui/changes')).text).toContain('4,980 more changed');
  const ids: number[] = [];
  for (let path: string | null = '/debug/changes?limit=9&kind=ServiceEntry'; path !== null; ) {
    const page: Page = await bridge.page(path);
    ids.push(...page.changes.map(({ id }) => id));
    path = page.next;
  }
  expect(ids).toEqual(Array.from({ length: 42 }, (_, i) => 42 - i));
});

test('pages for people have a hundred each, with the filter in the link to the next', async () => {
  const entries = (content: string) =>
    Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`shop/s-${i}`, content]));
  const { bridge, server } = await start(entries('c0'));
  for (let i = 1; i < 6; i++) await say(bridge, server, entries(`c${i}`), 20 * (i + 1));
  const first = await read(bridge, '/ui/changes?source=consul&kind=&name=shop');
  const [, href = ''] = /rel="next" href="([^"]+)"/.exec(first.html) ?? [];
  const next = href.replaceAll('&amp;', '&');
  expect(next).toBe('/ui/changes?after=21&source=consul&name=shop');
  const second = await read(bridge, next);
  const rows = ({ html }: { html: string }) => html.split('<tr>').length - 2;
  expect([rows(first), rows(second)]).toEqual([100, 20]);
  expect(second.html).not.toContain('rel="next"');
  expect(second.html).toContain('<option selected>consul</option>');
});

test('what is held by the guard is no change until it leaves', async () => {
  const { bridge, server } = await start({ 'shop/a': 'a', 'shop/b': 'b' });
  server.update(viewOf({}));
  await until('it is held', async () => (await bridge.page<object[]>('/debug/guard')).length === 1);
  expect((await changesOf(bridge)).map(({ what }) => what)).toEqual(['added', 'added']);
  await bridge.fetch('/guard/release', { method: 'POST' });
  expect((await changesOf(bridge)).slice(0, 2).map(({ what, why }) => `${what} ${why}`)).toEqual([
    'removed released_by_operator',
    'removed released_by_operator',
  ]);
  expect((await read(bridge, '/ui/changes')).text).toContain('the operator let go what the guard held');
});

test('what comes from outside is text, and what is quarantined says why', async () => {
  const { bridge, server } = await start({ 'shop/<b>': '<script>alert(1)</script>' });
  const resources = [
    legacyResource('shop/<b>', '<script>alert(2)</script>'),
    legacyResource('shop/bad').subarray(0, -1),
  ];
  server.update(new Map([...viewOf({}), [collection, { version: '99', resources }]]));
  await until('it came', async () => (await changesOf(bridge)).length === 3);
  const [bad, good] = await changesOf(bridge);
  expect([bad?.what, bad?.note]).toEqual(['quarantined', expect.stringContaining('there is no earlier form')]);
  const path = `/ui/changes/${good?.id}`;
  for (const one of ['/', '/ui/changes', path, `/ui/changes/${bad?.id}`, '/ui/changes?name="><script>']) {
    const { html, status } = await read(bridge, one);
    expect([one, status]).toEqual([one, 200]);
    expect(html, one).not.toMatch(/<b>|<script>/);
  }
  expect((await read(bridge, path)).text).toContain('&lt;script&gt;alert(2)&lt;/script&gt;');
});

test('a restart is one entry, and a source that leaves is told', async () => {
  const stateDir = tempFolder();
  const settings = { stateDir, shutdownGrace: '30s' };
  const first = await start({ 'shop/a': 'a', 'shop/b': 'b' }, settings);
  await until('all is saved', async () => {
    const { files } = await first.bridge.page<StateReport>('/debug/state');
    return files.length > 0 && files.every(({ isDue, savedAt }) => !isDue && savedAt !== null);
  });
  await first.bridge.app.stop();
  const { address } = await startSource(viewOf({ 'shop/a': 'other', 'shop/b': 'b' }));
  const bridge = await Bridge.of({ ...settings, sources: [{ name: 'consul', address }] });
  await until('it has spoken', async () => (await changesOf(bridge)).length === 2);
  expect((await changesOf(bridge)).map(({ what, why, counts }) => [what, why, counts?.added])).toEqual([
    ['changed', 'message', undefined],
    ['others', 'restart', 2],
  ]);
  expect((await read(bridge, '/ui/changes')).text).toContain('2 resources known before');
  await bridge.reload({ sources: [], confirmRemoval: ['consul'] });
  const gone = (await changesOf(bridge)).slice(0, 2).map(({ what, why, source }) => [what, why, source]);
  expect(gone).toEqual([
    ['removed', 'source_removed', 'consul'],
    ['removed', 'source_removed', 'consul'],
  ]);
});

test('the listener that anybody may read has none of it', async () => {
  const { bridge } = await start({ 'shop/a': 'a' });
  for (const path of ['/debug/changes', '/debug/changes/1', '/ui/changes', '/ui/changes/1']) {
    expect([path, (await fetch(`${bridge.metricsUrl}${path}`)).status]).toEqual([path, 404]);
  }
});
