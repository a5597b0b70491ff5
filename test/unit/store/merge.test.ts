import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { noRow, ResourcePool } from '../../../src/model/resource.ts';
import { type KeyChanges, mergeSorted, update } from '../../../src/store/merge.ts';
import { Arena } from '../../../src/wire/arena.ts';
import { keyOf } from '../../../src/wire/resource-frame.ts';
import { newRow } from '../../support/resources.ts';

const arena = new Arena();
const pool = new ResourcePool();
const make = (key: string) => newRow(pool, key, 'x', arena);
const keysOf = (rows: Int32Array) => Array.from(rows, (row) => keyOf(pool, row));
const none = new Int32Array();
const ignore = () => {};

/** The same with a map and a sort. */
function naive(rows: Int32Array, changes: KeyChanges): number[] {
  const byKey = new Map<string, number>([...Array.from(rows, (row) => [keyOf(pool, row), row] as const), ...changes]);
  const byName = (a: number, b: number) => (keyOf(pool, a) < keyOf(pool, b) ? -1 : 1);
  return [...byKey.values()].filter((row) => row !== noRow).toSorted(byName);
}

const key = fc.oneof(
  fc.integer({ min: 0, max: 40 }).map((n) => `ns/${n}`),
  fc.string({ unit: fc.constantFrom('a', 'b', '-', '/', 'é', '\u{1f3d9}', '￮'), minLength: 1, maxLength: 3 }),
);
const changes: fc.Arbitrary<KeyChanges> = fc
  .array(fc.tuple(key, fc.boolean(), fc.integer({ min: -1, max: 45 })), { maxLength: 30 })
  .map((list) => {
    const map = new Map<string, number>();
    for (const [k, isThere, hint] of list) {
      const row = isThere ? make(k) : noRow;
      if (row !== noRow) pool.setAt(row, hint);
      map.set(k, row);
    }
    return map;
  });

for (const merge of [mergeSorted, update]) {
  describe(`${merge.name} of a sorted list and changes`, () => {
    test('is what a map and a sort would give, whatever the hints say', () => {
      fc.assert(
        fc.property(fc.array(changes, { maxLength: 5 }), (steps) => {
          let rows: Int32Array = none;
          for (const step of steps) {
            const left: number[] = [];
            const before = [...rows];
            const next = merge(pool, rows, step, (row) => left.push(row));
            expect([...next]).toEqual(naive(rows, step));
            expect([...rows], 'the list that was given must not change').toEqual(before);
            expect(new Set(left)).toEqual(new Set(before.filter((row) => !next.includes(row))));
            expect(left).toHaveLength(new Set(left).size);
            rows = next;
          }
        }),
        { numRuns: 500 },
      );
    });

    test('is the list where there are no changes', () => {
      const rows = Int32Array.from(['a', 'b'], make);
      expect(merge(pool, rows, new Map(), ignore)).toEqual(rows);
    });
  });
}

describe('update', () => {
  test('leaves every row of a list whose keys changed with its own place as its hint', () => {
    fc.assert(
      fc.property(changes, (step) => {
        const next = update(pool, none, step);
        expect(Array.from(next, (row) => pool.at(row))).toEqual(Array.from(next, (_, i) => i));
      }),
    );
  });

  test('puts a replacement that knows its place there without a search', () => {
    const rows = update(pool, none, new Map(['a', 'b', 'c'].map((k) => [k, make(k)])));
    const other = make('b');
    pool.setAt(other, pool.at(rows[1] as number));
    const next = update(pool, rows, new Map([['b', other]]));
    expect(next[1]).toBe(other);
    expect(keysOf(next)).toEqual(['a', 'b', 'c']);
  });

  test('does not take the place of another key for its own', () => {
    const rows = update(pool, none, new Map(['a', 'b'].map((k) => [k, make(k)])));
    const other = make('c');
    pool.setAt(other, 0);
    expect(keysOf(update(pool, rows, new Map([['c', other]])))).toEqual(['a', 'b', 'c']);
  });
});
