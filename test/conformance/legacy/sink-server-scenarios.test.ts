import { expect, test } from 'vitest';
import { AwaitedLab } from '../../support/awaited-lab.ts';
import { DiallingSource, type DialledStream } from '../../support/dialling-source.ts';
import { eventually } from '../../support/eventually.ts';
import { entry } from '../../support/legacy-source.ts';
import { gw, se, we } from '../../support/sink-lab.ts';

// The scenarios of Istio's own tests for a sink that listens (pkg/mcp/sink/server_sink_test.go) and for a source that
// dials (pkg/mcp/source/client_source_test.go), each over a socket under the name it has there. docs/conformance.md lists
// all of them, and why some end differently here.

/** All fields of a request without an error. */
function request(collection: string, responseNonce: string) {
  const node = { sinkNode: { id: '', annotations: {} }, collection, initialResourceVersions: {} };
  return { ...node, responseNonce, errorDetail: null, incremental: false };
}

const initialRequests = [gw, we, se].map((collection) => request(collection, ''));

/** What a trigger is answered with. */
function refusal(collection: string) {
  const message = `unsupported collection ${JSON.stringify(collection)}`;
  return { ...request(collection, ''), errorDetail: { code: 12, message, details: [] } };
}

test('TestServerSink: an update is applied; EOF is answered with OK; a second stream works; an unknown error is shown', async () => {
  const lab = await AwaitedLab.listen();
  const first = await lab.dial();
  await first.deliver({ collection: se, resources: [entry('x/a', 'a0'), entry('x/b', 'b0')] });
  expect(lab.held()).toEqual({ 'x/a': 'a0', 'x/b': 'b0' });
  first.end();
  expect(await first.ended()).toEqual({ code: 0, details: 'OK' });
  expect(await lab.failure()).toContain('the source ended its stream');
  expect(lab.held()).toEqual({ 'x/a': 'a0', 'x/b': 'b0' });

  const second = await lab.dial();
  await second.deliver({ collection: se, resources: [entry('x/a', 'a1'), entry('x/b', 'b0')] });
  expect(lab.held()).toEqual({ 'x/a': 'a1', 'x/b': 'b0' });
  second.sendBytes(Buffer.from([0x1a, 0x7f, 0x01]));
  expect(await second.ended()).toMatchObject({ code: 13 });
  expect(await lab.failure()).toContain('it sent a message that is no Resources');
  expect(lab.held()).toEqual({ 'x/a': 'a1', 'x/b': 'b0' });
});

// Go's sink asks a checker, and answers with code 16. Here a source is known, or it is none of the config's: code 7.
test('TestServerSink: who is not allowed is refused, and told what was seen of it', async () => {
  const lab = await AwaitedLab.listen({ lab: { match: { meta: { cluster: 'east' } } } });
  const stream = DiallingSource.connect(lab.port).open({ cluster: 'west', token: 'secret' });
  stream.trigger();
  const { code, details } = await stream.ended();
  expect(code).toBe(7);
  expect(details).toContain('address 127.0.0.1; headers: cluster, token; no client certificate');
  expect([details, JSON.stringify(lab.log.lines)].join()).not.toMatch(/secret|west/);
  expect(lab.source().connection).toMatchObject({ state: 'awaited', streams: 0 });
});

// Go's sink waits for a limiter before it serves a stream. Here nobody waits: what bounds a source is how many streams it has.
test('TestServerSinkRateLimitter: streams that follow each other at once are all served', async () => {
  const lab = await AwaitedLab.listen();
  for (let round = 1; round <= 20; round++) {
    const stream = await lab.dial();
    await stream.deliver({ collection: se, resources: [entry('x/a', `a${round}`)] });
    expect(lab.held()).toEqual({ 'x/a': `a${round}` });
    stream.end();
    await lab.failure();
  }
  expect(lab.source().connection.streams).toBe(20);
});

test('TestServerSinkRateLimitterError: a stream beyond the limit ends with code 8; those that are open go on', async () => {
  const match = (name: string) => ({ match: { meta: { name } } });
  const lab = await AwaitedLab.listen({ a: match('a'), b: match('b'), c: match('c') }, { maxStreamsPerPeer: 2 });
  const [a, b] = await Promise.all([lab.dial({ name: 'a' }), lab.dial({ name: 'b' })]);
  const c = DiallingSource.connect(lab.port).open({ name: 'c' });
  expect(await c.ended()).toEqual({ code: 8, details: 'too many streams of 127.0.0.1: 2 are served at once' });
  await a.deliver({ collection: se, resources: [entry('x/a')] });
  b.end();
  await lab.failure('b');
  await eventually(() => lab.server.streams === 1);
  await (await lab.dial({ name: 'c' })).deliver({ collection: se, resources: [entry('x/c')] });
  expect([lab.held(se, 'a'), lab.held(se, 'c')]).toEqual([{ 'x/a': 'a' }, { 'x/c': 'a' }]);
});

test.each([
  ['1.2 to 1.8', '$triggerCollection'],
  ['1.1, which takes nothing else first', ''],
])(
  'TestClientSource: the trigger of %s is refused with code 12, before anything else; then three collections are served',
  async (_which, collection) => {
    const lab = await AwaitedLab.listen();
    const stream = DiallingSource.connect(lab.port).open();
    // A source whose trigger is slow is still answered before it is asked.
    await eventually(() => lab.source().connection.state === 'connected');
    await new Promise(setImmediate);
    expect(stream.requests).toEqual([]);
    stream.trigger(collection);
    await eventually(() => stream.requests.length === 4);
    expect(stream.requests).toEqual([refusal(collection), ...initialRequests]);
    await stream.deliver({ collection: se, resources: [entry('x/a', 'a0')] });
    await stream.deliver({ collection: we, resources: [entry('x/a', 'a0', {}, 'WorkloadEntry')] });
    await stream.deliver({ collection: gw, resources: [entry('x/a', 'a0', {}, 'Gateway')] });
    expect([lab.held(se), lab.held(we), lab.held(gw)]).toEqual([{ 'x/a': 'a0' }, { 'x/a': 'a0' }, { 'x/a': 'a0' }]);
    expect(lab.reported.of('sourceNacked')).toEqual([]);
  },
);

/** Says something of every collection, and these of serviceentries. */
async function deliverAll(stream: DialledStream, ...entries: readonly object[]): Promise<void> {
  for (const collection of [we, gw]) await stream.deliver({ collection });
  await stream.deliver({ collection: se, resources: entries });
}

test('TestClientSource: a source that dials again, after an error and after an end, says its state anew; the latest counts', async () => {
  const lab = await AwaitedLab.listen();
  const source = DiallingSource.connect(lab.port);
  const first = await source.open().begin(3);
  await deliverAll(first, entry('x/a', 'a0'), entry('x/b', 'b0'));
  first.reset();
  expect(await lab.failure()).toContain('the source left its stream');
  expect(lab.held()).toEqual({ 'x/a': 'a0', 'x/b': 'b0' });

  const second = await source.open().begin(3);
  await deliverAll(second, entry('x/a', 'a1'), entry('x/b', 'b1'));
  await source.close();
  expect(await lab.failure()).toContain('its connection is gone');
  expect(lab.held()).toEqual({ 'x/a': 'a1', 'x/b': 'b1' });

  const third: DialledStream = await lab.dial();
  await third.deliver({ collection: se, resources: [entry('x/a', 'a2'), entry('x/b', 'b1')] });
  expect(lab.held()).toEqual({ 'x/a': 'a2', 'x/b': 'b1' });
  expect(lab.source().connection).toMatchObject({ state: 'connected', streams: 3 });
});
