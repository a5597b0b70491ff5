import { setImmediate as nextTurn } from 'node:timers/promises';
import * as fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { legacyResource, serviceEntry as se } from '../../support/resources.ts';
import { noGuard, StoreLab } from '../../support/store-lab.ts';
import { propertyTimeoutMs, runs } from './runs.ts';
import { contentOfSnapshot, expectAccounts } from './snapshot-checks.ts';

vi.mock('../../../src/model/sizes.ts', async () => (await import('../../support/tiny-sizes.ts')).tinySizes);

const names = ['one', 'two', 'three'] as const;
type Name = (typeof names)[number];

const key = fc.integer({ min: 0, max: 20 }).map((n) => `a/${String(n).padStart(2, '0')}`);
const content = fc.constantFrom('x', 'y', 'z', 'longer', 'm'.repeat(300));
const items = fc.uniqueArray(fc.record({ name: key, content }), {
  selector: ({ name }) => name,
  maxLength: 20,
  size: 'max',
});
const name = fc.constantFrom(...names);
const order = fc.shuffledSubarray([...names], { minLength: 3 });

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant('says' as const), name, items, full: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constantFrom('retires', 'is removed'), name }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('order' as const), order }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constantFrom('look', 'flush') }) },
  { weight: 6, arbitrary: fc.record({ type: fc.constant('turns' as const), turns: fc.integer({ min: 1, max: 12 }) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** What is known of an origin, by its last word. */
type Known = { isThere: boolean; isRetired: boolean; readonly held: Map<string, string>; queue: Promise<void> };

test(
  'origins come, retire, come back, leave and change places between any two turns: what is sent is what the first has',
  async () => {
    await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), order, live), runs(150));
  },
  propertyTimeoutMs,
);

async function live(steps: readonly Step[], last: readonly Name[]): Promise<void> {
  const lab = new StoreLab(noGuard);
  const all = new Map(
    names.map((one): [Name, Known] => [
      one,
      { isThere: false, isRetired: false, held: new Map(), queue: Promise.resolve() },
    ]),
  );
  const known = (one: string) => all.get(one as Name) as Known;
  const meanings = new Map<string, string>();
  const look = () => {
    const snapshot = lab.store.snapshot(se.id);
    if (snapshot === undefined) return;
    const text = contentOfSnapshot(snapshot);
    expect(meanings.get(snapshot.version) ?? text).toBe(text);
    meanings.set(snapshot.version, text);
  };
  const orders: Promise<void>[] = [];
  const happen = (one: string, work: (origin: Known) => Promise<void>) => {
    const origin = known(one);
    origin.queue = origin.queue.then(() => work(origin));
  };
  for (const one of steps) {
    if (one.type === 'look') look();
    else if (one.type === 'flush') lab.flush();
    else if ('turns' in one) for (let i = 0; i < one.turns; i++) await nextTurn();
    else if ('order' in one) orders.push(lab.store.setPrecedence(one.order));
    else if ('items' in one) {
      happen(one.name, async (origin) => {
        if (!origin.isThere || origin.isRetired) lab.addOrigin(one.name, se);
        origin.isThere = true;
        origin.isRetired = false;
        const resources = one.items.map((item) => legacyResource(item.name, item.content));
        await lab.deliver(one.name, se, resources, { full: one.full });
        if (one.full) origin.held.clear();
        for (const item of one.items) origin.held.set(item.name, item.content);
      });
    } else if ('name' in one) {
      happen(one.name, async (origin) => {
        if (!origin.isThere || (one.type === 'retires' && origin.isRetired)) return;
        if (one.type === 'retires') {
          expect(await lab.store.retire(one.name, se.id)).toBe(origin.held.size);
          origin.isRetired = origin.isThere = origin.held.size > 0;
          return;
        }
        expect(await lab.store.removeOrigin(one.name, se.id)).toBe(origin.held.size);
        origin.isThere = origin.isRetired = false;
        origin.held.clear();
      });
    }
    look();
  }
  await Promise.all([...all.values()].map(({ queue }) => queue));
  await Promise.all(orders);
  await lab.store.setPrecedence(last);
  lab.flush();
  // Memory is laid out anew in turns.
  for (let i = 0; i < 60; i++) await nextTurn();
  lab.flush();
  look();
  const there = last.filter((one) => known(one).isThere);
  const first = [...there.filter((one) => !known(one).isRetired), ...there.filter((one) => known(one).isRetired)];
  // The last one that is put in wins.
  const expected = first.toReversed().flatMap((one) => [...known(one).held]);
  if (there.length > 0) expect(lab.published(se)).toEqual(Object.fromEntries(expected));
  expect([...lab.store.origins.keys()].toSorted()).toEqual(there.toSorted());
  if (lab.store.snapshot(se.id) !== undefined) expectAccounts(lab, there);
}
