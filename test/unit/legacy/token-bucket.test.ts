import { expect, test } from 'vitest';
import { TokenBucket } from '../../../src/legacy/token-bucket.ts';
import { FakeClock } from '../../support/fake-clock.ts';

test('a burst passes, the next ones one after the other, and after a pause a burst again', () => {
  const clock = new FakeClock();
  const bucket = new TokenBucket({ burst: 3, perSecond: 10 }, clock);
  expect([bucket.take(), bucket.take(), bucket.take()]).toEqual([0, 0, 0]);
  expect([bucket.take(), bucket.take()]).toEqual([100, 200]);
  clock.advance(300);
  expect(bucket.take()).toBe(0);
  expect(bucket.isFull).toBe(false);
  clock.advance(10_000);
  expect(bucket.isFull).toBe(true);
  expect([bucket.take(), bucket.take(), bucket.take(), bucket.take()]).toEqual([0, 0, 0, 100]);
});

test('however many come, nobody waits longer than a burst takes', () => {
  const bucket = new TokenBucket({ burst: 3, perSecond: 1 }, new FakeClock());
  const waits = Array.from({ length: 1000 }, () => bucket.take());
  expect(Math.max(...waits)).toBe(3000);
});
