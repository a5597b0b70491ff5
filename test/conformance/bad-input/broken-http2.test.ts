import { connect, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { SourceServer } from '../../../src/legacy/source-server.ts';
import { silentLogger } from '../../../src/model/logger.ts';
import type { Keepalive } from '../../../src/net/keepalive.ts';
import { ClientTls } from '../../../src/net/tls-client.ts';
import { Identity } from '../../../src/net/tls-identity.ts';
import { BreakingSource } from '../../support/breaking-source.ts';
import { startServe } from '../../support/cli.ts';
import { callFrame, frame, greeting, resetFrame } from '../../support/http2-frames.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { viewOf } from '../../support/legacy-states.ts';
import { ServingSource } from '../../support/serving-source.ts';
import { SinkLab } from '../../support/sink-lab.ts';
import { testIdentity } from '../../support/strangers.ts';
import { TlsFront } from '../../support/tls-relay.ts';
import { until } from '../../support/until.ts';
import { WatchingIstiod } from '../../support/watching-istiod.ts';
import { XdsLab } from '../../support/xds-lab.ts';

const ads = '/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources';
const resourceSource = '/istio.mcp.v1alpha1.ResourceSource/EstablishResourceStream';
const health = '/grpc.health.v1.Health/Check';

/** Sends these frames in one piece. */
function send(port: number, ...frames: readonly Buffer[]): Socket {
  const socket = connect({ host: '127.0.0.1', port });
  socket.on('error', () => {});
  socket.resume();
  socket.write(Buffer.concat([greeting, ...frames]));
  onTestFinished(() => void socket.destroy());
  return socket;
}

/** Returns once all that was sent before has been read: the answer to a ping stands behind it. */
async function read(socket: Socket): Promise<void> {
  const answer = Buffer.from([0, 0, 8, 6, 1]);
  let came = Buffer.alloc(0);
  socket.on('data', (bytes: Buffer) => {
    came = Buffer.concat([came, bytes]);
  });
  socket.write(frame('PING', 0, 0, Buffer.alloc(8)));
  await eventually(() => came.includes(answer));
}

test('a call that is given up within the packet in which it begins costs nobody anything, whatever it is to', async () => {
  const source = await ServingSource.listen({ 'shop/kept': 'one' });
  const address = `galley=mcp://127.0.0.1:${source.port}?collections=istio/networking/v1alpha3/serviceentries`;
  const { cli, xds, admin } = await startServe('--source', address);
  const istiod = WatchingIstiod.connect(xds);
  await istiod.hasOnly({ 'shop/kept': 'one' });
  for (const [path, type] of [
    ['/nobody/knows', 'application/grpc'],
    [ads, 'text/plain'],
    [ads, 'application/grpc'],
    [health, 'application/grpc'],
  ] as const) {
    const streams = [1, 3, 5, 7].flatMap((stream) => [callFrame(stream, path, type), resetFrame(stream)]);
    await read(send(xds, ...streams));
  }
  source.publish({ 'shop/kept': 'one', 'shop/new': 'two' });
  await istiod.hasOnly({ 'shop/kept': 'one', 'shop/new': 'two' });
  expect(cli.exit).toBeUndefined();
  await until('only the good stream is left', async () => {
    const response = await fetch(`http://127.0.0.1:${admin}/debug/streams`);
    return ((await response.json()) as unknown[]).length === 1;
  });
});

test('the same on the port of a legacy server: no stream of it is left', async () => {
  const server = new SourceServer(viewOf({ 'a/b': 'one' }));
  const port = await server.listen({ host: '127.0.0.1', port: 0 });
  onTestFinished(() => server.stop(0));
  await read(send(port, callFrame(1, '/nobody/knows'), resetFrame(1), callFrame(3, resourceSource), resetFrame(3)));
  expect(server.connected).toBe(0);
});

test('a connection that breaks the rules of HTTP/2 is given up, with its streams, after a ping', async () => {
  const keepalive: Keepalive = { timeMs: 1000, timeoutMs: 200 };
  const lab = await XdsLab.start({ keepalive });
  const dataOnNoStream = frame('DATA', 0, 0, Buffer.from('xx'));
  const socket = send(lab.port, callFrame(1, ads), dataOnNoStream);
  await eventually(() => lab.server.streams.length === 1);
  socket.destroy();
  await eventually(() => lab.server.streams.length === 0);
});

/** TLS that takes every server for the right one; on a clock of its own, whose end nobody has to wait for. */
async function anyTls(): Promise<ClientTls> {
  const identity = new Identity({ use: 'source/lab', files: {}, clock: new FakeClock(), log: silentLogger });
  await identity.start();
  onTestFinished(() => identity.stop());
  return new ClientTls({ identity, insecureSkipVerify: true });
}

test.each(['in plaintext', 'over TLS'])(
  'a source that breaks the rules of HTTP/2 again and again is let go of again and again, %s',
  async (how) => {
    const { source, port } = await BreakingSource.listen();
    const isSecure = how === 'over TLS';
    const front = isSecure ? (await TlsFront.of(port, testIdentity)).port : port;
    const tls = isSecure ? await anyTls() : undefined;
    const lab = new SinkLab(front, { collections: ['istio/networking/v1alpha3/gateways'], tls });
    lab.client.start();
    for (let n = 1; n <= 5; n++) {
      await eventually(() => source.calls === n);
      await lab.retry();
    }
    await lab.stop();
    await eventually(() => source.connections === 0);
  },
);
