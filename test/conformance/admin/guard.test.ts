import { beforeEach, describe, expect, test } from 'vitest';
import type { SourceServer } from '../../../src/legacy/source-server.ts';
import { Bridge, startSource } from '../../support/bridge.ts';
import { viewOf } from '../../support/legacy-states.ts';
import { exchangeBytes } from '../../support/raw-http.ts';
import { until } from '../../support/until.ts';
import { XdsPeer } from '../../support/xds-peer.ts';

const collection = 'istio/networking/v1alpha3/serviceentries';

const entries = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`shop/${i}`, 'a']));

type Hold = { readonly origin: string; readonly kind: string; readonly removals: number };

let bridge: Bridge;
let one: SourceServer;
let two: SourceServer;

beforeEach(async () => {
  const [first, second] = [
    await startSource(viewOf(entries(60))),
    await startSource(viewOf({ 'b/1': 'b', 'b/2': 'b' })),
  ];
  [one, two] = [first.server, second.server];
  bridge = await Bridge.of({
    sources: [
      { name: 'one', address: first.address },
      { name: 'two', address: second.address },
    ],
  });
  await bridge.complete();
});

const holds = () => bridge.page<Hold[]>('/debug/guard');

/** Waits until so many origins are held. */
const held = (count: number) =>
  until('the message has come', async () => {
    const all = await holds();
    return all.length === count && all;
  });

const post = (path: string, init: RequestInit = {}) => bridge.fetch(path, { method: 'POST', ...init });

async function services(): Promise<number | undefined> {
  const [first] = await bridge.page<{ resources: number }[]>('/debug/snapshot');
  return first?.resources;
}

test('nothing is held: every page says so', async () => {
  expect(await holds()).toEqual([]);
  const response = await post('/guard/release');
  expect([response.status, await response.json()]).toEqual([200, { released: [] }]);
});

describe('a source loses everything', () => {
  beforeEach(async () => {
    one.update(viewOf({}));
    await held(1);
  });

  test('the pages, metrics and the log say what is held, of how many, since when and until when', async () => {
    const times = { since: expect.stringMatching(/^\d{4}-/), until: expect.stringMatching(/^\d{4}-/) };
    const hold = { reason: 'emptied', removals: 60, of: 60, ...times, state: 'held' };
    expect(await holds()).toEqual([{ origin: 'one', kind: 'ServiceEntry', collection, ...hold }]);
    const [origin] = await bridge.page<{ kinds: object[] }[]>('/debug/origins');
    expect(origin?.kinds[0]).toMatchObject({ received: 0, released: 60, effective: 60, withheld: 60, hold });
    const [{ until: end }] = (await holds()) as unknown as [{ until: string }];
    expect(Date.parse(end) - Date.now()).toBeGreaterThan(200_000);
    const sync = await bridge.fetch('/syncz');
    expect([sync.status, await sync.json()]).toEqual([
      200,
      {
        complete: true,
        waiting: [],
        stale: [],
        overdue: [],
        held: [{ source: 'one', kind: 'ServiceEntry', removals: 60, until: end }],
      },
    ]);
    const metrics = await (await bridge.fetch('/metrics')).text();
    expect(metrics).toContain('isthmus_guard_held_resources{source="one",kind="ServiceEntry"} 60');
    expect(metrics).toContain('isthmus_guard_held_resources{source="two",kind="ServiceEntry"} 0');
    const warnings = bridge.log.lines.filter(({ level, message }) => level === 'warn' && message.includes('held'));
    expect(warnings).toEqual([
      {
        level: 'warn',
        message: 'removals are held: a message takes away 60 of 60 resources at once',
        fields: expect.objectContaining({
          source: 'one',
          collection,
          removals: 60,
          of: 60,
          askedAgainAt: end,
          hint: expect.stringContaining(`isthmus guard release --origin one --collection ${collection}`),
        }),
      },
    ]);
  });

  test('POST /guard/release lets it go: istiod is sent what the source has', async () => {
    const istiod = XdsPeer.connect(bridge.ports.xds);
    istiod.onResponse = (response) => istiod.ack(response);
    const type = 'networking.istio.io/v1/ServiceEntry';
    istiod.subscribe(type);
    expect((await istiod.response(type)).resources).toHaveLength(62);
    const response = await post('/guard/release');
    expect([response.status, await response.json()]).toEqual([
      200,
      { released: [{ origin: 'one', kind: 'ServiceEntry', collection, removed: 60 }] },
    ]);
    expect((await istiod.response(type, 2)).resources).toHaveLength(2);
    expect(await holds()).toEqual([]);
    const metrics = await (await bridge.fetch('/metrics')).text();
    expect(metrics).toContain(
      'isthmus_guard_holds_total{source="one",kind="ServiceEntry",outcome="released_by_operator"} 1',
    );
    expect(metrics).toContain('isthmus_guard_held_resources{source="one",kind="ServiceEntry"} 0');
    expect(bridge.log.of('info')).toContain('held removals were released by the operator: the resources are gone');
  });

  test('that has everything again: nothing was lost, and the log says so', async () => {
    one.update(viewOf(entries(60)));
    await held(0);
    expect(await services()).toBe(62);
    expect(bridge.log.of('info')).toContain('the source has everything again that was held: nothing was lost');
  });

  test('which of them is let go, the query or a JSON object says', async () => {
    two.update(viewOf({}));
    await held(2);
    const wrong = await post('/guard/release?origin=two&kind=WorkloadEntry');
    expect(await wrong.json()).toEqual({ released: [] });
    const body = JSON.stringify({ origin: 'two', collection });
    const released = { kind: 'ServiceEntry', collection };
    expect(await (await post('/guard/release', { body })).json()).toEqual({
      released: [{ origin: 'two', ...released, removed: 2 }],
    });
    expect(await (await post('/guard/release?origin=one&kind=ServiceEntry')).json()).toEqual({
      released: [{ origin: 'one', ...released, removed: 60 }],
    });
    expect(await services()).toBeDefined();
  });

  test.each([
    ['an unknown origin', '?origin=three', '', 404],
    ['an unknown kind', '?kind=Nothing', '', 404],
    ['a kind that no source has', '?kind=Telemetry', '', 404],
    ['a kind and a collection', `?kind=ServiceEntry&collection=${collection}`, '', 400],
    ['something else', '?source=one', '', 400],
    ['no JSON', '', '{', 400],
    ['no object', '', '[]', 400],
    ['no text', '', '{"origin":1}', 400],
    ['too much', '', JSON.stringify({ origin: 'x'.repeat(20_000) }), 400],
  ])('%s lets nothing go', async (_what, query, body, status) => {
    const response = await post(`/guard/release${query}`, { body });
    expect([response.status, await response.json()]).toEqual([status, { error: expect.stringMatching(/./) }]);
    expect(await held(1)).toMatchObject([{ removals: 60 }]);
  });

  test.each([
    ['GET', `GET /guard/release HTTP/1.1\r\nHost: 127.0.0.1\r\n`, 404],
    [
      'a page of another site',
      `POST /guard/release HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\n`,
      403,
    ],
    [
      'a name that leads here',
      `POST /guard/release HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\n`,
      403,
    ],
    [
      'a page that hides its origin',
      `POST /guard/release HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: cross-site\r\n`,
      403,
    ],
  ])('%s lets nothing go', async (_what, head, status) => {
    const answer = await exchangeBytes(bridge.ports.admin, `${head}Content-Length: 0\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(await held(1)).toMatchObject([{ removals: 60 }]);
  });

  test('the listener for scrapes lets nothing go', async () => {
    const response = await fetch(`${bridge.metricsUrl}/guard/release`, { method: 'POST' });
    expect(response.status).toBe(405);
    expect(await held(1)).toMatchObject([{ removals: 60 }]);
  });
});

test('with a short hold the source is asked again, says the same, and is believed', async () => {
  const source = await startSource(viewOf(entries(60)));
  bridge = await Bridge.of({ sources: [{ name: 'one', address: source.address }], guard: { hold: '200ms' } });
  await bridge.complete();
  source.server.update(viewOf(entries(20)));
  await until('it is believed', async () => (await services()) === 20);
  const [{ connection }] = await bridge.page<[{ connection: { streams: number } }]>('/debug/origins');
  expect(connection.streams).toBe(2);
  expect(bridge.log.of('info')).toContain('reconnecting to hear again what the source has');
});

test('removals beside what can not be read are shown too, and can be released', async () => {
  one.update(viewOf({ ...Object.fromEntries(Object.entries(entries(60)).slice(1)), 'no/such/name': 'b' }));
  expect(await held(1)).toEqual([
    {
      origin: 'one',
      kind: 'ServiceEntry',
      collection,
      reason: 'unreadable_names',
      removals: 1,
      of: 60,
      since: null,
      until: null,
      state: 'held',
    },
  ]);
  expect(await (await post('/guard/release')).json()).toMatchObject({ released: [{ removed: 1 }] });
  await held(0);
});
