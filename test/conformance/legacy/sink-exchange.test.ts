import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { gate } from '../../support/gate.ts';
import { encodeMessage, entry, LegacySource, type SourceStream } from '../../support/legacy-source.ts';
import { se, SinkLab, we } from '../../support/sink-lab.ts';

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

/** Starts the sink; its first stream, once everything was asked for. */
async function connect(): Promise<SourceStream> {
  lab.client.start();
  const stream = await source.stream(1);
  await eventually(() => stream.asked.length === 3);
  return stream;
}

describe('subscribing', () => {
  test('all initial requests go out before the first message is read', async () => {
    source.onStream = (stream) => {
      stream.send({ collection: we });
      stream.send({ collection: se });
    };
    lab.client.start();
    const stream = await source.stream(1);
    await eventually(() => stream.requests.length === 5);
    expect(stream.requests.map(({ responseNonce }) => responseNonce)).toEqual(['', '', '', '1', '2']);
  });

  test('goes out while the source keeps its headers back, as Istio 1.1 and 1.2 do', async () => {
    source.onStream = () => {};
    const stream = await connect();
    await stream.deliver({ collection: se, resources: [entry('x/1')] });
    expect(lab.held()).toEqual({ 'x/1': 'a' });
    expect(lab.client.connection).toMatchObject({ state: 'connected', streams: 1 });
  });
});

test.each([
  ['says it in its headers, as Istio 1.3 and newer do', { 'config.source.version': '1.5.10' }, '1.5.10'],
  ['says nothing of it', {}, undefined],
])('which Istio a source is of is known where it %s', async (_what, headers, version) => {
  source.onStream = (stream) => stream.open(headers);
  await (await connect()).deliver({ collection: se });
  expect(lab.client.connection).toMatchObject({ state: 'connected', version, peer: undefined });
});

describe('answering', () => {
  test('gives one reply per message, and reads no second one before it', async () => {
    const stream = await connect();
    const { promise, open } = gate();
    lab.door = promise;
    stream.send({ collection: we });
    stream.send({ collection: se, resources: [entry('x/1')] });
    await eventually(() => lab.accepted.length === 1);
    // The second message is here by now: it came in the same breath as this one did.
    await new Promise(setImmediate);
    expect([lab.accepted.length, stream.replies]).toEqual([1, []]);
    open();
    await eventually(() => stream.replies.length === 2);
    expect(stream.replies).toMatchObject([
      { collection: we, responseNonce: '1', errorDetail: null },
      { collection: se, responseNonce: '2', errorDetail: null },
    ]);
    expect(lab.held()).toEqual({ 'x/1': 'a' });
  });

  test('echoes any nonce, none too', async () => {
    const stream = await connect();
    for (const nonce of ['17_9', 'π/"', '']) stream.sendBytes(encodeMessage({ collection: se, nonce }));
    await eventually(() => stream.requests.length === 6);
    expect(stream.requests.slice(3).map(({ responseNonce }) => responseNonce)).toEqual(['17_9', 'π/"', '']);
  });
});

describe('a message that cannot be decoded', () => {
  test.each([
    ['a length that runs past the end', Buffer.from([0x1a, 0x7f, 0x01])],
    ['a truncated varint', Buffer.from([0x30])],
    ['field number 0', Buffer.from([0x00, 0x00])],
  ])('(%s) ends the stream without an answer; what was held stays', async (_what, bytes) => {
    const stream = await connect();
    await stream.deliver({ collection: se, resources: [entry('x/1', 'one')] });
    stream.sendBytes(bytes);
    stream.send({ collection: se });
    const error = await lab.failure();
    expect(error).toMatch(/^source lab \(127\.0\.0\.1:\d+\): it sent a message that is no Resources: /);
    await eventually(() => stream.closed);
    expect(stream.replies).toHaveLength(1);
    expect(lab.held()).toEqual({ 'x/1': 'one' });
    await lab.retry();
    await (await source.stream(2)).deliver({ collection: se, resources: [entry('x/2', 'two')] });
    expect(lab.held()).toEqual({ 'x/2': 'two' });
  });

  test('is one resource that is no protobuf: only that one is quarantined', async () => {
    const stream = await connect();
    const message = encodeMessage({ collection: se, nonce: '1', resources: [entry('x/1')] });
    stream.sendBytes(Buffer.concat([message, Buffer.from([0x1a, 0x02, 0x0a, 0x7f])]));
    await eventually(() => stream.acked.length === 1);
    expect(lab.held()).toEqual({ 'x/1': 'a' });
    expect(lab.quarantined()).toEqual({ '#1': 'malformed' });
  });

  // It ends the process of Go's sink, which asks each resource for its name.
  test('is no resource without metadata: only that one is quarantined', async () => {
    const stream = await connect();
    const { body } = entry('x/2') as { body: object };
    await stream.deliver({ collection: se, resources: [{ body }, entry('x/1'), {}] });
    expect(lab.held()).toEqual({ 'x/1': 'a' });
    expect(lab.quarantined()).toEqual({ '#0': 'no_metadata', '#2': 'no_metadata' });
  });
});
