import { expect, test } from 'vitest';
import { defaultGuard, Guard } from '../../../src/store/guard.ts';
import { HoldWatch } from '../../../src/store/hold-watch.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { newChange } from '../../support/resources.ts';

const { holdMs } = defaultGuard;

/** A guard that holds two resources of two. */
function holding(clock: FakeClock): Guard {
  const guard = new Guard();
  guard.judge(newChange({ missing: ['a/1', 'a/2'] }), {
    before: 2,
    after: 2,
    has: () => true,
    spokenOf: () => [],
    now: clock.now(),
    date: clock.date(),
    stream: undefined,
  });
  return guard;
}

test('a timer that is early, as those of Node may be, is wound up again', () => {
  const clock = new FakeClock();
  const early = { now: () => clock.now(), date: () => clock.date(), after: earlier };
  function earlier(ms: number, run: () => void) {
    return clock.after(ms > 1 ? ms - 0.5 : ms, run);
  }
  const guard = holding(clock);
  const done: string[] = [];
  const watch = new HoldWatch(early);
  watch.watch(guard, (what) => done.push(what));
  clock.advance(holdMs - 0.5);
  expect([done, clock.timers]).toEqual([[], 1]);
  clock.advance(0.5);
  expect([done, clock.timers]).toEqual([['ask'], 0]);
});

test('one timer for each guard, and none once it is closed or there is nothing to wait for', () => {
  const clock = new FakeClock();
  const watch = new HoldWatch(clock);
  const [one, two] = [holding(clock), holding(clock)];
  for (const guard of [one, two, one, two]) watch.watch(guard, () => {});
  expect(clock.timers).toBe(2);
  one.believe(0);
  watch.watch(one, () => {});
  expect(clock.timers).toBe(1);
  watch.close();
  expect(clock.timers).toBe(0);
});
