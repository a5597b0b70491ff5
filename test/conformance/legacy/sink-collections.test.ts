import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { choose, named, unnamed } from '../../support/choosy-source.ts';
import { eventually } from '../../support/eventually.ts';
import { LegacySource } from '../../support/legacy-source.ts';
import { gw, se, SinkLab, we } from '../../support/sink-lab.ts';

const wg = 'istio/networking/v1alpha3/workloadgroups';
const all = [se, we, gw, wg];
const hour = 60 * 60 * 1000;
const day = 24 * hour;

let source: LegacySource;
let lab: SinkLab;

beforeEach(async () => {
  source = await LegacySource.listen();
  lab = new SinkLab(source.port, { collections: all });
});

afterEach(async () => {
  await lab.stop();
  await source.kill();
});

/** What each stream asked for. */
const questions = () => source.streams.map(({ asked }) => asked);

/** Waits until everything is settled: what is known was asked for and has spoken, the rest is refused. */
async function settled(known: readonly string[]): Promise<void> {
  await eventually(() => {
    for (const collection of all) {
      expect(lab.sync(collection)).toBe(known.includes(collection) ? 'synced' : 'unsupported');
    }
    expect(source.streams.at(-1)?.asked.toSorted()).toEqual(known.toSorted());
    expect(source.streams.at(-1)?.acked).toHaveLength(known.length);
  });
}

/** Another process, which remembers refusals of this one. */
async function restart(...refused: readonly string[]): Promise<void> {
  await lab.stop();
  const since = lab.clock.date().getTime();
  lab = new SinkLab(source.port, { collections: all }, new Map(refused.map((collection) => [collection, since])));
}

describe.each([
  ['by name', named],
  ['without saying which', unnamed],
  ['by name under another code', (collection: string) => [2, `unsupported collection: ${collection}`] as const],
])('a source that refuses %s', (_how, refusal) => {
  test.each([[[se]], [[se, gw]], [[we, gw, wg]], [[wg]]])(
    'what is not in %j is asked for the rest, without a wait',
    async (known) => {
      choose(source, new Set(known), refusal);
      lab.client.start();
      await settled(known);
      expect(source.streams.at(-1)?.asked.toSorted()).toEqual(known.toSorted());
      expect(lab.refused.toSorted()).toEqual(all.filter((collection) => !known.includes(collection)).toSorted());
      expect(lab.clock.now()).toBe(0);
      expect(lab.client.connection.state).toBe('connected');
    },
  );

  test('is remembered as one, once it has shown that it serves others', async () => {
    choose(source, new Set([se, we]), refusal);
    lab.client.start();
    await settled([se, we]);
    expect(lab.remembered.at(-1)?.toSorted()).toEqual([gw, wg].toSorted());
  });
});

describe('a source that refuses everything', () => {
  test.each([
    ['by name', named],
    ['without saying which', unnamed],
  ])(
    '%s serves nothing, which says nothing of any collection; it is asked again after a wait',
    async (_how, refusal) => {
      choose(source, new Set(), refusal);
      lab.client.start();
      expect(await lab.failure()).toMatch(/code 3: (unsupported collection|bad request)/);
      expect(lab.refused).toEqual([]);
      expect(all.map((collection) => lab.sync(collection))).toEqual(all.map(() => 'waiting'));
      const { length } = source.streams;
      expect(length).toBeLessThanOrEqual(2 * all.length);
      choose(source, new Set([se]), refusal);
      await lab.retry();
      await eventually(() => lab.sync(se) === 'synced' && lab.sync(wg) === 'unsupported');
      expect(questions()[length]).toHaveLength(all.length);
    },
  );

  test('after it served some has lost its memory, and its refusals count no more', async () => {
    choose(source, new Set([se, we]), named);
    lab.client.start();
    await settled([se, we]);
    choose(source, new Set(), named);
    source.streams.at(-1)?.end(14, 'restart');
    await lab.retry();
    await eventually(() => lab.client.connection.lastError?.includes('unsupported'));
    expect([lab.refused, lab.sync(se)]).toEqual([[], 'synced']);
    // A bridge that is restarted now would else ask for what is left alone.
    expect(lab.remembered.at(-1)).toEqual([]);
    choose(source, new Set(all), named);
    await lab.retry();
    await eventually(() => all.every((collection) => lab.sync(collection) === 'synced'));
    expect(lab.remembered.at(-1)).toEqual([]);
  });
});

test('remembered refusals are not asked for; they count once the source serves something', async () => {
  await restart(gw);
  lab.client.start();
  const stream = await source.stream(1);
  await eventually(() => stream.asked.length === 3);
  expect([stream.asked.includes(gw), lab.sync(gw), lab.refused]).toEqual([false, 'waiting', []]);
  await stream.deliver({ collection: se });
  expect([lab.sync(gw), lab.refused]).toEqual(['unsupported', [gw]]);
});

test('a remembered refusal is not forgotten by another one that comes before the source serves anything', async () => {
  await restart(gw);
  source.onStream = (stream) => {
    stream.onRequest = ({ collection }) => {
      if (collection === wg) stream.end(...named(wg));
    };
  };
  lab.client.start();
  await (await source.stream(2)).deliver({ collection: se });
  expect(questions()).toEqual([
    [we, wg, se],
    [we, se],
  ]);
  expect(lab.remembered).toEqual([[gw, wg]]);
});

describe('a source that is silent, and refuses without saying which', () => {
  beforeEach(() => {
    source.onStream = (stream) => {
      stream.onRequest = ({ collection }) => {
        if (collection === gw) stream.end(...unnamed(gw));
      };
    };
  });

  test.each([
    ['sends its headers at once', true],
    ['keeps its headers back, as Istio 1.1 and 1.2 do', false],
  ])('takes what it does not refuse for 5 s, whether it %s', async (_what, sendsHeaders) => {
    const { onStream } = source;
    source.onStream = (stream) => {
      onStream(stream);
      if (sendsHeaders) stream.open();
    };
    lab.client.start();
    const half = await source.stream(2);
    await eventually(() => half.asked.length === 2);
    // The timer of the connection gives way to that of the question: two with the daily look at refusals.
    await eventually(() => lab.clock.timers === 2);
    lab.clock.advance(4999);
    expect(half.closed).toBe(false);
    lab.clock.advance(1);
    const last = await source.stream(5);
    await eventually(() => last.asked.length === 3);
    expect(questions()).toEqual([
      [we, gw, wg, se],
      [we, se],
      [we, gw, wg, se],
      [we, gw, se],
      [we, wg, se],
    ]);
    expect(lab.refused).toEqual([gw]);
  });
});

test('a source that talks on after its answers is understood like any other', async () => {
  source.onStream = (stream) => {
    stream.open();
    stream.onRequest = ({ collection, responseNonce }) => {
      if (responseNonce !== '') return;
      if (collection === gw) stream.end(...unnamed(gw));
      if (collection !== se || stream.asked.includes(gw)) return;
      for (const known of stream.asked) stream.send({ collection: known });
      for (let n = 0; n < 10; n++) stream.send({ collection: se });
    };
  };
  lab.client.start();
  const last = await source.stream(5);
  await eventually(() => last.acked.length === 13);
  expect(questions()).toEqual([
    [we, gw, wg, se],
    [we, se],
    [we, gw, wg, se],
    [we, gw, se],
    [we, wg, se],
  ]);
  expect(lab.refused).toEqual([gw]);
});

describe('what was refused is asked for again', () => {
  test('a day later, an hour more at most, and taken if the source has learned it', async () => {
    source.onStream = (stream) => stream.end(14, 'not yet');
    lab.client.start();
    await lab.failure();
    choose(source, new Set([se, we, gw]), named);
    await lab.retry();
    await settled([se, we, gw]);
    const before = source.streams.length;
    choose(source, new Set(all), named);
    lab.clock.advance(day - 1);
    expect([lab.client.connection.state, source.streams.length]).toEqual(['connected', before]);
    lab.clock.advance(hour);
    await eventually(() => lab.sync(wg) === 'synced');
    expect(lab.refused).toEqual([]);
    expect(source.streams.at(-1)?.asked.toSorted()).toEqual(all.toSorted());
  });

  test('and dropped for another day if it has not; nothing that was held goes', async () => {
    choose(source, new Set([se, we, gw]), named);
    lab.client.start();
    await settled([se, we, gw]);
    const before = source.streams.length;
    lab.clock.advance(day + hour);
    await eventually(() => source.streams.length === before + 2 && lab.refused.includes(wg));
    await eventually(() => lab.client.connection.state === 'connected');
    expect(
      questions()
        .slice(before)
        .map((asked) => asked.includes(wg)),
    ).toEqual([true, false]);
    expect([lab.sync(se), lab.sync(wg)]).toEqual(['synced', 'unsupported']);
  });
});
