import { setImmediate as nextTurn } from 'node:timers/promises';
import * as fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { legacyResource, serviceEntry, workloadEntry } from '../../support/resources.ts';
import { contentsOf, heldBy } from '../../support/source-view.ts';
import { noGuard, StoreLab } from '../../support/store-lab.ts';
import { field, fields } from '../../support/wire-bytes.ts';
import { propertyTimeoutMs, runs } from './runs.ts';
import { contentOfSnapshot, expectAccounts } from './snapshot-checks.ts';

vi.mock('../../../src/model/sizes.ts', async () => (await import('../../support/tiny-sizes.ts')).tinySizes);

const key = fc.oneof(
  fc.integer({ min: 0, max: 30 }).map((n) => `a/${String(n).padStart(2, '0')}`),
  fc.constantFrom('é/x', '\u{1F600}/y', '\uFFFD/z', 'default/bare'),
);
const spelt = fc.tuple(key, fc.boolean()).map(([k, other]) => (!other ? k : k === 'default/bare' ? 'bare' : `/${k}`));
const content = fc.oneof(
  fc.constantFrom('x', 'y', 'z', 'longer', 'larger'),
  fc.constantFrom('m'.repeat(300), 'n'.repeat(300), 'h'.repeat(1500)),
);
type Item = { readonly name: string; readonly content: string | undefined };
const item: fc.Arbitrary<Item> = fc.oneof(
  { weight: 9, arbitrary: fc.record({ name: spelt, content }) },
  { weight: 1, arbitrary: fc.record({ name: spelt, content: fc.constant(undefined) }) },
);
const message = fc.record({
  items: fc.oneof(
    fc.array(item, { maxLength: 25, size: 'max' }),
    fc.uniqueArray(fc.record({ name: key, content }), { selector: (one) => one.name, maxLength: 30, size: 'max' }),
  ),
  full: fc.boolean(),
  removed: fc.array(spelt, { maxLength: 4 }),
});
type Origin = 'one' | 'two';

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ origin: fc.constantFrom<Origin>('one', 'two'), message }) },
  {
    weight: 2,
    arbitrary: fc.record({ again: fc.constantFrom<Origin>('one', 'two'), full: fc.boolean(), seed: fc.nat() }),
  },
  { weight: 3, arbitrary: fc.constant('look' as const) },
  { weight: 4, arbitrary: fc.constant('flush' as const) },
  { weight: 2, arbitrary: fc.constant('other' as const) },
  { weight: 8, arbitrary: fc.record({ turns: fc.integer({ min: 1, max: 12 }) }) },
  { weight: 1, arbitrary: fc.constant('settle' as const) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const keyOfName = (name: string) => (name === 'bare' ? 'default/bare' : name.replace(/^\//, ''));
const bytesOf = ({ name, content: c }: Item) =>
  c === undefined ? fields(field(1, field(1, name))) : legacyResource(name, c);

function applyTo(model: Map<string, string>, items: readonly Item[], full: boolean, removed: readonly string[]) {
  const named = new Set(items.map(({ name }) => keyOfName(name)));
  if (full) for (const k of model.keys()) if (!named.has(k)) model.delete(k);
  if (!full) for (const name of removed) if (!named.has(keyOfName(name))) model.delete(keyOfName(name));
  for (const { name, content: c } of items) if (c !== undefined) model.set(keyOfName(name), c);
}

test(
  'whatever comes between the turns, a version means one content, and who listens ends with the truth',
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.boolean(), fc.boolean(), fc.array(step, { maxLength: 40, size: 'max' }), runSteps),
      runs(150),
    );
  },
  propertyTimeoutMs,
);

async function runSteps(isAlone: boolean, isLate: boolean, steps: readonly Step[]): Promise<void> {
  const lab = new StoreLab(noGuard);
  const origins = isAlone ? ['one'] : ['one', 'two'];
  lab.addOrigin('one', serviceEntry, workloadEntry);
  if (!isAlone && !isLate) lab.addOrigin('two', serviceEntry);
  await lab.say('one', workloadEntry, {});
  const models = { one: new Map<string, string>(), two: new Map<string, string>() };
  const last: Record<Origin, readonly Item[]> = { one: [], two: [] };
  const queues = { one: Promise.resolve(), two: Promise.resolve() };
  const meanings = new Map<string, string>();
  let others = 0;
  const look = () => {
    const snapshot = lab.store.snapshot(serviceEntry.id);
    if (snapshot === undefined) return undefined;
    const text = contentOfSnapshot(snapshot);
    expect(meanings.get(snapshot.version) ?? text).toBe(text);
    meanings.set(snapshot.version, text);
    return snapshot.version;
  };
  let told: string | undefined;
  lab.store.onChange((kinds) => {
    if (kinds.has(serviceEntry.id)) told = look();
  });
  const say = (origin: Origin, items: readonly Item[], full: boolean, removed: readonly string[] = []) => {
    if (!origins.includes(origin)) return;
    last[origin] = items;
    const deliver = async () => {
      if (!lab.store.origins.has(origin)) lab.addOrigin(origin, serviceEntry);
      await lab.deliver(origin, serviceEntry, items.map(bytesOf), { full, removed });
      applyTo(models[origin], items, full, removed);
      const { resources } = lab.store.holding(origin, serviceEntry.id);
      expect(contentsOf(heldBy(resources))).toEqual(Object.fromEntries(models[origin]));
    };
    queues[origin] = queues[origin].then(deliver);
  };
  const settled = () => Promise.all([queues.one, queues.two]);

  for (const one of steps) {
    if (one === 'look') told = look();
    else if (one === 'flush') lab.flush();
    else if (one === 'settle') await settled();
    else if (one === 'other') {
      await lab.say('one', workloadEntry, { 'a/1': String(others++) });
      lab.flush();
    } else if ('turns' in one) for (let i = 0; i < one.turns; i++) await nextTurn();
    else if ('again' in one) {
      const isOther = (place: number) => ((one.seed >> (place % 30)) & 1) === 1;
      const items = last[one.again].map((said, place) =>
        said.content === undefined || !isOther(place) ? said : { ...said, content: said.content === 'x' ? 'y' : 'x' },
      );
      say(one.again, items, one.full);
    } else say(one.origin, one.message.items, one.message.full, one.message.removed);
    if (one !== 'look') look();
  }
  await settled();
  for (const origin of origins as Origin[]) {
    if (!lab.store.origins.has(origin)) lab.addOrigin(origin, serviceEntry);
    if (lab.store.holding(origin, serviceEntry.id).sync === 'waiting') say(origin, [], true);
  }
  await settled();
  lab.flush();
  // Memory is laid out anew in turns.
  for (let i = 0; i < 60; i++) await nextTurn();
  lab.flush();
  expect(told).toBe(look());
  expect(lab.published(serviceEntry)).toEqual(Object.fromEntries([...models.two, ...models.one]));
  expectAccounts(lab, origins);
}
