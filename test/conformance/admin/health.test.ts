import { describe, expect, test } from 'vitest';
import { kinds } from '../../../src/model/kinds.ts';
import { Bridge, startSource } from '../../support/bridge.ts';
import { silentView, viewOf } from '../../support/legacy-states.ts';
import { until } from '../../support/until.ts';
import { openHealthWatch } from '../../support/xds-peer.ts';

const carried = kinds.filter(({ collection }) => collection !== undefined).map(({ kind }) => kind);

test('before a source has spoken: alive and ready, but not complete; then complete', async () => {
  const { server, address } = await startSource(silentView());
  const bridge = await Bridge.of({ sources: [{ name: 'late', address }] });
  const ask = async (path: string) => {
    const response = await bridge.fetch(path);
    return [response.status, await response.text()] as const;
  };
  expect(await ask('/healthz')).toEqual([200, 'ok\n']);
  expect(await ask('/readyz')).toEqual([200, 'ok\n']);
  const [status, body] = await ask('/syncz');
  expect([status, JSON.parse(body)]).toEqual([
    503,
    {
      complete: false,
      waiting: carried.map((kind) => ({ kind, sources: ['late'] })),
      stale: [],
      overdue: [],
      held: [],
    },
  ]);
  await until('the source was dialled', () => server.connected === 1);
  server.update(viewOf({ 'shop/orders': 'a' }));
  await bridge.complete();
  const [, complete] = await ask('/syncz');
  expect(JSON.parse(complete)).toEqual({ complete: true, waiting: [], stale: [], overdue: [], held: [] });
  const kept = await bridge.page<{ resources: number }[]>('/debug/snapshot');
  expect(kept[0]?.resources).toBe(1);
});

test('a bridge without sources is complete: nobody can hold anything', async () => {
  const bridge = await Bridge.of({});
  expect((await bridge.fetch('/syncz')).status).toBe(200);
});

test('while it stops, it is not ready any more', async () => {
  const bridge = await Bridge.of({ shutdownGrace: '60s' });
  // A stream that istiod does not end holds the shutdown.
  const watch = await openHealthWatch(bridge.ports.xds);
  const stopped = bridge.app.stop();
  const response = await bridge.fetch('/readyz');
  expect([response.status, await response.text()]).toEqual([503, 'not listening yet\n']);
  expect((await bridge.fetch('/healthz')).status).toBe(200);
  watch.cancel();
  await stopped;
  await expect(bridge.fetch('/healthz')).rejects.toThrow();
});

describe('/metrics', () => {
  test('shows what the bridge does', async () => {
    const bridge = await Bridge.start({ one: viewOf({ 'shop/orders': 'a', 'shop/carts': 'a' }) });
    await bridge.complete();
    const response = await bridge.fetch('/metrics');
    expect(response.headers.get('content-type')).toContain('text/plain; version=0.0.4');
    const lines = (await response.text()).split('\n');
    expect(lines).toEqual(
      expect.arrayContaining([
        'isthmus_build_info{version="1.2.3"} 1',
        'isthmus_source_connected{source="one"} 1',
        'isthmus_source_synced{source="one",kind="ServiceEntry"} 1',
        'isthmus_resources{source="one",kind="ServiceEntry",state="effective"} 2',
        'isthmus_kind_complete{kind="ServiceEntry"} 1',
        'isthmus_snapshot_resources{kind="ServiceEntry"} 2',
        'isthmus_changes_total{source="one",kind="ServiceEntry",change="upsert"} 2',
        'istio_mcp_clients_total{component="isthmus"} 0',
        'istio_mcp_reconnections{component="isthmus"} 1',
        'istio_mcp_request_acks_total{component="isthmus",collection="istio/networking/v1alpha3/serviceentries"} 1',
      ]),
    );
  });

  test('names no resource and no address', async () => {
    const bridge = await Bridge.start({ one: viewOf({ 'shop/orders': 'a', 'no/such/name': 'b' }) });
    await bridge.complete();
    const text = await (await bridge.fetch('/metrics')).text();
    expect(text).toContain('isthmus_quarantined_resources{source="one",kind="ServiceEntry",reason="bad_name"} 1');
    expect(text).not.toMatch(/orders|such|127\.0\.0\.1/);
  });
});

describe('the second listener, for scrapes from outside', () => {
  test.each(['/healthz', '/readyz', '/syncz', '/metrics'])('has %s', async (path) => {
    const bridge = await Bridge.of({});
    const response = await fetch(`${bridge.metricsUrl}${path}`);
    expect(response.status).toBe(200);
    expect(await response.text()).not.toBe('');
  });

  test.each([
    '/',
    '/debug',
    '/debug/',
    '/debug/state',
    '/debug/config',
    '/debug/origins',
    '/debug/snapshot',
    '/debug/snapshot/ServiceEntry',
    '/debug/streams',
    '/debug/quarantine',
    '/debug/conflicts',
  ])('does not have %s', async (path) => {
    const bridge = await Bridge.start({ one: viewOf({ 'shop/orders': 'a' }) });
    await bridge.complete();
    const response = await fetch(`${bridge.metricsUrl}${path}`, { redirect: 'manual' });
    expect(response.status).toBe(404);
    expect(await response.text()).not.toMatch(/orders|127\.0\.0\.1|mcp:/);
  });

  test('is off unless it is asked for', async () => {
    const bridge = await Bridge.of({ metrics: {} });
    expect(bridge.ports.metrics).toBeUndefined();
  });
});
