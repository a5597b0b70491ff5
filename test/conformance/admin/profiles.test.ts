import { request } from 'node:http';
import { describe, expect, test } from 'vitest';
import { Bridge } from '../../support/bridge.ts';
import { until } from '../../support/until.ts';
import { viewOf } from '../../support/legacy-states.ts';

/** What Chrome's developer tools read of a .cpuprofile. */
type CpuProfile = {
  readonly nodes: readonly { readonly id: number; readonly callFrame: { functionName: string; url: string } }[];
  readonly startTime: number;
  readonly endTime: number;
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
};

/** Asks without an end; to be destroyed. Returns once the bridge is at it. */
async function begin(bridge: Bridge, path: string, line: string) {
  const before = bridge.log.of('warn').filter((one) => one.includes(line)).length;
  const asked = request({ host: '127.0.0.1', port: bridge.ports.admin, path });
  asked.on('error', () => {});
  asked.end();
  await until('it is being made', () => bridge.log.of('warn').filter((one) => one.includes(line)).length > before);
  return asked;
}

test('/debug/cpu: a profile that names what ran', async () => {
  const bridge = await Bridge.start({ galley: viewOf({ 'shop/orders': 'a' }) });
  const answer = bridge.fetch('/debug/cpu?seconds=1');
  // Something to see.
  const scrape = async () => (await bridge.fetch('/metrics')).text();
  const busy = setInterval(() => void scrape().catch(() => {}), 20);
  const response = await answer;
  clearInterval(busy);
  expect(response.headers.get('content-disposition')).toBe('attachment; filename="isthmus.cpuprofile"');
  const { nodes, startTime, endTime, samples, timeDeltas } = (await response.json()) as CpuProfile;
  expect(endTime - startTime).toBeGreaterThan(500_000);
  expect(samples.length).toBeGreaterThan(0);
  expect(timeDeltas).toHaveLength(samples.length);
  const named = nodes.filter(({ callFrame }) => callFrame.functionName !== '' && callFrame.url.includes('/src/'));
  expect(named.map(({ callFrame }) => callFrame.functionName)).not.toEqual([]);
  const ids = new Set(nodes.map(({ id }) => id));
  expect(samples.every((id) => ids.has(id))).toBe(true);
});

test('one at a time: another one gets 409, until the first is done or who asked is gone', async () => {
  const bridge = await Bridge.of({});
  const asked = await begin(bridge, '/debug/cpu?seconds=60', 'CPU profile');
  for (const path of ['/debug/cpu?seconds=1', '/debug/heap']) {
    const second = await bridge.fetch(path);
    expect([second.status, await second.json()]).toEqual([409, { error: expect.stringContaining('another profile') }]);
  }
  asked.destroy();
  const third = await until('the profile has ended', async () => {
    const response = await bridge.fetch('/debug/cpu?seconds=1');
    return response.status === 200 && response;
  });
  expect(((await third.json()) as CpuProfile).nodes.length).toBeGreaterThan(0);
});

test('a bridge that is stopped meanwhile stops', async () => {
  const bridge = await Bridge.of({});
  const asked = await begin(bridge, '/debug/cpu?seconds=60', 'CPU profile');
  const closed = new Promise((resolve) => {
    asked.once('close', resolve);
  });
  await bridge.app.stop();
  await closed;
  expect(asked.destroyed).toBe(true);
});

test('/debug/heap: a snapshot as V8 writes it', { timeout: 120_000 }, async () => {
  const bridge = await Bridge.of({});
  const response = await bridge.fetch('/debug/heap');
  expect(response.headers.get('content-disposition')).toBe('attachment; filename="isthmus.heapsnapshot"');
  const { snapshot, nodes } = (await response.json()) as {
    snapshot: { meta: { node_fields: string[]; edge_fields: string[] }; node_count: number };
    nodes: number[];
  };
  expect(snapshot.meta.node_fields).toEqual(expect.arrayContaining(['type', 'name', 'id', 'self_size', 'edge_count']));
  expect(snapshot.meta.edge_fields).toEqual(['type', 'name_or_index', 'to_node']);
  expect(snapshot.node_count).toBeGreaterThan(10_000);
  expect(nodes).toHaveLength(snapshot.node_count * snapshot.meta.node_fields.length);
});

test('who reads the snapshot not to its end keeps nobody else from it', { timeout: 120_000 }, async () => {
  const bridge = await Bridge.of({});
  const asked = await begin(bridge, '/debug/heap', 'snapshot of the heap');
  asked.destroy();
  const response = await until('it is free again', async () => {
    const next = await bridge.fetch('/debug/cpu?seconds=1');
    return next.status === 200 && next;
  });
  expect(response.ok).toBe(true);
});

describe.each(['/debug/cpu?seconds=1', '/debug/heap'])('%s', (path) => {
  test.each([
    ['another host', { localAddress: '127.0.0.6' }, 403],
    ['a page of another site', { headers: { origin: 'https://evil.example' } }, 403],
    ['a name that leads here', { headers: { host: 'evil.example' } }, 403],
    ['an image on another site', { headers: { 'sec-fetch-site': 'cross-site' } }, 403],
    ['somebody who wants no body', { method: 'HEAD' }, 405],
  ])('is not for %s', async (_what, options, status) => {
    const bridge = await Bridge.of({ admin: { listen: '0.0.0.0:0' } });
    const answered = new Promise((resolve, reject) => {
      request({ host: '127.0.0.1', port: bridge.ports.admin, path, ...options }, (response) =>
        resolve(response.resume().statusCode),
      )
        .on('error', reject)
        .end();
    });
    expect(await answered).toBe(status);
  });
});

test.each(['0', '0.5', '61', 'x', '-1', 'Infinity', ''])('%j seconds are none', async (seconds) => {
  const bridge = await Bridge.of({});
  const response = await bridge.fetch(`/debug/cpu?seconds=${seconds}`);
  expect([response.status, await response.json()]).toEqual([400, { error: expect.stringContaining('from 1 to 60') }]);
});
