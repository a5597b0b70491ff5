import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isNamed, keyOf } from '../../../src/wire/resource-frame.ts';
import { hashKey, ResourceTable } from '../../../src/wire/resource-table.ts';
import { noRow, ResourcePool, verdicts } from '../../../src/model/resource.ts';
import { viewed } from '../../../src/wire/bytes.ts';
import { newRow } from '../../support/resources.ts';

const pool = new ResourcePool();
const make = (key: string, content = 'a') => newRow(pool, key, content);

const find = (table: ResourceTable, key: string) => {
  const bytes = viewed(Buffer.from(key));
  return table.find(bytes, 0, bytes.length, hashKey(bytes.view, 0, bytes.length));
};

const hashOf = (key: string) => {
  const bytes = viewed(Buffer.from(key));
  return hashKey(bytes.view, 0, bytes.length);
};

const same = (table: ResourceTable, row: number) =>
  table.findSame(hashOf(keyOf(pool, row)), { h1: pool.v1(row), h2: pool.v2(row), h3: pool.v3(row) });

describe('a table', () => {
  test('is a map, whatever is put and taken away', () => {
    const key = fc.oneof(
      fc.integer({ min: 0, max: 60 }).map((n) => `ns/${n}`),
      fc.constantFrom('é/x', 'a/ü', 'long/'.padEnd(200, 'x')),
    );
    const step = fc.record({ key, content: fc.constantFrom('x', 'y'), gone: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 150, size: 'max' }), (steps) => {
        const table = new ResourceTable(pool);
        const model = new Map<string, number>();
        for (const { key: k, content, gone } of steps) {
          const before = model.get(k) ?? noRow;
          if (gone) {
            expect(table.delete(k)).toBe(before);
            model.delete(k);
          } else {
            const resource = make(k, content);
            expect(table.put(resource)).toBe(before);
            model.set(k, resource);
          }
          if (before !== noRow) expect(table.holds(before), 'what is not held any more says so').toBe(false);
          expect(table.size).toBe(model.size);
        }
        expect([...table.keys()].toSorted()).toEqual([...model.keys()].toSorted());
        expect(new Set(table.values())).toEqual(new Set(model.values()));
        for (const k of new Set(steps.map((one) => one.key))) {
          const resource = model.get(k) ?? noRow;
          expect(table.get(k)).toBe(resource);
          expect(table.has(k)).toBe(resource !== noRow);
          expect(table.holds(resource)).toBe(resource !== noRow);
          expect(find(table, k)).toBe(resource);
          if (resource !== noRow) expect(same(table, resource)).toBe(resource);
        }
      }),
      { numRuns: 150 },
    );
  });

  test('finds by content only what is held with this content', () => {
    const table = new ResourceTable(pool);
    const [old, held] = [make('a/1', 'x'), make('a/1', 'y')];
    table.put(old);
    table.put(held);
    expect(same(table, held)).toBe(held);
    expect(same(table, old)).toBe(noRow);
    expect(same(table, make('a/2', 'y'))).toBe(noRow);
  });

  test('does not hold what another table of the pool holds, whatever else is noted of it', () => {
    const [first, second] = [new ResourceTable(pool), new ResourceTable(pool)];
    const [own, other] = [make('a/1'), make('a/1', 'y')];
    first.put(own);
    second.put(other);
    for (const row of [own, other]) {
      pool.setListed(row, true);
      pool.setVerdict(row, verdicts.refused);
    }
    expect([own, other].map((row) => [first.holds(row), second.holds(row)])).toEqual([
      [true, false],
      [false, true],
    ]);
    for (let i = 0; i < 20; i++) first.put(make(`a/${i + 2}`));
    expect([first.holds(own), pool.isListed(own), pool.verdict(own)]).toEqual([true, true, verdicts.refused]);
    first.delete('a/1');
    second.put(own, other);
    expect([own, other].map((row) => [first.holds(row), second.holds(row)])).toEqual([
      [false, true],
      [false, false],
    ]);
  });

  test('takes a hint only where it is right', () => {
    const table = new ResourceTable(pool);
    const [a, b, gone] = ['a/1', 'a/2', 'a/3'].map((key) => make(key)) as [number, number, number];
    for (const resource of [a, b, gone]) table.put(resource);
    table.delete('a/3');
    const [right, wrong, late] = ['a/1', 'a/2', 'a/3'].map((key) => make(key, 'y')) as [number, number, number];
    expect(table.put(right, a)).toBe(a);
    expect(table.put(wrong, a)).toBe(b);
    expect(table.put(late, gone)).toBe(noRow);
    expect(['a/1', 'a/2', 'a/3'].map((key) => table.get(key))).toEqual([right, wrong, late]);
    expect(table.size).toBe(3);
  });
});

describe('the hash of a key', () => {
  test('is the same wherever the bytes stand', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 40 }), fc.nat(5), (key, before) => {
        const bytes = viewed(Buffer.from(`${' '.repeat(before)}${key}!`));
        expect(hashKey(bytes.view, before, bytes.length - 1)).toBe(hashOf(key));
      }),
    );
  });

  test('differs for names that were made to collide in a hash with a known factor', () => {
    // A difference in one word that one in the next cancels, whatever the seed; 14 such pairs.
    const name = (bits: number) => {
      const bytes = Buffer.alloc(8 * 14, '@');
      for (let pair = 0; pair < 14; pair++) {
        if (((bits >>> pair) & 1) === 0) continue;
        bytes.writeInt32LE(bytes.readInt32LE(8 * pair) ^ (1 << 29), 8 * pair);
        bytes.writeInt32LE(bytes.readInt32LE(8 * pair + 4) ^ 0x20004000, 8 * pair + 4);
      }
      return bytes.toString('latin1');
    };
    const hashes = new Set(Array.from({ length: 1 << 14 }, (_, bits) => hashOf(name(bits))));
    expect(hashes.size).toBeGreaterThan(16_300);
  });

  test('spreads similar keys over the slots of a table', () => {
    const slots = new Set(Array.from({ length: 1024 }, (_, i) => hashOf(`team-00/service-${i}`) & 1023));
    expect(slots.size).toBeGreaterThan(500);
  });
});

test('bytes are the name of a resource only where they are exactly that', () => {
  const named = (key: string, bytes: Buffer) => isNamed(pool, make(key), viewed(bytes), 0, bytes.length);
  expect(named('é/x', Buffer.from('é/x', 'latin1'))).toBe(false);
  expect(named('é/x', Buffer.from('é/x'))).toBe(true);
  expect(named('e/x', Buffer.from('e/x'))).toBe(true);
  expect(named('e/x', Buffer.from('e/xy'))).toBe(false);
  expect(named('e/xy', Buffer.from('e/x'))).toBe(false);
});
