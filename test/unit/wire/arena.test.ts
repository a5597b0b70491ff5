import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Arena } from '../../../src/wire/arena.ts';

test('what was reserved and not committed is handed out again', () => {
  const arena = new Arena();
  arena.reserve(10);
  const [chunk, offset] = [arena.chunk, arena.offset];
  arena.reserve(20);
  expect(arena.chunk === chunk).toBe(true);
  expect(arena.offset).toBe(offset);
});

test('what was committed is kept, and only so much of it as was said', () => {
  const arena = new Arena();
  arena.reserve(10);
  const [chunk, offset] = [arena.chunk, arena.offset];
  arena.commit(4);
  arena.reserve(10);
  expect(arena.chunk === chunk).toBe(true);
  expect(arena.offset).toBe(offset + 4);
});

test('small pieces share a chunk of a megabyte; one that does not fit any more starts the next', () => {
  const arena = new Arena();
  arena.reserve(1);
  const { chunk } = arena;
  expect(chunk).toHaveLength(1 << 20);
  arena.commit((1 << 20) - 5);
  arena.reserve(5);
  expect(arena.chunk === chunk).toBe(true);
  arena.reserve(6);
  expect(arena.chunk === chunk).toBe(false);
  expect(arena.offset).toBe(0);
});

test('a piece larger than a chunk gets one of its own, without room behind it', () => {
  const arena = new Arena();
  arena.reserve(3 << 20);
  expect(arena.chunk).toHaveLength(3 << 20);
  const { chunk } = arena;
  arena.commit(3 << 20);
  arena.reserve(1);
  expect(arena.chunk === chunk).toBe(false);
});

test('committed bytes are never written over, whatever is reserved and given up in between', () => {
  const sizes = fc.oneof(fc.nat({ max: 2000 }), fc.integer({ min: 500_000, max: 1_200_000 }));
  fc.assert(
    fc.property(fc.array(fc.tuple(sizes, fc.boolean()), { maxLength: 12 }), (pieces) => {
      const arena = new Arena();
      const kept: { chunk: Buffer; from: number; to: number; mark: number }[] = [];
      pieces.forEach(([size, keep], i) => {
        arena.reserve(size);
        const from = arena.offset;
        const to = from + size;
        expect(to).toBeLessThanOrEqual(arena.chunk.length);
        arena.chunk.fill(i + 1, from, to);
        if (!keep) return;
        arena.commit(size);
        kept.push({ chunk: arena.chunk, from, to, mark: i + 1 });
      });
      for (const { chunk, from, to, mark } of kept) {
        expect(chunk.compare(Buffer.alloc(to - from, mark), 0, to - from, from, to)).toBe(0);
      }
    }),
    { numRuns: 60 },
  );
});
