import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { sortInTurns } from '../../../src/intake/sort.ts';

test('sorts as an array does, and leaves what it was given', async () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '/', 'é', '\u{1f3d9}', '￮'), maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(fc.array(text, { maxLength: 50 }), async (texts) => {
      const before = [...texts];
      expect(await sortInTurns(texts)).toEqual(before.toSorted());
      expect(texts).toEqual(before);
    }),
  );
});

test.each([4999, 5000, 5001, 12_345, 30_000])('sorts %i texts, and lets other work run', async (length) => {
  const texts = Array.from({ length }, (_, i) => `a/${(i * 7919) % length}`);
  let turns = 0;
  let isOver = false;
  const count = () => {
    turns++;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  const sorted = await sortInTurns(texts);
  isOver = true;
  expect(sorted).toEqual(texts.toSorted());
  if (length > 5000) expect(turns).toBeGreaterThanOrEqual(Math.ceil(length / 5000));
});
