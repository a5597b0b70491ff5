import { describe, expect, test } from 'vitest';
import { Bridge } from '../../support/bridge.ts';
import { viewOf } from '../../support/legacy-states.ts';
import { exchangeBytes } from '../../support/raw-http.ts';

async function start(): Promise<Bridge> {
  const bridge = await Bridge.start({ one: viewOf({ 'shop/orders': 'a' }) });
  await bridge.complete();
  return bridge;
}

/** The status line of what comes back; empty where the connection is closed without a word. */
async function statusOf(bridge: Bridge, request: string): Promise<string> {
  const answer = await exchangeBytes(bridge.ports.admin, request);
  return answer.slice(0, answer.indexOf('\r\n'));
}

async function expectAlive(bridge: Bridge): Promise<void> {
  expect((await bridge.fetch('/healthz')).status).toBe(200);
}

describe('a page that is not there', () => {
  test.each(['/nothing', '/debug/nothing', '/debug/origins/one', '/metrics/', '/debug/snapshot/a/b/c/d'])(
    '%s is 404, and says where the others are',
    async (path) => {
      const response = await (await start()).fetch(path);
      expect([response.status, await response.json()]).toEqual([404, { error: 'no such page; see /debug/' }]);
    },
  );
});

describe('the pages change nothing', () => {
  test.each(['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])('%s is refused', async (method) => {
    const bridge = await start();
    const body = method === 'OPTIONS' ? {} : { body: 'x'.repeat(100_000) };
    const response = await bridge.fetch('/debug/config', { method, ...body });
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    expect(await response.json()).toEqual({ error: 'these pages are read with GET' });
    await expectAlive(bridge);
  });

  test('HEAD is GET without the page', async () => {
    const response = await (await start()).fetch('/debug/origins', { method: 'HEAD' });
    expect([response.status, await response.text()]).toEqual([200, '']);
  });

  test('the second listener refuses them too', async () => {
    const bridge = await start();
    expect((await fetch(`${bridge.metricsUrl}/metrics`, { method: 'POST' })).status).toBe(405);
  });
});

describe('escapes that are none', () => {
  test.each([
    ['/debug/snapshot/%zz', 404],
    ['/debug/snapshot/%', 404],
    ['/debug/snapshot/%ff%fe', 404],
    ['/debug/snapshot/ServiceEntry/%zz/%', 404],
    ['/debug/snapshot/ServiceEntry?after=%zz', 200],
    ['/debug/snapshot/ServiceEntry?limit=%&after=%00', 200],
    ['/debug/conflicts?limit=%&after=%zz', 200],
    ['/debug/conflicts?limit=-1&after=-Infinity', 200],
    ['/debug/snapshot/constructor', 404],
    ['/debug/snapshot/__proto__', 404],
    ['/debug/snapshot/%2F', 404],
    ['/debug/snapshot/a%2Fb%2Fc', 404],
    ['/debug/../debug/nothing', 404],
    ['//evil.example/', 404],
  ])('%s is %d', async (path, status) => {
    const bridge = await start();
    const request = `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`;
    expect(await statusOf(bridge, request)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    await expectAlive(bridge);
  });
});

describe('requests that are none', () => {
  test.each([
    ['without a Host', 'GET /debug/ HTTP/1.1\r\nConnection: close\r\n\r\n'],
    ['of HTTP/1.0 without a Host', 'GET /debug/ HTTP/1.0\r\n\r\n'],
    ['with a Host that is none', 'GET /debug/ HTTP/1.1\r\nHost: [[/@\r\nConnection: close\r\n\r\n'],
    ['for another URL', 'GET http://[/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'],
    ['for everything', 'OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'],
    ['for a tunnel', 'CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['in another protocol', '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\r\n\r\n'],
    ['of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['with a line without an end', `GET /${'x'.repeat(200_000)}`],
    ['with a huge query', `GET /debug/?q=${'x'.repeat(100_000)} HTTP/1.1\r\nHost: x\r\n\r\n`],
    ['with a thousand headers', `GET / HTTP/1.1\r\nHost: x\r\n${'a: b\r\n'.repeat(10_000)}\r\n`],
    ['with two lengths', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
    ['with a method of its own', 'FETCH /debug/ HTTP/1.1\r\nHost: x\r\n\r\n'],
  ])('%s cost themselves alone', async (_what, request) => {
    const bridge = await start();
    // 4xx, or no word; what is served besides is the index, or a redirect to it.
    expect(await statusOf(bridge, request)).toMatch(/^(HTTP\/1\.1 (4\d\d|200|302) .*)?$/);
    await expectAlive(bridge);
  });

  test('a peer that goes away in the middle is no matter', async () => {
    const bridge = await start();
    const gone = Array.from({ length: 20 }, async () => {
      const abort = new AbortController();
      const answer = bridge.fetch('/metrics', { signal: abort.signal }).catch(() => undefined);
      abort.abort();
      return answer;
    });
    expect(await Promise.all(gone)).toEqual(gone.map(() => undefined));
    await expectAlive(bridge);
  });
});
