import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { defaultSourceProfile } from '../../../src/legacy/source-profile.ts';
import { eventually } from '../../support/eventually.ts';
import { gate } from '../../support/gate.ts';
import { entry, LegacySource, resource, type SourceStream } from '../../support/legacy-source.ts';
import { serviceEntry } from '../../support/resources.ts';
import { gw, se, SinkLab, we } from '../../support/sink-lab.ts';
import { noGuard } from '../../support/store-lab.ts';

// The scenarios of Istio's own sink tests (pkg/mcp/sink), each over a socket under the name it has there.
// docs/conformance.md lists all of them, and why some end differently here.

let source: LegacySource;
let lab: SinkLab;

beforeEach(async () => {
  source = await LegacySource.listen();
  lab = new SinkLab(source.port);
});

afterEach(async () => {
  await lab.stop();
  await source.kill();
});

/** A sink that believes at once what takes everything away, as Go's does: holding it back is the guard's business. */
async function unguarded(): Promise<void> {
  await lab.stop();
  lab = new SinkLab(source.port, {}, new Map(), noGuard);
}

/** All fields of a request without an error. */
function request(collection: string, responseNonce: string, more: object = {}) {
  const node = { sinkNode: { id: '', annotations: {} }, collection, initialResourceVersions: {} };
  return { ...node, responseNonce, errorDetail: null, incremental: false, ...more };
}

const initialRequests = [we, gw, se].map((collection) => request(collection, ''));

/** The n-th stream, after the initial requests; these say nothing of what was held before. */
async function opened(n: number): Promise<SourceStream> {
  const stream = await source.stream(n);
  await eventually(() => stream.requests.length === 3);
  expect(stream.requests).toEqual(initialRequests);
  return stream;
}

/** Says something of a collection, and returns the only answer to it. */
async function answerTo(
  stream: SourceStream,
  collection: string,
  nonce: string,
  resources: readonly object[],
): Promise<unknown> {
  const { length } = stream.replies;
  stream.send({ collection, nonce, systemVersionInfo: `of ${nonce}`, resources });
  await eventually(() => stream.replies.length > length);
  expect(stream.replies).toHaveLength(length + 1);
  return stream.replies[length];
}

test('TestSinkACKAddUpdateDelete: eight messages, each acknowledged once under its nonce and applied as a whole state', async () => {
  await unguarded();
  lab.client.start();
  const stream = await opened(1);
  const [a0, a1, b0, b1, c0, c1] = ['a0', 'a1', 'b0', 'b1', 'c0', 'c1'].map((content) =>
    entry(`x/${content.slice(0, 1)}`, content),
  ) as [object, object, object, object, object, object];
  /** What comes, what is held then, and how many resources were brought and removed; undefined where none was. */
  const steps: readonly [string, string, readonly object[], object, readonly [number, number] | undefined][] = [
    [se, 'type0/n0', [a0], { 'x/a': 'a0' }, [1, 0]],
    [we, 'type1/n0', [entry('x/a', 'a0', {}, 'WorkloadEntry')], { 'x/a': 'a0' }, [1, 0]],
    [gw, 'type2/n0', [entry('x/a', 'a0', {}, 'Gateway')], { 'x/a': 'a0' }, [1, 0]],
    [se, 'type0/n1', [a1, b0], { 'x/a': 'a1', 'x/b': 'b0' }, [2, 0]],
    [se, 'type0/n2', [b1, c0], { 'x/b': 'b1', 'x/c': 'c0' }, [2, 1]],
    [se, 'type0/n3', [], {}, [0, 2]],
    [se, 'type0/n4', [], {}, undefined],
    [se, 'type0/n5', [c1], { 'x/c': 'c1' }, [1, 0]],
  ];
  for (const [collection, nonce, resources, held, changed] of steps) {
    const before = lab.reported.of('changed').length;
    expect(await answerTo(stream, collection, nonce, resources)).toEqual(request(collection, nonce));
    expect(lab.held(collection)).toEqual(held);
    const changes = lab.reported.of('changed').slice(before);
    expect(changes.map(([, , upserts, removals]) => [upserts, removals])).toEqual(changed ? [changed] : []);
  }
  stream.end();
  expect(await lab.failure()).toContain('the source ended it');
  expect(stream.requests).toHaveLength(steps.length + initialRequests.length);
  expect([lab.held(se), lab.held(we), lab.held(gw)]).toEqual([{ 'x/c': 'c1' }, { 'x/a': 'a0' }, { 'x/a': 'a0' }]);
});

describe('TestSinkNACK', () => {
  let stream: SourceStream;

  beforeEach(async () => {
    lab.client.start();
    stream = await opened(1);
    expect(await answerTo(stream, se, 'n0', [entry('x/a', 'a0')])).toEqual(request(se, 'n0'));
  });

  test('TestSinkNACK: an unsupported collection is refused with code 12 and not applied; the next good message is', async () => {
    const garbage = `${se}Garbage`;
    const errorDetail = { code: 12, message: `unsupported collection "${garbage}"`, details: [] };
    expect(await answerTo(stream, garbage, 'n1', [entry('x/a', 'a1')])).toEqual(
      request(garbage, 'n1', { errorDetail }),
    );
    expect([lab.held(), lab.accepted.length]).toEqual([{ 'x/a': 'a0' }, 1]);
    expect(await answerTo(stream, se, 'n5', [entry('x/a', 'a1')])).toEqual(request(se, 'n5'));
    expect(lab.held()).toEqual({ 'x/a': 'a1' });
    expect(lab.reported.of('sourceNacked')).toEqual([['lab', 'other', 12]]);
    expect(lab.reported.of('sourceAcked')).toEqual([
      ['lab', se],
      ['lab', se],
    ]);
  });

  // Go refuses the whole message with code 2, and applies nothing of it: one bad resource keeps every good one of
  // its collection out, and the source sends none of them again before something else changes. Here a bad resource
  // costs itself, and its last good form stays.
  test.each([
    ['that cannot be read', resource('x/a', 'ServiceEntry', Buffer.from('data')), 'malformed'],
    ['of a type that nobody knows', resource('x/a', 'istio.test.Unknown', Buffer.alloc(0)), 'wrong_kind'],
    ['of another kind', entry('x/a', 'a1', {}, 'Gateway'), 'wrong_kind'],
    ['without a type', { metadata: { name: 'x/a' }, body: { value: Buffer.from('data') } }, 'no_body'],
    ['that is missing', { metadata: { name: 'x/a' } }, 'no_body'],
  ])(
    'TestSinkNACK: a body %s is quarantined alone; the message is acknowledged, the good ones in it are taken',
    async (_what, bad, reason) => {
      expect(await answerTo(stream, se, 'n2', [bad, entry('x/b', 'b0')])).toEqual(request(se, 'n2'));
      expect(lab.held()).toEqual({ 'x/a': 'a0', 'x/b': 'b0' });
      expect(lab.quarantined()).toEqual({ 'x/a': reason });
      expect(lab.reported.of('sourceNacked')).toEqual([]);
      expect(await answerTo(stream, se, 'n5', [entry('x/a', 'a1')])).toEqual(request(se, 'n5'));
      expect([lab.held(), lab.quarantined()]).toEqual([{ 'x/a': 'a1' }, {}]);
    },
  );

  // Go's updater may reject a message, which is refused with code 3 then. Ours has nothing to reject: it takes what
  // is good. A message in which nothing can be used is no evidence that anything is gone.
  test('TestSinkNACK: no content is rejected with code 3; a message of unusable resources takes nothing away', async () => {
    expect(await answerTo(stream, se, 'n4', [entry('a/b/c'), entry('')])).toEqual(request(se, 'n4'));
    expect([lab.held(), lab.quarantined()]).toEqual([{ 'x/a': 'a0' }, { '#0': 'bad_name', '#1': 'bad_name' }]);
    expect(await answerTo(stream, se, 'n5', [entry('x/a', 'a1')])).toEqual(request(se, 'n5'));
    expect([lab.held(), lab.quarantined()]).toEqual([{ 'x/a': 'a1' }, {}]);
  });
});

// Aggregated, the protocol of this scenario, is not built; what the sink of 1.0 does about a body of another type than
// the response's (code 3 for the whole of it) is answered here as every body is that cannot be used.
test('TestSingleTypeCases: bodies of another kind than their collection are quarantined, not refused with code 3', async () => {
  lab.client.start();
  const stream = await opened(1);
  const others = [entry('x/b', 'b0', {}, 'Gateway'), entry('x/c', 'c0', {}, 'WorkloadEntry')];
  expect(await answerTo(stream, se, 'n0', [entry('x/a', 'a0'), ...others])).toEqual(request(se, 'n0'));
  expect(lab.held()).toEqual({ 'x/a': 'a0' });
  expect(lab.quarantined()).toEqual({ 'x/b': 'wrong_kind', 'x/c': 'wrong_kind' });
});

test('TestSinkResume: a new stream begins without versions, whatever was held; empty messages delete all', async () => {
  await unguarded();
  lab.client.start();
  const first = await opened(1);
  const workload = entry('x/a', 'a0', {}, 'WorkloadEntry');
  expect(await answerTo(first, se, 'n0', [entry('x/a', 'a0'), entry('x/b', 'b0')])).toEqual(request(se, 'n0'));
  expect(await answerTo(first, we, 'n0', [workload])).toEqual(request(we, 'n0'));
  first.end();
  await lab.retry();

  const second = await opened(2);
  expect([lab.held(se), lab.held(we)]).toEqual([{ 'x/a': 'a0', 'x/b': 'b0' }, { 'x/a': 'a0' }]);
  expect(await answerTo(second, se, 'n0', [])).toEqual(request(se, 'n0'));
  expect(await answerTo(second, we, 'n0', [])).toEqual(request(we, 'n0'));
  expect([lab.held(se), lab.held(we)]).toEqual([{}, {}]);
  second.end();
  await lab.retry();

  await opened(3);
  expect([lab.held(se), lab.held(we), lab.sync(se)]).toEqual([{}, {}, 'synced']);
});

test('TestSinkSendError: a message whose answer cannot be sent is applied; the stream is over, and the failure is counted', async () => {
  lab.client.start();
  const first = await opened(1);
  await answerTo(first, se, 'n0', [entry('x/a', 'a0')]);
  const { promise, open } = gate();
  lab.door = promise;
  first.send({ collection: se, nonce: 'n1', resources: [entry('x/a', 'a1')] });
  await eventually(() => lab.accepted.length === 2);
  source.dropConnections();
  await lab.failure();
  expect(lab.held()).toEqual({ 'x/a': 'a0' });
  open();
  await eventually(() => lab.held()['x/a'] === 'a1');
  await eventually(() => lab.reported.of('sourceSendFailed').length === 1);
  expect(lab.reported.of('sourceSendFailed')).toEqual([['lab', 14]]);
  expect(lab.reported.of('sourceStreamEnded')).toEqual([['lab', 14]]);
  expect(first.acked).toEqual(['n0']);
  await lab.retry();
  await opened(2);
});

test('an answer that never left, because the source did not let it, is a failure to send', async () => {
  lab.client.start();
  const first = await opened(1);
  await answerTo(first, se, 'n0', [entry('x/a', 'a0')]);
  await first.closeWindow();
  // Our answer echoes the nonce: one that is larger than the 1 MiB that grpc-js keeps for what can't leave.
  first.send({ collection: se, nonce: 'x'.repeat(2 << 20), resources: [entry('x/a', 'a1')] });
  await eventually(() => lab.held()['x/a'] === 'a1');
  source.dropConnections();
  await lab.failure();
  expect(lab.reported.of('sourceSendFailed')).toEqual([['lab', 14]]);
  expect(first.acked).toEqual(['n0']);

  // One that left is none, whatever becomes of the stream.
  await lab.retry();
  const second = await opened(2);
  await answerTo(second, se, 'n2', [entry('x/a', 'a2')]);
  source.dropConnections();
  await lab.failure();
  expect(lab.reported.of('sourceSendFailed')).toHaveLength(1);
});

test('TestSinkRecvError: EOF and an unknown error each end the stream with that; the state serves the next one', async () => {
  lab.client.start();
  const first = await opened(1);
  await answerTo(first, se, 'n0', [entry('x/a', 'a0')]);
  first.end();
  expect(await lab.failure()).toContain('the source ended it');
  await lab.retry();

  const second = await opened(2);
  expect(lab.held()).toEqual({ 'x/a': 'a0' });
  expect(await answerTo(second, se, 'n0', [entry('x/a', 'a1')])).toEqual(request(se, 'n0'));
  second.end(2, 'unknown');
  expect(await lab.failure()).toContain('code 2: unknown');
  expect(lab.held()).toEqual({ 'x/a': 'a1' });
  expect(lab.reported.of('sourceStreamEnded')).toEqual([
    ['lab', 0],
    ['lab', 2],
  ]);
});

// Annotations that Go's sink may be given travel in every request. Nothing ever asked for them, and a source of
// 1.0, which has a Struct in their place, ends a stream over them: so there are none.
test('TestSink_MetadataID: every request carries the id that is configured, and no annotations', async () => {
  const named = new SinkLab(source.port, { profile: { ...defaultSourceProfile, sinkNodeId: 'test-node' } });
  named.client.start();
  const stream = await source.stream(1);
  await eventually(() => stream.requests.length === 3);
  await answerTo(stream, se, 'n0', []);
  await answerTo(stream, 'unknown', 'n1', []);
  expect(stream.requests.map(({ sinkNode }) => sinkNode)).toEqual(
    Array.from({ length: 5 }, () => ({ id: 'test-node', annotations: {} })),
  );
  await named.stop();
});

test('TestCreateInitialRequests: one for each collection, serviceentries last, without nonce, versions or flag', async () => {
  lab.client.start();
  const stream = await source.stream(1);
  await eventually(() => stream.requests.length === 3);
  expect(stream.requests).toEqual([we, gw, se].map((collection) => request(collection, '')));
});

// Go's sink says which versions it has acknowledged. No source of any version reads that, and the first message of
// each collection holds everything; a source that did read it would leave out what it believes to be here.
test('TestCreateInitialRequests: with changes asked for, the flag is set, and versions stay at home', async () => {
  const eager = new SinkLab(source.port, { profile: { ...defaultSourceProfile, incremental: true } });
  eager.client.start();
  const flagged = [we, gw, se].map((collection) => request(collection, '', { incremental: true }));
  const first = await source.stream(1);
  await eventually(() => first.requests.length === 3);
  expect(first.requests).toEqual(flagged);
  const known = [entry('x/foo', 'v1', { version: 'v1' })];
  expect(await answerTo(first, se, 'n0', known)).toEqual(request(se, 'n0', { incremental: true }));
  first.end();
  await eager.retry();
  const second = await source.stream(2);
  await eventually(() => second.requests.length === 3);
  expect(second.requests).toEqual(flagged);
  expect(eager.held()).toEqual({ 'x/foo': 'v1' });
  await eager.stop();
});

// Go 1.6 to 1.8 tries again without any wait, some 900,000 times a second; here each attempt waits longer.
test('TestClientSink: an error, attempts that fail, an end: each is followed by another attempt, and the next state replaces the old one', async () => {
  lab.client.start();
  const first = await opened(1);
  await answerTo(first, se, 'n0', [entry('x/a', 'a0'), entry('x/b', 'b0')]);
  expect(lab.held()).toEqual({ 'x/a': 'a0', 'x/b': 'b0' });

  source.onStream = (stream) => stream.end(14, 'fake connection error');
  first.end(2, 'non-EOF error');
  expect(await lab.failure()).toContain('non-EOF error');
  const waits: (number | undefined)[] = [];
  for (let attempt = 2; attempt <= 4; attempt++) {
    await lab.retry();
    await source.stream(attempt);
    expect(await lab.failure()).toContain('fake connection error');
    waits.push(lab.client.connection.retryInMs);
  }
  expect(waits).toEqual([1000, 2000, 4000]);

  source.onStream = (stream) => stream.open();
  await lab.retry();
  (await opened(5)).end();
  expect(await lab.failure()).toContain('the source ended it');
  expect(lab.held()).toEqual({ 'x/a': 'a0', 'x/b': 'b0' });
  await lab.retry();
  const last = await opened(6);
  expect(await answerTo(last, se, 'n1', [entry('x/a', 'a1'), entry('x/b', 'b1')])).toEqual(request(se, 'n1'));
  expect(lab.held()).toEqual({ 'x/a': 'a1', 'x/b': 'b1' });
  expect(lab.store.holding('lab', serviceEntry.id).messages).toBe(2);
});
