import { statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { StateReport } from '../../../src/admin/views.ts';
import { kinds } from '../../../src/model/kinds.ts';
import { Bridge, startSource } from '../../support/bridge.ts';
import { viewOf } from '../../support/legacy-states.ts';
import { legacyResource } from '../../support/resources.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { until } from '../../support/until.ts';
import { XdsPeer } from '../../support/xds-peer.ts';

const se = 'networking.istio.io/v1/ServiceEntry';

/** A bridge of two sources; one of them has a name that is no good. */
async function start(): Promise<Bridge> {
  const bridge = await Bridge.start({
    one: viewOf({ 'shop/orders': 'orders.example', 'shop/carts': 'carts.example' }),
    two: viewOf({ 'shop/orders': 'other.example', 'no/such/name': 'bad.example' }),
  });
  await bridge.complete();
  return bridge;
}

test('/debug/origins: every source with its connection and kinds', async () => {
  const bridge = await start();
  const origins = await bridge.page<{ name: string; kinds: { kind: string }[] }[]>('/debug/origins');
  expect(origins.map(({ name }) => name)).toEqual(['one', 'two']);
  expect(origins[0]).toEqual({
    name: 'one',
    address: expect.stringMatching(/^mcp:\/\/127\.0\.0\.1:\d+$/),
    maxMessage: 256 << 20,
    connection: {
      state: 'connected',
      since: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      streams: 1,
      lastError: null,
      retryInMs: null,
      peer: null,
      version: null,
      unsupportedCollections: {},
    },
    profile: { configured: 'auto', looksLike: null, because: [], notInForce: [] },
    kinds: expect.arrayContaining([
      {
        kind: 'ServiceEntry',
        collection: 'istio/networking/v1alpha3/serviceentries',
        sync: 'synced',
        retiredSince: null,
        received: 2,
        released: 2,
        effective: 2,
        quarantined: 0,
        invalid: 0,
        withheld: 0,
        hold: null,
        messages: 1,
        lastMessageAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
        lastChangeAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
        repairs: {},
        messageBytes: expect.any(Number),
      },
    ]),
    dropped: [],
  });
  const entries = origins[1]?.kinds.find(({ kind }) => kind === 'ServiceEntry');
  expect(entries).toMatchObject({ received: 2, effective: 1, quarantined: 1 });
});

test('a source that is not there says so, and why', async () => {
  const bridge = await Bridge.of({ sources: [{ name: 'gone', address: 'mcp://127.0.0.1:1' }] });
  const connection = await until('the source was tried', async () => {
    const [origin] = await bridge.page<{ connection: { state: string } }[]>('/debug/origins');
    return origin?.connection.state === 'waiting' && origin.connection;
  });
  expect(connection).toMatchObject({ lastError: expect.stringMatching(/ECONNREFUSED/), streams: 0 });
});

describe('/debug/snapshot', () => {
  test('every kind that some source may hold, with its version and size', async () => {
    const bridge = await start();
    const snapshots = await bridge.page<{ kind: string }[]>('/debug/snapshot');
    const carried = kinds.filter(({ collection }) => collection !== undefined);
    expect(snapshots.map(({ kind }) => kind)).toEqual(carried.map(({ kind }) => kind));
    expect(snapshots[0]).toEqual({
      kind: 'ServiceEntry',
      complete: true,
      waitingFor: [],
      stale: [],
      overdue: [],
      version: expect.stringMatching(/./),
      resources: 2,
      bytes: expect.any(Number),
      labels: {},
      unaddressedHosts: 0,
    });
    expect(snapshots[1]).toMatchObject({ kind: 'WorkloadEntry', complete: true, resources: 0, bytes: 0 });
  });

  test('the resources of one kind, sorted; the first source wins', async () => {
    const bridge = await start();
    const page = await bridge.page<{ resources: { key: string; bytes: number }[] }>('/debug/snapshot/ServiceEntry');
    expect(page).toEqual({
      resources: ['shop/carts', 'shop/orders'].map((key) => ({
        key,
        version: expect.stringMatching(/^[\w-]{16}$/),
        bytes: expect.any(Number),
      })),
      next: null,
    });
    const [snapshot] = await bridge.page<{ bytes: number }[]>('/debug/snapshot');
    expect(page.resources.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(snapshot?.bytes);
    const one = await bridge.page<{ spec: { hosts: string[] } }>('/debug/snapshot/ServiceEntry/shop/orders');
    expect(one.spec.hosts).toEqual(['orders.example']);
  });

  test('one resource as a Kubernetes object, whose creation is the constant', async () => {
    const bridge = await start();
    expect(await bridge.page('/debug/snapshot/ServiceEntry/shop/carts')).toEqual({
      apiVersion: 'networking.istio.io/v1alpha3',
      kind: 'ServiceEntry',
      metadata: { namespace: 'shop', name: 'carts', creationTimestamp: '1970-01-01T00:00:00Z' },
      spec: { hosts: ['carts.example'] },
    });
  });

  test('a kind may have its group before it', async () => {
    const bridge = await start();
    const path = '/debug/snapshot/networking.istio.io%2FServiceEntry';
    const page = await bridge.page<{ resources: unknown[]; next: string }>(`${path}?limit=1`);
    expect(page.resources).toHaveLength(1);
    expect((await bridge.page<{ resources: unknown[] }>(page.next)).resources).toHaveLength(1);
  });

  test.each(['/debug/snapshot/Nothing', '/debug/snapshot/ServiceEntry/shop/none', '/debug/snapshot/Nothing/shop/none'])(
    '%s is not there',
    async (path) => {
      const response = await (await start()).fetch(path);
      expect([response.status, await response.json()]).toEqual([404, { error: expect.stringMatching(/^no such /) }]);
    },
  );
});

test('/debug/streams: what an istiod asked for, was sent and acknowledged', async () => {
  const bridge = await start();
  expect(await bridge.page('/debug/streams')).toEqual([]);
  const peer = XdsPeer.connect(bridge.ports.xds);
  peer.subscribe('core/v1alpha1/MeshConfig', se, 'telemetry.istio.io/v1/Telemetry');
  const entries = await peer.response(se);
  peer.ack(entries);
  // The other one leaves behind it.
  await peer.response('telemetry.istio.io/v1/Telemetry');
  const [stream] = await until('the acknowledgement was read', async () => {
    const streams = await bridge.page<{ types: { ackedVersion: string }[] }[]>('/debug/streams');
    return streams[0]?.types[0]?.ackedVersion === entries.versionInfo && streams;
  });
  const bytes = expect.any(Number) as number;
  expect(stream).toEqual({
    id: 1,
    seat: '1',
    peer: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
    node: peer.node.id,
    profile: '1.12-and-newer',
    version: '1.24 and newer',
    revision: null,
    since: expect.stringMatching(/^\d{4}-/),
    types: [
      {
        typeUrl: se,
        sentVersion: entries.versionInfo,
        ackedVersion: entries.versionInfo,
        awaitingAck: false,
        nack: null,
        tooLarge: false,
        bytes,
        maxBytes: 2_147_483_647,
        progress: { pushes: 1, acks: 1, nacks: 0, bytes, waitedMs: expect.any(Number), behindMs: 0 },
      },
      expect.objectContaining({ typeUrl: 'telemetry.istio.io/v1/Telemetry', awaitingAck: true }),
    ],
    labelled: [],
  });
});

test('/debug/quarantine: which, why, and since when', async () => {
  const bridge = await start();
  expect(await bridge.page('/debug/quarantine')).toEqual({
    resources: [
      {
        source: 'two',
        kind: 'ServiceEntry',
        resource: expect.any(String),
        reason: 'bad_name',
        message: expect.stringMatching(/./),
        since: expect.stringMatching(/^\d{4}-/),
        lastGoodSent: false,
        sent: 'nothing',
      },
    ],
    next: null,
  });
});

test('/debug/conflicts: what several sources have, who, and what is done', async () => {
  const bridge = await start();
  expect(await bridge.page('/debug/conflicts')).toEqual({
    counts: [
      { kind: 'ServiceEntry', reason: 'precedence', count: 1, done: 'the first one is sent, whole', leavesOut: true },
    ],
    conflicts: [
      {
        kind: 'ServiceEntry',
        resource: 'shop/orders',
        host: null,
        sources: ['one', 'two'],
        namedBy: [],
        reason: 'precedence',
        done: 'the first one is sent, whole',
        since: expect.stringMatching(/^20.*Z$/),
      },
    ],
    next: null,
  });
});

describe('/debug/state', () => {
  test('is null without a state folder', async () => {
    expect(await (await start()).page('/debug/state')).toBeNull();
  });

  test('names the files, and when they were saved', async () => {
    const stateDir = tempFolder();
    const { address } = await startSource(viewOf({ 'shop/orders': 'a' }));
    const bridge = await Bridge.of({ stateDir, sources: [{ name: 'galley', address }] });
    const { files } = await until('all is saved', async () => {
      const page = await bridge.page<StateReport>('/debug/state');
      return page.files.every(({ isDue, savedAt }) => !isDue && savedAt !== null) && page;
    });
    expect(files[0]).toEqual({
      source: 'galley',
      kind: 'ServiceEntry',
      isDue: false,
      savedAt: expect.stringMatching(/^20\d\d-.*Z$/),
      bytes: statSync(join(stateDir, 'last-known-good/galley.ServiceEntry.state')).size,
    });
  });
});

test('/debug/config: what is in force, with its defaults', async () => {
  const bridge = await start();
  expect(await bridge.page('/debug/config')).toMatchObject({
    sources: [{ name: 'one', silentCollection: 30_000 }, { name: 'two' }],
    xds: { minGap: 250, recycle: 600_000 },
    shutdownGrace: 100,
  });
});

test('a body that cannot be read is shown by its name and size', async () => {
  const gateway = legacyResource('shop/gate', 'x', 'istio.networking.v1alpha3.Gateway');
  const view = new Map(viewOf({}));
  view.set('istio/networking/v1alpha3/gateways', { version: 'g', resources: [gateway] });
  const bridge = await Bridge.start({ one: view });
  await bridge.complete();
  expect(await bridge.page('/debug/snapshot/Gateway/shop/gate')).toMatchObject({
    kind: 'Gateway',
    name: 'shop/gate',
    size: expect.any(Number),
  });
});
