import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Backoff, defaultBackoff } from '../../../src/net/backoff.ts';

const options = fc
  .tuple(fc.integer({ min: 1, max: 10_000 }), fc.integer({ min: 1, max: 1_000_000 }))
  .map(([a, b]) => ({ firstMs: Math.min(a, b), maxMs: Math.max(a, b) }));
const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test('each wait is drawn from 0 to a ceiling that doubles up to the greatest', () => {
  fc.assert(
    fc.property(options, fc.array(chance, { maxLength: 40 }), (given, chances) => {
      let next = 0;
      const backoff = new Backoff(given, () => chances[next++] as number);
      const waits = chances.map(() => backoff.next());
      expect(waits).toEqual(
        chances.map((value, attempt) => value * Math.min(given.maxMs, given.firstMs * 2 ** attempt)),
      );
    }),
  );
});

test('after a reset it waits as at first', () => {
  fc.assert(
    fc.property(options, fc.nat(40), fc.nat(40), (given, before, after) => {
      const fresh = new Backoff(given, () => 0.5);
      const used = new Backoff(given, () => 0.5);
      for (let i = 0; i < before; i++) used.next();
      used.reset();
      const waits = (backoff: Backoff) => Array.from({ length: after }, () => backoff.next());
      expect(waits(used)).toEqual(waits(fresh));
    }),
  );
});

test('a server that is down for a day is asked at least every 15 seconds', () => {
  const backoff = new Backoff(defaultBackoff, () => 0.999);
  const waits = Array.from({ length: 10_000 }, () => backoff.next());
  expect(Math.max(...waits)).toBeLessThan(15_000);
  expect(waits.slice(0, 5).map(Math.round)).toEqual([999, 1998, 3996, 7992, 14_985]);
});
