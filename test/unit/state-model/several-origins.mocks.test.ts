import { setImmediate as nextTurn } from 'node:timers/promises';
import * as fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import type { Snapshot } from '../../../src/model/snapshot.ts';
import { frameOf } from '../../../src/push/frames.ts';
import { keyOf } from '../../../src/wire/resource-frame.ts';
import type { ResourceTable } from '../../../src/wire/resource-table.ts';
import { serviceEntry as se, serviceEntryResource } from '../../support/resources.ts';
import { fold, type Said, spec } from '../../support/service-specs.ts';
import { noGuard, StoreLab } from '../../support/store-lab.ts';
import { field } from '../../support/wire-bytes.ts';
import { propertyTimeoutMs, runs } from './runs.ts';

vi.mock('../../../src/model/sizes.ts', async () => (await import('../../support/tiny-sizes.ts')).tinySizes);

// Several origins hold the same keys: whatever they say, in whatever order, and whatever comes between the turns; and they
// come, retire, come back, leave and change places meanwhile.

const origins = ['one', 'two', 'three'] as const;
type Origin = (typeof origins)[number];

const key = fc.integer({ min: 0, max: 8 }).map((n) => `shop/${n}`);
const said: fc.Arbitrary<Said> = fc.record({
  spec,
  labels: fc.oneof({ weight: 5, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: fc.constant({ app: 'x' }) }),
});
/** Undefined stands for a form of the key that cannot be sent. */
const item = fc.oneof({ weight: 9, arbitrary: said }, { weight: 1, arbitrary: fc.constant(undefined) });
const message = fc.record({
  items: fc.uniqueArray(fc.tuple(key, item), { selector: ([name]) => name, maxLength: 9, size: 'max' }),
  full: fc.boolean(),
  removed: fc.uniqueArray(key, { maxLength: 4 }),
});
type Message = typeof message extends fc.Arbitrary<infer T> ? T : never;

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ origin: fc.constantFrom(...origins), message }) },
  { weight: 3, arbitrary: fc.constant('flush' as const) },
  { weight: 5, arbitrary: fc.record({ turns: fc.integer({ min: 1, max: 8 }) }) },
  { weight: 1, arbitrary: fc.constant('settle' as const) },
  { weight: 2, arbitrary: fc.constant('look' as const) },
  { weight: 2, arbitrary: fc.record({ origin: fc.constantFrom(...origins), leaves: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ order: fc.shuffledSubarray([...origins], { minLength: 3 }) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** What is known of an origin, by its last word, and the config's. */
type Known = { isThere: boolean; isRetired: boolean; readonly said: Map<string, Said>; queue: Promise<void> };

const bytesOf = (name: string, one: Said | undefined): Buffer =>
  one === undefined ? field(1, field(1, name)) : serviceEntryResource(name, one.spec, { labels: one.labels });

/** What an istiod is given. */
const frameBytes = ({ store }: StoreLab): Buffer =>
  frameOf(store.snapshot(se.id) as Snapshot, { versioned: true }).toBuffer();

const keysOf = ({ pool, rows }: Snapshot): string[] => Array.from(rows, (row) => keyOf(pool, row));

function apply(model: Map<string, Said>, { items, full, removed }: Message): void {
  const named = new Set(items.map(([name]) => name));
  for (const name of full ? [...model.keys()] : removed) if (!named.has(name)) model.delete(name);
  for (const [name, one] of items) if (one !== undefined) model.set(name, one);
}

for (const isMerging of [false, true]) {
  test(
    `${isMerging ? 'mergeEndpoints' : 'precedence'}: the end is the plain fold, and no key leaves that anybody holds`,
    async () => {
      const property = (count: number, steps: readonly Step[]) => runSteps(isMerging, count, steps);
      await fc.assert(
        fc.asyncProperty(fc.integer({ min: 2, max: 3 }), fc.array(step, { maxLength: 30, size: 'max' }), property),
        runs(150),
      );
    },
    propertyTimeoutMs,
  );
}

async function runSteps(isMerging: boolean, count: number, steps: readonly Step[]): Promise<void> {
  const lab = new StoreLab(noGuard, { sameKey: isMerging ? 'mergeEndpoints' : 'precedence', sameHost: 'report' });
  const all = new Map(
    origins.map((name): [Origin, Known] => [
      name,
      { isThere: false, isRetired: false, said: new Map(), queue: Promise.resolve() },
    ]),
  );
  const known = (name: Origin) => all.get(name) as Known;
  const { unheld, isHeld, watch } = watchHoldings(lab);
  const add = (name: Origin) => {
    lab.addOrigin(name, se);
    watch(name);
    known(name).isThere = true;
    known(name).isRetired = false;
  };
  const present = origins.slice(0, count);
  for (const name of present) {
    add(name);
    await lab.deliver(name, se, []);
  }
  let before: readonly string[] = [];
  const meanings = new Map<string, string>();
  const look = (): readonly string[] => {
    const snapshot = lab.store.snapshot(se.id);
    if (snapshot === undefined) return before;
    const keys = keysOf(snapshot);
    expect(keys).toEqual(keys.toSorted());
    const left = before.filter((name) => !keys.includes(name));
    expect(
      left.filter((name) => !unheld.has(name)),
      'left, and somebody held them all the time',
    ).toEqual([]);
    const text = frameBytes(lab).toString('hex');
    expect(meanings.get(snapshot.version) ?? text, 'a version has one meaning').toBe(text);
    meanings.set(snapshot.version, text);
    return keys;
  };
  lab.store.onChange((news) => {
    if (!news.has(se.id)) return;
    before = look();
    for (const name of unheld) if (isHeld(name)) unheld.delete(name);
  });
  const happen = (name: Origin, work: (origin: Known) => Promise<void>) => {
    const origin = known(name);
    origin.queue = origin.queue.then(() => work(origin));
  };
  const say = (name: Origin, { items, full, removed }: Message) =>
    happen(name, async (origin) => {
      if (!origin.isThere || origin.isRetired) add(name);
      const resources = items.map(([label, one]) => bytesOf(label, one));
      await lab.deliver(name, se, resources, { full, removed });
      apply(origin.said, { items, full, removed });
    });
  const takeOut = (name: Origin, leaves: boolean) =>
    happen(name, async (origin) => {
      if (!origin.isThere || (origin.isRetired && !leaves)) return;
      const { size } = origin.said;
      expect(await (leaves ? lab.store.removeOrigin(name, se.id) : lab.store.retire(name, se.id))).toBe(size);
      origin.isThere = origin.isRetired = !leaves && size > 0;
      if (leaves) origin.said.clear();
    });
  const orders: Promise<void>[] = [];
  let order: readonly Origin[] = origins;
  const settled = () => Promise.all([...Array.from(all.values(), ({ queue }) => queue), ...orders]);
  for (const one of steps) {
    if (one === 'flush') lab.flush();
    else if (one === 'look') look();
    else if (one === 'settle') await settled();
    else if ('turns' in one) for (let i = 0; i < one.turns; i++) await nextTurn();
    else if ('order' in one) {
      order = one.order;
      orders.push(lab.store.setPrecedence(order));
    } else if (!present.includes(one.origin)) continue;
    else if ('leaves' in one) takeOut(one.origin, one.leaves);
    else say(one.origin, one.message);
  }
  await settled();
  // Who has come back stands last until the config is in force.
  await lab.store.setPrecedence(order);
  lab.flush();
  for (let i = 0; i < 60; i++) await nextTurn();
  lab.flush();
  look();
  const there = order.filter((name) => known(name).isThere);
  const inOrder = [...there.filter((name) => !known(name).isRetired), ...there.filter((name) => known(name).isRetired)];
  await expectFold(lab, isMerging, new Map(inOrder.map((name) => [name, known(name).said])));
}

/** Keys that nobody held at some moment, of the origins that are watched. */
function watchHoldings(lab: StoreLab) {
  const unheld = new Set<string>();
  const tables = new Set<ResourceTable>();
  const isHeld = (name: string) => [...tables].some((one) => one.has(name));
  const watch = (origin: Origin) => {
    const table = lab.store.holding(origin, se.id).resources;
    if (tables.has(table)) return;
    tables.add(table);
    const remove = table.delete.bind(table);
    table.delete = (name) => {
      const row = remove(name);
      if (!isHeld(name)) unheld.add(name);
      return row;
    };
  };
  return { unheld, isHeld, watch };
}

async function expectFold(lab: StoreLab, isMerging: boolean, heldBy: ReadonlyMap<string, ReadonlyMap<string, Said>>) {
  const models = [...heldBy.values()];
  const keys = [...new Set(models.flatMap((model) => [...model.keys()]))].toSorted();
  const folded = keys.map((name) => ({
    name,
    first: models.find((model) => model.has(name))?.get(name),
    ...fold(
      models.flatMap((model) => model.get(name) ?? []),
      isMerging,
    ),
  }));
  const plain = new StoreLab();
  plain.addOrigin('all', se);
  await plain.deliver(
    'all',
    se,
    folded.map(({ name, sent }) => bytesOf(name, sent)),
  );
  plain.flush();
  expect(frameBytes(lab).toString('hex')).toBe(frameBytes(plain).toString('hex'));
  expect(lab.store.snapshot(se.id)?.version).toBe(plain.store.snapshot(se.id)?.version);

  const order = [...heldBy.keys()];
  for (const { same, name, origins: found } of lab.conflicts) {
    const isMeant = (origin: string) =>
      same === 'key' ? heldBy.get(origin)?.has(name) === true : found.includes(origin);
    expect([name, found], 'in order of precedence').toEqual([name, order.filter(isMeant)]);
  }
  const conflicts = lab.conflicts.filter(({ same }) => same === 'key').map(({ name, reason }) => [name, reason]);
  const expected = folded.flatMap(({ name, reason }) => (reason === undefined ? [] : [[name, reason]]));
  expect(Object.fromEntries(conflicts)).toEqual(Object.fromEntries(expected));
  const counts = new Map<string, number>();
  for (const [, reason = ''] of expected) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  const counted = [...lab.store.conflicts.counts()].filter(({ reason }) => !reason.startsWith('same_host'));
  expect(Object.fromEntries(counted.map(({ reason, count }) => [reason, count]))).toEqual(Object.fromEntries(counts));

  const made = folded.filter(({ sent, first }) => endpointsOf(sent) > endpointsOf(first));
  const held = models.reduce((sum, { size }) => sum + size, 0);
  expect(lab.store.snapshot(se.id)?.pool.size, 'no row is lost').toBe(held + made.length);
}

const endpointsOf = (one: Said | undefined): number => one?.spec.endpoints?.length ?? 0;
