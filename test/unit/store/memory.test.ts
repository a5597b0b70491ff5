import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Intake } from '../../../src/intake/intake.ts';
import { ResourcePool } from '../../../src/model/resource.ts';
import { Guard } from '../../../src/store/guard.ts';
import { Holding } from '../../../src/store/holding.ts';
import { keyOf, readRow } from '../../../src/wire/resource-frame.ts';
import { resourceBytes } from '../../../src/wire/resource-view.ts';
import { legacyResource, messageOf, applyAtOnce, newRow, serviceEntry } from '../../support/resources.ts';
import { contentsOf, heldBy } from '../../support/source-view.ts';
import { noGuard } from '../../support/store-lab.ts';

const kib = 1 << 10;
const mib = 1 << 20;

function memoryOf(holding: Holding): { live: number; held: number } {
  const chunks = new Set([holding.arena.chunk]);
  let live = 0;
  for (const { chunk, start, end } of heldBy(holding.resources)) {
    live += end - start;
    chunks.add(chunk);
  }
  return { live, held: [...chunks].reduce((sum, { length }) => sum + length, 0) };
}

/** Twice what is live, 4 MiB of garbage, as much again until the next look, and a chunk. */
function expectBounded(holding: Holding, largestMessage = 0): void {
  const { live, held } = memoryOf(holding);
  expect(held).toBeLessThanOrEqual(2 * live + 13 * mib + 2 * largestMessage);
}

const text = (bytes: number, salt: number | string) => `${salt}${'x'.repeat(bytes)}`;

/** What the store does where memory is wasted, but at once. */
function compact(holding: Holding): boolean {
  if (!holding.isWasteful) return false;
  for (const _ of holding.layOut(new Int32Array())) continue;
  return true;
}

/** A source that speaks to a holding through a real intake. */
function newSource() {
  const pool = new ResourcePool();
  const holding = new Holding(pool, new Guard(noGuard));
  const intake = new Intake(serviceEntry, { defaultNamespace: 'default', namespaceIsExplicit: false });
  return {
    pool,
    holding,
    say: async (resources: readonly Buffer[], full = true): Promise<boolean> => {
      const change = await intake.take(messageOf(resources, { full }), holding);
      applyAtOnce(holding, change);
      return compact(holding);
    },
  };
}

describe('compaction', () => {
  test('moves what is live, keeps every byte of it and the row of every resource', async () => {
    const { pool, holding, say } = newSource();
    const all = Array.from({ length: 800 }, (_, i) => legacyResource(`a/${i}`, text(20 * kib, i)));
    const few = all.filter((_, i) => i % 5 === 0);
    await say(all);
    const rows = [...holding.resources.values()].filter((row) => Number(keyOf(pool, row).slice(2)) % 5 === 0);
    const before = rows.map((row) => ({
      key: keyOf(pool, row),
      chunk: pool.chunk(row),
      bytes: Buffer.from(resourceBytes(readRow(pool, row))),
    }));
    expect(await say(few)).toBe(true);
    expect(holding.resources.size).toBe(rows.length);
    expect(pool.size, 'rows of what left are free').toBe(rows.length);
    for (const [i, row] of rows.entries()) {
      const { key, chunk, bytes } = before[i] as (typeof before)[0];
      expect(holding.resources.get(key)).toBe(row);
      // Plain comparisons: vitest would look at every byte of every chunk.
      expect(pool.chunk(row) === chunk, key).toBe(false);
      expect(resourceBytes(readRow(pool, row)).equals(bytes), key).toBe(true);
    }
    const { live, held } = memoryOf(holding);
    expect(held).toBeLessThanOrEqual(live + 2 * mib);
    const { offset } = holding.arena;
    expect(await say(few)).toBe(false);
    expect(holding.arena.offset, 'what moved is not known any more').toBe(offset);
  });

  test('has nothing to do while little was replaced', () => {
    const pool = new ResourcePool();
    const holding = new Holding(pool);
    applyAtOnce(holding, { upserts: [newRow(pool, 'a/1', 'x', holding.arena)] });
    const { arena } = holding;
    expect(compact(holding)).toBe(false);
    expect(holding.arena).toBe(arena);
  });

  test('leaves what another origin holds of the same kind where it is', () => {
    const pool = new ResourcePool();
    const [one, other] = [new Holding(pool), new Holding(pool)];
    const rows = [one, other].map((holding) => newRow(pool, 'a/1', 'x', holding.arena)) as [number, number];
    applyAtOnce(one, { upserts: [rows[0]] });
    applyAtOnce(other, { upserts: [rows[1]] });
    const [own, foreign] = rows.map((row) => pool.chunk(row));
    for (const _ of one.layOut(Int32Array.from(rows))) continue;
    expect(pool.chunk(rows[0]) === own).toBe(false);
    expect(pool.chunk(rows[1]) === foreign).toBe(true);
  });

  test('gives back what a removal of nearly everything leaves', async () => {
    const { holding, say } = newSource();
    const resources = Array.from({ length: 640 }, (_, i) => legacyResource(`a/${i}`, text(32 * kib, i)));
    await say(resources);
    await say(resources.filter((_, i) => i % 32 === 0));
    expect(holding.resources.size).toBe(20);
    expectBounded(holding);
  });
});

describe('memory stays within twice of what is live, plus a few MiB', () => {
  test('while one resource after the other changes', async () => {
    const { holding, say } = newSource();
    for (let i = 0; i < 3000; i++) await say([legacyResource(`a/${i % 100}`, text(20 * kib, i))], false);
    expect(holding.resources.size).toBe(100);
    expectBounded(holding);
  });

  test('while small resources change beside a large one that does not', async () => {
    const { holding, say } = newSource();
    const large = legacyResource('a/large', text(1280 * kib, 'same'));
    const round = Array.from({ length: 60 }, () => 0);
    for (let i = 0; i < 60; i++) {
      round[i] = i + 1;
      await say([...round.map((value, n) => legacyResource(`a/${n}`, `${value}`)), large]);
    }
    expect(holding.resources.size).toBe(61);
    expectBounded(holding, large.length);
  });

  test('while a source names each resource twice, in two forms', async () => {
    const { holding, say } = newSource();
    const round = Array.from({ length: 64 }, () => 0);
    for (let i = 0; i < 64; i++) {
      round[i] = i + 1;
      const second = round.map((value, n) => legacyResource(`a/${n}`, text(32 * kib, value)));
      await say([...round.map((_, n) => legacyResource(`a/${n}`, text(32 * kib, 'first'))), ...second]);
    }
    expect(holding.resources.size).toBe(64);
    expectBounded(holding, 4 * mib);
  });

  test('for any sequence of updates, and the content is what was said last', async () => {
    const size = fc.oneof(fc.nat(200), fc.nat(64 * kib), fc.constantFrom(600 * kib, 1100 * kib));
    const update = fc.record({ key: fc.nat(30), size, gone: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(update, { minLength: 40, maxLength: 100, size: 'max' }), async (updates) => {
        const { holding, say } = newSource();
        const model = new Map<string, Buffer>();
        for (const [i, one] of updates.entries()) {
          const name = `a/${one.key}`;
          if (one.gone) model.delete(name);
          else model.set(name, legacyResource(name, text(one.size, i)));
          await say([...model.values()]);
          expectBounded(holding, 2 * mib);
        }
        expect([...holding.resources.keys()].toSorted()).toEqual([...model.keys()].toSorted());
        const fresh = newSource();
        await fresh.say([...model.values()]);
        expect(contentsOf(heldBy(holding.resources))).toEqual(contentsOf(heldBy(fresh.holding.resources)));
        const versions = ({ resources }: Holding) =>
          new Map(heldBy(resources).map(({ key, version }) => [key, version]));
        expect(versions(holding)).toEqual(versions(fresh.holding));
      }),
      { numRuns: 10 },
    );
  });
});
