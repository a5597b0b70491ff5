import { expect, test } from 'vitest';
import { judgeMemory } from '../../support/istiod/memory-verdict.ts';
import { Random } from '../../support/istiod/random.ts';

const mib = 1 << 20;
const minute = 60_000;

/** An hour of samples: as a garbage collector makes them, and `leak` bytes more by each hour's end. */
function hour(leak: number, warmUp = 0) {
  const random = new Random(1);
  return Array.from({ length: 720 }, (_, i) => {
    const atMs = i * 5000;
    const rising = warmUp * Math.min(1, atMs / (9 * minute));
    return { atMs, bytes: 120 * mib + rising + 40 * mib * random.next() + (leak * atMs) / (60 * minute) };
  });
}

test('memory that goes up and down around a level is steady', () => {
  expect(judgeMemory(hour(0))).toMatchObject({ isSteady: true, warmUpMs: 10 * minute });
});

test('what a process needs to get going is not counted', () => {
  expect(judgeMemory(hour(0, 80 * mib)).isSteady).toBe(true);
});

test('memory that gets less is steady', () => {
  expect(judgeMemory(hour(-30 * mib)).isSteady).toBe(true);
});

test('60 bytes lost with each of 100 changes a second are a leak', () => {
  const verdict = judgeMemory(hour(60 * 100 * 3600));
  expect(verdict.isSteady).toBe(false);
  expect(verdict.slopeBytesPerHour / mib).toBeCloseTo(20.6, -1);
});
