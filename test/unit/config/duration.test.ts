import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseDuration, parseSize } from '../../../src/config/duration.ts';

describe('a duration', () => {
  test.each([
    ['0s', 0],
    ['250ms', 250],
    ['30s', 30_000],
    ['1.5m', 90_000],
    ['10m', 600_000],
    ['1h30m', 5_400_000],
    ['2h', 7_200_000],
  ])('%s is %d ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  test.each(['', '5', 's', '-5s', '+5s', '1 s', '5 minutes', '5S', '1d', '1e3s', '.5s', '5.s', '5s ', '1s,2s', 'NaN'])(
    '"%s" is none',
    (text) => {
      expect(parseDuration(text)).toBeUndefined();
    },
  );

  test('of parts is their sum', () => {
    const part = fc.tuple(fc.nat(10_000), fc.constantFrom('ms', 's', 'm', 'h'));
    const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), (parts) => {
        const text = parts.map(([value, unit]) => `${value}${unit}`).join('');
        const sum = parts.reduce((total, [value, unit]) => total + value * unitMs[unit], 0);
        expect(parseDuration(text)).toBe(sum);
      }),
    );
  });
});

describe('a size', () => {
  test.each([
    ['0', 0],
    ['1048576', 2 ** 20],
    ['512KiB', 2 ** 19],
    ['256MiB', 2 ** 28],
    ['1GiB', 2 ** 30],
  ])('%s is %d bytes', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  test.each(['', 'MiB', '-1', '1.5MiB', '1 MiB', '256MB', '256M', '1mib', '1TiB', '0x10', '1e6'])(
    '"%s" is none',
    (text) => {
      expect(parseSize(text)).toBeUndefined();
    },
  );
});
