import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { answerMs, defaultGuard } from '../../../src/store/guard.ts';
import type { HoldEvent } from '../../../src/store/store.ts';
import { eventually } from '../../support/eventually.ts';
import { entry, LegacySource, type SourceStream } from '../../support/legacy-source.ts';
import { se, SinkLab, we } from '../../support/sink-lab.ts';

// A source that takes much away at once, over a real socket; time is the test's.

const { holdMs } = defaultGuard;

let source: LegacySource;
let lab: SinkLab;
let stream: SourceStream;
let holds: HoldEvent[];

beforeEach(async () => {
  source = await LegacySource.listen();
  lab = new SinkLab(source.port, { collections: [se, we] });
  holds = [];
  lab.store.onHold((event) => holds.push(event));
  lab.client.start();
  stream = await source.stream(1);
  await has(60);
});

afterEach(async () => {
  await lab.stop();
  await source.kill();
});

/** The source says that it has so many services, on its newest stream. */
async function has(count: number, kind = 'ServiceEntry', collection = se): Promise<void> {
  const resources = Array.from({ length: count }, (_, i) => entry(`shop/${i}`, 'a', undefined, kind));
  await stream.deliver({ collection, resources });
}

const services = () => Object.keys(lab.held()).length;

const outcomes = () => holds.map(({ outcome }) => outcome);

/** The source's process is another one now, which has been dialled. */
async function restart(): Promise<void> {
  const { length } = source.streams;
  stream.end(14, 'going away');
  await lab.retry();
  stream = await source.stream(length + 1);
  await eventually(() => stream.asked.length === 2);
}

/** The hold time is over; the sink has dialled anew. */
async function asked(): Promise<void> {
  const { length } = source.streams;
  lab.clock.advance(holdMs);
  stream = await source.stream(length + 1);
  await eventually(() => stream.asked.length === 2 && lab.client.connection.state === 'connected');
}

describe('an empty message', () => {
  test('takes nothing away, and is acknowledged; once all is back, nothing was lost', async () => {
    await has(0);
    expect([services(), outcomes()]).toEqual([60, [undefined]]);
    expect(holds[0]).toMatchObject({ origin: 'lab', hold: { reason: 'emptied', of: 60, until: holdMs } });
    lab.clock.advance(holdMs - 1);
    await has(60);
    expect([services(), outcomes()]).toEqual([60, [undefined, 'recovered']]);
    lab.clock.advance(10 * holdMs);
    expect([services(), source.streams.length], 'nobody is asked any more').toEqual([60, 1]);
    expect(lab.reported.of('holdEnded')).toEqual([['lab', 'networking.istio.io/ServiceEntry', 'recovered']]);
  });

  test('about a collection of one takes it away: the last one can be removed', async () => {
    await has(1, 'WorkloadEntry', we);
    await has(0, 'WorkloadEntry', we);
    expect([lab.held(we), holds]).toEqual([{}, []]);
  });

  test('is held by itself: other collections of the source go on', async () => {
    await has(0);
    await has(3, 'WorkloadEntry', we);
    await has(2, 'WorkloadEntry', we);
    expect([services(), Object.keys(lab.held(we)).length]).toEqual([60, 2]);
  });
});

test('a third is answered: the rest stays, and what comes and changes meanwhile is taken at once', async () => {
  const third = Array.from({ length: 20 }, (_, i) => entry(`shop/${i}`, 'changed'));
  await stream.deliver({ collection: se, resources: [...third, entry('shop/new')] });
  expect(services()).toBe(61);
  expect(lab.held()).toMatchObject({ 'shop/0': 'changed', 'shop/new': 'a', 'shop/59': 'a' });
  expect(holds[0]?.hold).toMatchObject({ reason: 'mass_removal', of: 60, keys: { size: 40 } });
  await has(40);
  expect([services(), lab.store.holding('lab', holds[0]?.kind ?? '').hold?.keys.size]).toEqual([60, 20]);
  await has(60);
  expect([services(), outcomes()]).toEqual([60, [undefined, 'recovered']]);
});

test('removals of a few at once, and one by one down to the last, are no matter for it', async () => {
  await has(45);
  await has(31);
  for (let left = 30; left >= 0; left--) await has(left);
  expect([services(), holds]).toEqual([0, []]);
});

describe('a source that restarts and is empty for 10 s deletes nothing', () => {
  const emptyFor10s = async () => {
    await restart();
    await has(0);
    lab.clock.advance(10_000);
    await has(60);
  };

  test('once', async () => {
    await emptyFor10s();
    expect([services(), outcomes()]).toEqual([60, [undefined, 'recovered']]);
  });

  test('again and again', async () => {
    for (let i = 0; i < 5; i++) {
      await emptyFor10s();
      lab.clock.advance(holdMs / 3);
    }
    expect([services(), outcomes().filter((one) => one === 'recovered').length]).toEqual([60, 5]);
  });

  test('at the moment at which it is asked again', async () => {
    await has(0);
    await asked();
    await has(0);
    lab.clock.advance(10_000);
    await has(60);
    lab.clock.advance(holdMs);
    expect([services(), outcomes()]).toEqual([60, [undefined, 'recovered']]);
  });

  test('after it was away when it should have been asked', async () => {
    await has(0);
    const { port } = source;
    await source.kill();
    await lab.failure();
    lab.clock.advance(holdMs + 1000);
    await lab.failure();
    source = await LegacySource.listen(port);
    await lab.retry();
    stream = await source.stream(1);
    await eventually(() => stream.asked.length === 2);
    await has(0);
    lab.clock.advance(10_000);
    expect(services()).toBe(60);
    await has(60);
    expect([services(), outcomes()]).toEqual([60, [undefined, 'recovered']]);
  });

  test('and that breaks down again before it has found its services', async () => {
    await has(0);
    await asked();
    for (let i = 0; i < 4; i++) {
      await has(0);
      lab.clock.advance(answerMs - 1000);
      await restart();
      lab.clock.advance(1000);
      expect(services()).toBe(60);
    }
  });
});

describe('at the end of the hold the source is asked again, on a new stream', () => {
  test('it says the same for 30 s, and is believed', async () => {
    await has(20);
    await asked();
    expect([source.streams.length, source.streams[0]?.closed, services()]).toEqual([2, true, 60]);
    await has(20);
    lab.clock.advance(answerMs - 1);
    expect(services()).toBe(60);
    lab.clock.advance(1);
    await eventually(() => services() === 20);
    expect(outcomes()).toEqual([undefined, 'confirmed_by_source']);
    expect(holds[1]?.removed).toBe(40);
    expect(lab.reported.of('holdEnded')).toEqual([['lab', 'networking.istio.io/ServiceEntry', 'confirmed_by_source']]);
    await has(10);
    expect(services(), 'what is left is the new measure').toBe(10);
  });

  test('it has everything again: nothing was lost', async () => {
    await has(0);
    await asked();
    await has(60);
    lab.clock.advance(holdMs);
    expect([services(), outcomes()]).toEqual([60, [undefined, 'recovered']]);
  });

  test('it answers nothing: what is held stays', async () => {
    await has(0);
    await asked();
    lab.clock.advance(24 * 3_600_000 - holdMs);
    expect([services(), outcomes()]).toEqual([60, [undefined]]);
    expect(lab.store.holding('lab', holds[0]?.kind ?? '').guard.state).toBe('asked');
  });

  test('chatter does not put it off', async () => {
    await has(0);
    for (let i = 0; i < 4; i++) {
      lab.clock.advance(holdMs / 5);
      await has(0);
    }
    expect(source.streams).toHaveLength(1);
    lab.clock.advance(holdMs / 5);
    await source.stream(2);
  });

  test('once for all its collections', async () => {
    await has(5, 'WorkloadEntry', we);
    await has(0);
    lab.clock.advance(500);
    await has(0, 'WorkloadEntry', we);
    expect(outcomes()).toEqual([undefined, undefined]);
    lab.clock.advance(holdMs - 500);
    stream = await source.stream(2);
    await eventually(() => stream.asked.length === 2 && lab.client.connection.state === 'connected');
    await has(0);
    await has(0, 'WorkloadEntry', we);
    lab.clock.advance(500 + answerMs);
    await eventually(() => services() === 0 && Object.keys(lab.held(we)).length === 0);
    expect(source.streams).toHaveLength(2);
  });
});

test('the operator releases: what the source has is in force at once', async () => {
  await has(20);
  expect(await lab.store.release('lab', holds[0]?.kind ?? '')).toBe(40);
  expect([services(), outcomes()]).toEqual([20, [undefined, 'released_by_operator']]);
  expect(await lab.store.release('lab', holds[0]?.kind ?? '')).toBeUndefined();
  await has(20);
  lab.clock.advance(2 * holdMs);
  expect([services(), source.streams.length]).toEqual([20, 1]);
});
