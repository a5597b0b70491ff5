import { describe, expect, test } from 'vitest';
import { AwaitedLab } from '../../support/awaited-lab.ts';
import { DiallingSource, type DialledStream } from '../../support/dialling-source.ts';
import { eventually } from '../../support/eventually.ts';
import { gate } from '../../support/gate.ts';
import { encodeMessage, entry } from '../../support/legacy-source.ts';
import { gw, se, we } from '../../support/sink-lab.ts';
import { until } from '../../support/until.ts';

/** The warnings of the log that speak of this. */
const warnings = (lab: AwaitedLab, pattern: RegExp) =>
  lab.log.lines.filter(({ level, message }) => level === 'warn' && pattern.test(message));

/** A source that has been asked, and has taken all that it was asked for. */
async function settled(lab: AwaitedLab, headers: Readonly<Record<string, string>> = {}): Promise<DialledStream> {
  const stream = await lab.dial(headers);
  for (const collection of [we, gw]) await stream.deliver({ collection });
  await stream.deliver({ collection: se, resources: [entry('x/first', 'one')] });
  return stream;
}

describe('a source that sends no trigger', () => {
  test('is asked after 2 s, whatever it waits for', async () => {
    const lab = await AwaitedLab.listen();
    const stream = DiallingSource.connect(lab.port).open();
    await eventually(() => lab.source().connection.state === 'connected');
    await lab.clock.run(1999);
    expect(stream.requests).toEqual([]);
    await lab.clock.run(1);
    await eventually(() => stream.asked.length === 3);
    expect(stream.asked).toEqual([gw, we, se]);
    stream.trigger();
    await eventually(() => stream.requests.length === 4);
    expect(stream.requests[3]).toMatchObject({ collection: '$triggerCollection', errorDetail: { code: 12 } });
    expect([stream.asked.length, warnings(lab, /nobody asked for/)]).toEqual([3, []]);
  });

  test('but its state at once is asked for the rest before that is answered', async () => {
    const lab = await AwaitedLab.listen();
    const stream = DiallingSource.connect(lab.port).open();
    await stream.deliver({ collection: se, resources: [entry('x/1')] });
    expect(stream.requests.map(({ collection, responseNonce }) => [collection, responseNonce])).toEqual([
      [gw, ''],
      [we, ''],
      [se, ''],
      [se, '1'],
    ]);
    expect(lab.held()).toEqual({ 'x/1': 'a' });
  });

  test('but another collection that nobody asked for is refused, and the operator is told', async () => {
    const lab = await AwaitedLab.listen();
    const stream = DiallingSource.connect(lab.port).open();
    stream.send({ collection: 'k8s/core/v1/pods', nonce: 'p' });
    await eventually(() => stream.replies.length === 1);
    expect(stream.replies[0]).toMatchObject({ responseNonce: 'p', errorDetail: { code: 12 } });
    expect(warnings(lab, /nobody asked for/)).toHaveLength(1);
    expect(lab.reported.of('sourceNacked')).toEqual([['lab', 'other', 12]]);
  });
});

describe('several sources', () => {
  const sources = {
    east: { match: { meta: { cluster: 'east' } } },
    rest: { match: { address: '127.0.0.0/30' } },
    galley: { match: { identity: 'spiffe://cluster.local/ns/istio-system/sa/galley' } },
  };

  test('are told apart, each one an origin, and leave what the others said alone', async () => {
    const lab = await AwaitedLab.listen(sources);
    const east = await lab.dial({ cluster: 'east' });
    const rest = await DiallingSource.connect(lab.port, '127.0.0.2').open().begin(3);
    await east.deliver({ collection: se, resources: [entry('x/east', 'e')] });
    await rest.deliver({ collection: se, resources: [entry('x/rest', 'r')] });
    await east.deliver({ collection: se, resources: [entry('x/east', 'f')] });
    expect([lab.held(se, 'east'), lab.held(se, 'rest'), lab.held(se, 'galley')]).toEqual([
      { 'x/east': 'f' },
      { 'x/rest': 'r' },
      {},
    ]);
    rest.end();
    await lab.failure('rest');
    expect(lab.held(se, 'rest')).toEqual({ 'x/rest': 'r' });
    expect(lab.source('east').connection.state).toBe('connected');
    expect(lab.source('galley').connection).toMatchObject({ state: 'awaited', peer: undefined });
  });

  test('are known by identity first, then by headers, then by address, whatever stands first', async () => {
    let identities: string[] = [];
    const lab = await AwaitedLab.listen(sources, { identitiesOf: () => identities });
    identities = ['galley.istio-system', 'spiffe://cluster.local/ns/istio-system/sa/galley'];
    await lab.dial({ cluster: 'east' });
    expect(lab.source('galley').connection.state).toBe('connected');
    identities = ['spiffe://cluster.local/ns/istio-system/sa/other'];
    await lab.dial({ cluster: 'east' });
    expect(lab.source('east').connection.state).toBe('connected');
    await lab.dial({ cluster: 'west' });
    expect(lab.source('rest').connection.state).toBe('connected');
  });

  test('what no match is for is refused; the log says what was seen, and what to write, and no value of a header', async () => {
    const lab = await AwaitedLab.listen(sources, { identitiesOf: () => ['spiffe://other'] });
    const stranger = () =>
      DiallingSource.connect(lab.port, '127.0.0.9').open({ cluster: 'secret-1', 'x-key': 'secret-2' });
    const { code, details } = await stranger().ended();
    expect([code, details]).toEqual([
      7,
      'no source of Isthmus matches this stream (address 127.0.0.9; headers: cluster, x-key; identities: spiffe://other); ' +
        'add a source with a match for one of these to sources in the config of Isthmus',
    ]);
    const [line] = warnings(lab, /no match of the config is for/);
    expect(line?.fields).toEqual({
      peer: expect.stringMatching(/^127\.0\.0\.9:\d+$/) as string,
      identities: ['spiffe://other'],
      headers: ['cluster', 'x-key'],
      hint: 'where it is meant to feed Isthmus, add to the config: sources: [{ name: NAME, match: { identity: "spiffe://other" } }]',
    });
    for (let i = 0; i < 5; i++) await stranger().ended();
    expect(warnings(lab, /no match of the config is for/)).toHaveLength(1);
    lab.clock.advance(60_000);
    await stranger().ended();
    expect(warnings(lab, /no match of the config is for/)[1]?.fields).toMatchObject({ before: 5 });
    expect(JSON.stringify(lab.log.lines)).not.toContain('secret');
    await eventually(() => lab.server.streams === 0);
  });
});

describe('a source that is connected', () => {
  test('says where it is, and which Istio it is of, cut off', async () => {
    const lab = await AwaitedLab.listen();
    await lab.dial({ 'config.source.version': `1.5.10-${'x'.repeat(100)}` });
    const { peer, version } = lab.source().connection;
    expect(peer).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(version).toBe(`1.5.10-${'x'.repeat(57)}`);
    const [line] = lab.log.lines.filter(({ message }) => message === 'a legacy source has dialled in');
    expect(line?.fields).toEqual({ source: 'lab', peer, version });
  });

  test('and says nothing is named after 20 s, and kept', async () => {
    const lab = await AwaitedLab.listen();
    const stream = await lab.dial();
    await lab.clock.run(20_000);
    const text = 'it is connected, and has sent nothing for 20 s';
    expect(lab.source().connection.lastError).toContain(text);
    expect(warnings(lab, new RegExp(text))).toHaveLength(1);
    await stream.deliver({ collection: se, resources: [entry('x/1')] });
    expect(lab.source().connection.lastError).toBeUndefined();
  });

  test('and silent about a collection: that counts as empty after a while', async () => {
    const lab = await AwaitedLab.listen();
    const stream = await lab.dial();
    await stream.deliver({ collection: se, resources: [entry('x/1')] });
    await lab.clock.run(30_000);
    expect([lab.sync(se), lab.sync(we), lab.sync(gw)]).toEqual(['synced', 'silent', 'silent']);
  });

  test('and does not read our answers is let go after 60 s', async () => {
    const lab = await AwaitedLab.listen();
    const stream = await lab.dial();
    stream.stopReading();
    const flood = Array.from({ length: 4000 }, () => ({ collection: 'unknown' }));
    stream.flood(flood);
    const answered = () => lab.reported.of('sourceNacked').length;
    await eventually(() => answered() > 100);
    let last = -1;
    // Until nothing moves any more: its window is full of answers that it does not read.
    await eventually(() => {
      const before = last;
      last = answered();
      return last === before;
    });
    expect(warnings(lab, /nobody asked for/)).toHaveLength(1);
    await lab.clock.run(60_000);
    expect(await lab.failure()).toContain('it has not read our answer for 60 s');
    // The status waits behind what it does not read, and not for ever.
    await lab.clock.run(5000);
    await eventually(() => lab.server.streams === 0);
  });

  test('is asked anew by the end of its stream, with OK, and says everything again', async () => {
    const lab = await AwaitedLab.listen();
    const stream = await settled(lab);
    lab.clock.advance(10);
    lab.source().askAgain(lab.clock.now());
    expect(await stream.ended()).toEqual({ code: 0, details: 'OK' });
    expect(lab.source().connection).toMatchObject({ state: 'awaited', lastError: undefined });
    const again = await settled(lab);
    lab.source().askAgain(5);
    await again.deliver({ collection: se, resources: [entry('x/first', 'two')] });
    expect(lab.held()).toEqual({ 'x/first': 'two' });
  });
});

describe('a message', () => {
  test('is answered before the next one is read', async () => {
    const lab = await AwaitedLab.listen();
    const stream = await lab.dial();
    const { promise, open } = gate();
    lab.door = promise;
    for (let i = 1; i <= 5; i++) stream.send({ collection: se, resources: [entry('x/1', String(i))] });
    await eventually(() => lab.accepted.length === 1);
    await new Promise(setImmediate);
    expect([lab.accepted.length, stream.replies]).toEqual([1, []]);
    open();
    await eventually(() => stream.acked.length === 5);
    expect([stream.acked, lab.held()]).toEqual([['1', '2', '3', '4', '5'], { 'x/1': '5' }]);
  });

  test.each([
    ['at the limit is taken, one byte more ends its stream', 100_000],
    ['of more than 4 MiB is taken where the source may send so much', 6 << 20],
  ])('%s; the next stream is served', async (_what, limit) => {
    const lab = await AwaitedLab.listen({ lab: { options: { maxMessageBytes: limit } } });
    const ofLength = (length: number) => {
      const head = encodeMessage({ collection: se, nonce: 'n', resources: [entry('x/1')] });
      // Field 1, the version of the whole, which nobody reads.
      const rest = length - head.length - 1;
      const sizeBytes = rest < 0x4000 + 2 ? 2 : rest < 0x20_0000 + 3 ? 3 : 4;
      const size = rest - sizeBytes;
      const varint = Array.from(
        { length: sizeBytes },
        (_, i) => ((size >>> (7 * i)) & 0x7f) | (i < sizeBytes - 1 ? 0x80 : 0),
      );
      return Buffer.concat([head, Buffer.from([0x0a, ...varint]), Buffer.alloc(size, 'v')]);
    };
    const stream = await lab.dial();
    stream.sendBytes(ofLength(limit));
    await eventually(() => stream.acked.length === 1);
    expect(lab.held()).toEqual({ 'x/1': 'a' });
    stream.sendBytes(ofLength(limit + 1));
    expect(await stream.ended()).toMatchObject({ code: 8 });
    expect(await lab.failure()).toContain(`it sent a message of more than ${limit} bytes`);
    expect(await lab.failure()).toContain('raise maxMessage of this source');
    expect(lab.held()).toEqual({ 'x/1': 'a' });
    await (await lab.dial()).deliver({ collection: se, resources: [entry('x/2')] });
    expect(lab.held()).toEqual({ 'x/2': 'a' });
  });

  test.each([
    ['a length that runs past the end', Buffer.from([0x1a, 0x7f, 0x01])],
    ['a truncated varint', Buffer.from([0x30])],
    ['field number 0', Buffer.from([0x00, 0x00])],
  ])('that can not be decoded (%s) ends its own stream alone', async (_what, bytes) => {
    const lab = await AwaitedLab.listen({
      bad: { match: { meta: { name: 'bad' } } },
      good: { match: { meta: { name: 'good' } } },
    });
    const source = DiallingSource.connect(lab.port);
    const [bad, good] = [await source.open({ name: 'bad' }).begin(3), await source.open({ name: 'good' }).begin(3)];
    await bad.deliver({ collection: se, resources: [entry('x/bad')] });
    bad.sendBytes(bytes);
    expect(await bad.ended()).toMatchObject({ code: 13 });
    expect(await lab.failure('bad')).toMatch(
      /^source bad \(127\.0\.0\.1:\d+\): it sent a message that is no Resources: /,
    );
    await good.deliver({ collection: se, resources: [entry('x/good')] });
    expect([lab.held(se, 'bad'), lab.held(se, 'good')]).toEqual([{ 'x/bad': 'a' }, { 'x/good': 'a' }]);
  });

  test('that is flagged as a change is the whole state where it is the first of its collection', async () => {
    const lab = await AwaitedLab.listen();
    const first = await lab.dial();
    await first.deliver({ collection: se, resources: [entry('x/1'), entry('x/2')] });
    first.end();
    await lab.failure();
    const second = await lab.dial();
    await second.deliver({ collection: se, resources: [entry('x/1'), entry('x/3')], incremental: true });
    expect(lab.held()).toEqual({ 'x/1': 'a', 'x/3': 'a' });
  });
});

describe('a second stream of one source', () => {
  test('takes the place of one that has said nothing', async () => {
    const lab = await AwaitedLab.listen();
    const first = await lab.dial();
    await lab.clock.run(6000);
    const second = await lab.dial();
    expect(await first.ended()).toEqual({ code: 10, details: 'the source has opened another stream' });
    await second.deliver({ collection: se, resources: [entry('x/1')] });
    expect([lab.held(), lab.source().connection.streams]).toEqual([{ 'x/1': 'a' }, 2]);
  });

  test('is refused where the first one, asked for a sign of life, gives one; nothing changes', async () => {
    const lab = await AwaitedLab.listen();
    const first = await settled(lab);
    const { length } = first.requests;
    const second = DiallingSource.connect(lab.port).open();
    second.trigger();
    await eventually(() => first.requests.length === length + 1);
    // What has most likely something in it.
    expect(first.asked.at(-1)).toBe(se);
    expect([second.requests, second.status]).toEqual([[], undefined]);
    await first.deliver({ collection: se, resources: [entry('x/first', 'one')] });
    const { code, details } = await second.ended();
    expect(code).toBe(6);
    expect(details).toMatch(
      /^source lab is connected from 127\.0\.0\.1:\d+, and alive; Isthmus takes one stream of a source at a time$/,
    );
    expect(warnings(lab, /a second stream of a legacy source was refused/)[0]?.fields).toMatchObject({
      hint: expect.stringContaining('give each its own entry in sources') as string,
    });
    expect([lab.held(), lab.source().connection.streams]).toEqual([{ 'x/first': 'one' }, 1]);
  });

  test('is refused without a question for 10 s after such a sign, and then with one', async () => {
    const lab = await AwaitedLab.listen();
    const first = await settled(lab);
    first.onRequest = ({ collection, responseNonce }) => {
      if (responseNonce === '') first.send({ collection, resources: [entry('x/first', 'one')] });
    };
    const refused = async () => (await DiallingSource.connect(lab.port).open().ended()).code;
    expect(await refused()).toBe(6);
    const { length } = first.asked;
    for (let i = 0; i < 5; i++) expect(await refused()).toBe(6);
    expect(first.asked).toHaveLength(length);
    await lab.clock.run(10_000);
    expect(await refused()).toBe(6);
    expect(first.asked).toHaveLength(length + 1);
    expect(lab.source().connection.streams).toBe(1);
  });

  test('takes the place of one that gives no sign of life for 5 s; what that said stays until the new one speaks', async () => {
    const lab = await AwaitedLab.listen();
    const first = await settled(lab);
    const second = DiallingSource.connect(lab.port).open();
    second.trigger();
    await eventually(() => first.asked.length === 4);
    await lab.clock.run(4999);
    expect([second.requests, first.status]).toEqual([[], undefined]);
    await lab.clock.run(1);
    await eventually(() => second.asked.length === 3);
    expect(await first.ended()).toEqual({ code: 10, details: 'the source has opened another stream' });
    expect(lab.held()).toEqual({ 'x/first': 'one' });
    await second.deliver({ collection: se, resources: [entry('x/first', 'two')] });
    expect([lab.held(), lab.source().connection.streams, lab.refused()]).toEqual([{ 'x/first': 'two' }, 2, []]);
  });

  test('takes the place of one that ends by itself meanwhile', async () => {
    const lab = await AwaitedLab.listen();
    const first = await settled(lab);
    const second = DiallingSource.connect(lab.port).open();
    second.trigger();
    await eventually(() => first.asked.length === 4);
    first.end();
    await eventually(() => second.asked.length === 3);
    expect(lab.source().connection).toMatchObject({ state: 'connected', streams: 2 });
  });

  test('that leaves while it waits is forgotten; the first one goes on', async () => {
    const lab = await AwaitedLab.listen();
    const first = await settled(lab);
    const second = DiallingSource.connect(lab.port);
    second.open().trigger();
    await eventually(() => first.asked.length === 4);
    await second.close();
    await eventually(() => lab.server.streams === 1);
    await first.deliver({ collection: se, resources: [entry('x/first', 'two')] });
    expect([lab.held(), lab.source().connection.streams]).toEqual([{ 'x/first': 'two' }, 1]);
  });

  test('is refused while a message of the first one is being taken', async () => {
    const lab = await AwaitedLab.listen();
    const first = await settled(lab);
    const { promise, open } = gate();
    lab.door = promise;
    first.send({ collection: se, resources: [entry('x/first', 'two')] });
    await eventually(() => lab.accepted.length === 4);
    expect(await DiallingSource.connect(lab.port).open().ended()).toMatchObject({ code: 6 });
    open();
    await eventually(() => lab.held()['x/first'] === 'two');
  });

  test('two that are alive, and dial again whenever they are turned away, never take turns', async () => {
    const lab = await AwaitedLab.listen();
    /** Dials until the end of the test; says its own state whenever it is asked. */
    const persistent = (host: string) => {
      const source = DiallingSource.connect(lab.port);
      const dial = () => {
        const stream = source.open();
        stream.onRequest = ({ collection, responseNonce, errorDetail }) => {
          if (responseNonce !== '' || errorDetail !== null) return;
          stream.send({ collection, resources: collection === se ? [entry('x/own', host)] : [] });
        };
        stream.trigger();
        return stream;
      };
      return { dial };
    };
    const [one, other] = [persistent('one'), persistent('other')];
    one.dial();
    await eventually(() => lab.held()['x/own'] === 'one');
    for (let round = 0; round < 30; round++) {
      expect(await other.dial().ended()).toMatchObject({ code: 6 });
      await lab.clock.run(1000);
      expect(lab.held()).toEqual({ 'x/own': 'one' });
    }
    expect(lab.source().connection.streams).toBe(1);
  });
});

describe('a collection that a source does not know', () => {
  /**
   * Dials as Istio's source does: over a collection that is not `known` it leaves the stream without a word, and opens
   * another one on the same connection a second later.
   */
  function istios(lab: AwaitedLab, known: readonly string[], speaks: readonly string[] = known) {
    const source = DiallingSource.connect(lab.port);
    const streams: DialledStream[] = [];
    let isStopped = false;
    const dial = () => {
      const stream = source.open();
      streams.push(stream);
      let hasLeft = false;
      stream.onRequest = ({ collection, responseNonce, errorDetail }) => {
        if (errorDetail !== null || hasLeft || responseNonce !== '') return;
        if (!known.includes(collection)) {
          hasLeft = true;
          if (!isStopped) setImmediate(dial);
        } else if (speaks.includes(collection)) {
          stream.send({
            collection,
            resources: [entry('x/1', 'a', {}, collection === se ? 'ServiceEntry' : 'Gateway')],
          });
        }
      };
      stream.trigger();
    };
    dial();
    return {
      streams,
      /** Dials again where the sink has ended the last stream. */
      async redial() {
        await eventually(() => streams.at(-1)?.status !== undefined);
        dial();
      },
      stop: () => {
        isStopped = true;
      },
    };
  }

  test.each([
    ['one', [se, gw]],
    ['all but one', [se]],
  ])('(%s) is found, and the rest is asked for; nothing waits', async (_which, known) => {
    const lab = await AwaitedLab.listen();
    const source = istios(lab, known);
    const last = async (): Promise<readonly string[]> => {
      const stream = source.streams.at(-1) as DialledStream;
      if (stream.status !== undefined) await source.redial();
      return stream.asked.toSorted();
    };
    await until('it is asked for what it knows, and no more', async () => {
      const asked = await last();
      return asked.join() === known.toSorted().join() && lab.refused().length === 3 - known.length;
    });
    source.stop();
    expect(lab.refused().toSorted()).toEqual([se, we, gw].filter((one) => !known.includes(one)).toSorted());
    expect(lab.held()).toEqual({ 'x/1': 'a' });
    expect(lab.sync(we)).toBe('unsupported');
    expect(lab.remembered.at(-1)?.toSorted()).toEqual(lab.refused().toSorted());
    expect(source.streams.length).toBeLessThan(15);
  });

  test('that was refused in an earlier process is not asked for', async () => {
    const lab = await AwaitedLab.listen({ lab: { remembered: new Map([[we, Date.UTC(2026, 0, 31, 11)]]) } });
    const stream = await lab.dial({}, 2);
    expect(stream.asked).toEqual([gw, se]);
    await stream.deliver({ collection: se });
    expect(lab.sync(we)).toBe('unsupported');
  });

  test('is none where a source is slow and leaves later: it is asked for all again', async () => {
    const lab = await AwaitedLab.listen();
    const first = await lab.dial();
    await first.deliver({ collection: se, resources: [entry('x/1')] });
    await lab.clock.run(5000);
    first.reset();
    await lab.failure();
    const second = await lab.dial();
    expect(second.asked).toEqual([gw, we, se]);
    expect(lab.refused()).toEqual([]);
  });
});

describe('stopping', () => {
  test.each([
    ['that has not come yet', async () => undefined],
    ['that is connected', async (lab: AwaitedLab) => lab.dial()],
    ['that is synced', settled],
    [
      'of which a second stream waits',
      async (lab: AwaitedLab) => {
        const first = await settled(lab);
        DiallingSource.connect(lab.port).open().trigger();
        await eventually(() => first.asked.length === 4);
        return first;
      },
    ],
  ])('a source %s leaves no timer and no stream', async (_which, reach) => {
    const lab = await AwaitedLab.listen();
    const stream = await reach(lab);
    lab.source().stop();
    if (stream !== undefined) expect(await stream.ended()).toMatchObject({ code: 14 });
    await eventually(() => lab.server.streams === 0);
    expect(await DiallingSource.connect(lab.port).open().ended()).toEqual({
      code: 14,
      details: 'Isthmus takes nothing of this source now',
    });
    expect(lab.source().connection.state).toBe('stopped');
    await lab.stop();
    expect(lab.clock.timers).toBe(0);
  });
});
