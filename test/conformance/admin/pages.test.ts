import { describe, expect, test } from 'vitest';
import { Bridge } from '../../support/bridge.ts';
import { viewOf } from '../../support/legacy-states.ts';

describe('the index', () => {
  test('is a page of links in a browser, and each link leads somewhere', async () => {
    const bridge = await Bridge.of({});
    const response = await bridge.fetch('/debug/', { headers: { accept: 'text/html,*/*' } });
    expect(response.headers.get('content-type')).toContain('text/html');
    const html = await response.text();
    const links = Array.from(html.matchAll(/<a href="([^"]+)"/g), ([, href = '']) => href);
    expect(links).toContain('/debug/origins');
    expect(links.length).toBeGreaterThanOrEqual(9);
    const statuses = await Promise.all(links.map(async (href) => (await bridge.fetch(href)).status));
    expect(statuses).toEqual(links.map(() => 200));
  });

  test('escapes what HTML would take for its own', async () => {
    const bridge = await Bridge.of({});
    const html = await (await bridge.fetch('/debug/', { headers: { accept: 'text/html' } })).text();
    expect(html).toContain('?after=KEY&amp;limit=N');
    expect(html).toContain('<code>/debug/snapshot/{kind}</code>');
    expect(html.replaceAll(/&(amp|lt|gt|quot|#39);/g, '')).not.toContain('&');
    expect(html).not.toContain('<a href="/debug/snapshot/{');
  });

  test('is JSON for everybody else', async () => {
    const bridge = await Bridge.of({});
    const index = await bridge.page<{ version: string; routes: Record<string, string> }>('/debug/');
    expect(index.version).toBe('1.2.3');
    expect(Object.keys(index.routes)).toEqual(
      expect.arrayContaining(['/debug/origins', '/debug/quarantine', '/healthz', '/metrics']),
    );
  });

  test.each(['/', '/debug'])('%s leads to it', async (path) => {
    const bridge = await Bridge.of({});
    const response = await bridge.fetch(path, { redirect: 'manual' });
    expect([response.status, response.headers.get('location')]).toEqual([302, '/debug/']);
  });
});

describe('a large snapshot', () => {
  const count = 12_001;
  const keys = Array.from({ length: count }, (_, i) => `ns-${i % 7}/s-${i}`).sort();
  type Page = { resources: { key: string }[]; next: string | null };

  async function start(): Promise<Bridge> {
    const bridge = await Bridge.start({ big: viewOf(Object.fromEntries(keys.map((key) => [key, 'a']))) });
    await bridge.complete();
    return bridge;
  }

  test('is read page by page, each resource once and in order', async () => {
    const bridge = await start();
    const sizes: number[] = [];
    const read: string[] = [];
    for (let path: string | null = '/debug/snapshot/ServiceEntry?limit=5000'; path !== null; ) {
      const page: Page = await bridge.page<Page>(path);
      sizes.push(page.resources.length);
      read.push(...page.resources.map(({ key }) => key));
      path = page.next;
    }
    expect(sizes).toEqual([5000, 5000, 2001]);
    expect(read).toEqual(keys);
  });

  test('never comes as one answer, whatever is asked for', async () => {
    const bridge = await start();
    const lengthOf = async (query: string) =>
      (await bridge.page<Page>(`/debug/snapshot/ServiceEntry${query}`)).resources.length;
    const asked = ['', '?limit=2', '?limit=1e9', '?limit=Infinity', '?limit=0', '?limit=-5', '?limit=1.5', '?limit=x'];
    expect(await Promise.all(asked.map(lengthOf))).toEqual([1000, 2, 5000, 5000, 1000, 1, 1, 1000]);
    expect(await lengthOf('?after=zzz')).toBe(0);
    expect(await lengthOf(`?after=${encodeURIComponent(keys.at(-3) ?? '')}`)).toBe(2);
  });
});

test('many conflicts are read page by page, each once, in the order in which they began', async () => {
  const count = 6001;
  const keys = Array.from({ length: count }, (_, i) => `shop/s-${String(i).padStart(4, '0')}`);
  const stateOf = (host: string) => viewOf(Object.fromEntries(keys.map((key) => [key, host])));
  const bridge = await Bridge.start({ one: stateOf('a'), two: stateOf('b') });
  await bridge.complete();
  type Page = { counts: { count: number }[]; conflicts: { resource: string; since: string }[]; next: string | null };
  const sizes: number[] = [];
  const read: Page['conflicts'] = [];
  for (let path: string | null = '/debug/conflicts?limit=9000'; path !== null; ) {
    const page: Page = await bridge.page<Page>(path);
    expect(page.counts).toMatchObject([{ count }]);
    sizes.push(page.conflicts.length);
    read.push(...page.conflicts);
    path = page.next;
  }
  expect(sizes).toEqual([5000, 1001]);
  expect(read.map(({ resource }) => resource).toSorted()).toEqual(keys);
  expect(read.map(({ since }) => since)).toEqual(read.map(({ since }) => since).toSorted());
  const [warning, ...others] = bridge.log.of('warn').filter((text) => text.includes('conflicts'));
  expect([warning, others]).toEqual([
    expect.stringMatching(/^\d+ conflicts between sources have begun$/),
    expect.any(Array),
  ]);
  expect(bridge.log.of('warn').filter((text) => text === 'several sources hold the same resource').length).toBeLessThan(
    21,
  );
});
