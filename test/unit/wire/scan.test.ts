import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  cursor,
  MalformedError,
  readLength,
  readVarint,
  skip,
  varintSize,
  writeVarint,
} from '../../../src/wire/scan.ts';
import { newResourceParts, scanResource } from '../../../src/wire/resource-parts.ts';
import { field, number, tag, varint } from './fields.ts';

/** The same bytes, but looking at an index outside of them is an error instead of undefined. */
function guarded(bytes: Uint8Array): Uint8Array {
  return new Proxy(bytes, {
    get(target, key) {
      if (typeof key === 'string' && /^-?\d+$/.test(key) && !(Number(key) >= 0 && Number(key) < target.length)) {
        throw new RangeError(`index ${key} of ${target.length}`);
      }
      const value = Reflect.get(target, key, target) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** Runs it; the error if that is a MalformedError, undefined if there is none. */
function malformed(run: () => void): MalformedError | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (error instanceof MalformedError) return error;
    throw error;
  }
}

const safeIntegers = fc.oneof(fc.maxSafeNat(), fc.nat({ max: 300 }), fc.nat({ max: 20_000 }));

describe('varints', () => {
  test('what is written is read back, in as many bytes as varintSize says and as the format asks for', () => {
    fc.assert(
      fc.property(safeIntegers, fc.nat({ max: 3 }), (value, at) => {
        const bytes = Buffer.alloc(20, 0xff);
        const end = writeVarint(bytes, at, value);
        expect(bytes.subarray(at, end)).toEqual(varint(value));
        expect(end - at).toBe(varintSize(value));
        expect(readVarint(bytes, at, end)).toBe(value);
        expect(cursor).toBe(end);
        expect(bytes.subarray(end).every((byte) => byte === 0xff)).toBe(true);
      }),
    );
  });

  test.each([
    [0, 1],
    [127, 1],
    [128, 2],
    [16_383, 2],
    [16_384, 3],
    [2 ** 32 - 1, 5],
    [2 ** 32, 5],
    [2 ** 53 - 1, 8],
  ])('%d takes %d bytes', (value, size) => {
    expect(varintSize(value)).toBe(size);
    expect(writeVarint(Buffer.alloc(10), 0, value)).toBe(size);
  });

  test('ten bytes are read, for a negative number as well; the eleventh is refused', () => {
    const negative = varint(-1);
    expect(negative).toHaveLength(10);
    readVarint(negative, 0, 10);
    expect(cursor).toBe(10);
    const eleven = Buffer.concat([Buffer.alloc(10, 0x80), Buffer.from([1])]);
    expect(() => readVarint(eleven, 0, 11)).toThrow(new MalformedError('varint longer than ten bytes'));
  });

  test('more bytes than needed are read like the shortest form', () => {
    expect(readVarint(varint(5, 3), 0, 4)).toBe(5);
    expect(cursor).toBe(4);
  });

  test('one that is cut off anywhere is malformed', () => {
    const whole = varint(2 ** 50);
    for (let end = 0; end < whole.length; end++) {
      expect(() => readVarint(whole, 0, end)).toThrow(new MalformedError('truncated varint'));
    }
  });
});

describe('lengths', () => {
  test('a length up to the end is taken, one byte more is malformed', () => {
    const bytes = Buffer.from([3, 1, 2, 3, 4]);
    expect(readLength(bytes, 0, 4)).toBe(3);
    expect(cursor).toBe(1);
    expect(() => readLength(bytes, 0, 3)).toThrow(MalformedError);
  });

  test.each([2 ** 31, 2 ** 32, 2 ** 53])('a length of %d is past the end of anything', (length) => {
    const bytes = Buffer.concat([varint(length), Buffer.alloc(8)]);
    expect(() => readLength(bytes, 0, bytes.length)).toThrow(MalformedError);
  });

  test('a negative length is malformed', () => {
    const bytes = Buffer.concat([varint(-1), Buffer.alloc(8)]);
    expect(() => readLength(bytes, 0, bytes.length)).toThrow(MalformedError);
  });
});

describe('skip', () => {
  test.each([
    ['a varint', 0, varint(300)],
    ['eight bytes', 1, Buffer.alloc(8)],
    ['a length and its bytes', 2, Buffer.from([2, 9, 9])],
    ['no bytes at all', 2, Buffer.from([0])],
    ['four bytes', 5, Buffer.alloc(4)],
  ])('%s (wire type %d) is skipped whole, and malformed if a byte is missing', (_what, wireType, value) => {
    const bytes = Buffer.concat([value, Buffer.alloc(4)]);
    expect(skip(bytes, wireType, 0, value.length)).toBe(value.length);
    expect(cursor).toBe(value.length);
    expect(() => skip(bytes, wireType, 0, value.length - 1)).toThrow(MalformedError);
  });

  test.each([3, 4, 6, 7])('wire type %d is malformed', (wireType) => {
    expect(() => skip(Buffer.alloc(20), wireType, 0, 20)).toThrow(new MalformedError(`wire type ${wireType}`));
  });
});

describe('hostile bytes', () => {
  const hostile = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    // Random bytes rarely get past their first tag: these begin like what is expected and then go wrong.
    fc
      .tuple(
        fc.constantFrom(field(1, field(1, 'a/b'), number(9, 7)), field(2, field(1, 't'), field(2, 'xyz'))),
        fc.nat({ max: 30 }),
        fc.uint8Array({ maxLength: 12 }),
      )
      .map(([start, cut, rest]) => new Uint8Array(Buffer.concat([start.subarray(0, cut), rest]))),
    fc
      .tuple(fc.nat({ max: 6 }), fc.nat({ max: 7 }), fc.uint8Array({ maxLength: 30 }))
      .map(([id, wireType, rest]) => new Uint8Array(Buffer.concat([tag(id, wireType), rest]))),
  );

  test('are read or refused as malformed, without a look at what lies around them', () => {
    let refused = 0;
    fc.assert(
      fc.property(hostile, fc.nat({ max: 7 }), (bytes, wireType) => {
        const inside = guarded(bytes);
        for (const read of [
          readVarint,
          readLength,
          (...at: [Uint8Array, number, number]) => skip(at[0], wireType, at[1], at[2]),
        ]) {
          if (malformed(() => read(inside, 0, bytes.length)) !== undefined) refused++;
          else expect(cursor).toBeLessThanOrEqual(bytes.length);
        }
        if (malformed(() => scanResource(inside, 0, bytes.length, newResourceParts())) !== undefined) refused++;
      }),
      { numRuns: 3000 },
    );
    expect(refused).toBeGreaterThan(100);
  });

  test('mean the same wherever they lie in a larger message', () => {
    fc.assert(
      fc.property(hostile, fc.uint8Array({ maxLength: 12 }), fc.uint8Array({ maxLength: 12 }), (bytes, left, right) => {
        const scan = (buffer: Uint8Array, start: number) => {
          const parts = newResourceParts();
          const error = malformed(() => scanResource(buffer, start, start + bytes.length, parts))?.message;
          const moved = (at: number) => (at < 0 ? at : at - start);
          return {
            error,
            name: [moved(parts.nameStart), moved(parts.nameEnd)],
            time: [moved(parts.createStart), moved(parts.createEnd)],
            type: [moved(parts.typeStart), moved(parts.typeEnd)],
            value: [moved(parts.valueStart), moved(parts.valueEnd)],
            labels: parts.labels.map(moved),
            annotations: parts.annotations.map(moved),
          };
        };
        const surrounded = Buffer.concat([left, bytes, right]);
        expect(scan(surrounded, left.length)).toEqual(scan(bytes, 0));
      }),
      { numRuns: 2000 },
    );
  });
});
