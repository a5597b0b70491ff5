import { expect, test } from 'vitest';
import { type Pace, ReplayExchange } from '../../../src/capture/replay.ts';
import { scriptOf } from '../../../src/capture/script.ts';
import { readResources } from '../../../src/wire/legacy-messages.ts';
import { captureOf, requestBytes, resourcesBytes, streamRecords } from '../../support/capture-bytes.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const se = 'istio/networking/v1alpha3/serviceentries';
const gw = 'istio/networking/v1alpha3/gateways';

/** One stream: two states of ServiceEntries, 10 s apart, and one of Gateways between them. */
const steps = [
  [1000, 'request', requestBytes(se)],
  [1001, 'request', requestBytes(gw)],
  [1500, 'resources', resourcesBytes(se, 's1')],
  [1600, 'request', requestBytes(se, 's1')],
  [3000, 'resources', resourcesBytes(gw, 'g1')],
  [3100, 'request', requestBytes(gw, 'g1')],
  [11_500, 'resources', resourcesBytes(se, 's2')],
  [11_600, 'request', requestBytes(se, 's2')],
] as const;

const asFast: Pace = { speed: undefined, withEnd: false };

class Played {
  readonly clock = new FakeClock();
  readonly nonces: string[] = [];
  ended: { readonly code: number; readonly details: string } | undefined;
  readonly exchange: ReplayExchange;

  constructor(capture: ReturnType<typeof captureOf>, pace: Pace = asFast, play = scriptOf(capture).plays[0]) {
    if (play === undefined) throw new Error('nothing to play');
    this.exchange = new ReplayExchange(play, scriptOf(capture).refused, pace, this.clock, {
      send: (message) => void this.nonces.push(readResources(message).nonce),
      end: (code, details) => {
        this.ended = { code, details };
      },
    });
  }

  ask(collection: string, nonce = ''): void {
    this.exchange.onRequest(requestBytes(collection, nonce));
  }
}

test('a message follows the question or the answer that it followed', () => {
  const played = new Played(captureOf(streamRecords(1, steps)));
  expect(played.nonces).toEqual([]);
  played.ask(se);
  expect(played.nonces).toEqual(['s1']);
  played.ask(se, 's1');
  expect(played.nonces).toEqual(['s1', 's2']);
  played.ask(gw);
  expect(played.nonces).toEqual(['s1', 's2', 'g1']);
});

test('a stale answer, and one to what was never sent, move nothing', () => {
  const played = new Played(captureOf(streamRecords(1, steps)));
  played.ask(se);
  played.ask(se, 'bogus');
  played.ask(se, 's2');
  expect(played.nonces).toEqual(['s1']);
  played.ask(se, 's1');
  played.ask(se, 's1');
  expect(played.nonces).toEqual(['s1', 's2']);
});

test('with its timing, nothing comes before its time, nor before its question', () => {
  const played = new Played(captureOf(streamRecords(1, steps)), { speed: 1, withEnd: false });
  played.ask(se);
  played.ask(gw);
  expect(played.nonces).toEqual([]);
  played.clock.advance(499);
  expect(played.nonces).toEqual([]);
  played.clock.advance(1);
  expect(played.nonces).toEqual(['s1']);
  played.clock.advance(1500);
  expect(played.nonces).toEqual(['s1', 'g1']);
  played.clock.advance(20_000);
  // The first state is not acknowledged yet.
  expect(played.nonces).toEqual(['s1', 'g1']);
  played.ask(se, 's1');
  expect(played.nonces).toEqual(['s1', 'g1', 's2']);
});

test('twice as fast, it takes half of the time', () => {
  const played = new Played(captureOf(streamRecords(1, steps)), { speed: 2, withEnd: false });
  played.ask(se);
  played.clock.advance(250);
  played.ask(se, 's1');
  played.clock.advance(4999);
  expect(played.nonces).toEqual(['s1']);
  played.clock.advance(1);
  expect(played.nonces).toEqual(['s1', 's2']);
});

test('what was sent without waiting for an answer is sent so again', () => {
  const eager = [
    [0, 'request', requestBytes(se)],
    [1, 'resources', resourcesBytes(se, '1')],
    [2, 'resources', resourcesBytes(se, '2')],
    [3, 'request', requestBytes(se, '1')],
    [4, 'request', requestBytes(se, '2')],
    [5, 'resources', resourcesBytes(gw, '3')],
  ] as const;
  const played = new Played(captureOf(streamRecords(1, eager)));
  played.ask(se);
  // Of Gateways it spoke though nobody had asked.
  expect(played.nonces).toEqual(['1', '2', '3']);
});

test('what can’t be read is said again too, after as many words of the sink', () => {
  const broken = [
    [0, 'request', requestBytes(se)],
    [1, 'request', requestBytes(gw)],
    [2, 'resources', Buffer.from([0xff])],
  ] as const;
  const play = scriptOf(captureOf(streamRecords(1, broken))).plays[0];
  if (play === undefined) throw new Error('nothing to play');
  const sent: Buffer[] = [];
  const exchange = new ReplayExchange(play, new Map(), asFast, new FakeClock(), {
    send: (message) => void sent.push(message),
    end: () => {},
  });
  exchange.onRequest(requestBytes(se));
  expect(sent).toEqual([]);
  exchange.onRequest(requestBytes(gw));
  expect(sent).toEqual([Buffer.from([0xff])]);
});

test('a stream ends as it ended where that is wanted: at its time, or soon after the last word', () => {
  const end = { at: 21_000, code: 13, details: 'enough' };
  const capture = captureOf(streamRecords(1, steps, end));
  const without = new Played(capture, asFast);
  const timed = new Played(capture, { speed: 1, withEnd: true });
  const fast = new Played(capture, { speed: undefined, withEnd: true });
  for (const played of [without, timed, fast]) {
    played.ask(se);
    played.clock.advance(500);
    played.ask(se, 's1');
  }
  for (const played of [without, timed, fast]) played.clock.advance(5000);
  expect([without.ended, timed.ended, fast.ended]).toEqual([undefined, undefined, { code: 13, details: 'enough' }]);
  timed.clock.advance(14_499);
  expect(timed.ended).toBeUndefined();
  timed.clock.advance(1);
  expect(timed.ended).toEqual({ code: 13, details: 'enough' });
  // Nothing comes behind it.
  timed.ask(gw);
  expect(timed.nonces).toEqual(['s1', 's2']);
});

test('what is no request ends the stream', () => {
  const played = new Played(captureOf(streamRecords(1, steps)));
  played.exchange.onRequest(Buffer.from([0xff]));
  expect(played.ended).toEqual({ code: 3, details: 'this is no RequestResources' });
});

test('what the source did not know ends the stream, with its words', () => {
  const details = `unsupported collection "${gw}"`;
  const refusal = streamRecords(1, steps.slice(0, 2), { at: 1002, code: 3, details, refusal: true });
  const rest = streamRecords(2, [steps[0], steps[2], steps[3]]);
  const capture = captureOf([...refusal, ...rest]);
  const { plays, refused } = scriptOf(capture);
  expect(plays).toHaveLength(1);
  expect([...refused]).toEqual([[gw, { code: 3, details }]]);
  const played = new Played(capture);
  played.ask(se);
  expect(played.exchange.onRequest(requestBytes(gw))).toBe(true);
  expect(played.ended).toEqual({ code: 3, details });
});

test('a refusal that names nothing is known from the end of the capture', () => {
  const refusal = streamRecords(1, steps.slice(0, 2), { at: 1002, code: 3, details: 'no', refusal: true });
  expect([...scriptOf(captureOf(refusal, [gw])).refused]).toEqual([[gw, { code: 3, details: 'no' }]]);
});

test('who comes after the last stream hears the last whole state of each collection, and what changed since', () => {
  const incremental = { incremental: true };
  const records = [
    ...streamRecords(1, [
      [0, 'request', requestBytes(gw)],
      [1, 'resources', resourcesBytes(gw, 'g1')],
      [2, 'request', requestBytes(gw, 'g1')],
    ]),
    ...streamRecords(2, [
      [100, 'request', requestBytes(se)],
      [101, 'resources', resourcesBytes(se, '1', [], incremental)],
      [102, 'request', requestBytes(se, '1')],
      [103, 'resources', resourcesBytes(se, '2')],
      [104, 'request', requestBytes(se, '2')],
      [105, 'resources', resourcesBytes(se, '3', [], incremental)],
      [106, 'request', requestBytes(se, '3')],
    ]),
  ];
  const capture = captureOf(records);
  const { plays, last } = scriptOf(capture);
  expect(plays.map(({ messages }) => messages.map(({ nonce, full }) => [nonce, full]))).toEqual([
    [['g1', true]],
    [
      ['1', true],
      ['2', true],
      ['3', false],
    ],
  ]);
  const played = new Played(capture, asFast, last);
  played.ask(gw);
  played.ask(se);
  expect(played.nonces).toEqual(['g1', '2']);
  played.ask(se, '2');
  expect(played.nonces).toEqual(['g1', '2', '3']);
});
