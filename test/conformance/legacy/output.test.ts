import { describe, expect, onTestFinished, test } from 'vitest';
import type { ConfigInput } from '../../../src/config/schema.ts';
import type { SinkStreamView } from '../../../src/legacy/source-listener.ts';
import { kindOfCollection } from '../../../src/model/kinds.ts';
import { codec } from '../../peers/support/contract.ts';
import { Bridge, startSource } from '../../support/bridge.ts';
import { eventually } from '../../support/eventually.ts';
import { viewOf } from '../../support/legacy-states.ts';
import { LegacySource, entry } from '../../support/legacy-source.ts';
import { pilotCollections, syntheticEntries } from '../../support/pilot-collections.ts';
import { ScriptedSink } from '../../support/scripted-sink.ts';
import { gw, se, we } from '../../support/sink-lab.ts';
import { until } from '../../support/until.ts';
import { XdsPeer } from '../../support/xds-peer.ts';

const legacy = { listen: '127.0.0.1:0' };
const quick = { listen: '127.0.0.1:0', minGap: '1ms' };

const rbac = 'istio/rbac/v1alpha1/clusterrbacconfigs';

const resourceCodec = codec('istio.mcp.v1alpha1.Resource');

async function start(settings: ConfigInput): Promise<Bridge> {
  return Bridge.of({ legacy, xds: quick, ...settings });
}

function dial(bridge: Bridge): ScriptedSink {
  const sink = new ScriptedSink(bridge.ports.legacy ?? 0);
  onTestFinished(() => sink.close());
  return sink;
}

/** A sink that acknowledges all that comes, as Pilot does. */
function pilot(bridge: Bridge, collections: readonly string[], more: object = {}): ScriptedSink {
  const sink = dial(bridge);
  sink.onMessage = ({ collection, nonce }) => sink.request(collection, nonce, more);
  for (const collection of collections) sink.request(collection, '', more);
  return sink;
}

/** The last message of a collection; waits for one. */
const last = (sink: ScriptedSink, collection: string) =>
  until(`a message of ${collection}`, () => sink.messages.findLast((one) => one.collection === collection));

const namesIn = ({ resources }: { readonly resources: readonly { readonly metadata: { readonly name: string } }[] }) =>
  resources.map(({ metadata: { name } }) => name);

/** The one old Pilot that is connected. */
async function shown(bridge: Bridge): Promise<SinkStreamView> {
  const [stream, ...more] = await bridge.page<SinkStreamView[]>('/debug/sinks');
  if (stream === undefined || more.length > 0) throw new Error(`${more.length} more streams`);
  return stream;
}

async function shownOf(bridge: Bridge, collection: string) {
  return (await shown(bridge)).collections.find((one) => one.collection === collection);
}

describe('a Pilot that starts', () => {
  test.each(Object.entries(pilotCollections))(
    'as %s is answered for all that it asks for',
    async (_version, collections) => {
      const { address } = await startSource(viewOf({ 'shop/orders': 'a' }));
      const bridge = await start({ sources: [{ name: 'galley', address }] });
      const sink = pilot(bridge, collections);
      await eventually(() => new Set(sink.collections).size === collections.length);
      const full = sink.messages.filter(({ resources }) => resources.length > 0);
      expect(full.map((message) => [message.collection, namesIn(message)])).toEqual([[se, ['shop/orders']]]);
      expect(sink.messages.every(({ incremental }) => !incremental)).toBe(true);
      await until('all is acknowledged', async () =>
        (await shown(bridge)).collections.every(
          ({ sentVersion, ackedVersion }) => sentVersion !== null && sentVersion === ackedVersion,
        ),
      );
      const uncarried = (await shown(bridge)).collections
        .filter(({ carried }) => !carried)
        .map(({ collection }) => collection);
      expect(new Set(uncarried)).toEqual(new Set(collections.filter((one) => kindOfCollection(one) === undefined)));
      const told = bridge.log.lines
        .filter(({ message }) => message.includes('does not carry'))
        .flatMap(({ fields }) => (fields as { collections: readonly string[] }).collections);
      expect(told.toSorted()).toEqual(uncarried.toSorted());
    },
  );

  test('is told nothing of a kind before every source has spoken of it; what nobody can hold is empty at once', async () => {
    const source = await LegacySource.listen();
    onTestFinished(() => source.kill());
    const silent = { name: 'silent', address: `mcp://127.0.0.1:${source.port}`, collections: [se] };
    const { address } = await startSource(viewOf({ 'shop/orders': 'a' }));
    const bridge = await start({ sources: [{ name: 'galley', address, collections: [se, we] }, silent] });
    const sink = pilot(bridge, [se, we, gw, rbac]);
    await Promise.all([last(sink, we), last(sink, gw), last(sink, rbac)]);
    expect(sink.collections).not.toContain(se);
    const stream = await source.stream(1);
    await stream.deliver({ collection: se, resources: [entry('shop/other', 'b')] });
    expect(namesIn(await last(sink, se))).toEqual(['shop/orders', 'shop/other']);
  });

  test('is told who it is that it talks to, and under which versions', async () => {
    const { address } = await startSource(viewOf({ 'shop/orders': 'a' }));
    const bridge = await start({ sources: [{ name: 'galley', address }] });
    const sink = pilot(bridge, [se, gw]);
    const { systemVersionInfo } = await last(sink, se);
    const snapshots = await bridge.page<{ kind: string; version: string }[]>('/debug/snapshot');
    expect(systemVersionInfo).toBe(snapshots.find(({ kind }) => kind === 'ServiceEntry')?.version);
    expect(sink.headers).toMatchObject({ 'config.source.version': 'isthmus-1.2.3' });
  });
});

test('an old Pilot is given the very resources that an istiod is given', async () => {
  const { address } = await startSource(viewOf({ 'shop/orders': 'a', 'shop/other': 'b' }));
  const bridge = await start({ sources: [{ name: 'galley', address }] });
  const sink = pilot(bridge, [se]);
  const istiod = XdsPeer.connect(bridge.ports.xds);
  const typeUrl = 'networking.istio.io/v1/ServiceEntry';
  istiod.subscribe(typeUrl);
  const { resources } = await istiod.response(typeUrl);
  const { resources: theirs } = await last(sink, se);
  expect(theirs).toEqual(resources.map(({ value }) => resourceCodec.decode(value)));
  expect(theirs).toHaveLength(2);
});

describe('a change', () => {
  test('arrives as one message, and so does a removal; the rest is as it was', async () => {
    const { server, address } = await startSource(viewOf({ 'shop/orders': 'a', 'shop/other': 'b' }));
    const bridge = await start({ sources: [{ name: 'galley', address }] });
    const sink = pilot(bridge, [se, we]);
    await Promise.all([last(sink, se), last(sink, we)]);
    const before = await last(sink, se);
    server.update(viewOf({ 'shop/orders': 'a', 'shop/other': 'c' }));
    await eventually(() => sink.messages.length === 3);
    const changed = await last(sink, se);
    const versions = (message: typeof before) =>
      Object.fromEntries(message.resources.map(({ metadata: { name, version } }) => [name, version]));
    expect(versions(changed)['shop/orders']).toBe(versions(before)['shop/orders']);
    expect(versions(changed)['shop/other']).not.toBe(versions(before)['shop/other']);
    server.update(viewOf({ 'shop/other': 'c' }));
    await eventually(() => sink.messages.length === 4);
    expect(versions(await last(sink, se))).toEqual({ 'shop/other': versions(changed)['shop/other'] });
    expect(sink.collections).toEqual(expect.arrayContaining([se, we, se, se]));
  });

  test('is all that a sink is sent that asks for changes', async () => {
    const { server, address } = await startSource(viewOf({ 'shop/orders': 'a', 'shop/other': 'b', 'shop/third': 'c' }));
    const bridge = await start({ sources: [{ name: 'galley', address }] });
    const sink = pilot(bridge, [we, se], { incremental: true });
    await Promise.all([last(sink, se), last(sink, we)]);
    // Istio's source flags the second of them as a change: a sink that believes it keeps what is gone.
    expect(sink.messages.map(({ incremental }) => incremental)).toEqual([false, false]);
    await until('both are acknowledged', async () =>
      (await shown(bridge)).collections.every(({ awaitingAck }) => !awaitingAck),
    );
    server.update(viewOf({ 'shop/orders': 'b', 'shop/third': 'c', 'shop/fourth': 'd' }));
    await eventually(() => sink.messages.length === 3);
    const change = await last(sink, se);
    expect([change.incremental, namesIn(change), change.removedResources]).toEqual([
      true,
      ['shop/fourth', 'shop/orders'],
      ['shop/other'],
    ]);
  });

  test('that a sink refuses is shown, counted, and not sent again; the next one is', async () => {
    const { server, address } = await startSource(viewOf({ 'shop/orders': 'a' }));
    const bridge = await start({ sources: [{ name: 'galley', address }] });
    const sink = dial(bridge);
    sink.request(se);
    const { nonce, systemVersionInfo } = await last(sink, se);
    sink.request(se, nonce, { errorDetail: { code: 3, message: 'no \u001b[2J room' } });
    await until('it is shown', async () => (await shownOf(bridge, se))?.nack !== null);
    expect(await shownOf(bridge, se)).toMatchObject({
      sentVersion: systemVersionInfo,
      ackedVersion: null,
      awaitingAck: false,
    });
    expect(bridge.log.of('warn')).toContain('a legacy MCP sink refused a message');
    const metrics = await (await bridge.fetch('/metrics')).text();
    expect(metrics).toContain(
      `istio_mcp_request_nacks_total{component="isthmus",collection="${se}",code="InvalidArgument"} 1`,
    );
    server.update(viewOf({ 'shop/orders': 'b' }));
    await eventually(() => sink.messages.length === 2);
    sink.request(se, '2');
    await until('it is taken', async () => (await shownOf(bridge, se))?.ackedVersion !== null);
    expect(sink.messages).toHaveLength(2);
  });
});

describe('a collection that the bridge does not carry', () => {
  /** A source that says so much of clusterrbacconfigs, and is asked. */
  async function counting(resources: readonly object[]) {
    const source = await LegacySource.listen();
    onTestFinished(() => source.kill());
    source.onStream = (stream) => {
      stream.open();
      stream.onRequest = ({ collection, responseNonce }) => {
        if (responseNonce === '') stream.send({ collection, resources: collection === rbac ? resources : [] });
      };
    };
    const address = `mcp://127.0.0.1:${source.port}`;
    const bridge = await start({ sources: [{ name: 'galley', address, countDropped: true }] });
    return { source, bridge };
  }

  test('is empty where a source that is asked says so', async () => {
    const { bridge } = await counting([]);
    expect(namesIn(await last(pilot(bridge, [rbac]), rbac))).toEqual([]);
  });

  test('is not called empty while a source has something in it, or has not said', async () => {
    const { bridge, source } = await counting([entry('default/default', 'a')]);
    const sink = pilot(bridge, [rbac, syntheticEntries]);
    await last(sink, syntheticEntries);
    await until('the source has said what it has', async () => {
      const [origin] =
        await bridge.page<{ dropped: { collection: string; resources: number | null }[] }[]>('/debug/origins');
      return origin?.dropped.some(({ collection, resources }) => collection === rbac && resources === 1);
    });
    expect(sink.collections).toEqual([syntheticEntries]);
    expect(await shownOf(bridge, rbac)).toMatchObject({ carried: false, sentVersion: null });
    const stream = await source.stream(source.streams.length);
    stream.send({ collection: rbac, resources: [] });
    expect(namesIn(await last(sink, rbac))).toEqual([]);
  });

  test('and that nobody knows ends the stream, as with Galley', async () => {
    const bridge = await start({});
    const sink = pilot(bridge, [se, 'k8s/core/v1/pods']);
    await eventually(() => sink.status !== undefined);
    expect(sink.status).toEqual({ code: 3, details: 'unsupported collection "k8s/core/v1/pods"' });
  });
});

describe('what peers cost', () => {
  test('a sink that reads nothing is sent one message, and others are served meanwhile', async () => {
    const { server, address } = await startSource(viewOf({ 'shop/orders': 'x'.repeat(1 << 20) }));
    const bridge = await start({ sources: [{ name: 'galley', address }] });
    const [deaf, good] = [dial(bridge), pilot(bridge, [se])];
    deaf.stopReading();
    deaf.request(se);
    await last(good, se);
    server.update(viewOf({ 'shop/orders': 'y'.repeat(1 << 20) }));
    await eventually(() => good.messages.length === 2);
    const streams = await bridge.page<SinkStreamView[]>('/debug/sinks');
    const versions = streams.flatMap(({ collections }) => collections.map(({ sentVersion }) => sentVersion));
    expect(new Set(versions)).toEqual(new Set(good.messages.map(({ systemVersionInfo }) => systemVersionInfo)));
    expect(deaf.messages).toEqual([]);
  });

  test('metrics count streams, messages, bytes and answers, each by collection alone', async () => {
    const { address } = await startSource(viewOf({ 'shop/orders': 'a' }));
    const bridge = await start({ sources: [{ name: 'galley', address, collections: [we] }] });
    const sink = pilot(bridge, [se, rbac]);
    await Promise.all([last(sink, se), last(sink, rbac)]);
    await until('both are acknowledged', async () =>
      (await shown(bridge)).collections.every(({ ackedVersion }) => ackedVersion !== null),
    );
    const metrics = await (await bridge.fetch('/metrics')).text();
    for (const line of [
      'istio_mcp_clients_total{component="isthmus"} 1',
      `istio_mcp_request_acks_total{component="isthmus",collection="${se}"} 1`,
      `istio_mcp_request_acks_total{component="isthmus",collection="${rbac}"} 1`,
      `istio_mcp_message_sizes_bytes_count{component="isthmus",collection="${se}"} 1`,
      'isthmus_legacy_streams 1',
      `isthmus_legacy_uncarried_streams{collection="${rbac}"} 1`,
      `isthmus_legacy_pushes_total{collection="${se}"} 1`,
    ]) {
      expect(metrics.split('\n')).toContain(line);
    }
  });
});

test('the port is off unless it is asked for', async () => {
  const bridge = await Bridge.of({});
  expect(bridge.ports.legacy).toBeUndefined();
  expect(await bridge.page('/debug/sinks')).toEqual([]);
});

test('a stop ends the streams of old Pilots', async () => {
  const bridge = await start({});
  const sink = pilot(bridge, [se]);
  await last(sink, se);
  await bridge.app.stop();
  await eventually(() => sink.status !== undefined);
  expect(sink.status).toEqual({ code: 14, details: 'server canceled watch' });
});
