import { expect, test } from 'vitest';
import { Throttle } from '../../../src/net/throttle.ts';
import { FakeClock } from '../../support/fake-clock.ts';

test('one of each sort passes per interval, and says how many were held back', () => {
  const clock = new FakeClock();
  const throttle = new Throttle<string>(clock, 1000);
  expect(['a', 'a', 'b', 'a'].map((sort) => throttle.pass(sort))).toEqual([0, undefined, 0, undefined]);
  clock.advance(999);
  expect(throttle.pass('a')).toBeUndefined();
  clock.advance(1);
  expect(['a', 'b', 'a'].map((sort) => throttle.pass(sort))).toEqual([3, 0, undefined]);
});

test('of any number of sorts, the last 1,000 that passed are remembered', () => {
  const throttle = new Throttle<string>(new FakeClock(), 1000);
  for (let i = 0; i < 5000; i++) expect(throttle.pass(`peer ${i}`)).toBe(0);
  expect(throttle.pass('peer 4000')).toBeUndefined();
  expect(throttle.pass('peer 3999')).toBe(0);
});
