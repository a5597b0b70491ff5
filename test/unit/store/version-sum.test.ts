import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { ResourcePool } from '../../../src/model/resource.ts';
import { VersionSum } from '../../../src/store/version-sum.ts';
import { Arena } from '../../../src/wire/arena.ts';
import { keyOf } from '../../../src/wire/resource-frame.ts';
import { newRow } from '../../support/resources.ts';

const arena = new Arena();
const pool = new ResourcePool();
const rows = Array.from({ length: 40 }, (_, i) => newRow(pool, `a/${i}`, `${i}`, arena));
const resource = fc.constantFrom(...rows);
const set = fc.uniqueArray(resource, { maxLength: 12 });

function sumOf(list: readonly number[]): string {
  const sum = new VersionSum();
  for (const r of list) sum.add(pool, r);
  return sum.toString();
}

test('does not depend on the order in which resources came', () => {
  fc.assert(
    fc.property(
      set.chain((list) => fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length }))),
      ([list, shuffled]) => {
        expect(sumOf(shuffled)).toBe(sumOf(list));
      },
    ),
  );
});

test('forgets whatever left, whenever it left', () => {
  fc.assert(
    fc.property(set, set, fc.infiniteStream(fc.boolean()), (stay, leave, turns) => {
      const sum = new VersionSum();
      for (const r of leave) sum.add(pool, r);
      for (const r of stay) {
        sum.add(pool, r);
        const next = turns.next().value === true ? leave.pop() : undefined;
        if (next !== undefined) sum.remove(pool, next);
      }
      for (const r of leave) sum.remove(pool, r);
      expect(sum.toString()).toBe(sumOf(stay));
    }),
  );
});

test('may take a resource away before it came', () => {
  const [a, b] = rows as [number, number];
  const sum = new VersionSum();
  sum.remove(pool, a);
  sum.add(pool, b);
  sum.add(pool, a);
  expect(sum.toString()).toBe(sumOf([b]));
});

test('differs for different sets', () => {
  const seen = new Map<string, string>();
  fc.assert(
    fc.property(set, (list) => {
      const name = list
        .map((row) => keyOf(pool, row))
        .toSorted()
        .join();
      const sum = sumOf(list);
      expect(seen.get(sum) ?? name).toBe(name);
      seen.set(sum, name);
    }),
    { numRuns: 1000 },
  );
  expect(seen.size).toBeGreaterThan(100);
});

test('takes every bit of a version for what it is', () => {
  const versions = Array.from({ length: 96 }, (_, bit) => {
    const lanes = [0, 0, 0];
    lanes[bit >>> 5] = 1 << (bit & 31);
    const [h1 = 0, h2 = 0, h3 = 0] = lanes;
    const row = newRow(pool, 'a/1');
    pool.setContent(row, { h1, h2, h3 });
    return row;
  });
  expect(new Set(versions.map((version) => sumOf([version]))).size).toBe(96);
});

test('is a text of one length, whatever was added', () => {
  fc.assert(
    fc.property(set, (list) => {
      expect(sumOf(list)).toMatch(/^[0-9a-f]{24}$/);
    }),
  );
  expect(sumOf([])).toBe('0'.repeat(24));
});
