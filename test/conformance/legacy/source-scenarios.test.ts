import { describe, expect, onTestFinished, test } from 'vitest';
import type { SourceListenerOptions } from '../../../src/legacy/source-listener.ts';
import { SourceServer } from '../../../src/legacy/source-server.ts';
import type { SourceView } from '../../../src/legacy/source.ts';
import { encodeResourceMessage } from '../../../src/wire/resource-view.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { serviceEntry, serviceEntryBody } from '../../support/resources.ts';
import { ScriptedSink } from '../../support/scripted-sink.ts';
import { gw, se, we } from '../../support/sink-lab.ts';

// Scenarios of pkg/mcp/source and pkg/mcp/snapshot (1.8.6), with a sink that sends what it is told to.

/** Asked for last, to know that nothing else came before. */
const marker = 'marker';

/** Name → version. */
type Contents = Readonly<Record<string, string>>;

/** What a source has: version of each collection, and what is in it. */
type States = Readonly<Record<string, readonly [version: string, contents: Contents]>>;

function viewOf(states: States): SourceView {
  const all: States = { [marker]: ['m', {}], ...states };
  return new Map(
    Object.entries(all).map(([collection, [version, contents]]) => {
      const resources = Object.entries(contents).map(([name, content]) => resource(name, content));
      return [collection, { version, resources }];
    }),
  );
}

function resource(name: string, version: string): Buffer {
  const body = serviceEntryBody({ hosts: [version] });
  return encodeResourceMessage({ name, version, bodyType: serviceEntry.body, body });
}

class SourceLab {
  readonly server: SourceServer;
  readonly #port: number;

  private constructor(server: SourceServer, port: number) {
    this.server = server;
    this.#port = port;
  }

  /** A source that serves as long as the test lasts. */
  static async serve(states: States, options: SourceListenerOptions = {}): Promise<SourceLab> {
    const server = new SourceServer(viewOf(states), options);
    const port = await server.listen({ host: '127.0.0.1', port: 0 });
    onTestFinished(() => server.stop(0));
    return new SourceLab(server, port);
  }

  update(states: States): void {
    this.server.update(viewOf(states));
  }

  connect(): ScriptedSink {
    const sink = new ScriptedSink(this.#port);
    onTestFinished(() => sink.close());
    return sink;
  }

  /** Returns once the answer to a version of a collection has been read; there is one sink. */
  async answered(collection: string, version: string): Promise<void> {
    await eventually(() => {
      const [stream] = this.server.streams;
      const watch = stream?.collections.find((one) => one.collection === collection);
      return watch?.sentVersion === version && !watch.awaitingAck;
    });
  }

  /** Returns once all that the sink has said and the source has got is answered, as far as it is answered at all. */
  async settled(sink: ScriptedSink): Promise<void> {
    const markers = () => sink.messages.filter(({ collection }) => collection === marker);
    const before = markers();
    const last = before.at(-1);
    if (last !== undefined) sink.request(marker, last.nonce);
    // Once nothing is outstanding, this is a new subscription.
    sink.request(marker);
    await eventually(() => markers().length > before.length);
  }
}

/** The messages of a sink, but for markers. */
function messagesOf(sink: ScriptedSink) {
  return sink.messages.filter(({ collection }) => collection !== marker);
}

/** The n-th of them, from 1, with what is in it as name → version; waits for it. */
async function message(sink: ScriptedSink, n: number) {
  await eventually(() => messagesOf(sink).length >= n);
  const [found] = messagesOf(sink).slice(n - 1);
  if (found === undefined) throw new Error(`no message ${n}`);
  const { resources, ...envelope } = found;
  return {
    ...envelope,
    contents: Object.fromEntries(resources.map(({ metadata: { name, version } }) => [name, version])),
  };
}

const nack = { errorDetail: { code: 3, message: 'not this one' } };
const incremental = { incremental: true };

describe('the exchange', () => {
  test('TestSourceACKAddUpdateDelete: seven whole states under nonces from 1; a refused one is not sent again, the next is', async () => {
    const lab = await SourceLab.serve({ [se]: ['', {}] });
    const sink = lab.connect();
    sink.request(se);
    const steps: readonly (readonly [contents: Contents, answer: object])[] = [
      [{ 'x/a': '0' }, {}],
      [{ 'x/a': '1' }, nack],
      [{ 'x/a': '1' }, {}],
      [{}, {}],
      [{ 'x/b': '0', 'x/c': '0' }, {}],
      [{ 'x/a': '2', 'x/b': '1', 'x/c': '0' }, {}],
      [{ 'x/b': '2', 'x/c': '1' }, {}],
    ];
    for (const [i, [contents, answer]] of steps.entries()) {
      const version = String(i + 1);
      lab.update({ [se]: [version, contents] });
      // Had the refused state been sent again, the next one would have another nonce.
      const envelope = { collection: se, nonce: version, systemVersionInfo: version };
      expect(await message(sink, i + 1)).toEqual({ ...envelope, incremental: false, removedResources: [], contents });
      sink.request(se, version, answer);
    }
    await lab.settled(sink);
    expect(messagesOf(sink)).toHaveLength(steps.length);
  });

  test('TestSourceACKAddUpdateDelete_Incremental: the first message is whole; then what was added, changed and removed since what was taken', async () => {
    const lab = await SourceLab.serve({ [se]: ['', {}] });
    const sink = lab.connect();
    sink.request(se, '', incremental);
    type Step = { has: Contents; sent: Contents; removed?: readonly string[]; whole?: boolean; answer?: object };
    const steps: readonly Step[] = [
      { has: { 'x/a': '0' }, sent: { 'x/a': '0' }, whole: true },
      { has: { 'x/a': '1' }, sent: { 'x/a': '1' }, answer: nack },
      { has: { 'x/a': '1' }, sent: { 'x/a': '1' } },
      { has: {}, sent: {}, removed: ['x/a'] },
      { has: { 'x/b': '0', 'x/c': '0' }, sent: { 'x/b': '0', 'x/c': '0' } },
      // From here on the sink asks for whole states.
      { has: { 'x/a': '2', 'x/b': '1', 'x/c': '0' }, sent: { 'x/a': '2', 'x/b': '1' }, answer: { incremental: false } },
      { has: { 'x/a': '2', 'x/b': '2' }, sent: { 'x/a': '2', 'x/b': '2' }, whole: true },
      { has: { 'x/b': '2', 'x/c': '1' }, sent: { 'x/c': '1' }, removed: ['x/a'] },
    ];
    for (const [i, { has, sent, removed = [], whole = false, answer = {} }] of steps.entries()) {
      const version = String(i + 1);
      lab.update({ [se]: [version, has] });
      const envelope = { collection: se, nonce: version, systemVersionInfo: version, incremental: !whole };
      expect(await message(sink, i + 1)).toEqual({ ...envelope, removedResources: removed, contents: sent });
      sink.request(se, version, { ...incremental, ...answer });
      await lab.answered(se, version);
    }
  });

  test('TestSourceWatchBeforeResponsesAvailable: a request before there is anything is answered when there is', async () => {
    const lab = await SourceLab.serve({ [se]: ['', {}] });
    const sink = lab.connect();
    sink.request(se);
    await lab.settled(sink);
    expect(messagesOf(sink)).toEqual([]);
    lab.update({ [se]: ['1', { 'x/a': '0' }] });
    expect(await message(sink, 1)).toMatchObject({ systemVersionInfo: '1', contents: { 'x/a': '0' } });
  });

  test('TestSourceStaleNonce: stale ACKs and NACKs change nothing; the expected ACK gets the next state', async () => {
    const lab = await SourceLab.serve({ [se]: ['1', { 'x/a': '0' }] });
    const sink = lab.connect();
    sink.request(se);
    expect(await message(sink, 1)).toMatchObject({ nonce: '1', systemVersionInfo: '1' });
    lab.update({ [se]: ['2', { 'x/a': '1' }] });
    sink.request(se, 'stale0');
    sink.request(se, 'stale1', nack);
    await lab.settled(sink);
    expect(messagesOf(sink)).toHaveLength(1);
    sink.request(se, '1');
    expect(await message(sink, 2)).toMatchObject({ systemVersionInfo: '2', contents: { 'x/a': '1' } });
    sink.request(se, '1');
    await lab.settled(sink);
    expect(messagesOf(sink)).toHaveLength(2);
  });

  test('TestSourceConcurrentRequestsForMultipleTypes: collections are independent on one stream', async () => {
    const states: States = { [se]: ['1', { 'x/a': '0' }], [we]: ['2', { 'x/b': '0' }], [gw]: ['3', { 'x/c': '0' }] };
    const lab = await SourceLab.serve(states);
    const sink = lab.connect();
    sink.requestAll(se, we, gw);
    await message(sink, 3);
    const sent = messagesOf(sink).map(({ collection, nonce, systemVersionInfo }) => [
      collection,
      nonce,
      systemVersionInfo,
    ]);
    expect(sent).toEqual([
      [se, '1', '1'],
      [we, '2', '2'],
      [gw, '3', '3'],
    ]);
    // Two of them are never answered.
    sink.request(we, '2');
    lab.update({ ...states, [se]: ['4', {}], [we]: ['5', {}] });
    expect(await message(sink, 4)).toMatchObject({ collection: we, nonce: '4', systemVersionInfo: '5' });
    await lab.settled(sink);
    expect(messagesOf(sink)).toHaveLength(4);
  });
});

test.each<[string, Contents, Contents, Contents, readonly string[]]>([
  ['add', { 'x/0': '0' }, { 'x/0': '0', 'x/1': '0', 'x/2': '0' }, { 'x/1': '0', 'x/2': '0' }, []],
  ['no-op push', { 'x/0': '0', 'x/1': '0' }, { 'x/1': '0', 'x/0': '0' }, {}, []],
  ['update', { 'x/0': '0', 'x/1': '0' }, { 'x/0': '1', 'x/1': '0' }, { 'x/0': '1' }, []],
  ['delete one', { 'x/0': '0', 'x/1': '0' }, { 'x/1': '0' }, {}, ['x/0']],
  ['delete all', { 'x/0': '0', 'x/1': '0', 'x/2': '0' }, {}, {}, ['x/0', 'x/1', 'x/2']],
  [
    'add, update and delete',
    { 'x/0': '0', 'x/1': '0' },
    { 'x/0': '1', 'x/2': '0' },
    { 'x/0': '1', 'x/2': '0' },
    ['x/1'],
  ],
  ['nothing was there', {}, { 'x/0': '0' }, { 'x/0': '0' }, []],
])('TestCalculateDelta: %s', async (_what, acked, current, added, removed) => {
  const lab = await SourceLab.serve({ [se]: ['1', acked] });
  const sink = lab.connect();
  sink.request(se, '', incremental);
  expect(await message(sink, 1)).toMatchObject({ incremental: false, contents: acked });
  sink.request(se, '1', incremental);
  await lab.answered(se, '1');
  lab.update({ [se]: ['2', current] });
  const delta = await message(sink, 2);
  expect(delta).toMatchObject({ incremental: true, contents: added });
  expect(delta.removedResources.toSorted()).toEqual(removed);
});

describe('how a stream ends', () => {
  test('TestSourceWatchClosed: a source that gives up ends it with UNAVAILABLE', async () => {
    const lab = await SourceLab.serve({ [se]: ['', {}] });
    const sink = lab.connect();
    sink.request(se);
    await lab.settled(sink);
    await lab.server.stop(0);
    await eventually(() => sink.status !== undefined);
    expect(sink.status).toEqual({ code: 14, details: 'server canceled watch' });
  });

  test('TestSourceUnsupportedTypeError: INVALID_ARGUMENT names the collection that the source does not know', async () => {
    const lab = await SourceLab.serve({ [se]: ['1', {}] });
    const sink = lab.connect();
    sink.request('unsupportedtype');
    await eventually(() => sink.status !== undefined);
    expect(sink.status).toEqual({ code: 3, details: 'unsupported collection "unsupportedtype"' });
  });

  test('TestSourceSendError: a message that cannot be sent ends it, and it is forgotten', async () => {
    const body = 'y'.repeat(1 << 20);
    const clock = new FakeClock();
    const lab = await SourceLab.serve({ [se]: ['1', { 'x/a': body }] }, { clock });
    const sink = lab.connect();
    sink.stopReading();
    sink.request(se);
    await eventually(() => lab.server.streams[0]?.collections[0]?.sentVersion === '1');
    await sink.close();
    await eventually(() => lab.server.connected === 0 && clock.timers === 0);
    const other = lab.connect();
    other.request(se);
    expect(await message(other, 1)).toMatchObject({ nonce: '1', contents: { 'x/a': body } });
  });

  test('TestSourceReceiveError: what cannot be read ends it, and no other', async () => {
    const lab = await SourceLab.serve({ [se]: ['1', {}] });
    const [bad, good] = [lab.connect(), lab.connect()];
    good.request(se);
    await message(good, 1);
    bad.sendBytes(Buffer.from([0x12, 0x7f, 0x01]));
    await eventually(() => bad.status !== undefined && lab.server.connected === 1);
    expect(bad.status).toEqual({ code: 3, details: 'this is no RequestResources' });
    good.request(se, '1');
    lab.update({ [se]: ['2', {}] });
    expect(await message(good, 2)).toMatchObject({ systemVersionInfo: '2' });
  });

  test('TestServerSource: with OK when the sink has said all; three collections are served, each once', async () => {
    const lab = await SourceLab.serve({ [se]: ['1', {}], [we]: ['2', {}], [gw]: ['3', {}] });
    const [first, second] = [lab.connect(), lab.connect()];
    first.end();
    await eventually(() => first.status !== undefined);
    expect(first.status?.code).toBe(0);
    second.requestAll(se, we, gw);
    await message(second, 3);
    await lab.settled(second);
    expect(messagesOf(second).map(({ collection }) => collection)).toEqual([se, we, gw]);
  });
});

describe('how often', () => {
  const states: States = { [se]: ['1', {}], [we]: ['2', {}], [gw]: ['3', {}] };

  test('TestConnRateLimit: requests of one stream that come too soon wait their turn; those of another stream do not', async () => {
    const clock = new FakeClock();
    const lab = await SourceLab.serve(states, { clock, requests: { burst: 2, perSecond: 1 } });
    const [hasty, other] = [lab.connect(), lab.connect()];
    hasty.requestAll(se, we, gw, marker);
    await message(hasty, 2);
    other.requestAll(gw, marker);
    await message(other, 1);
    expect(hasty.collections).toEqual([se, we]);
    await eventually(() => {
      clock.advance(999);
      clock.advance(1);
      return hasty.messages.length === 4;
    });
    expect(hasty.collections).toEqual([se, we, gw, marker]);
  });

  test('TestConnRateLimitError: a sink that goes while it waits is forgotten', async () => {
    const clock = new FakeClock();
    const lab = await SourceLab.serve(states, { clock, requests: { burst: 1, perSecond: 1 } });
    const sink = lab.connect();
    sink.requestAll(se, we, gw);
    await message(sink, 1);
    await sink.close();
    await eventually(() => lab.server.connected === 0);
    expect(clock.timers).toBe(0);
  });

  test('TestServerSinkRateLimitter: streams of one address that come too soon begin later', async () => {
    const clock = new FakeClock();
    const lab = await SourceLab.serve(states, { clock, streams: { burst: 2, perSecond: 1 } });
    const sinks = Array.from({ length: 4 }, () => lab.connect());
    for (const sink of sinks) sink.request(se);
    const answered = () => sinks.filter(({ messages }) => messages.length > 0).length;
    // One timer for each of those that wait.
    await eventually(() => answered() === 2 && clock.timers === 2);
    expect(lab.server.connected).toBe(2);
    clock.advance(1000);
    await eventually(() => answered() === 3 && clock.timers === 1);
    const [waiting] = sinks.filter(({ opened }) => !opened);
    await waiting?.close();
    await eventually(() => clock.timers === 0);
    clock.advance(10_000);
    expect(lab.server.connected).toBe(3);
  });
});

describe('the cache behind it', () => {
  test('TestCreateWatch: an answer at once where versions differ, none where they do not, and one when that changes', async () => {
    const collections = [se, we, gw];
    const at = (...versions: readonly string[]): States =>
      Object.fromEntries(
        collections.map((collection, i) => [collection, [versions[i] ?? '', { 'x/a': versions[i] ?? '' }]]),
      );
    const lab = await SourceLab.serve(at('1', '1', '1'));
    const sink = lab.connect();
    const versions = ['1', '1', '1'];
    let sent = 0;
    for (const [i, collection] of collections.entries()) {
      sink.request(collection);
      const { nonce, systemVersionInfo } = await message(sink, ++sent);
      expect(systemVersionInfo).toBe('1');
      sink.request(collection, nonce);
      await lab.settled(sink);
      versions[i] = '2';
      lab.update(at(...versions));
      const next = await message(sink, ++sent);
      expect(next).toMatchObject({ collection, systemVersionInfo: '2' });
      sink.request(collection, next.nonce);
      await lab.settled(sink);
      expect(messagesOf(sink)).toHaveLength(sent);
    }
  });

  test('TestWatchCancel: a request that takes the place of another one is answered once', async () => {
    const lab = await SourceLab.serve({ [se]: ['1', {}] });
    const sink = lab.connect();
    sink.request(se);
    sink.request(se, (await message(sink, 1)).nonce);
    await lab.settled(sink);
    sink.request(se);
    const again = await message(sink, 2);
    expect(again).toMatchObject({ systemVersionInfo: '1' });
    sink.request(se, again.nonce);
    await lab.settled(sink);
    lab.update({ [se]: ['2', {}] });
    await message(sink, 3);
    await lab.settled(sink);
    expect(messagesOf(sink).map(({ systemVersionInfo }) => systemVersionInfo)).toEqual(['1', '1', '2']);
  });

  test('TestClearSnapshot: nothing is answered while there is no state, and the next one is', async () => {
    const lab = await SourceLab.serve({ [se]: ['1', {}] });
    lab.update({ [se]: ['', {}] });
    const sink = lab.connect();
    sink.request(se);
    await lab.settled(sink);
    expect(messagesOf(sink)).toEqual([]);
    lab.update({ [se]: ['2', { 'x/a': '0' }] });
    expect(await message(sink, 1)).toMatchObject({ systemVersionInfo: '2', contents: { 'x/a': '0' } });
  });

  test('TestClearStatus: a source that is cleared ends its streams, and gives nothing more', async () => {
    const lab = await SourceLab.serve({ [se]: ['', {}] });
    const sink = lab.connect();
    sink.request(se);
    await lab.settled(sink);
    const stopped = lab.server.stop(0);
    lab.update({ [se]: ['1', {}] });
    await stopped;
    await eventually(() => sink.status !== undefined);
    expect([sink.status?.code, messagesOf(sink)]).toEqual([14, []]);
  });
});
