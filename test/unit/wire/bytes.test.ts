import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { copyBytes, isSame, viewed } from '../../../src/wire/bytes.ts';

describe('copying', () => {
  test('copies exactly the range, whatever its length and place', () => {
    const lengths = fc.oneof(fc.nat(40), fc.integer({ min: 1000, max: 1100 }));
    fc.assert(
      fc.property(lengths, fc.nat(9), fc.nat(9), (length, from, to) => {
        const source = Buffer.from(Array.from({ length: from + length + 5 }, (_, i) => (i * 31 + 1) & 255));
        const target = Buffer.alloc(to + length + 5, 0xee);
        expect(copyBytes(viewed(source), from, from + length, viewed(target), to)).toBe(to + length);
        const expected = Buffer.alloc(to + length + 5, 0xee);
        source.copy(expected, to, from, from + length);
        expect(target.equals(expected)).toBe(true);
      }),
    );
  });

  test.each([0, 1, 3, 4, 5, 1023, 1024, 2000])('past the end of the target is refused: %i bytes too few', (missing) => {
    const source = viewed(Buffer.alloc(2001, 1));
    const target = viewed(Buffer.alloc(2000 - missing));
    expect(() => copyBytes(source, 0, 2001, target, 0)).toThrow(RangeError);
    expect(() => copyBytes(source, 0, 8, viewed(Buffer.alloc(7)), 0)).toThrow(RangeError);
  });
});

describe('comparing', () => {
  test('says what Buffer says', () => {
    const bytes = fc.uint8Array({ maxLength: 12 });
    fc.assert(
      fc.property(bytes, bytes, fc.nat(5), fc.boolean(), (a, b, before, same) => {
        const expected = same ? a : b;
        const padded = Buffer.concat([Buffer.alloc(before), a, Buffer.alloc(2)]);
        const is = isSame(viewed(padded), before, before + a.length, viewed(expected));
        expect(is).toBe(Buffer.from(a).equals(expected));
      }),
    );
  });

  test.each(Array.from({ length: 9 }, (_, i) => i))('finds a difference at byte %i', (place) => {
    const one = viewed(Buffer.alloc(9, 1));
    const other = viewed(Buffer.alloc(9, 1));
    expect(isSame(one, 0, 9, other)).toBe(true);
    other[place] = 2;
    expect(isSame(one, 0, 9, other)).toBe(false);
  });
});
