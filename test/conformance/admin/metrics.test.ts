import { expect, onTestFinished, test } from 'vitest';
import { createMetrics } from '../../../src/observe/metrics.ts';
import { Bridge } from '../../support/bridge.ts';
import { entry, LegacySource } from '../../support/legacy-source.ts';
import { hastyClock } from '../../support/hasty-clock.ts';
import { type Sample, samplesOf } from '../../support/metric-samples.ts';
import { until } from '../../support/until.ts';
import { XdsPeer } from '../../support/xds-peer.ts';

const collection = 'istio/networking/v1alpha3/serviceentries';
const se = 'networking.istio.io/v1/ServiceEntry';

async function sourceOf(): Promise<LegacySource> {
  const source = await LegacySource.listen();
  onTestFinished(() => source.kill());
  return source;
}

const configOf = (name: string, { port }: LegacySource) => ({
  name,
  address: `mcp://127.0.0.1:${port}`,
  collections: [collection],
});

async function scrape(bridge: Bridge): Promise<Sample[]> {
  return samplesOf(await (await fetch(`${bridge.metricsUrl}/metrics`)).text());
}

/** The sum over all series of a name that have these labels; undefined where there is none. */
async function metric(bridge: Bridge, name: string, labels: Readonly<Record<string, string>> = {}) {
  const found = (await scrape(bridge)).filter(
    (one) => one.name === name && Object.entries(labels).every(([label, value]) => one.labels[label] === value),
  );
  return found.length === 0 ? undefined : found.reduce((sum, { value }) => sum + value, 0);
}

/** Every series of ours. */
async function seriesOf(bridge: Bridge): Promise<string[]> {
  const ours = (await scrape(bridge)).filter(({ name }) => /^(isthmus|istio_mcp)_/.test(name));
  return ours.map(({ name, labels }) => `${name} ${JSON.stringify(labels)}`).toSorted();
}

test('a change is followed from the message of its source to the ACK of each istiod', async () => {
  const source = await sourceOf();
  const bridge = await Bridge.of({ sources: [configOf('galley', source)], xds: { minGap: '1ms' } });
  const stream = await source.stream(1);
  await stream.deliver({ collection, resources: [entry('shop/orders')] });
  await bridge.complete();
  const [quick, slow] = [XdsPeer.connect(bridge.ports.xds, 'quick'), XdsPeer.connect(bridge.ports.xds, 'slow')];
  for (const peer of [quick, slow]) {
    peer.subscribe(se);
    peer.ack(await peer.response(se));
  }
  await until('both have all', async () => (await metric(bridge, 'isthmus_push_ack_seconds_count')) === 2);
  // What a stream is given first is no change that came to it.
  expect(await metric(bridge, 'isthmus_propagation_seconds_count')).toBeUndefined();
  expect(await metric(bridge, 'isthmus_pushes_total', { cause: 'subscription' })).toBe(2);

  await stream.deliver({ collection, resources: [entry('shop/orders', 'b')] });
  quick.ack(await quick.response(se, 2));
  const second = await slow.response(se, 2);
  await until('one has it', async () => (await metric(bridge, 'isthmus_propagation_seconds_count')) === 1);
  type Streams = readonly { readonly node: string; readonly seat: string }[];
  const streams = await bridge.page<Streams>('/debug/streams');
  const seat = (node: string) => ({ stream: streams.find((one) => one.node === node)?.seat ?? '' });
  expect(await metric(bridge, 'isthmus_stream_unacknowledged_seconds', seat('quick'))).toBe(0);
  expect(await metric(bridge, 'isthmus_stream_unacknowledged_seconds', seat('slow'))).toBeGreaterThan(0);
  expect(await metric(bridge, 'isthmus_stream_acks_total', seat('slow'))).toBe(1);

  slow.ack(second);
  await until('both have it', async () => (await metric(bridge, 'isthmus_propagation_seconds_count')) === 2);
  expect(await metric(bridge, 'isthmus_propagation_seconds_sum')).toBeGreaterThan(0);
  expect(await metric(bridge, 'isthmus_pushes_total', { cause: 'change' })).toBe(2);
  expect(await metric(bridge, 'isthmus_stream_pushes_total', seat('slow'))).toBe(2);
  expect(await metric(bridge, 'isthmus_stream_unacknowledged_seconds')).toBe(0);
  expect(await metric(bridge, 'isthmus_source_acks_total', { source: 'galley', collection })).toBe(2);

  slow.cancel();
  await until('one is left', async () => (await metric(bridge, 'isthmus_xds_streams')) === 1);
  expect(await metric(bridge, 'isthmus_stream_pushes_total', seat('slow'))).toBeUndefined();
});

/** More than any metric could afford as values of a label. */
const manyNames = 100_000;
const perMessage = 10_000;

test(`${manyNames} names of resources and a crowd of istiods make no series`, async () => {
  const source = await sourceOf();
  const bridge = await Bridge.of({ sources: [configOf('galley', source)], guard: { hold: '0s' } });
  const stream = await source.stream(1);
  const say = (from: number, count: number) => {
    const resources = Array.from({ length: count }, (_, i) => entry(`shop/service-${from + i}`));
    return stream.deliver({ collection, resources: [...resources, entry(`no/such/name-${from}`)] });
  };
  // Each has a name of its own, asks for a type that nobody knows, and refuses something in its own words.
  const visit = async (node: string) => {
    const peer = XdsPeer.connect(bridge.ports.xds, node);
    peer.subscribe('marker.example/v1/M', `marker.example/v1/${node}`);
    peer.nack(await peer.response('marker.example/v1/M'), `${node} does not like it`);
    peer.ack(await peer.response(`marker.example/v1/${node}`));
    peer.cancel();
    await until('it has left', async () => (await metric(bridge, 'isthmus_xds_streams')) === 0);
  };
  await say(0, 10);
  await say(1, 10);
  await visit('first');
  const before = await seriesOf(bridge);

  for (let from = 0; from < manyNames; from += perMessage) await say(from, perMessage);
  for (let i = 0; i < 40; i++) await visit(`istiod-${i}`);
  const gone = await metric(bridge, 'isthmus_changes_total', { change: 'removal' });
  expect(gone).toBeGreaterThanOrEqual(manyNames - perMessage);
  expect(await metric(bridge, 'isthmus_push_nacks_total')).toBe(41);
  expect(await seriesOf(bridge)).toEqual(before);
});

const perSource = 10;

test(`1000 error texts, and codes that are none, make no series`, async () => {
  const names = Array.from({ length: 1000 / perSource }, (_, i) => `source-${i}`);
  const sources = await Promise.all(
    names.map(async (name) => {
      const source = await sourceOf();
      source.onStream = (stream) => {
        const n = source.streams.length;
        stream.open();
        stream.end(n % 2 === 0 ? 14 : 100 + n, `${name} has failed for the ${n}th time`);
      };
      return source;
    }),
  );
  const bridge = await Bridge.of(
    { sources: sources.map((source, i) => configOf(names[i] ?? '', source)) },
    { clock: hastyClock(100) },
  );
  await until('each has said ten texts', () => sources.every(({ streams }) => streams.length > perSource), {
    timeoutMs: 150_000,
    everyMs: 200,
  });
  const described = createMetrics('1.2.3').themes.flatMap((theme) => theme.metrics);
  const strange = (await scrape(bridge)).flatMap(({ name, labels }) => {
    const its = described.find((one) => one.name === name.replace(/_(bucket|sum|count)$/, ''));
    return Object.entries(labels).filter(([label, value]) => {
      const values = its?.labels[label] ?? [value];
      return !(label === 'source' ? names : values).includes(value) && label !== 'version';
    });
  });
  expect(strange).toEqual([]);
  expect(await metric(bridge, 'isthmus_source_stream_ends_total', { code: '2' })).toBeGreaterThan(0);
  expect((await seriesOf(bridge)).length).toBeLessThan(names.length * described.length);
});
