import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Chunk, noRow, ResourcePool } from '../../../src/model/resource.ts';
import { viewed } from '../../../src/wire/bytes.ts';

const chunk: Chunk = Object.assign(viewed(Buffer.alloc(8)), { liveBytes: 8 });
const content = (n: number) => ({ h1: n, h2: -n, h3: n * 7 });
const layout = (n: number) => ({ head: n, metadata: 2 * n, time: 3 * n });
const add = (pool: ResourcePool, n = 0) => pool.add(chunk, n, 2 * n, content(n), layout(n));

describe('a new row', () => {
  test('has what it was added with, and nothing of who had its number before', () => {
    const pool = new ResourcePool();
    const old = add(pool, 1);
    pool.setRaw(old, content(5));
    pool.setSeen(old, 9);
    pool.setRank(old, 9);
    pool.setAt(old, 9);
    pool.setSlot(old, 9, 1);
    pool.retire(old);
    const row = add(pool, 3);
    expect(row).toBe(old);
    expect([pool.start(row), pool.end(row), pool.bytes(row), pool.chunk(row) === chunk]).toEqual([3, 6, 3, true]);
    expect([pool.seen(row), pool.rank(row), pool.at(row), pool.slot(row)]).toEqual([0, 0, noRow, noRow]);
    expect([pool.hasContent(row, content(3)), pool.hasContent(row, content(1))]).toEqual([true, false]);
    expect(pool.hasRaw(row, content(5))).toBe(false);
    expect(pool.isListed(row)).toBe(false);
    expect([pool.contentStart(row), pool.hasLayout(row, layout(3)), pool.hasLayout(row, layout(1))]).toEqual([
      6,
      true,
      false,
    ]);
  });

  test('changes no other row, however many there are', () => {
    const pool = new ResourcePool();
    const rows = Array.from({ length: 1000 }, (_, n) => add(pool, n));
    expect(new Set(rows).size).toBe(1000);
    for (const [n, row] of rows.entries()) {
      expect([pool.start(row), pool.v1(row), pool.v2(row), pool.v3(row)]).toEqual([n, n, 0 - n, n * 7]);
    }
    expect(pool.size).toBe(1000);
  });
});

describe('what a source sent', () => {
  test('is remembered until the content is another one, even a hash of zeroes', () => {
    const pool = new ResourcePool();
    const row = add(pool);
    const zero = content(0);
    expect(pool.hasRaw(row, zero)).toBe(false);
    pool.setRaw(row, zero);
    expect(pool.hasRaw(row, zero)).toBe(true);
    pool.setContent(row, content(2));
    expect(pool.hasRaw(row, zero)).toBe(false);
    expect(pool.hasContent(row, content(2))).toBe(true);
  });
});

test('a retired row means the same until it is not in the list, and a sweep comes', () => {
  const step = fc.record({ act: fc.constantFrom('add', 'retire', 'list', 'unlist', 'sweep'), which: fc.nat() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const pool = new ResourcePool();
      const held = new Map<number, number>();
      const retired = new Map<number, number>();
      const listed = new Set<number>();
      let next = 1;
      for (const { act, which } of steps) {
        const known = [...held.keys(), ...retired.keys()];
        const row = known[which % Math.max(known.length, 1)];
        if (act === 'add') {
          const added = add(pool, next);
          expect(known).not.toContain(added);
          held.set(added, next++);
          listed.delete(added);
        } else if (act === 'sweep') {
          pool.sweep();
          for (const one of retired.keys()) if (!listed.has(one)) retired.delete(one);
        } else if (row === undefined) {
          continue;
        } else if (act === 'retire') {
          const was = held.get(row);
          if (was === undefined) continue;
          pool.retire(row);
          held.delete(row);
          if (listed.has(row)) retired.set(row, was);
        } else {
          pool.setListed(row, act === 'list');
          if (act === 'list') listed.add(row);
          else listed.delete(row);
        }
        for (const [one, n] of [...held, ...retired]) {
          expect([pool.start(one), pool.hasContent(one, content(n))]).toEqual([n, true]);
          expect(pool.isListed(one)).toBe(listed.has(one));
        }
        expect(pool.size).toBe(held.size + retired.size);
      }
    }),
    { numRuns: 300 },
  );
});
