import { constants } from 'node:http2';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { gate } from '../../support/gate.ts';
import { entry, LegacySource, type SourceStream } from '../../support/legacy-source.ts';
import { MemoryLogger } from '../../support/memory-logger.ts';
import { gw, se, SinkLab, we } from '../../support/sink-lab.ts';

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

/** Starts the sink; its first stream, with two services delivered. */
async function synced(): Promise<SourceStream> {
  lab.client.start();
  const stream = await source.stream(1);
  await stream.deliver({ collection: we });
  await stream.deliver({ collection: gw });
  await stream.deliver({ collection: se, resources: [entry('x/1', 'one'), entry('x/2', 'two')] });
  return stream;
}

const ends: readonly [string, number, (stream: SourceStream) => void][] = [
  ['with status OK', 0, (stream) => stream.end()],
  ['with UNAVAILABLE', 14, (stream) => stream.end(14, 'server canceled watch')],
  ['with INTERNAL', 13, (stream) => stream.end(13, 'oops')],
  ['by RST_STREAM, CANCEL', 1, (stream) => stream.reset()],
  ['by RST_STREAM, NO_ERROR', 13, (stream) => stream.reset(constants.NGHTTP2_NO_ERROR)],
  ['by RST_STREAM, REFUSED_STREAM', 14, (stream) => stream.reset(constants.NGHTTP2_REFUSED_STREAM)],
  ['by GOAWAY', 14, (stream) => stream.goAway()],
  ['by a TCP connection that closes', 14, () => source.dropConnections()],
];

describe.each(ends)('a stream that ends %s', (_how, code, end) => {
  test('keeps what was held, and is followed by one that asks for everything again', async () => {
    const first = await synced();
    end(first);
    expect(await lab.failure()).toMatch(/^source lab \(127\.0\.0\.1:\d+\): ./);
    expect(lab.reported.of('sourceStreamEnded')).toEqual([['lab', code]]);
    expect(lab.held()).toEqual({ 'x/1': 'one', 'x/2': 'two' });
    await lab.retry();
    const second = await source.stream(2);
    await eventually(() => second.asked.length === 3);
    expect(second.asked).toEqual([we, gw, se]);
    expect(lab.held()).toEqual({ 'x/1': 'one', 'x/2': 'two' });
    await second.deliver({ collection: se, resources: [entry('x/2', 'zwei')] });
    expect(lab.held()).toEqual({ 'x/2': 'zwei' });
    expect(first.closed).toBe(true);
    expect(lab.client.connection).toMatchObject({ state: 'connected', streams: 2 });
  });
});

test('a source that is killed and comes back is found again; what was held stays meanwhile', async () => {
  await synced();
  const { port } = source;
  await source.kill();
  expect(await lab.failure()).toContain(`127.0.0.1:${port}`);
  await lab.retry();
  await eventually(() => /ECONNREFUSED/.test(lab.client.connection.lastError ?? ''));
  expect(lab.held()).toEqual({ 'x/1': 'one', 'x/2': 'two' });
  source = await LegacySource.listen(port);
  await lab.retry();
  await (await source.stream(1)).deliver({ collection: se, resources: [entry('x/1', 'eins')] });
  expect(lab.held()).toEqual({ 'x/1': 'eins' });
});

test('a message right before the end of its stream is taken', async () => {
  lab.client.start();
  const stream = await source.stream(1);
  await eventually(() => stream.asked.length === 3);
  stream.send({ collection: se, resources: [entry('x/1', 'one')] });
  stream.end();
  await lab.failure();
  expect(lab.held()).toEqual({ 'x/1': 'one' });
  expect(lab.client.connection).toMatchObject({ state: 'waiting', streams: 1 });
});

test('a message that is still being taken at the end of its stream does not come after those of the next one', async () => {
  lab.client.start();
  const { promise, open } = gate();
  lab.door = promise;
  const first = await source.stream(1);
  first.send({ collection: se, resources: [entry('x/1', 'old')] });
  await eventually(() => lab.accepted.length === 1);
  first.end(14, 'gone');
  await lab.retry();
  const second = await source.stream(2);
  second.send({ collection: se, resources: [entry('x/1', 'new')] });
  await eventually(() => second.asked.length === 3);
  expect(lab.accepted).toHaveLength(1);
  open();
  await eventually(() => second.acked.length === 1);
  expect(lab.held()).toEqual({ 'x/1': 'new' });
  expect(first.replies).toEqual([]);
});

describe('the wait before another attempt', () => {
  /** The waits after `count` streams that end at once. */
  async function waits(count: number): Promise<(number | undefined)[]> {
    source.onStream = (stream) => stream.end(14, 'not yet');
    const seen: (number | undefined)[] = [];
    for (let n = 1; n <= count; n++) {
      await source.stream(n);
      await lab.failure();
      seen.push(lab.client.connection.retryInMs);
      if (n < count) await lab.retry();
    }
    return seen;
  }

  test('grows up to a ceiling', async () => {
    lab.client.start();
    expect(await waits(7)).toEqual([500, 1000, 2000, 4000, 7500, 7500, 7500]);
  });

  test('is drawn anew each time, so that many bridges do not come back together', async () => {
    const draws = [0.9, 0.1, 0.5, 0.25];
    const own = new SinkLab(source.port, { random: () => draws.shift() ?? 0 });
    await lab.stop();
    lab = own;
    lab.client.start();
    expect(await waits(4)).toEqual([900, 200, 2000, 2000]);
  });

  test('passes in whole before the source is dialled again', async () => {
    lab.client.start();
    await waits(1);
    lab.clock.advance(499);
    expect(lab.client.connection.state).toBe('waiting');
    lab.clock.advance(1);
    expect(lab.client.connection).toMatchObject({ state: 'connecting', retryInMs: undefined });
    await source.stream(2);
  });

  test.each<[string, number, boolean, number]>([
    ['is short again after a stream that served for 10 s', 10_000, true, 500],
    ['stays long after a stream that served for less', 9_999, true, 8000 / 2],
    ['stays long after a stream that lived long and never served', 3_600_000, false, 8000 / 2],
  ])('%s', async (_what, ms, serves, expected) => {
    lab.client.start();
    await waits(3);
    source.onStream = (stream) => stream.open();
    await lab.retry();
    const stream = await source.stream(4);
    await eventually(() => lab.client.connection.state === 'connected');
    if (serves) await stream.deliver({ collection: se });
    lab.clock.advance(ms);
    stream.end(14, 'gone');
    await lab.failure();
    expect(lab.client.connection.retryInMs).toBe(expected);
  });
});

test('a source that stays down is a warning once a minute, and at once when it was there meanwhile', async () => {
  const log = new MemoryLogger();
  const own = new SinkLab(source.port, { log });
  await lab.stop();
  lab = own;
  const warnings = () => log.lines.filter(({ level }) => level === 'warn');
  source.onStream = (stream) => stream.end(14, 'not yet');
  lab.client.start();
  for (let n = 1; n <= 12; n++) {
    await source.stream(n);
    await lab.failure();
    expect([n, warnings().length]).toEqual([n, n < 12 ? 1 : 2]);
    expect(log.lines.filter(({ level }) => level === 'debug')).toHaveLength(n - warnings().length);
    if (n < 12) await lab.retry();
  }
  expect(lab.clock.now()).toBe(60_000);
  expect(warnings()[1]?.fields).toMatchObject({ source: 'lab', before: 10 });

  source.onStream = (stream) => stream.open();
  await lab.retry();
  const stream = await source.stream(13);
  await eventually(() => lab.client.connection.state === 'connected');
  stream.end(14, 'not yet');
  await lab.failure();
  expect(warnings()).toHaveLength(3);
  expect(warnings()[2]?.fields).not.toHaveProperty('before');
});
