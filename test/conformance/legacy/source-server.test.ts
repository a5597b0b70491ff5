import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { SourceListenerOptions } from '../../../src/legacy/source-listener.ts';
import { SourceServer } from '../../../src/legacy/source-server.ts';
import type { SourceView } from '../../../src/legacy/source.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { MemoryLogger } from '../../support/memory-logger.ts';
import { legacyResource } from '../../support/resources.ts';
import { ScriptedSink } from '../../support/scripted-sink.ts';
import { gw, se, SinkLab, we } from '../../support/sink-lab.ts';

const loopback = { host: '127.0.0.1', port: 0 };

let server: SourceServer;
let port: number;
const sinks: ScriptedSink[] = [];

/** A state with these services (name → content), and with no workload. */
function viewOf(version: string, services: Readonly<Record<string, string>> = {}): SourceView {
  const resources = Object.entries(services).map(([name, content]) => legacyResource(name, content));
  return new Map([
    [se, { version, resources }],
    [we, { version: 'none', resources: [] }],
  ]);
}

beforeEach(async () => {
  server = new SourceServer(viewOf('1', { 'x/1': 'one' }));
  port = await server.listen(loopback);
});

afterEach(async () => {
  await Promise.all(sinks.splice(0).map((sink) => sink.close()));
  await server.stop(0);
});

function connect(): ScriptedSink {
  const sink = new ScriptedSink(port);
  sinks.push(sink);
  return sink;
}

describe('one stream', () => {
  test('is opened with headers before anything is asked', async () => {
    const sink = connect();
    await eventually(() => sink.opened);
    expect([sink.messages, sink.status, server.connected]).toEqual([[], undefined, 1]);
  });

  test('gives whole states under nonces counted from 1, also empty ones', async () => {
    const sink = connect();
    sink.request(we);
    sink.request(se, '', { incremental: true });
    await eventually(() => sink.messages.length === 2);
    const empty = { incremental: false, removedResources: [] };
    expect(sink.messages).toMatchObject([
      { ...empty, collection: we, nonce: '1', systemVersionInfo: 'none', resources: [] },
      { ...empty, collection: se, nonce: '2', systemVersionInfo: '1', resources: [{ metadata: { name: 'x/1' } }] },
    ]);
  });

  test('has at most one unanswered message per collection; what changes meanwhile is one message', async () => {
    const sink = connect();
    sink.request(se);
    await eventually(() => sink.messages.length === 1);
    server.update(viewOf('2', { 'x/1': 'zwei' }));
    server.update(viewOf('3', { 'x/1': 'drei' }));
    sink.request(we);
    await eventually(() => sink.messages.length === 2);
    expect(sink.collections).toEqual([se, we]);
    sink.request(se, '1');
    await eventually(() => sink.messages.length === 3);
    expect(sink.messages[2]).toMatchObject({ collection: se, nonce: '3', systemVersionInfo: '3' });
  });

  test('ends with OK when the sink says that no more comes', async () => {
    const sink = connect();
    sink.request(se);
    sink.end();
    await eventually(() => sink.status !== undefined && server.connected === 0);
    expect(sink.status?.code).toBe(0);
  });

  test('of a sink that vanishes is forgotten', async () => {
    const [stays, goes] = [connect(), connect()];
    await eventually(() => server.connected === 2);
    await goes.close();
    await eventually(() => server.connected === 1);
    stays.request(se);
    await eventually(() => stays.messages.length === 1);
    server.update(viewOf('2'));
    expect(server.connected).toBe(1);
  });
});

describe('a stream is ended with INVALID_ARGUMENT', () => {
  test.each([
    ['alone', [gw]],
    ['before others', [gw, se, we]],
    ['among others', [se, gw, we, 'k8s/core/v1/pods']],
    ['after others', [se, we, gw]],
  ])('naming the first unknown collection that is asked for %s', async (_where, collections) => {
    const sink = connect();
    sink.requestAll(...collections);
    await eventually(() => sink.status !== undefined);
    expect(sink.status).toEqual({ code: 3, details: `unsupported collection "${gw}"` });
    await eventually(() => server.connected === 0);
  });

  test.each([
    ['is cut short', Buffer.from([0x12, 0x7f, 0x01])],
    ['is a group', Buffer.from([0x13])],
  ])('when a request %s', async (_what, bytes) => {
    const sink = connect();
    sink.request(se);
    sink.sendBytes(bytes);
    sink.request(we);
    await eventually(() => sink.status !== undefined);
    expect(sink.status).toEqual({ code: 3, details: 'this is no RequestResources' });
  });

  test('and other sinks do not notice', async () => {
    const [good, bad] = [connect(), connect()];
    good.request(se);
    bad.request(gw);
    await eventually(() => bad.status !== undefined && good.messages.length === 1);
    server.update(viewOf('2'));
    good.request(se, '1');
    await eventually(() => good.messages.length === 2);
    expect(good.status).toBeUndefined();
  });
});

describe('what a source gives at most', () => {
  /** A source with limits, on a clock that stands still. */
  async function limited(options: SourceListenerOptions = {}, content = 'one') {
    const clock = new FakeClock();
    const log = new MemoryLogger();
    const limitedServer = new SourceServer(viewOf('1', { 'x/1': content }), { clock, log, ...options });
    const limitedPort = await limitedServer.listen(loopback);
    onTestFinished(() => limitedServer.stop(0));
    const dial = () => {
      const sink = new ScriptedSink(limitedPort);
      sinks.push(sink);
      return sink;
    };
    return { clock, log, dial, source: limitedServer, port: limitedPort };
  }

  test.each([
    ['of all together', { maxStreams: 2 }, 'too many streams'],
    ['of one address', { maxStreamsPerPeer: 2 }, 'too many streams of 127.0.0.1: 2 are served at once'],
  ])('streams %s', async (_whose, options, details) => {
    const { dial, source, log } = await limited(options);
    const served = [dial(), dial()];
    await eventually(() => source.connected === 2);
    const refused = dial();
    await eventually(() => refused.status !== undefined);
    expect(refused.status).toEqual({ code: 8, details });
    expect(log.of('warn')).toHaveLength(1);
    await served[0]?.close();
    await eventually(() => source.connected === 1);
    const next = dial();
    next.request(se);
    await eventually(() => next.messages.length === 1);
  });

  test('time for one that asks for nothing', async () => {
    const { dial, source, clock } = await limited();
    const [idle, busy] = [dial(), dial()];
    busy.request(se);
    await eventually(() => busy.messages.length === 1 && source.connected === 2);
    clock.advance(30_000);
    await eventually(() => idle.status !== undefined);
    expect(idle.status).toEqual({ code: 4, details: 'nothing was asked for within 30 s' });
    expect([busy.status, source.connected]).toEqual([undefined, 1]);
  });

  test('time for one that does not read', async () => {
    const { dial, source, clock } = await limited({}, 'x'.repeat(1 << 20));
    const deaf = dial();
    deaf.stopReading();
    deaf.request(se);
    await eventually(() => source.streams[0]?.collections[0]?.sentVersion === '1');
    clock.advance(60_000);
    await eventually(() => source.connected === 0);
    expect(clock.timers).toBe(0);
  });

  test('and says where it is more than a Pilot takes by default, once for all that try', async () => {
    const { dial, log } = await limited({}, 'x'.repeat(5 << 20));
    const both = [dial(), dial()];
    for (const sink of both) sink.request(se);
    await eventually(() => both.every(({ messages }) => messages.length === 1));
    const large = log.lines.filter(({ message }) => message.includes('larger than what a Pilot takes'));
    expect(large).toMatchObject([{ level: 'warn', fields: { collection: se, limit: 4 << 20 } }]);
  });

  test('words for one that speaks something else', async () => {
    const { log, port: httpPort } = await limited();
    const response = await fetch(`http://127.0.0.1:${httpPort}/metrics`);
    expect([response.status, await response.text()]).toEqual([
      505,
      'This port speaks gRPC (legacy MCP, ResourceSource), without TLS.\n',
    ]);
    expect(log.lines).toMatchObject([{ level: 'warn', fields: { why: 'http1', said: 'GET /metrics HTTP/1.1' } }]);
  });
});

test('messages of one stream keep a distance; what changes meanwhile is one of them', async () => {
  const clock = new FakeClock();
  const paced = new SourceServer(viewOf('1'), { clock, minGapMs: 250 });
  const pacedPort = await paced.listen(loopback);
  onTestFinished(() => paced.stop(0));
  const sink = new ScriptedSink(pacedPort);
  sinks.push(sink);
  sink.onMessage = ({ collection, nonce }) => sink.request(collection, nonce);
  const answered = (version: string) => () =>
    paced.streams[0]?.collections.every(({ ackedVersion }) => ackedVersion === version || ackedVersion === 'none');
  sink.requestAll(se, we);
  await eventually(() => paced.streams[0]?.collections.length === 2);
  // Requests of a Pilot come one by one: they are gathered for a moment.
  expect(sink.messages).toEqual([]);
  clock.advance(10);
  await eventually(answered('1'));
  paced.update(viewOf('2'));
  paced.update(viewOf('3'));
  clock.advance(249);
  expect(paced.streams[0]?.collections.map(({ awaitingAck }) => awaitingAck)).toEqual([false, false]);
  clock.advance(1);
  await eventually(answered('3'));
  expect(sink.messages.map(({ systemVersionInfo }) => systemVersionInfo)).toEqual(['1', 'none', '3']);
});

test('a request of more than 4 MiB ends its stream', async () => {
  const sink = connect();
  sink.request(se, 'x'.repeat(4 << 20));
  await eventually(() => sink.status !== undefined);
  expect(sink.status?.code).toBe(8);
});

test('stopping ends every stream with UNAVAILABLE, and returns', async () => {
  const both = [connect(), connect()];
  await eventually(() => server.connected === 2);
  await server.stop(3_600_000);
  await eventually(() => both.every(({ status }) => status !== undefined));
  expect(both.map(({ status }) => status)).toEqual([
    { code: 14, details: 'server canceled watch' },
    { code: 14, details: 'server canceled watch' },
  ]);
});

describe('with a real sink', () => {
  let lab: SinkLab;

  beforeEach(() => {
    lab = new SinkLab(port);
    lab.client.start();
  });

  afterEach(() => lab.stop());

  test('every state arrives, what it does not know counts as empty', async () => {
    await eventually(() => lab.sync(gw) === 'unsupported' && lab.sync(we) === 'synced');
    await eventually(() => lab.held()['x/1'] === 'one');
    server.update(viewOf('2', { 'x/1': 'eins', 'x/2': 'two' }));
    await eventually(() => lab.held()['x/2'] === 'two');
    expect(lab.held()).toEqual({ 'x/1': 'eins', 'x/2': 'two' });
    server.update(viewOf('3', { 'x/2': 'two' }));
    await eventually(() => !('x/1' in lab.held()));
    server.update(viewOf('4'));
    await eventually(() => Object.keys(lab.held()).length === 0);
    expect([lab.sync(se), lab.refused]).toEqual(['synced', [gw]]);
  });

  test('a server that restarts with another state is caught up with', async () => {
    await eventually(() => lab.held()['x/1'] === 'one');
    await server.stop(0);
    expect(await lab.failure()).toMatch(/127\.0\.0\.1/);
    expect(lab.held()).toEqual({ 'x/1': 'one' });
    server = new SourceServer(viewOf('1', { 'x/2': 'two' }));
    await server.listen({ ...loopback, port });
    await lab.retry();
    await eventually(() => lab.held()['x/2'] === 'two');
    expect(lab.held()).toEqual({ 'x/2': 'two' });
  });
});

test('a port that is in use is named', async () => {
  const second = new SourceServer(viewOf('1'));
  await expect(second.listen({ ...loopback, port })).rejects.toMatchObject({
    code: 'LISTEN_FAILED',
    message: `127.0.0.1:${port}: cannot listen: the port is in use`,
  });
});
