import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { viewed } from '../../../src/wire/bytes.ts';
import { hash128, hashed, resetHash } from '../../../src/wire/hash.ts';

/** MurmurHash3_x86_128 of the first 0 to 64 bytes of `data`, as the C implementation (Python's mmh3 5) gives it. */
const vectors = JSON.parse(
  readFileSync(new URL('fixtures/murmur3.json', import.meta.url), 'utf8'),
) as (readonly number[])[];
const data = Buffer.from(Array.from({ length: 64 }, (_, i) => (i * i * 7 + i * 13 + 5) & 255));

function hashOf(...ranges: readonly Uint8Array[]): number[] {
  resetHash();
  for (const range of ranges) hash128(viewed(range).view, 0, range.length);
  const { h1, h2, h3, h4 } = hashed;
  return [h1, h2, h3, h4].map((lane) => lane >>> 0);
}

describe('the hash of one range', () => {
  test.each(vectors.map((vector, length) => [length, vector] as const))(
    'is MurmurHash3 with seed 0: %i bytes',
    (length, vector) => {
      expect(hashOf(data.subarray(0, length))).toEqual(vector);
    },
  );

  test('is the same wherever the bytes stand', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(9), (bytes, before) => {
        const padded = Buffer.concat([Buffer.alloc(before, 7), bytes, Buffer.alloc(3, 9)]);
        resetHash();
        hash128(viewed(padded).view, before, before + bytes.length);
        const { h1, h2, h3, h4 } = hashed;
        expect([h1, h2, h3, h4].map((lane) => lane >>> 0)).toEqual(hashOf(bytes));
      }),
    );
  });
});

test('the hash of ranges says where one ends and the next begins', () => {
  const text = fc.uint8Array({ minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(text, text, (a, b) => {
      const joined = Buffer.concat([a, b]);
      expect(hashOf(a, b)).not.toEqual(hashOf(joined));
      expect(hashOf(a, b)).not.toEqual(hashOf(joined, Buffer.alloc(0)));
      expect(hashOf(a, b)).not.toEqual(hashOf(Buffer.alloc(0), joined));
    }),
  );
});

test('no two of many similar contents share the 96 bits of a version', () => {
  const seen = new Set<string>();
  const bytes = Buffer.alloc(64, 'x');
  for (let i = 0; i < 20_000; i++) {
    bytes.writeUInt32LE(i, i % 60);
    const [h1, h2, h3] = hashOf(bytes);
    seen.add(`${h1} ${h2} ${h3}`);
    bytes.fill('x');
  }
  expect(seen.size).toBe(20_000);
});
