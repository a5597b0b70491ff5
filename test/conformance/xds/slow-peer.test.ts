import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import { expect, onTestFinished, test } from 'vitest';
import type { AdsServerOptions } from '../../../src/xds/ads-server.ts';
import { codec } from '../../peers/support/contract.ts';
import { legacyResource, serviceEntry } from '../../support/resources.ts';
import { until } from '../../support/until.ts';
import { XdsLab } from '../../support/xds-lab.ts';

const se = 'networking.istio.io/v1/ServiceEntry';
const sendTimeoutMs = 60_000;
/** Far more than the windows and buffers of a connection hold. */
const many = 20_000;

async function start(options: Partial<AdsServerOptions> = {}): Promise<XdsLab> {
  const lab = await XdsLab.start(options);
  lab.addOrigin('galley', serviceEntry);
  await lab.deliver(
    'galley',
    serviceEntry,
    Array.from({ length: many }, (_, i) => legacyResource(`shop/s-${i}`, `${i}`.padStart(400, 'x'))),
  );
  lab.flush();
  return lab;
}

function dial(lab: XdsLab): ClientHttp2Session {
  const session = connect(`http://127.0.0.1:${lab.port}`);
  session.on('error', () => {});
  onTestFinished(() => session.destroy());
  return session;
}

/** Asks for ServiceEntries on a stream of its own, and never reads a byte of what comes. */
function askAndSleep(session: ClientHttp2Session): ClientHttp2Stream {
  const stream = session.request({
    ':method': 'POST',
    ':path': '/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources',
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  stream.on('error', () => {});
  stream.pause();
  const request = codec('envoy.service.discovery.v3.DiscoveryRequest').encode({ typeUrl: se });
  const head = Buffer.alloc(5);
  head.writeUInt32BE(request.length, 1);
  stream.write(Buffer.concat([head, request]));
  return stream;
}

const pushes = (lab: XdsLab) => lab.reported.of('pushed').length;

test('a peer that reads nothing costs one push, however much changes, and is ended after the time-out', async () => {
  const lab = await start();
  const stream = askAndSleep(dial(lab));
  await lab.flow('the push has begun', () => pushes(lab) === 1);
  for (let i = 0; i < 20; i++) {
    await lab.deliver('galley', serviceEntry, [legacyResource('shop/s-0', String(i))], { full: false });
    lab.flush();
  }
  expect(pushes(lab)).toBe(1);
  expect(lab.server.streams).toHaveLength(1);
  lab.clock.advance(sendTimeoutMs);
  expect(lab.reported.of('pushStreamEnded')).toEqual([['send_timeout']]);
  await until('it is forgotten', () => lab.server.streams.length === 0);
  // What it did not read is given up too: a status would wait behind it for ever.
  await until('its stream is closed', () => stream.closed);
});

test('such streams do not pile up on one connection', async () => {
  const lab = await start();
  const session = dial(lab);
  for (let round = 1; round <= 5; round++) {
    const streams = Array.from({ length: 10 }, () => askAndSleep(session));
    await lab.flow('all pushes have begun', () => pushes(lab) === 10 * round);
    lab.clock.advance(sendTimeoutMs);
    await until('all are closed', () => streams.every(({ closed }) => closed));
  }
  expect(lab.server.streams).toEqual([]);
  const peer = lab.connect();
  peer.subscribe(se);
  expect((await lab.response(peer, se)).resources).toHaveLength(many);
});

test('many of one address that read nothing cost what its limit says; they take no room from those that come later', async () => {
  const lab = await start({ maxUnsentPerPeer: 1 });
  const session = dial(lab);
  for (let i = 0; i < 10; i++) askAndSleep(session);
  await lab.flow('the first push has begun', () => pushes(lab) === 1);
  await lab.flow('all are there', () => lab.server.streams.length === 10);
  await lab.clock.run(1000);
  expect(pushes(lab)).toBe(1);
  // Those that waited for room have not been sent anything for as long.
  lab.clock.advance(sendTimeoutMs);
  await lab.flow('all are forgotten', () => lab.server.streams.length === 0);
  expect(pushes(lab)).toBe(1);
  const peer = lab.connect();
  peer.subscribe(se);
  expect((await lab.response(peer, se)).resources).toHaveLength(many);
});
