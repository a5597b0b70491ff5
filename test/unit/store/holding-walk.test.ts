import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { ResourcePool } from '../../../src/model/resource.ts';
import { Holding } from '../../../src/store/holding.ts';
import { HoldingWalk } from '../../../src/store/holding-walk.ts';
import { readRow } from '../../../src/wire/resource-frame.ts';
import { applyAtOnce, contentOf, newRow, serviceEntry } from '../../support/resources.ts';
import { StoreLab } from '../../support/store-lab.ts';
import { propertyTimeoutMs, runs } from '../state-model/runs.ts';

const key = fc.integer({ min: 0, max: 9 }).map((n) => `a/${n}`);
const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ look: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 4, arbitrary: fc.record({ put: fc.uniqueArray(key, { minLength: 1, maxLength: 8 }) }) },
  { weight: 2, arbitrary: fc.record({ gone: fc.uniqueArray(key, { minLength: 1, maxLength: 3 }) }) },
  // Rows of the pool that somebody else has in between.
  { weight: 1, arbitrary: fc.record({ others: fc.integer({ min: 1, max: 4 }) }) },
);

test(
  'what is held from the beginning to the end is met once, in a form that it had meanwhile, whatever is put in',
  () => {
    fc.assert(
      fc.property(fc.uniqueArray(key), fc.array(step, { maxLength: 40, size: 'max' }), (first, steps) => {
        const pool = new ResourcePool();
        const holding = new Holding(pool);
        const other = new Holding(pool);
        /** Key → the content that it has now. */
        const contents = new Map<string, string>();
        let version = 0;
        const put = (keys: readonly string[]) => {
          for (const one of keys) contents.set(one, String(++version));
          const upserts = keys.map((one) => newRow(pool, one, contents.get(one), holding.arena));
          applyAtOnce(holding, { full: false, upserts });
        };
        put(first);
        const always = new Set(first);
        const met = new Set<string>();
        const walk = new HoldingWalk(holding);
        const look = () => {
          const row = walk.next();
          if (row === undefined) return false;
          const resource = readRow(pool, row);
          expect(met.has(resource.key), `${resource.key} is met again`).toBe(false);
          met.add(resource.key);
          expect(contentOf(resource)).toBe(contents.get(resource.key));
          return true;
        };
        for (const one of steps) {
          if ('look' in one) for (let i = 0; i < one.look; i++) look();
          else if ('put' in one) put(one.put);
          else if ('others' in one) {
            const upserts = Array.from({ length: one.others }, (_, i) => newRow(pool, `a/${i}`, 'other', other.arena));
            applyAtOnce(other, { full: false, upserts });
          } else {
            for (const gone of one.gone) always.delete(gone);
            applyAtOnce(holding, { full: false, missing: one.gone });
          }
        }
        while (look());
        walk.end();
        expect(holding.walk).toBeUndefined();
        expect([...always].filter((one) => !met.has(one))).toEqual([]);
      }),
      runs(500),
    );
  },
  propertyTimeoutMs,
);

test('what is in the merged list is met in its order, what is not yet after it', async () => {
  const lab = new StoreLab();
  lab.addOrigin('only', serviceEntry);
  const names = ['m', 'c', 'x', 'a', 'q', 'z', 'b'];
  const holding = lab.store.holding('only', serviceEntry.id);
  const met = () => {
    const walk = new HoldingWalk(holding);
    const keys: string[] = [];
    for (let row = walk.next(); row !== undefined; row = walk.next())
      keys.push(readRow(holding.resources.pool, row).key);
    walk.end();
    return keys;
  };
  await lab.say('only', serviceEntry, Object.fromEntries(names.map((name) => [`a/${name}`, '1'])));
  lab.flush();
  expect(met()).toEqual(names.toSorted().map((name) => `a/${name}`));
  await lab.say('only', serviceEntry, Object.fromEntries(['aa', ...names].map((name) => [`a/${name}`, '2'])));
  expect(met()).toEqual([...names.toSorted(), 'aa'].map((name) => `a/${name}`));
});
