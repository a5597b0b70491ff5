import { setImmediate as nextTurn } from 'node:timers/promises';
import * as fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import type { Snapshot } from '../../../src/model/snapshot.ts';
import { frameOf } from '../../../src/push/frames.ts';
import { keyOf } from '../../../src/wire/resource-frame.ts';
import { serviceEntry as se, serviceEntryResource } from '../../support/resources.ts';
import { fold, type Said, spec } from '../../support/service-specs.ts';
import { noGuard, StoreLab } from '../../support/store-lab.ts';
import { field } from '../../support/wire-bytes.ts';
import { propertyTimeoutMs, runs } from './runs.ts';

vi.mock('../../../src/model/sizes.ts', async () => (await import('../../support/tiny-sizes.ts')).tinySizes);

// Several origins hold the same keys: whatever they say, in whatever order, and whatever comes between the turns.

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
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

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
  const present = origins.slice(0, count);
  const models = new Map(present.map((origin) => [origin, new Map<string, Said>()]));
  const queues = new Map<Origin, Promise<void>>();
  for (const origin of present) {
    lab.addOrigin(origin, se);
    await lab.deliver(origin, se, []);
  }
  const unheld = watchHoldings(lab, present);
  let before: readonly string[] = [];
  const meanings = new Map<string, string>();
  lab.store.onChange(() => {
    const snapshot = lab.store.snapshot(se.id) as Snapshot;
    const keys = keysOf(snapshot);
    expect(keys).toEqual(keys.toSorted());
    const left = before.filter((name) => !keys.includes(name));
    expect(
      left.filter((name) => !unheld.has(name)),
      'left, and somebody held them all the time',
    ).toEqual([]);
    unheld.clear();
    before = keys;
    const text = frameBytes(lab).toString('hex');
    expect(meanings.get(snapshot.version) ?? text, 'a version has one meaning').toBe(text);
    meanings.set(snapshot.version, text);
  });
  const say = (origin: Origin, { items, full, removed }: Message) => {
    const deliver = async () => {
      const resources = items.map(([name, one]) => bytesOf(name, one));
      await lab.deliver(origin, se, resources, { full, removed });
      apply(models.get(origin) as Map<string, Said>, { items, full, removed });
    };
    queues.set(origin, (queues.get(origin) ?? Promise.resolve()).then(deliver));
  };
  for (const one of steps) {
    if (one === 'flush') lab.flush();
    else if (one === 'settle') await Promise.all(queues.values());
    else if ('turns' in one) for (let i = 0; i < one.turns; i++) await nextTurn();
    else if (present.includes(one.origin)) say(one.origin, one.message);
  }
  await Promise.all(queues.values());
  lab.flush();
  for (let i = 0; i < 40; i++) await nextTurn();
  lab.flush();
  await expectFold(lab, isMerging, [...models.values()]);
}

/** Keys that nobody held at some moment. */
function watchHoldings(lab: StoreLab, present: readonly Origin[]): Set<string> {
  const unheld = new Set<string>();
  const tables = present.map((origin) => lab.store.holding(origin, se.id).resources);
  for (const table of tables) {
    const remove = table.delete.bind(table);
    table.delete = (name) => {
      const row = remove(name);
      if (!tables.some((one) => one.has(name))) unheld.add(name);
      return row;
    };
  }
  return unheld;
}

async function expectFold(lab: StoreLab, isMerging: boolean, models: readonly ReadonlyMap<string, Said>[]) {
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
