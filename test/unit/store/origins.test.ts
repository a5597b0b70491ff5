import { beforeEach, describe, expect, test } from 'vitest';
import { defaultGuard } from '../../../src/store/guard.ts';
import type { HoldEvent } from '../../../src/store/store.ts';
import { Store } from '../../../src/store/store.ts';
import { silentReporter } from '../../../src/model/reporter.ts';
import { requireKind, serviceEntry as se, workloadEntry as we } from '../../support/resources.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { noGuard, StoreLab } from '../../support/store-lab.ts';

const gateway = requireKind('Gateway');

let lab: StoreLab;

beforeEach(() => {
  lab = new StoreLab();
});

describe('an origin that nobody feeds any more', () => {
  test('keeps what it held, as stale, and is not waited for', async () => {
    lab.addOrigin('a', se, we);
    await lab.say('a', se, { 'x/1': 'one' });
    lab.flush();
    expect(await lab.store.retire('a', se.id)).toBe(1);
    expect(await lab.store.retire('a', we.id), 'of which it never spoke').toBe(0);
    expect([...(lab.store.origins.get('a')?.keys() ?? [])]).toEqual([se.id]);
    const { sync, retiredSince } = lab.store.holding('a', se.id);
    expect([sync, retiredSince]).toEqual(['stale', lab.clock.date()]);
    lab.flush();
    expect([lab.published(se), lab.published(we), lab.store.isExpected(we.id)]).toEqual([{ 'x/1': 'one' }, {}, false]);
  });

  test('is gone with its last kind, where it holds nothing', async () => {
    lab.addOrigin('a', se);
    await lab.say('a', se, {});
    expect(await lab.store.retire('a', se.id)).toBe(0);
    expect(lab.store.origins.size).toBe(0);
  });

  test('gives way to others, whatever the order; what they remove comes back', async () => {
    lab = new StoreLab(noGuard);
    lab.addOrigin('a', se);
    lab.addOrigin('b', se);
    await lab.say('a', se, { 'x/1': 'old', 'x/2': 'old' });
    await lab.say('b', se, { 'x/1': 'new' });
    lab.flush();
    expect(lab.published(se)).toEqual({ 'x/1': 'old', 'x/2': 'old' });
    await lab.store.retire('a', se.id);
    lab.flush();
    expect(lab.published(se)).toEqual({ 'x/1': 'new', 'x/2': 'old' });
    await lab.say('b', se, {});
    lab.flush();
    expect(lab.published(se)).toEqual({ 'x/1': 'old', 'x/2': 'old' });
  });

  test('is what it was once it is fed again: stale until it speaks, and first again', async () => {
    lab.addOrigin('a', se);
    lab.addOrigin('b', se);
    for (const _ of [1, 2, 3, 4, 5]) await lab.say('a', se, { 'x/1': 'a', 'x/2': 'a' });
    await lab.say('b', se, { 'x/1': 'b' });
    await lab.store.retire('a', se.id);
    lab.flush();
    expect(lab.published(se)).toEqual({ 'x/1': 'b', 'x/2': 'a' });
    lab.addOrigin('a', se);
    await lab.store.setPrecedence(['a', 'b']);
    lab.flush();
    expect([lab.published(se), lab.store.holding('a', se.id).sync]).toEqual([{ 'x/1': 'a', 'x/2': 'a' }, 'stale']);
    // As many messages as before: a new intake counts them from the beginning.
    for (const _ of [1, 2, 3, 4]) await lab.say('a', se, { 'x/1': 'a', 'x/2': 'a' });
    await lab.say('a', se, { 'x/1': 'a' });
    lab.flush();
    expect([lab.published(se), lab.store.holding('a', se.id).sync]).toEqual([{ 'x/1': 'a' }, 'synced']);
  });

  test('takes a message that was under way before, and is stale all the same', async () => {
    lab.addOrigin('a', se);
    await lab.say('a', se, { 'x/1': 'one' });
    const said = lab.say('a', se, { 'x/1': 'two' });
    await lab.store.retire('a', se.id);
    await said;
    lab.flush();
    expect([lab.published(se), lab.store.holding('a', se.id).sync]).toEqual([{ 'x/1': 'two' }, 'stale']);
  });
});

describe('an origin that is taken away', () => {
  test('leaves with all that it held, and what others have of the same keys comes', async () => {
    lab.addOrigin('a', se);
    lab.addOrigin('b', se);
    await lab.say('a', se, { 'x/1': 'a', 'x/2': 'a' });
    await lab.say('b', se, { 'x/1': 'b' });
    lab.flush();
    expect(await lab.store.removeOrigin('a', se.id)).toBe(2);
    expect(lab.flush()).toEqual([[se.id]]);
    expect([lab.published(se), [...lab.store.origins.keys()]]).toEqual([{ 'x/1': 'b' }, ['b']]);
  });

  test('leaves the others as they would be without it, with what was never published too', async () => {
    lab.addOrigin('a', se);
    lab.addOrigin('b', se);
    await lab.say('a', se, { 'x/2': 'a' });
    await lab.say('b', se, { 'x/1': 'b', 'x/2': 'b' });
    lab.flush();
    // In the list is a's; b's is about to take its place, and is written over before it has.
    await lab.say('a', se, {});
    await lab.store.removeOrigin('a', se.id);
    await lab.say('b', se, { 'x/1': 'b', 'x/2': 'c' });
    await lab.say('b', se, { 'x/1': 'b', 'x/2': 'longer than before' });
    lab.flush();
    expect(lab.published(se)).toEqual({ 'x/1': 'b', 'x/2': 'longer than before' });
    await lab.say('b', se, { 'x/1': 'd', 'x/2': 'longer than before' });
    expect(lab.published(se), 'it writes in place again').toEqual({ 'x/1': 'd', 'x/2': 'longer than before' });
  });

  test('takes nothing with it before the one that comes in its place has spoken', async () => {
    lab.addOrigin('old', se);
    await lab.say('old', se, { 'x/1': 'one', 'x/2': 'one' });
    lab.flush();
    lab.addOrigin('new', se);
    await lab.store.removeOrigin('old', se.id);
    expect(lab.flush()).toEqual([]);
    expect(lab.published(se)).toEqual({ 'x/1': 'one', 'x/2': 'one' });
    await lab.say('new', se, { 'x/1': 'two' });
    expect(lab.flush()).toEqual([[se.id]]);
    expect(lab.published(se)).toEqual({ 'x/1': 'two' });
  });

  test('makes a kind complete that waited for it, and one unexpected that only it had', async () => {
    lab.addOrigin('a', se, gateway);
    lab.addOrigin('b', se);
    await lab.say('b', se, { 'x/1': 'b' });
    expect(lab.store.complete(se.id)).toBe(false);
    expect([await lab.store.removeOrigin('a', se.id), await lab.store.removeOrigin('a', gateway.id)]).toEqual([0, 0]);
    lab.flush();
    expect([lab.published(se), lab.store.isExpected(gateway.id)]).toEqual([{ 'x/1': 'b' }, false]);
  });

  test('ends what was held of it', async () => {
    lab.addOrigin('a', se);
    const events: HoldEvent[] = [];
    lab.store.onHold((event) => events.push(event));
    await lab.say('a', se, { 'x/1': 'a', 'x/2': 'a' });
    await lab.say('a', se, {});
    const released = [lab.store.removeOrigin('a', se.id), lab.store.release('a', se.id)];
    expect(await Promise.all(released)).toEqual([2, undefined]);
    expect(events.map(({ outcome, removed }) => [outcome, removed])).toEqual([
      [undefined, 0],
      ['released_by_operator', 2],
    ]);
    lab.flush();
    expect([lab.published(se), lab.clock.timers]).toEqual([{}, 0]);
  });

  test('may come back as somebody of whom nothing is known', async () => {
    lab.addOrigin('a', se);
    await lab.say('a', se, { 'x/1': 'a' });
    lab.flush();
    await lab.store.removeOrigin('a', se.id);
    lab.addOrigin('a', se);
    lab.flush();
    expect([lab.store.holding('a', se.id).sync, lab.store.complete(se.id)]).toEqual(['waiting', false]);
    await lab.say('a', se, { 'x/2': 'a' });
    lab.flush();
    expect(lab.published(se)).toEqual({ 'x/2': 'a' });
  });
});

test('another order of precedence: of a key of several, the copy of who is first now is sent', async () => {
  lab.addOrigin('a', se, we);
  lab.addOrigin('b', se);
  lab.addOrigin('c', se);
  await lab.say('a', we, {});
  for (const origin of ['a', 'b', 'c']) await lab.say(origin, se, { 'x/1': origin, [`x/of ${origin}`]: origin });
  lab.flush();
  const own = { 'x/of a': 'a', 'x/of b': 'b', 'x/of c': 'c' };
  for (const order of [['b', 'c', 'a'], ['c'], ['a', 'b'], ['b', 'a', 'nobody']]) {
    await lab.store.setPrecedence(order);
    lab.flush();
    expect(lab.published(se)).toEqual({ 'x/1': order[0], ...own });
  }
  expect([...lab.store.origins.keys()]).toEqual(['b', 'a', 'c']);
  await lab.store.setPrecedence(['b', 'a', 'c']);
  expect(lab.flush(), 'the same order is no news').toEqual([]);
});

test('other limits and waits count for what comes from now on', async () => {
  lab.addOrigin('a', se);
  await lab.say('a', se, { 'x/1': 'a', 'x/2': 'a' });
  await lab.say('a', se, {});
  expect(lab.store.holding('a', se.id).withheld.size).toBe(2);
  lab.store.configure({ debounce: { afterMs: 5, maxMs: 5 }, guard: { ...defaultGuard, holdMs: 0 } });
  lab.addOrigin('b', se);
  await lab.say('b', se, { 'y/1': 'b', 'y/2': 'b' });
  await lab.say('b', se, {});
  lab.clock.advance(5);
  expect(lab.published(se), 'a hold that has begun goes on').toEqual({ 'x/1': 'a', 'x/2': 'a' });
});

describe('a store that may not know all origins yet', () => {
  test('expects every kind and sends none, until it is open', async () => {
    const clock = new FakeClock();
    const debounce = { afterMs: 50, maxMs: 50 };
    const store = new Store({ clock, reporter: silentReporter, debounce, isOpen: false });
    const news: string[] = [];
    store.onChange((kinds) => news.push(...kinds));
    store.addOrigin('a', [se.id]);
    store.setEmpty('a', se.id, 'overdue');
    clock.advance(60_000);
    expect(store.complete(se.id), 'whoever is waited for no longer').toBe(false);
    expect([store.isExpected(gateway.id), store.complete(gateway.id), store.snapshot(gateway.id)]).toEqual([
      true,
      false,
      undefined,
    ]);
    store.open();
    clock.advance(50);
    expect([store.isExpected(gateway.id), store.snapshot(gateway.id)?.rows.length]).toEqual([false, 0]);
    expect(news).toContain(gateway.id);
  });
});

test('an origin that was waited for long enough counts as empty until it speaks, and then as any other', async () => {
  lab.addOrigin('a', se);
  lab.addOrigin('b', se, we);
  await lab.say('a', se, { 'x/1': 'a' });
  await lab.say('b', we, {});
  const { revision } = lab.store.holding('b', se.id);
  lab.store.setEmpty('b', se.id, 'overdue');
  lab.store.setEmpty('b', we.id, 'overdue');
  lab.flush();
  expect(lab.published(se)).toEqual({ 'x/1': 'a' });
  expect([lab.store.holding('b', se.id).sync, lab.store.holding('b', we.id).sync]).toEqual(['overdue', 'synced']);
  expect(lab.store.holding('b', se.id).revision, 'nothing that the next process should believe').toBe(revision);
  await lab.say('b', se, { 'x/2': 'b' });
  lab.flush();
  expect([lab.published(se), lab.store.holding('b', se.id).sync]).toEqual([{ 'x/1': 'a', 'x/2': 'b' }, 'synced']);
});
