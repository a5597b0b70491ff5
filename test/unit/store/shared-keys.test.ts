import { beforeEach, describe, expect, test } from 'vitest';
import type { ConflictNews } from '../../../src/store/conflicts.ts';
import type { Snapshot } from '../../../src/model/snapshot.ts';
import {
  legacyResource,
  serviceEntry as se,
  serviceEntryResource,
  workloadEntry as we,
} from '../../support/resources.ts';
import { frameOf } from '../../../src/push/frames.ts';
import { keyOf } from '../../../src/wire/resource-frame.ts';
import { addressesIn } from '../../support/source-view.ts';
import { serviceAt, type Spec } from '../../support/service-specs.ts';
import { settle } from '../../support/settle.ts';
import { noGuard, StoreLab } from '../../support/store-lab.ts';

let lab: StoreLab;
let news: ConflictNews[];

function start(sameKey: 'precedence' | 'mergeEndpoints', ...origins: readonly string[]): void {
  lab = new StoreLab(noGuard, { sameKey, sameHost: 'ignore' });
  news = [];
  lab.store.onConflicts((one) => news.push(one));
  for (const origin of origins) lab.addOrigin(origin, se, we);
}

/** An origin says that these are all its services; name → spec. */
const say = (origin: string, specs: Readonly<Record<string, Spec>>) =>
  lab.deliver(
    origin,
    se,
    Object.entries(specs).map(([name, spec]) => serviceEntryResource(name, spec)),
  );

/** What an istiod is given. */
const frameBytes = ({ store }: StoreLab) => frameOf(store.snapshot(se.id) as Snapshot, { versioned: true }).toBuffer();

/** Key → addresses of the endpoints that are published. */
const published = () => addressesIn(lab.store.snapshot(se.id));

const reasons = () => lab.conflicts.map(({ name, reason }) => [name, reason]);

/** What was told since the last call: `name reason`, with `-` before it where it has ended. */
function told(): string[] {
  const lines = news
    .splice(0)
    .flatMap(({ begun, ended }) => [
      ...begun.map(({ name, reason }) => `${name} ${reason}`),
      ...ended.map(({ name, reason }) => `-${name} ${reason}`),
    ]);
  return lines;
}

describe('by precedence', () => {
  beforeEach(async () => {
    start('precedence', 'one', 'two', 'three');
    await say('three', {});
    await say('two', { 'shop/a': serviceAt('10.0.0.2'), 'shop/b': serviceAt('10.0.0.2') });
    await say('one', { 'shop/a': serviceAt('10.0.0.1') });
    lab.flush();
  });

  test('the first one is sent, whole; who holds it is said', () => {
    expect(published()).toEqual({ 'shop/a': ['10.0.0.1'], 'shop/b': ['10.0.0.2'] });
    expect(lab.conflicts).toMatchObject([
      { kind: se.id, same: 'key', name: 'shop/a', reason: 'precedence', origins: ['one', 'two'], resources: [] },
    ]);
    expect(told()).toEqual(['shop/a precedence']);
  });

  test('a conflict is told of once, however often both speak, and its time stays', async () => {
    told();
    const [before] = lab.conflicts;
    for (let i = 3; i < 9; i++) {
      lab.clock.advance(60_000);
      await say('two', { 'shop/a': serviceAt(`10.0.0.${i}`) });
      await say('one', { 'shop/a': serviceAt('10.0.0.1', `10.0.1.${i}`) });
      lab.flush();
    }
    expect(told()).toEqual([]);
    expect(lab.conflicts).toEqual([before]);
  });

  test('a third one joins and leaves it without its being another one', async () => {
    told();
    const since = lab.conflicts[0]?.since;
    lab.clock.advance(60_000);
    await say('three', { 'shop/a': serviceAt('10.0.0.3') });
    lab.flush();
    expect(lab.conflicts).toMatchObject([{ origins: ['one', 'two', 'three'], since }]);
    await say('one', {});
    expect(lab.flush()).toEqual([[se.id]]);
    expect(published()).toMatchObject({ 'shop/a': ['10.0.0.2'] });
    expect(lab.conflicts).toMatchObject([{ origins: ['two', 'three'], since }]);
    expect(told()).toEqual([]);
  });

  test('it ends with the second one’s, or the first one’s, and that is told', async () => {
    told();
    await say('two', { 'shop/b': serviceAt('10.0.0.2') });
    expect(lab.flush()).toEqual([]);
    expect(reasons()).toEqual([]);
    expect(told()).toEqual(['-shop/a precedence']);
    expect([...lab.store.conflicts.counts()]).toEqual([]);
  });

  test('equal content is another matter than other content', async () => {
    told();
    const { since } = lab.conflicts[0] as { since: number };
    lab.clock.advance(1000);
    await say('two', { 'shop/a': serviceAt('10.0.0.1') });
    lab.flush();
    expect(reasons()).toEqual([['shop/a', 'equal']]);
    expect(told()).toEqual(['shop/a equal']);
    expect(lab.conflicts[0]?.since).toBeGreaterThan(since);
  });

  test('what begins and ends within one debounce is not told', async () => {
    told();
    await say('three', { 'shop/b': serviceAt('10.0.0.3') });
    expect(reasons()).toEqual([
      ['shop/a', 'precedence'],
      ['shop/b', 'precedence'],
    ]);
    await say('three', {});
    lab.flush();
    expect(told()).toEqual([]);
  });

  test('other kinds have conflicts of their own', async () => {
    const entry = (content: string) => [legacyResource('shop/a', content, we.body)];
    await lab.deliver('one', we, entry('x'));
    await lab.deliver('two', we, entry('y'));
    lab.flush();
    expect([...lab.store.conflicts.counts()]).toEqual([
      { kind: se.id, reason: 'precedence', count: 1 },
      { kind: we.id, reason: 'precedence', count: 1 },
    ]);
  });
});

describe('where endpoints are merged', () => {
  beforeEach(async () => {
    start('mergeEndpoints', 'one', 'two', 'three');
    await say('three', {});
    await say('two', { 'shop/a': serviceAt('10.0.0.2'), 'shop/b': serviceAt('10.0.0.2') });
    await say('one', { 'shop/a': serviceAt('10.0.0.1') });
    lab.flush();
  });

  test('those of all are sent', () => {
    expect(published()).toEqual({ 'shop/a': ['10.0.0.1', '10.0.0.2'], 'shop/b': ['10.0.0.2'] });
    expect(reasons()).toEqual([['shop/a', 'merged']]);
    expect(told()).toEqual(['shop/a merged']);
  });

  test('a change of each of them is sent, and what changes nothing is no news', async () => {
    await say('two', { 'shop/a': serviceAt('10.0.0.3'), 'shop/b': serviceAt('10.0.0.2') });
    expect(lab.flush()).toEqual([[se.id]]);
    expect(published()).toMatchObject({ 'shop/a': ['10.0.0.1', '10.0.0.3'] });
    await say('three', { 'shop/a': serviceAt('10.0.0.1') });
    expect(lab.flush()).toEqual([]);
    await say('three', { 'shop/a': serviceAt('10.0.0.3', '10.0.0.1') });
    expect(lab.flush()).toEqual([]);
    expect(published()).toMatchObject({ 'shop/a': ['10.0.0.1', '10.0.0.3'] });
  });

  test('the version is that of one source that has them all', async () => {
    const other = new StoreLab();
    other.addOrigin('only', se);
    await other.deliver('only', se, [
      serviceEntryResource('shop/a', serviceAt('10.0.0.1', '10.0.0.2')),
      serviceEntryResource('shop/b', serviceAt('10.0.0.2')),
    ]);
    other.flush();
    expect(lab.store.snapshot(se.id)?.version).toBe(other.store.snapshot(se.id)?.version);
  });

  test('one after the other may lose it: it never leaves before the last has', async () => {
    await say('one', {});
    expect(lab.flush()).toEqual([[se.id]]);
    expect([published()['shop/a'], reasons()]).toEqual([['10.0.0.2'], []]);
    await say('three', { 'shop/a': serviceAt('10.0.0.3') });
    lab.flush();
    expect(published()['shop/a']).toEqual(['10.0.0.2', '10.0.0.3']);
    await say('two', {});
    lab.flush();
    expect(published()['shop/a']).toEqual(['10.0.0.3']);
    await say('three', {});
    lab.flush();
    expect(published()['shop/a']).toBeUndefined();
  });

  test('all of it within one debounce leaves what is there at the end, and no row behind', async () => {
    for (let i = 0; i < 4; i++) {
      await say('one', {});
      await say('two', { 'shop/a': serviceAt(`10.0.0.${i}`) });
      await say('one', { 'shop/a': serviceAt('10.0.1.1') });
      await say('two', { 'shop/a': serviceAt(`10.0.2.${i}`) });
    }
    lab.flush();
    expect(published()).toEqual({ 'shop/a': ['10.0.1.1', '10.0.2.3'] });
    const { pool } = lab.store.snapshot(se.id) as Snapshot;
    expect(pool.size, 'one of each, and what was made of them').toBe(3);
  });

  test('what differs in more is left out, and said why', async () => {
    await say('two', { 'shop/a': { ...serviceAt('10.0.0.2'), location: 1 } });
    lab.flush();
    expect([published(), reasons()]).toEqual([{ 'shop/a': ['10.0.0.1'] }, [['shop/a', 'other_spec']]]);
    await say('three', { 'shop/a': serviceAt('10.0.0.3') });
    lab.flush();
    expect([published(), reasons()]).toEqual([{ 'shop/a': ['10.0.0.1', '10.0.0.3'] }, [['shop/a', 'other_spec']]]);
    await say('two', {});
    lab.flush();
    expect(reasons()).toEqual([['shop/a', 'merged']]);
  });

  test('another create time of the first is no content: the bytes are those of who never knew the old one', async () => {
    const { version } = lab.store.snapshot(se.id) as Snapshot;
    const other = [
      serviceEntryResource('shop/a', serviceAt('10.0.0.1'), { createTime: new Date('2024-01-01T00:00:00Z') }),
    ];
    await lab.deliver('one', se, []);
    await lab.deliver('one', se, other);
    expect(lab.flush(), 'an istiod that has it needs nothing').toEqual([]);
    expect(lab.store.snapshot(se.id)?.version).toBe(version);
    const fresh = new StoreLab(noGuard, { sameKey: 'mergeEndpoints', sameHost: 'ignore' });
    for (const origin of ['one', 'two']) fresh.addOrigin(origin, se);
    await fresh.deliver('one', se, other);
    await fresh.deliver('two', se, [
      serviceEntryResource('shop/a', serviceAt('10.0.0.2')),
      serviceEntryResource('shop/b', serviceAt('10.0.0.2')),
    ]);
    fresh.flush();
    expect(frameBytes(lab)).toEqual(frameBytes(fresh));
  });

  test('other kinds are sent as the first one has them', async () => {
    await lab.deliver('one', we, [legacyResource('shop/a', 'x', we.body)]);
    await lab.deliver('two', we, [legacyResource('shop/a', 'y', we.body)]);
    await lab.deliver('three', we, []);
    lab.flush();
    expect(lab.published(we)).toEqual({ 'shop/a': 'x' });
    expect(reasons()).toContainEqual(['shop/a', 'precedence']);
  });
});

test('a source that is alone, and one that is added later, have no conflict before both have a key', async () => {
  start('mergeEndpoints', 'one');
  await lab.say('one', we, {});
  await say('one', { 'shop/a': serviceAt('10.0.0.1'), 'shop/b': serviceAt('10.0.0.1') });
  lab.flush();
  expect(reasons()).toEqual([]);
  lab.addOrigin('two', se);
  await say('two', { 'shop/b': serviceAt('10.0.0.2'), 'shop/c': serviceAt('10.0.0.2') });
  lab.flush();
  expect(published()).toEqual({
    'shop/a': ['10.0.0.1'],
    'shop/b': ['10.0.0.1', '10.0.0.2'],
    'shop/c': ['10.0.0.2'],
  });
  expect(reasons()).toEqual([['shop/b', 'merged']]);
});

test('a new source that has much the same is not published before all of it is in', async () => {
  start('mergeEndpoints', 'one');
  const names = Array.from({ length: 5000 }, (_, i) => `shop/${String(i).padStart(4, '0')}`);
  const of = (address: string) => Object.fromEntries(names.map((name) => [name, serviceAt(address)]));
  await say('one', of('10.0.0.1'));
  await lab.say('one', we, {});
  lab.flush();
  lab.addOrigin('two', se, we);
  const seen: number[] = [];
  lab.store.onChange((kinds) => {
    if (!kinds.has(se.id)) return;
    const rows = Object.values(published());
    seen.push(rows.filter((addresses) => addresses.length === 2).length);
  });
  const done = say('two', of('10.0.0.2')).then(() => 'done');
  let turns = 0;
  for (; (await Promise.race([done, settle()])) !== 'done'; turns++) {
    // Somebody else has news, and the debounce ends.
    await lab.say('one', we, { 'shop/x': String(turns) });
    lab.flush();
  }
  lab.flush();
  expect(turns, 'it took several turns').toBeGreaterThan(2);
  expect(seen.filter((count) => count > 0)).toEqual([5000]);
  expect(lab.conflicts).toHaveLength(5000);
});

describe('origins in another order', () => {
  const origins = () => lab.conflicts.map(({ name, origins: found }) => [name, ...found]);

  beforeEach(async () => {
    start('mergeEndpoints', 'one', 'two');
    await say('one', { 'shop/a': serviceAt('10.0.0.1'), 'shop/b': serviceAt('10.0.0.1') });
    await say('two', { 'shop/a': serviceAt('10.0.0.2'), 'shop/c': serviceAt('10.0.0.2') });
    lab.flush();
    told();
  });

  test('have the endpoints in that order; the conflict goes on, and is about the same', async () => {
    const [before] = lab.conflicts;
    await lab.store.setPrecedence(['two', 'one']);
    expect(lab.flush()).toEqual([[se.id]]);
    expect(published()).toEqual({
      'shop/a': ['10.0.0.2', '10.0.0.1'],
      'shop/b': ['10.0.0.1'],
      'shop/c': ['10.0.0.2'],
    });
    expect(lab.conflicts).toEqual([{ ...before, origins: ['two', 'one'] }]);
    expect(told()).toEqual([]);
  });

  test('one that is retired comes last, one that leaves ends its conflicts, and no row is left behind', async () => {
    await lab.store.retire('one', se.id);
    lab.flush();
    expect([published()['shop/a'], origins()]).toEqual([['10.0.0.2', '10.0.0.1'], [['shop/a', 'two', 'one']]]);
    await lab.store.removeOrigin('one', se.id);
    lab.flush();
    expect(published()).toEqual({ 'shop/a': ['10.0.0.2'], 'shop/c': ['10.0.0.2'] });
    expect([told(), lab.conflicts, [...lab.store.conflicts.counts()]]).toEqual([['-shop/a merged'], [], []]);
    expect(lab.store.snapshot(se.id)?.pool.size).toBe(2);
    // The other one is alone, and then it is not.
    await say('two', { 'shop/a': serviceAt('10.0.0.3') });
    lab.addOrigin('one', se);
    await say('one', { 'shop/a': serviceAt('10.0.0.1') });
    await lab.store.setPrecedence(['one', 'two']);
    lab.flush();
    expect([published(), origins()]).toEqual([{ 'shop/a': ['10.0.0.1', '10.0.0.3'] }, [['shop/a', 'one', 'two']]]);
  });
});

describe('a page of conflicts', () => {
  test('begins behind a number, and is in the order in which they began', async () => {
    start('precedence', 'one', 'two');
    const of = (address: string) =>
      Object.fromEntries(Array.from({ length: 7 }, (_, i) => [`shop/${i}`, serviceAt(address)]));
    await say('one', of('10.0.0.1'));
    await say('two', of('10.0.0.2'));
    await lab.deliver('one', we, [legacyResource('shop/a', 'x', we.body)]);
    await lab.deliver('two', we, [legacyResource('shop/a', 'y', we.body)]);
    await say('two', { ...of('10.0.0.2'), 'shop/3': serviceAt('10.0.0.1') });
    const { conflicts } = lab.store;
    const first = conflicts.page(0, 3);
    const second = conflicts.page(first.at(-1)?.number ?? 0, 5);
    const last = conflicts.page(second.at(-1)?.number ?? 0, 5);
    expect([first, second, last].map((page) => page.map(({ name }) => name))).toEqual([
      ['shop/0', 'shop/1', 'shop/2'],
      ['shop/4', 'shop/5', 'shop/6', 'shop/a', 'shop/3'],
      [],
    ]);
  });
});

test('memory of what was made and is of no use any more is given back', async () => {
  start('mergeEndpoints', 'one', 'two');
  const large = { ...serviceAt(), endpoints: [{ address: '10.0.0.1', labels: { note: 'x'.repeat(14_000) } }] };
  const names = Array.from({ length: 800 }, (_, i) => `shop/${i}`);
  const few = names.filter((_, i) => i % 20 === 0);
  const of = (some: readonly string[], spec: Spec) => Object.fromEntries(some.map((name) => [name, spec]));
  await say('one', of(names, large));
  await say('two', of(names, serviceAt('10.0.0.2')));
  lab.flush();
  const { pool } = lab.store.snapshot(se.id) as Snapshot;
  const chunksOf = (keys: readonly string[]) => {
    const { rows } = lab.store.snapshot(se.id) as Snapshot;
    const wanted = new Set(keys);
    return new Set(Array.from(rows).flatMap((row) => (wanted.has(keyOf(pool, row)) ? [pool.chunk(row)] : [])));
  };
  expect(chunksOf(few).size, 'they are scattered over all of the memory').toBeGreaterThan(8);
  await say('two', of(few, serviceAt('10.0.0.2')));
  lab.flush();
  for (let i = 0; i < 5; i++) await settle();
  expect(chunksOf(few).size).toBe(1);
  expect(published()['shop/780']).toEqual(['10.0.0.1', '10.0.0.2']);
  expect(published()['shop/781']).toEqual(['10.0.0.1']);
  expect(pool.size).toBe(names.length + 2 * few.length);
});
