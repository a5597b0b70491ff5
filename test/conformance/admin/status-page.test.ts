import { describe, expect, test } from 'vitest';
import type { SourceServer } from '../../../src/legacy/source-server.ts';
import { Bridge, startSource } from '../../support/bridge.ts';
import { viewOf } from '../../support/legacy-states.ts';
import { legacyResource } from '../../support/resources.ts';
import { until } from '../../support/until.ts';
import { XdsPeer } from '../../support/xds-peer.ts';

const html = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };

async function read(bridge: Bridge, path: string): Promise<{ status: number; text: string }> {
  const response = await bridge.fetch(path, { headers: html });
  return { status: response.status, text: await response.text() };
}

/** What a reader sees: no tags, blanks as one. */
const seen = (page: string): string =>
  page
    .replaceAll('<wbr>', '')
    .replaceAll(/<style[\s\S]*?<\/style>|<[^>]*>/g, ' ')
    .replaceAll('&amp;', '&')
    .replaceAll('&quot;', '"')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&#39;', "'")
    .replaceAll(/\s+/g, ' ');

const linksOf = (page: string): string[] =>
  Array.from(page.matchAll(/<a (?:[^>]* )?href="([^"]+)"/g), ([, href = '']) => href.replaceAll('&amp;', '&'));

/** All pages that can be reached from the first one, each once. */
async function allPages(bridge: Bridge): Promise<Map<string, { status: number; text: string }>> {
  const pages = new Map<string, { status: number; text: string }>();
  const todo = ['/'];
  for (let path = todo.pop(); path !== undefined; path = todo.pop()) {
    if (pages.has(path) || !/^\/(ui\/|$)/.test(path)) continue;
    const page = await read(bridge, path);
    pages.set(path, page);
    todo.push(...linksOf(page.text));
  }
  return pages;
}

describe('a bridge with two sources, one of them down', () => {
  async function start(): Promise<Bridge> {
    const { address } = await startSource(viewOf({ 'shop/orders': 'a', 'shop/cart': 'b' }));
    return Bridge.of({
      sources: [
        { name: 'consul', address },
        { name: 'eureka', address: 'mcp://127.0.0.1:1' },
      ],
    });
  }

  test('says first what is wrong, and who is waited for', async () => {
    const bridge = await start();
    const isSettled = (page: string) => /eureka is not connected: nobody/.test(page) && !/waits for consul/.test(page);
    await until('both have been tried', async () => isSettled((await read(bridge, '/')).text));
    const text = seen((await read(bridge, '/')).text);
    expect(text).toMatch(/Is all well\? ! \d+ things to look at: source eureka is not connected: nobody listens there/);
    expect(text).toMatch(/not sent yet: ServiceEntry, .*; waiting for eureka/);
    expect(text).toContain('ServiceEntry waits for eureka');
    expect(text).toContain('none is connected');
  });

  test('has no link that leads nowhere, and nothing that needs a script', async () => {
    const pages = await allPages(await start());
    expect([...pages.keys()]).toEqual(
      expect.arrayContaining([
        '/',
        '/ui/sources/consul',
        '/ui/sources/eureka',
        '/ui/streams',
        '/ui/quarantine',
        '/ui/conflicts',
      ]),
    );
    for (const [path, { text }] of pages) {
      expect(text, path).toMatch(/^<!doctype html>\n<html lang="en">/);
      expect(text, path).not.toMatch(/<script(?! src="\/ui\/live.js" defer>)| on\w+=|style=/);
    }
    // A kind that waits for eureka has no page yet, and says why.
    const missing = [...pages].filter(([, { status }]) => status !== 200).map(([path]) => path);
    expect(missing.every((path) => path.startsWith('/ui/kinds/'))).toBe(true);
    expect(seen(pages.get('/ui/kinds/ServiceEntry')?.text ?? '')).toContain('or it is not complete yet');
  });

  test('finds what waits, with its source', async () => {
    const bridge = await start();
    await until('the source has spoken', async () => /incomplete/.test((await read(bridge, '/ui/search?q=cart')).text));
    const { resources } = await bridge.page<{ resources: object[] }>('/debug/search?q=cart');
    expect(resources).toEqual([
      { kind: 'ServiceEntry', resource: 'shop/cart', in: 'name', state: 'incomplete', sources: ['consul'] },
    ]);
  });
});

describe('a bridge on which all is well', () => {
  test('says so once an istiod is connected, and shows each of its types', async () => {
    const bridge = await Bridge.start({ one: viewOf({ 'shop/orders': 'a' }) });
    await bridge.complete();
    expect(seen((await read(bridge, '/')).text)).toContain('Nothing is wrong, but no istiod is connected.');
    const type = 'networking.istio.io/v1alpha3/ServiceEntry';
    const peer = XdsPeer.connect(bridge.ports.xds);
    peer.subscribe(type);
    peer.ack(await peer.response(type));
    await until('it is acknowledged', async () => /✓ All is well/.test((await read(bridge, '/')).text));
    const streams = seen((await read(bridge, '/ui/streams')).text);
    expect(streams).toContain(`${type} acknowledged`);
  });

  test('lists 451 resources page by page, each once, and shows one of them as YAML', async () => {
    const keys = Array.from({ length: 451 }, (_, i) => `shop/s-${String(i).padStart(3, '0')}`);
    const bridge = await Bridge.start({ one: viewOf(Object.fromEntries(keys.map((key) => [key, 'a']))) });
    await bridge.complete();
    const found: string[] = [];
    const sizes: number[] = [];
    for (let path: string | undefined = '/ui/kinds/ServiceEntry'; path !== undefined; ) {
      const { text } = await read(bridge, path);
      const own = linksOf(text).filter((href) => href.startsWith('/ui/kinds/ServiceEntry/'));
      sizes.push(own.length);
      found.push(...own.map((href) => href.slice('/ui/kinds/ServiceEntry/'.length)));
      path = linksOf(text).find((href) => href.includes('?after='));
    }
    expect([sizes, found]).toEqual([[200, 200, 51], keys]);
    const one = seen((await read(bridge, '/ui/kinds/ServiceEntry/shop/s-017')).text);
    expect(one).toMatch(
      /Who has it one What istiod is given .*kind: ServiceEntry metadata: .*name: s-017 namespace: shop/,
    );
    expect((await read(bridge, '/ui/kinds/ServiceEntry/shop/nothing')).status).toBe(404);
    expect((await read(bridge, '/ui/sources/two')).status).toBe(404);
  });

  test('a search finds names, hosts in bodies, and what is quarantined; and says when it finds nothing', async () => {
    const bodies = { 'shop/orders': 'orders.registry.example', 'shop/cart': 'cart.registry.example' };
    const view = viewOf(bodies);
    const collection = 'istio/networking/v1alpha3/serviceentries';
    const resources = [...(view.get(collection)?.resources ?? []), legacyResource('shop/refused').subarray(0, -1)];
    const bridge = await Bridge.start({ one: new Map([...view, [collection, { version: '9', resources }]]) });
    await bridge.complete();
    const matches = async (text: string) =>
      (await bridge.page<{ resources: object[]; more: boolean }>(`/debug/search?q=${encodeURIComponent(text)}`))
        .resources;
    expect(await matches('orders')).toMatchObject([
      { resource: 'shop/orders', in: 'name', state: 'sent', sources: ['one'] },
    ]);
    expect(await matches('cart.registry')).toMatchObject([{ resource: 'shop/cart', in: 'body', state: 'sent' }]);
    expect(await matches('refused')).toMatchObject([{ resource: 'shop/refused', in: 'name', state: 'quarantined' }]);
    expect(await matches('Orders')).toEqual([]);
    expect(seen((await read(bridge, '/ui/search?q=nobody')).text)).toContain('No source has a resource with “nobody”');
    expect((await bridge.fetch('/debug/search')).status).toBe(400);
    const list = seen((await read(bridge, '/ui/quarantine')).text);
    expect(list).toMatch(
      /In all .* Sent all the same Source Kind malformed 1 0 one ServiceEntry One by one .* shop\/refused/,
    );
    const quarantined = seen((await read(bridge, '/ui/kinds/ServiceEntry/shop/refused')).text);
    expect(quarantined).toMatch(/one sent a form that is not valid.* Nothing of that name is sent\./);
  });

  test('what comes from outside is text on every page', async () => {
    const bridge = await Bridge.start({
      one: viewOf({ 'shop/orders': '<script>alert(1)</script>', '<b>/<script>': 'a' }),
    });
    await bridge.complete();
    const pages = [
      ...(await allPages(bridge)),
      ['search', await read(bridge, `/ui/search?q=${encodeURIComponent('"><script>alert(1)</script>')}`)] as const,
      ['missing', await read(bridge, '/ui/sources/%3Cscript%3Ealert(1)')] as const,
    ];
    expect(pages.length).toBeGreaterThan(6);
    for (const [path, { text }] of pages) expect(text, path).not.toMatch(/<b>|<script>/);
    expect(seen(pages.map(([, { text }]) => text).join(''))).toContain('<script>alert(1)</script>');
  });

  test('no page may load anything from elsewhere, or be shown by another site', async () => {
    const bridge = await Bridge.start({ one: viewOf({}) });
    for (const path of ['/', '/ui/streams', '/ui/style.css', '/ui/live.js']) {
      const { headers } = await bridge.fetch(path, { headers: html });
      expect(headers.get('content-security-policy'), path).toMatch(/default-src 'none'.*frame-ancestors 'none'/);
      expect([headers.get('x-content-type-options'), headers.get('cache-control')], path).toEqual([
        'nosniff',
        'no-store',
      ]);
    }
  });

  test('scripts that ask for the root are led to JSON', async () => {
    const bridge = await Bridge.start({ one: viewOf({}) });
    const response = await bridge.fetch('/', { redirect: 'manual' });
    expect([response.status, response.headers.get('location')]).toEqual([302, '/debug/']);
  });
});

describe('removals that are held', () => {
  const many = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`shop/s-${i}`, 'a']));

  async function start(): Promise<{ bridge: Bridge; source: SourceServer }> {
    const { server, address } = await startSource(viewOf(many));
    const bridge = await Bridge.of({ sources: [{ name: 'one', address }] });
    await bridge.complete();
    server.update(viewOf({}));
    await until('they are held', async () => /Remove them now/.test((await read(bridge, '/')).text));
    return { bridge, source: server };
  }

  const release = (bridge: Bridge, headers: Record<string, string> = {}, body = 'origin=one&kind=ServiceEntry') =>
    bridge.fetch('/ui/guard/release', {
      method: 'POST',
      redirect: 'manual',
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      body,
    });

  test('are shown with their numbers, and leave when the button is pressed', async () => {
    const { bridge } = await start();
    const { text } = await read(bridge, '/');
    expect(seen(text)).toMatch(/one ServiceEntry 40 of 40 emptied .* the source is asked again at .* Remove them now/);
    expect(text).toContain('aria-label="Remove 40 ServiceEntry of one now"');
    const response = await release(bridge, { origin: bridge.adminUrl, 'sec-fetch-site': 'same-origin' });
    expect([response.status, response.headers.get('location')]).toEqual([303, '/']);
    expect(seen((await read(bridge, '/')).text)).toContain('None: what the sources removed has been removed.');
  });

  test('a form of another site is refused, and nothing leaves', async () => {
    const { bridge } = await start();
    const response = await release(bridge, { origin: 'http://elsewhere.example', 'sec-fetch-site': 'cross-site' });
    expect([response.status, seen(await response.text())]).toEqual([
      403,
      expect.stringContaining('pages of other sites may not do this'),
    ]);
    expect((await release(bridge, {}, 'x'.repeat(20_000))).status).toBe(403);
    expect((await release(bridge, {}, 'origin=nobody&kind=ServiceEntry')).status).toBe(404);
    expect(seen((await read(bridge, '/')).text)).toContain('40 of 40');
  });
});
