import axe from 'axe-core';
import type { Browser, Page } from 'puppeteer-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SourceServer } from '../../src/legacy/source-server.ts';
import { Bridge, startSource } from '../support/bridge.ts';
import { viewOf } from '../support/legacy-states.ts';
import { XdsPeer } from '../support/xds-peer.ts';
import { launchChromium } from './support/chromium.ts';
import { describeWithPeers } from './support/peers.ts';
import { patienceMs, until } from './support/until.ts';

type Violation = { readonly id: string; readonly impact: string; readonly nodes: readonly { readonly html: string }[] };

const emptyType = 'marker.example/v1/M';

const widths = [1280, 400] as const;
const themes = ['light', 'dark'] as const;

const services = (count: number) =>
  Object.fromEntries(
    Array.from({ length: count }, (_, i) => [`shop/service-${String(i).padStart(6, '0')}`, `host-${i}.example`]),
  );

/** What axe-core has against the page; of the rules, those of WCAG 2.0 to 2.2, levels A and AA. */
async function violations(page: Page): Promise<string[]> {
  // The page itself may run nothing but its own script.
  await page.setBypassCSP(true);
  await page.reload();
  await page.evaluate(axe.source);
  const found = (await page.evaluate(`axe.run(document, {
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
  }).then((result) => result.violations)`)) as Violation[];
  return found.map(({ id, impact, nodes }) => `${id} (${impact}): ${nodes[0]?.html ?? ''}`);
}

/** Content that is wider than the window, and cannot be scrolled by itself. */
const overflow = (page: Page) =>
  page.evaluate('document.documentElement.scrollWidth - window.innerWidth') as Promise<number>;

/** What a screen reader says of what has the focus, as far as tests need it. */
const nameOfFocused = `(({ activeElement: it }) => it.getAttribute('aria-label') || it.innerText || it.id)(document)`;

const textOf = (page: Page) => page.evaluate('document.body.innerText') as Promise<string>;

describeWithPeers('the status page in Chromium', ['chromium'], ({ chromium }) => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium(chromium);
  }, patienceMs);
  afterAll(() => browser.close());

  async function bridgeWith(count: number): Promise<{ bridge: Bridge; server: SourceServer; istiod: XdsPeer }> {
    const { server, address } = await startSource(viewOf(services(count)));
    const bridge = await Bridge.of({
      sources: [
        { name: 'consul', address },
        { name: 'eureka', match: { address: '127.0.0.9' } },
      ],
      sink: { listen: '127.0.0.1:0' },
    });
    const istiod = XdsPeer.connect(bridge.ports.xds);
    istiod.subscribe('networking.istio.io/v1alpha3/ServiceEntry');
    return { bridge, server, istiod };
  }

  /** One of ten services is another one since, and an istiod has refused what it was sent. */
  async function changedBridge(): Promise<Bridge> {
    const { bridge, server, istiod } = await bridgeWith(10);
    const changes = async () => (await bridge.page<{ changes: object[] }>('/debug/changes')).changes.length;
    await until('ten have come', async () => (await changes()) === 10);
    server.update(viewOf({ ...services(10), 'shop/service-000003': `${'long.'.repeat(20)}example` }));
    await until('one is another', async () => (await changes()) === 11);
    // Of a kind that no source can hold: eureka is waited for.
    istiod.subscribe(emptyType);
    istiod.nack(await istiod.response(emptyType), 'an istiod that refuses it, and says why at some length. '.repeat(5));
    return bridge;
  }

  async function open(bridge: Bridge, path: string): Promise<Page> {
    const page = await browser.newPage();
    await page.goto(`${bridge.adminUrl}${path}`);
    return page;
  }

  const pages = [
    '/',
    '/ui/changes',
    '/ui/changes?source=consul&kind=ServiceEntry&name=000003',
    '/ui/changes/11',
    '/ui/sources/consul',
    '/ui/streams',
    '/ui/streams/1',
    '/ui/quarantine',
    '/ui/conflicts',
    '/ui/search?q=service',
  ];

  test.each(pages)(
    '%s: axe finds nothing, and nothing is wider than the window, whatever its width and theme',
    async (path) => {
      const bridge = await changedBridge();
      const page = await open(bridge, path);
      expect(await textOf(page)).not.toContain('Not here');
      for (const width of widths) {
        for (const theme of themes) {
          await page.setViewport({ width, height: 900 });
          await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: theme }]);
          expect([width, theme, await violations(page)]).toEqual([width, theme, []]);
          expect(await overflow(page), `${width} ${theme}`).toBeLessThanOrEqual(0);
        }
      }
    },
  );

  test('what changes is shown without a reload, the reader’s place stays, and updates can be paused', async () => {
    const { bridge, server } = await bridgeWith(10);
    const errors: string[] = [];
    const page = await open(bridge, '/');
    page.on('pageerror', (error) => errors.push(String(error)));
    page.on('console', (message) => errors.push(message.text()));
    await until('the page is kept up to date', async () => (await textOf(page)).includes('kept up to date'));
    await page.evaluate('document.body.dataset.same = "yes"');
    await page.focus('#q');
    server.update(viewOf(services(23)));
    await until('the new number is there', async () => /\b23 resources/.test(await textOf(page)));
    expect(await page.evaluate('[document.body.dataset.same, document.activeElement.id]')).toEqual(['yes', 'q']);
    await (await page.$('footer button'))?.click();
    expect(await textOf(page)).toContain('updates are paused');
    expect(errors).toEqual([]);
  });

  test('recent changes can be chosen by keyboard, and a difference is told in words too', async () => {
    const page = await open(await changedBridge(), '/ui/changes');
    await page.focus('#source');
    await page.keyboard.type('consul');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    await page.keyboard.type('000003');
    await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')]);
    expect(new URL(page.url()).search).toBe('?source=consul&kind=&name=000003');
    await page.focus('a[aria-label^="Difference"]');
    await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')]);
    const text = await textOf(page);
    expect(text).toContain('1 line added, 1 removed.');
    expect(text).toMatch(/removed:\n?-\s+- host-3\.example/);
    expect(text).toMatch(/added:\n?\+\s+- (long\.)+example/);
  });

  test('every control can be reached by keyboard, in the order of the page', async () => {
    const { bridge } = await bridgeWith(10);
    const page = await open(bridge, '/');
    const reached: string[] = [];
    for (let i = 0; i < 120 && !reached.includes('Pause updates'); i++) {
      await page.keyboard.press('Tab');
      reached.push((await page.evaluate(nameOfFocused)) as string);
    }
    expect(reached.slice(0, 9)).toEqual([
      'Skip to content',
      'Overview',
      'Changes',
      'istiods',
      'Quarantine',
      'Conflicts',
      'JSON',
      'q',
      'Search',
    ]);
    expect(reached).toEqual(expect.arrayContaining(['consul', 'eureka', 'ServiceEntry', 'Pause updates']));
  });
});
