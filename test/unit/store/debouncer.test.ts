import * as fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { Debouncer } from '../../../src/store/debouncer.ts';
import { FakeClock } from '../../support/fake-clock.ts';

test('a debouncer says how many calls a burst was, also where it is ended early or forgotten', () => {
  const clock = new FakeClock();
  const bursts: number[] = [];
  const debouncer = new Debouncer({ afterMs: 50, maxMs: 1000 }, clock, (calls) => bursts.push(calls));
  for (let i = 0; i < 3; i++) debouncer.call();
  clock.advance(50);
  debouncer.call();
  debouncer.call();
  debouncer.flush();
  debouncer.call();
  debouncer.cancel();
  debouncer.call();
  clock.advance(50);
  expect(bursts).toEqual([3, 2, 1]);
});

describe('a debouncer of 50 ms, at most 1 s', () => {
  let clock: FakeClock;
  let runs: number[];
  let debouncer: Debouncer;

  beforeEach(() => {
    clock = new FakeClock();
    runs = [];
    debouncer = new Debouncer({ afterMs: 50, maxMs: 1000 }, clock, () => runs.push(clock.now()));
  });

  test('runs once, when it has been quiet for long enough', () => {
    debouncer.call();
    clock.advance(49);
    debouncer.call();
    clock.advance(49);
    expect(runs).toEqual([]);
    clock.advance(1);
    expect(runs).toEqual([99]);
    clock.advance(10_000);
    expect(runs).toEqual([99]);
  });

  test('runs in the middle of a burst that never gets quiet, and once more behind it', () => {
    for (let i = 0; i < 150; i++) {
      debouncer.call();
      clock.advance(10);
    }
    clock.advance(1000);
    expect(runs).toEqual([1000, 1540]);
  });

  test('counts the time of a burst from its own beginning', () => {
    debouncer.call();
    clock.advance(5000);
    debouncer.call();
    clock.advance(49);
    expect(runs).toEqual([50]);
    clock.advance(1);
    expect(runs).toEqual([50, 5050]);
  });

  test('runs again for a call that is made while it runs', () => {
    const again: number[] = [];
    const own = new Debouncer({ afterMs: 50, maxMs: 1000 }, clock, () => {
      again.push(clock.now());
      if (again.length < 3) own.call();
    });
    own.call();
    clock.advance(1000);
    expect(again).toEqual([50, 100, 150]);
  });

  test('forgets a burst that is cancelled, and takes the next one', () => {
    debouncer.call();
    debouncer.cancel();
    expect(clock.timers).toBe(0);
    clock.advance(1000);
    expect(runs).toEqual([]);
    debouncer.call();
    clock.advance(50);
    expect(runs).toEqual([1050]);
  });

  test('runs at once where it is told to, if there is a burst', () => {
    debouncer.flush();
    expect(runs).toEqual([]);
    clock.advance(5);
    debouncer.call();
    debouncer.flush();
    expect(runs).toEqual([5]);
    clock.advance(1000);
    expect(runs).toEqual([5]);
  });

  test('runs at the next turn of the clock where both waits are 0', () => {
    const own = new Debouncer({ afterMs: 0, maxMs: 0 }, clock, () => runs.push(clock.now()));
    own.call();
    expect(runs).toEqual([]);
    clock.advance(0);
    expect(runs).toEqual([0]);
  });
});

test('every call is followed by a run within both waits, and there is never a run without a call', () => {
  fc.assert(
    fc.property(
      // Calls at even times, runs at odd ones: which call a run belongs to is never in doubt.
      fc.array(
        fc.nat(60).map((n) => 2 * n),
        { minLength: 1, maxLength: 40 },
      ),
      fc.nat(30).map((n) => 2 * n + 1),
      fc.nat(100).map((n) => 2 * n + 1),
      (gaps, afterMs, maxMs) => {
        const clock = new FakeClock();
        const calls: number[] = [];
        const runs: number[] = [];
        const debouncer = new Debouncer({ afterMs, maxMs }, clock, () => runs.push(clock.now()));
        for (const gap of gaps) {
          clock.advance(gap);
          calls.push(clock.now());
          debouncer.call();
        }
        clock.advance(1000);
        for (const call of calls) expect(runs.some((run) => run > call && run <= call + maxMs)).toBe(true);
        for (const [i, run] of runs.entries()) {
          const before = runs[i - 1] ?? -1;
          const own = calls.filter((call) => call > before && call < run);
          expect(own.length).toBeGreaterThan(0);
          const isQuiet = run - Math.max(...own) >= afterMs;
          const isLate = run - Math.min(...own) >= maxMs;
          expect(isQuiet || isLate, `a run at ${run} for calls at ${own.join()}`).toBe(true);
        }
        expect(clock.timers).toBe(0);
      },
    ),
    { numRuns: 500 },
  );
});
