import { readFileSync } from 'node:fs';
import { onTestFinished } from 'vitest';
import { ReplayServer } from '../../../src/capture/replay-server.ts';
import { scriptOf } from '../../../src/capture/script.ts';
import { SourceServer } from '../../../src/legacy/source-server.ts';
import { systemClock } from '../../../src/model/clock.ts';
import { kinds } from '../../../src/model/kinds.ts';
import { encodeDiscoveryRequest } from '../../../src/wire/xds-messages.ts';
import { AwaitedLab } from '../awaited-lab.ts';
import { captureOf, requestBytes, resourcesBytes, streamRecords } from '../capture-bytes.ts';
import { startServe } from '../cli.ts';
import { eventually } from '../eventually.ts';
import { viewOf } from '../legacy-states.ts';
import { entry } from '../legacy-source.ts';
import { legacyResource, requireKind, serviceEntry } from '../resources.ts';
import { ScriptedSink } from '../scripted-sink.ts';
import { ServingSource } from '../serving-source.ts';
import { gw } from '../sink-lab.ts';
import { seType, WatchingIstiod } from '../watching-istiod.ts';
import { type Attacked, attackerAddress } from './attacks.ts';

/** A gRPC server of Isthmus under attack, and a good peer beside the bad ones. */
export type FuzzServer = Attacked & {
  readonly name: string;
  /** Streams that it serves. */
  streams(): Promise<number>;
  /** Streams of the good peer. */
  readonly good: number;
  /** Returns once the good peer was told something new. */
  serve(): Promise<void>;
  /** Bytes of memory that the server's process has; undefined where it is this one. */
  memory(): number | undefined;
};

const se = serviceEntry.collection ?? '';

const sinkMessages = [
  requestBytes(se),
  requestBytes(se, '1'),
  requestBytes('istio/networking/v1alpha3/gateways'),
  requestBytes('istio/nobody/knows'),
];
const sinkPath = '/istio.mcp.v1alpha1.ResourceSource/EstablishResourceStream';

/** Steps of a clock that follows the real one. */
const tickMs = 50;

const anyPort = { host: '127.0.0.1', port: 0 };

/** MCP-over-xDS, in a bridge that is a process of its own. */
async function xdsServer(): Promise<FuzzServer> {
  const source = await ServingSource.listen({ 'shop/kept': 'one' });
  const address = `galley=mcp://127.0.0.1:${source.port}?collections=${se}`;
  const { cli, xds, admin } = await startServe('--source', address);
  const istiod = WatchingIstiod.connect(xds);
  await istiod.hasOnly({ 'shop/kept': 'one' });
  let round = 0;
  return {
    name: 'xDS',
    port: xds,
    path: '/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources',
    messages: [
      encodeDiscoveryRequest({ node: { id: 'sidecar~192.0.2.2~istiod.x~x', cluster: '' }, typeUrl: seType }),
      encodeDiscoveryRequest({ typeUrl: seType, versionInfo: '1', responseNonce: '1' }),
      ...kinds.map(({ group, kind }) => encodeDiscoveryRequest({ typeUrl: `${group}/v1alpha3/${kind}` })),
    ],
    good: 1,
    async streams() {
      const response = await fetch(`http://127.0.0.1:${admin}/debug/streams`);
      return ((await response.json()) as unknown[]).length;
    },
    async serve() {
      const news = `news-${++round}`;
      source.publish({ 'shop/kept': 'one', 'shop/new': news });
      await istiod.hasOnly({ 'shop/kept': 'one', 'shop/new': news });
      if (istiod.lost('shop/kept').length > 0) throw new Error('a response lacked what was never taken away');
      if (cli.exit !== undefined) throw new Error(`the bridge has ended: ${cli.stderr}`);
    },
    memory: () => residentBytes(cli.pid),
  };
}

/** Where the system can't tell, nothing is known. */
function residentBytes(pid: number): number | undefined {
  try {
    const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return kib === undefined ? undefined : Number(kib) * 1024;
  } catch {
    return undefined;
  }
}

/** ResourceSource, as `isthmus legacy-server` serves it. */
async function sourceServer(): Promise<FuzzServer> {
  let round = 0;
  const server = new SourceServer(viewOf({ 'shop/kept': 'one' }));
  const port = await server.listen(anyPort);
  onTestFinished(() => server.stop(0));
  const sink = sinkOf(port);
  sink.request(se);
  await eventually(() => sink.messages.length > 0);
  return {
    name: 'ResourceSource',
    port,
    path: sinkPath,
    messages: sinkMessages,
    good: 1,
    streams: async () => server.connected,
    async serve() {
      const { nonce } = sink.messages.at(-1) ?? { nonce: '' };
      const before = sink.messages.length;
      sink.request(se, nonce);
      server.update(viewOf({ 'shop/kept': 'one', 'shop/new': `news-${++round}` }));
      await eventually(() => sink.messages.length > before);
    },
    memory: () => undefined,
  };
}

/** ResourceSource, as `isthmus replay` serves it. */
async function replayServer(): Promise<FuzzServer> {
  const resources = [legacyResource('shop/kept', 'one')];
  const script = scriptOf(
    captureOf(
      streamRecords(1, [
        [0, 'request', requestBytes(se)],
        [1, 'resources', resourcesBytes(se, '1', resources)],
        [2, 'request', requestBytes(se, '1')],
        [3, 'resources', resourcesBytes(se, '2', resources)],
      ]),
    ),
  );
  const pace = { speed: undefined, withEnd: true, loop: true };
  const server = new ReplayServer(script, { ...pace, clock: systemClock, say: () => {} });
  const port = await server.listen(anyPort);
  onTestFinished(() => server.stop(0));
  return {
    name: 'replay',
    port,
    path: sinkPath,
    messages: sinkMessages,
    good: 0,
    streams: async () => server.connected,
    async serve() {
      const sink = sinkOf(port);
      sink.request(se);
      await eventually(() => sink.messages.length === 1);
      sink.request(se, '1');
      await eventually(() => sink.messages.length === 2);
      await sink.close();
    },
    memory: () => undefined,
  };
}

/** ResourceSink, where sources dial a bridge. Who attacks is one of the config's: what it says is taken, where it is good. */
async function sinkServer(): Promise<FuzzServer> {
  // Real time passes on its clock, to the very end: a stream is doubted, and a status waits, for seconds.
  let timer: NodeJS.Timeout | undefined;
  onTestFinished(() => clearInterval(timer));
  const lab = await AwaitedLab.listen({
    good: { match: { meta: { name: 'good' } }, options: { collections: [se] } },
    bad: { match: { address: attackerAddress }, options: { collections: [gw], maxMessageBytes: 1 << 20 } },
  });
  timer = setInterval(() => lab.clock.advance(tickMs), tickMs);
  const stream = await lab.dial({ name: 'good' }, 1);
  const { body } = requireKind('Gateway');
  let round = 0;
  return {
    name: 'ResourceSink',
    port: lab.port,
    path: '/istio.mcp.v1alpha1.ResourceSink/EstablishResourceStream',
    messages: [
      resourcesBytes('$triggerCollection', ''),
      resourcesBytes(gw, '1', [legacyResource('shop/entry', 'x', body)]),
      resourcesBytes(gw, '2', [], { incremental: true, removedResources: ['shop/entry'] }),
      resourcesBytes(se, '3', [legacyResource('shop/kept', 'x')]),
    ],
    good: 1,
    streams: async () => lab.server.streams,
    async serve() {
      const news = `news-${++round}`;
      await stream.deliver({ collection: se, resources: [entry('shop/kept', 'one'), entry('shop/new', news)] });
      const held = lab.held(se, 'good');
      if (held['shop/kept'] !== 'one' || held['shop/new'] !== news) throw new Error(`held: ${JSON.stringify(held)}`);
      // What the test itself remembers is no leak.
      for (const list of [lab.log.lines, lab.accepted, lab.remembered, stream.requests]) list.length = 0;
    },
    memory: () => undefined,
  };
}

function sinkOf(port: number): ScriptedSink {
  const sink = new ScriptedSink(port);
  onTestFinished(() => sink.close());
  return sink;
}

/** Every gRPC server of Isthmus; new ones go in here. */
export const fuzzServers: readonly (() => Promise<FuzzServer>)[] = [xdsServer, sourceServer, sinkServer, replayServer];
