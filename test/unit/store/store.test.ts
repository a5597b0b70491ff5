import { beforeEach, describe, expect, test } from 'vitest';
import { kinds } from '../../../src/model/kinds.ts';
import type { Snapshot } from '../../../src/model/snapshot.ts';
import { keyOf } from '../../../src/wire/resource-frame.ts';
import { legacyResource, requireKind, serviceEntry as se, workloadEntry as we } from '../../support/resources.ts';
import { settle } from '../../support/settle.ts';
import { noGuard, StoreLab } from '../../support/store-lab.ts';
import { field } from '../../support/wire-bytes.ts';

const gateway = requireKind('Gateway');
const bad = (name: string) => field(1, field(1, name));
const unreadable = Buffer.from([0xff]);

let lab: StoreLab;

beforeEach(() => {
  lab = new StoreLab();
});

describe('a kind is published', () => {
  test('once its origin has spoken, and not a moment before', async () => {
    lab.addOrigin('a', se, we);
    lab.clock.advance(60_000);
    expect(lab.store.complete(se.id)).toBe(false);
    expect(lab.published(se)).toBeUndefined();
    await lab.say('a', se, { 'x/1': 'one' });
    expect(lab.store.complete(se.id)).toBe(true);
    expect(lab.published(se), 'the debounce is not over').toBeUndefined();
    lab.flush();
    expect(lab.published(se)).toEqual({ 'x/1': 'one' });
    expect(lab.published(we)).toBeUndefined();
  });

  test('only when all its origins have spoken, however much the others say', async () => {
    lab.addOrigin('a', se);
    lab.addOrigin('b', se, we);
    for (let i = 0; i < 5; i++) {
      await lab.say('a', se, { 'x/1': `${i}` });
      await lab.say('b', we, { 'x/1': `${i}` });
      for (const news of lab.flush()) expect(news).not.toContain(se.id);
      expect(lab.published(se)).toBeUndefined();
    }
    await lab.say('b', se, {});
    expect(lab.flush()).toEqual([[se.id]]);
    expect(lab.published(se)).toEqual({ 'x/1': '4' });
  });

  test('when a first message holds nothing', async () => {
    lab.addOrigin('a', se);
    await lab.say('a', se, {});
    expect(lab.flush()[0]).toContain(se.id);
    expect(lab.published(se)).toEqual({});
  });

  test('when a first message holds only what is bad', async () => {
    lab.addOrigin('a', se);
    await lab.deliver('a', se, [bad('x/1')]);
    lab.flush();
    expect(lab.published(se)).toEqual({});
    expect(lab.store.holding('a', se.id).quarantine.size).toBe(1);
  });

  test('when it may come from nowhere, as soon as anything is', async () => {
    lab.addOrigin('a', se);
    expect(lab.store.isExpected(gateway.id)).toBe(false);
    expect(lab.store.complete(gateway.id)).toBe(true);
    await lab.say('a', se, {});
    lab.flush();
    expect(lab.published(gateway)).toEqual({});
  });
});

describe('listeners', () => {
  beforeEach(async () => {
    lab.addOrigin('a', se, we);
    await lab.say('a', se, { 'x/1': 'one' });
    await lab.say('a', we, { 'x/1': 'one' });
    lab.flush();
  });

  test('hear of changed kinds only', async () => {
    await lab.say('a', se, { 'x/1': 'two' });
    await lab.say('a', we, { 'x/1': 'one' });
    expect(lab.flush()).toEqual([[se.id]]);
    await lab.say('a', we, { 'x/1': 'two' });
    await lab.say('a', se, { 'x/1': 'three' });
    expect(lab.flush()).toEqual([[se.id, we.id].toSorted()]);
  });

  test('hear nothing of a message that changes nothing', async () => {
    await lab.say('a', se, { 'x/1': 'one' });
    await lab.deliver('a', se, [bad('x/1')]);
    await lab.deliver('a', se, [bad('x/1'), bad('x/2')]);
    await lab.deliver('a', se, [unreadable]);
    await lab.deliver('a', se, [], { full: false, removed: ['x/9'] });
    expect(lab.clock.timers, 'not even a debounce is begun').toBe(0);
    expect(lab.flush()).toEqual([]);
  });

  test('hear nothing of a change that is taken back within the debounce', async () => {
    const { version } = lab.store.snapshot(se.id) ?? {};
    await lab.say('a', se, { 'x/1': 'two', 'x/2': 'new' });
    await lab.say('a', se, { 'x/1': 'one' });
    expect(lab.flush()).toEqual([]);
    await lab.say('a', se, {});
    await lab.say('a', se, { 'x/1': 'one' });
    expect(lab.flush()).toEqual([]);
    expect(lab.store.snapshot(se.id)?.version).toBe(version);
    expect(lab.published(se)).toEqual({ 'x/1': 'one' });
  });

  test('hear once of many changes within the debounce', async () => {
    for (let i = 0; i < 20; i++) {
      await lab.say('a', se, { 'x/1': `${i}` });
      lab.clock.advance(10);
    }
    expect(lab.flush()).toEqual([[se.id]]);
    expect(lab.published(se)).toEqual({ 'x/1': '19' });
  });

  test('hear nothing after they left', async () => {
    const heard: unknown[] = [];
    const leave = lab.store.onChange((news) => heard.push(news));
    await lab.say('a', se, { 'x/1': 'two' });
    lab.flush();
    leave();
    await lab.say('a', se, { 'x/1': 'three' });
    lab.flush();
    expect(heard).toHaveLength(1);
  });

  test('hear nothing after the store was closed, and no timer is left', async () => {
    await lab.say('a', se, { 'x/1': 'two' });
    lab.store.close();
    expect(lab.clock.timers).toBe(0);
    expect(lab.flush()).toEqual([]);
  });
});

describe('a snapshot', () => {
  test('is sorted by key and has each key once', async () => {
    lab.addOrigin('a', se);
    lab.addOrigin('b', se);
    await lab.say('a', se, { 'x/10': '', 'x/9': '', 'b/1': '' });
    await lab.say('b', se, { 'x/9': '', 'a/1': '' });
    lab.flush();
    const { pool, rows } = lab.store.snapshot(se.id) as Snapshot;
    const keys = Array.from(rows, (row) => keyOf(pool, row));
    expect(keys).toEqual(['a/1', 'b/1', 'x/10', 'x/9']);
  });

  test('keeps its version once it was published; a later one has its own', async () => {
    lab.addOrigin('a', se);
    await lab.say('a', se, { 'x/1': 'one', 'x/2': 'two' });
    lab.flush();
    const first = lab.store.snapshot(se.id) as Snapshot;
    const { version } = first;
    await lab.say('a', se, { 'x/1': 'other', 'x/3': 'three' });
    lab.flush();
    expect(first.version).toBe(version);
    expect(lab.store.snapshot(se.id)?.version).not.toBe(version);
  });

  test('has the same version wherever the same resources come from, and in whatever order', async () => {
    const other = new StoreLab();
    lab.addOrigin('a', se);
    other.addOrigin('p', se);
    other.addOrigin('q', se);
    await lab.say('a', se, { 'x/1': 'one', 'x/2': 'two', 'x/3': 'three' });
    await other.say('q', se, { 'x/3': 'three', 'x/1': 'one', 'x/4': 'gone later' });
    await other.say('p', se, { 'x/2': 'two' });
    other.flush();
    await other.say('q', se, { 'x/1': 'one', 'x/3': 'three' });
    lab.flush();
    other.flush();
    expect(other.store.snapshot(se.id)?.version).toBe(lab.store.snapshot(se.id)?.version);
    expect(other.published(se)).toEqual(lab.published(se));
  });

  test('of the form that was bad keeps the last good one until its source removes it', async () => {
    lab.addOrigin('a', se);
    await lab.say('a', se, { 'x/1': 'one' });
    await lab.deliver('a', se, [bad('x/1')]);
    lab.flush();
    expect(lab.published(se)).toEqual({ 'x/1': 'one' });
    await lab.deliver('a', se, []);
    lab.flush();
    expect(lab.published(se)).toEqual({});
  });
});

describe('of a key that two origins have', () => {
  beforeEach(async () => {
    lab.addOrigin('first', se);
    lab.addOrigin('second', se);
    await lab.say('second', se, { 'x/1': 'of second', 'x/2': 'of second' });
    await lab.say('first', se, { 'x/1': 'of first' });
    lab.flush();
  });

  test('the first one is sent', () => {
    expect(lab.published(se)).toEqual({ 'x/1': 'of first', 'x/2': 'of second' });
  });

  test('a change of the other one is no news', async () => {
    await lab.say('second', se, { 'x/1': 'changed', 'x/2': 'of second' });
    expect(lab.flush()).toEqual([]);
    await lab.say('second', se, { 'x/2': 'of second' });
    expect(lab.flush()).toEqual([]);
    expect(lab.published(se)).toEqual({ 'x/1': 'of first', 'x/2': 'of second' });
  });

  test('the newest form of the second is sent once the first has none', async () => {
    await lab.say('second', se, { 'x/1': 'newer', 'x/2': 'of second' });
    await lab.say('first', se, {});
    expect(lab.flush()).toEqual([[se.id]]);
    expect(lab.published(se)).toEqual({ 'x/1': 'newer', 'x/2': 'of second' });
    await lab.say('first', se, { 'x/1': 'back' });
    lab.flush();
    expect(lab.published(se)).toEqual({ 'x/1': 'back', 'x/2': 'of second' });
  });

  test('it leaves when both have none, in either order, even within one debounce', async () => {
    await lab.say('first', se, {});
    await lab.say('second', se, { 'x/2': 'of second' });
    lab.flush();
    expect(lab.published(se)).toEqual({ 'x/2': 'of second' });
    await lab.say('first', se, { 'x/2': 'of first' });
    await lab.say('second', se, {});
    await lab.say('first', se, {});
    lab.flush();
    expect(lab.published(se)).toEqual({});
  });

  test('a bad form at the first one keeps the last good one of the first', async () => {
    await lab.deliver('first', se, [bad('x/1')]);
    expect(lab.flush()).toEqual([]);
    expect(lab.published(se)).toMatchObject({ 'x/1': 'of first' });
  });

  test('equal content of the second takes the place of the first without any news', async () => {
    await lab.say('second', se, { 'x/1': 'of first', 'x/2': 'of second' });
    lab.flush();
    await lab.say('first', se, {});
    expect(lab.flush()).toEqual([]);
    await lab.say('second', se, { 'x/1': 'changed', 'x/2': 'of second' });
    expect(lab.flush()).toEqual([[se.id]]);
    expect(lab.published(se)).toMatchObject({ 'x/1': 'changed' });
  });
});

describe('a collection that counts as empty', () => {
  beforeEach(() => lab.addOrigin('a', se, we));

  test.each(['silent', 'unsupported'] as const)('because it is %s is complete', (why) => {
    lab.store.setEmpty('a', we.id, why);
    expect(lab.store.holding('a', we.id).sync).toBe(why);
    expect(lab.store.complete(we.id)).toBe(true);
    expect(lab.flush()[0]).toContain(we.id);
    expect(lab.published(we)).toEqual({});
    expect(lab.store.complete(se.id)).toBe(false);
  });

  test('is no longer so once it speaks', async () => {
    lab.store.setEmpty('a', we.id, 'silent');
    lab.flush();
    await lab.say('a', we, { 'x/1': 'one' });
    expect(lab.store.holding('a', we.id).sync).toBe('synced');
    lab.flush();
    expect(lab.published(we)).toEqual({ 'x/1': 'one' });
  });

  test.each(['silent', 'unsupported'] as const)('because it is %s never takes away what is held', async (why) => {
    await lab.say('a', we, { 'x/1': 'one' });
    lab.flush();
    lab.store.setEmpty('a', we.id, why);
    expect(lab.store.holding('a', we.id).sync).toBe('synced');
    expect(lab.flush()).toEqual([]);
    expect(lab.published(we)).toEqual({ 'x/1': 'one' });
  });

  test('stays synced when it falls silent later, and is unsupported when its source says so', async () => {
    await lab.say('a', we, {});
    lab.store.setEmpty('a', we.id, 'silent');
    expect(lab.store.holding('a', we.id).sync).toBe('synced');
    lab.store.setEmpty('a', we.id, 'unsupported');
    expect(lab.store.holding('a', we.id).sync).toBe('unsupported');
  });
});

test('an origin that was added later wins nothing over an earlier one, and holds its kinds back', async () => {
  lab.addOrigin('a', se);
  await lab.say('a', se, { 'x/1': 'of a' });
  lab.flush();
  lab.addOrigin('b', se);
  expect(lab.store.complete(se.id)).toBe(false);
  await lab.say('a', se, { 'x/1': 'newer' });
  lab.flush();
  expect(lab.published(se), 'what was published stays').toEqual({ 'x/1': 'of a' });
  await lab.say('b', se, { 'x/1': 'of b', 'x/2': 'of b' });
  lab.flush();
  expect(lab.published(se)).toEqual({ 'x/1': 'newer', 'x/2': 'of b' });
});

test('what was said before an origin was added is published before it is waited for', async () => {
  lab.addOrigin('a', se);
  await lab.say('a', se, { 'x/1': 'p', 'x/2': 'p' });
  lab.flush();
  await lab.say('a', se, { 'x/1': 'q' });
  lab.addOrigin('b', se);
  expect(lab.news.splice(0)).toEqual([[se.id]]);
  expect(lab.published(se)).toEqual({ 'x/1': 'q' });
  expect(lab.clock.timers).toBe(0);
});

test('what was compacted away under a pending change is published whole', async () => {
  lab = new StoreLab(noGuard);
  lab.addOrigin('a', se);
  const large = 'x'.repeat(20_000);
  const all = Object.fromEntries(Array.from({ length: 800 }, (_, i) => [`x/${i}`, `${i}${large}`]));
  const few = Object.fromEntries(Object.entries(all).filter((_, i) => i % 5 === 0));
  await lab.say('a', se, all);
  lab.flush();
  const { arena } = lab.store.holding('a', se.id);
  await lab.say('a', se, few);
  await settle();
  expect(lab.store.holding('a', se.id).arena, 'nothing was compacted').not.toBe(arena);
  lab.flush();
  const fresh = new StoreLab();
  fresh.addOrigin('a', se);
  await fresh.say('a', se, few);
  fresh.flush();
  expect(lab.published(se)).toEqual(few);
  expect(lab.store.snapshot(se.id)?.version).toBe(fresh.store.snapshot(se.id)?.version);
});

test('a release waits for the message that is being read, and takes nothing of what that brings', async () => {
  lab.addOrigin('a', se);
  const all = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`x/${i}`, 'a']));
  await lab.say('a', se, all);
  await lab.say('a', se, {});
  const [, released] = await Promise.all([lab.say('a', se, { ...all, 'x/0': 'b' }), lab.store.release('a', se.id)]);
  expect(released).toBeUndefined();
  lab.flush();
  expect(lab.published(se)).toEqual({ ...all, 'x/0': 'b' });
});

test('a release is published after the debounce, also where another origin has some of it', async () => {
  lab.addOrigin('a', se);
  lab.addOrigin('b', se);
  await lab.say('a', se, { 'x/1': 'of a', 'x/2': 'of a', 'x/3': 'of a' });
  await lab.say('b', se, { 'x/2': 'of b' });
  lab.flush();
  await lab.say('a', se, {});
  expect(lab.flush(), 'held').toEqual([]);
  expect(await lab.store.release('a', se.id)).toBe(3);
  expect(lab.flush()).toEqual([[se.id]]);
  expect(lab.published(se)).toEqual({ 'x/2': 'of b' });
  expect(lab.store.holding('a', se.id)).toMatchObject({ received: 0, released: 0, hold: undefined });
});

test('an origin or kind that was not added is a mistake of the caller', () => {
  lab.addOrigin('a', se);
  expect(() => lab.store.holding('b', se.id)).toThrow('origin b');
  expect(() => lab.store.holding('a', we.id)).toThrow(we.id);
});

test('the operator hears of changes, quarantined resources, repairs and withheld removals', async () => {
  lab.addOrigin('a', se);
  await lab.deliver('a', se, [legacyResource('one'), legacyResource('x/2'), legacyResource('x/2', 'b'), bad('x/3')]);
  await lab.deliver('a', se, [legacyResource('one'), unreadable]);
  await lab.say('a', se, { one: 'a' });
  expect(lab.reported.of('changed')).toEqual([
    ['a', se.id, 2, 0],
    ['a', se.id, 0, 1],
  ]);
  expect(lab.reported.of('quarantined')).toEqual([
    ['a', se.id, 'no_body'],
    ['a', se.id, 'malformed'],
  ]);
  expect(lab.reported.of('repaired')).toEqual([
    ['a', se.id, 'bare_name', 1],
    ['a', se.id, 'duplicate', 1],
    ['a', se.id, 'bare_name', 1],
    ['a', se.id, 'bare_name', 1],
  ]);
  expect(lab.reported.of('removalsWithheld')).toEqual([['a', se.id, 1]]);
});

test('every kind that an istiod asks for has its place', async () => {
  lab.addOrigin('a', ...kinds);
  for (const kind of kinds) await lab.say('a', kind, {});
  expect(lab.flush()).toEqual([kinds.map(({ id }) => id).toSorted()]);
});
