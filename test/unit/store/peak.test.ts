import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Peak, peakWindowMs } from '../../../src/store/peak.ts';

/** It may look back further by so much. */
const slackMs = 10_000;

test('is the highest count that was in force within the last 10 minutes', () => {
  const step = fc.record({ count: fc.nat(50), afterMs: fc.constantFrom(0, 1, 100, 9999, 60_000, 400_000, 900_000) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const peak = new Peak();
      let now = 5_000_000;
      /** Each count, and until when it was in force. */
      const past: { count: number; until: number }[] = [];
      let current = 0;
      for (const { count, afterMs } of steps) {
        now += afterMs;
        past.push({ count: current, until: now });
        peak.see(count, now);
        current = count;
        const within = (ms: number) =>
          Math.max(current, ...past.filter(({ until }) => until >= now - ms).map((one) => one.count));
        expect(peak.highest(now)).toBeGreaterThanOrEqual(within(peakWindowMs - slackMs));
        expect(peak.highest(now)).toBeLessThanOrEqual(within(peakWindowMs + slackMs));
      }
    }),
  );
});

test('is forgotten where something begins anew', () => {
  const peak = new Peak();
  peak.see(100, 0);
  peak.see(10, 1);
  expect(peak.highest(2)).toBe(100);
  peak.startWith(10);
  expect(peak.highest(2)).toBe(10);
});
