import * as fc from 'fast-check';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { noRow, ResourcePool } from '../../../src/model/resource.ts';
import { Conflicts } from '../../../src/store/conflicts.ts';
import { SharedHosts } from '../../../src/store/shared-hosts.ts';
import { defaultConflictPolicy } from '../../../src/store/sharing.ts';
import { keyOf } from '../../../src/wire/resource-frame.ts';
import { hostsOf } from '../../../src/wire/service-entry.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { SourceView } from '../../support/source-view.ts';
import { serviceEntry as se, serviceEntryResource } from '../../support/resources.ts';
import { settle } from '../../support/settle.ts';
import { noGuard, StoreLab } from '../../support/store-lab.ts';

vi.mock('../../../src/model/sizes.ts', async () => (await import('../../support/tiny-sizes.ts')).tinySizes);

/** What of an entry this is about; its key is `namespace/name`. */
type Entry = { readonly hosts: readonly string[]; readonly exportTo?: readonly string[] };
type Entries = Readonly<Record<string, Entry>>;

const at = (...hosts: readonly string[]): Entry => ({ hosts });

let lab: StoreLab;
let told: string[];

function start(sameHost: 'report' | 'ignore' = 'report', ...origins: readonly string[]): void {
  lab = new StoreLab(noGuard, { sameKey: 'precedence', sameHost });
  told = [];
  lab.store.onConflicts(({ begun, ended }) => {
    told.push(...begun.map(({ name, reason }) => `${name} ${reason}`), ...ended.map(({ name }) => `-${name}`));
  });
  for (const origin of origins) lab.addOrigin(origin, se);
}

const deliver = (origin: string, entries: Entries) =>
  lab.deliver(
    origin,
    se,
    Object.entries(entries).map(([name, spec]) => serviceEntryResource(name, spec)),
  );

/** Publishes, and lets all that goes on in turns come to its end. */
async function publish(): Promise<void> {
  lab.flush();
  for (let i = 0; i < 100; i++) await settle();
}

async function say(origin: string, entries: Entries): Promise<void> {
  await deliver(origin, entries);
  await publish();
}

const found = () =>
  lab.conflicts
    .filter(({ same }) => same === 'host')
    .map(({ name, reason, origins, resources }) => ({
      name,
      reason,
      origins,
      resources: resources.map(({ origin, key }) => `${origin} ${key}`),
    }));

describe('a host that two origins name', () => {
  beforeEach(() => start('report', 'one', 'two'));

  test('in one namespace, under different names, is told with all who name it', async () => {
    await deliver('two', { 'shop/b': at('x.example.com', 'y.example.com'), 'shop/c': at('x.example.com') });
    await say('one', { 'shop/a': at('x.example.com') });
    expect(found()).toEqual([
      {
        name: 'x.example.com',
        reason: 'same_host',
        origins: ['one', 'two'],
        resources: ['one shop/a', 'two shop/b', 'two shop/c'],
      },
    ]);
    expect(told).toEqual(['x.example.com same_host']);
    expect(Object.keys(lab.published(se) ?? {}), 'all are sent').toEqual(['shop/a', 'shop/b', 'shop/c']);
  });

  test('in two namespaces is another matter, where others see both', async () => {
    await deliver('two', { 'other/b': at('x.example.com') });
    await say('one', { 'shop/a': at('x.example.com') });
    expect(found()).toMatchObject([{ name: 'x.example.com', reason: 'same_host_elsewhere' }]);
  });

  test.each<[string, readonly string[], readonly string[], boolean]>([
    ['each for itself', ['.'], ['.'], false],
    ['one for itself', ['.'], ['*'], false],
    ['nobody', ['~'], ['*'], false],
    ['one for the namespace of the other, which has its own', ['other'], ['*'], false],
    ['both for a third', ['third', '.'], ['third'], true],
    ['one for a third, one for all', ['third'], ['*'], true],
    ['each for another one', ['third'], ['fourth'], false],
    ['all', ['*'], ['*'], true],
  ])('in two namespaces, seen by %s', async (_, ofOne, ofTwo, isConflict) => {
    await deliver('two', { 'other/b': { hosts: ['x.example.com'], exportTo: ofTwo } });
    await say('one', { 'shop/a': { hosts: ['x.example.com'], exportTo: ofOne } });
    expect(found().map(({ reason }) => reason)).toEqual(isConflict ? ['same_host_elsewhere'] : []);
  });

  test('is none of its business where one origin names it twice, or both hold the same key', async () => {
    await deliver('two', { 'shop/c': at('y.example.com') });
    await say('one', { 'shop/a': at('x.example.com'), 'shop/b': at('x.example.com'), 'shop/c': at('y.example.com') });
    expect(found()).toEqual([]);
    expect(lab.conflicts.map(({ name }) => name)).toEqual(['shop/c']);
  });

  test('ends when one of them names another one, or leaves', async () => {
    await deliver('two', { 'shop/b': at('x.example.com', 'y.example.com') });
    await say('one', { 'shop/a': at('x.example.com', 'y.example.com') });
    await say('one', { 'shop/a': at('y.example.com') });
    expect(found().map(({ name }) => name)).toEqual(['y.example.com']);
    await say('two', {});
    expect(found()).toEqual([]);
    expect(told).toEqual(['x.example.com same_host', 'y.example.com same_host', '-x.example.com', '-y.example.com']);
  });

  test('ends when another origin’s form of the key is sent', async () => {
    await deliver('two', { 'shop/a': at('z.example.com'), 'shop/b': at('x.example.com') });
    await say('one', { 'shop/a': at('x.example.com') });
    expect(found()).toHaveLength(1);
    await say('one', {});
    expect(found(), 'both are of two now').toEqual([]);
  });

  test('that very many name is shown with some of them', async () => {
    const many = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`shop/b${i}`, at('x.example.com')]));
    await deliver('two', many);
    await say('one', { 'shop/a': at('x.example.com') });
    expect(found()[0]?.resources).toHaveLength(20);
    expect(found()[0]?.resources[0]).toBe('one shop/a');
  });
});

test('what one origin has said before there was a second one is looked at when that speaks', async () => {
  start('report', 'one');
  await say('one', { 'shop/a': at('x.example.com'), 'shop/c': at('z.example.com') });
  lab.addOrigin('two', se);
  await say('two', { 'shop/b': at('x.example.com') });
  expect(found().map(({ name }) => name)).toEqual(['x.example.com']);
});

test('who is named first is another one in another order, although the same is sent; who has left is named no more', async () => {
  start('report', 'one', 'two', 'three');
  await say('three', {});
  await say('one', { 'shop/a': at('x.example.com') });
  await say('two', { 'shop/b': at('x.example.com') });
  expect(found().map(({ resources }) => resources)).toEqual([['one shop/a', 'two shop/b']]);
  await lab.store.setPrecedence(['two', 'one', 'three']);
  await publish();
  expect(found().map(({ resources }) => resources)).toEqual([['two shop/b', 'one shop/a']]);
  await lab.store.removeOrigin('two', se.id);
  await publish();
  expect(found()).toEqual([]);
});

describe('origins that come and go', () => {
  const pool = new ResourcePool();
  const conflicts = new Conflicts(new FakeClock());
  const holders = new Map<string, SourceView>();
  const hosts = new SharedHosts(
    se.id,
    pool,
    { of: () => holders },
    defaultConflictPolicy,
    conflicts.newSet(se.id, 'host'),
  );

  /** An origin says that it has this, and nothing else. */
  async function holds(origin: string, key: string, host: string, isTouched = true): Promise<void> {
    const view = holders.get(origin) ?? new SourceView(pool);
    if (!holders.has(origin)) hosts.originAdded();
    holders.set(origin, view);
    await view.take([serviceEntryResource(key, at(host))]);
    if (isTouched) hosts.touch(key);
  }

  const look = () => {
    for (const _ of hosts.look()) continue;
    return conflicts.page(0, 10).map(({ name }) => name);
  };

  test('leave no conflict behind, and find what was said by one that was alone meanwhile', async () => {
    await holds('one', 'shop/a', 'x');
    await holds('two', 'shop/b', 'x');
    expect(look()).toEqual(['x']);
    holders.delete('two');
    hosts.touch('shop/b');
    expect(look()).toEqual([]);
    await holds('one', 'shop/a', 'y', false);
    expect(hosts.isDue).toBe(false);
    await holds('two', 'shop/b', 'y');
    expect(look()).toEqual(['y']);
  });

  test('are looked at whole when one comes back before anybody has looked', async () => {
    await holds('one', 'shop/a', 'v');
    await holds('two', 'shop/b', 'v');
    expect(look()).toEqual(['v']);
    holders.delete('two');
    await holds('one', 'shop/a', 'w', false);
    await holds('two', 'shop/b', 'w');
    expect(look()).toEqual(['w']);
  });
});

test('nothing is looked for where hosts are ignored', async () => {
  start('ignore', 'one', 'two');
  await deliver('two', { 'shop/b': at('x.example.com') });
  await say('one', { 'shop/a': at('x.example.com') });
  expect(found()).toEqual([]);
});

describe('whatever origins say, and whenever one looks', () => {
  const entry: fc.Arbitrary<Entry> = fc.record(
    {
      hosts: fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), { minLength: 1, maxLength: 3 }),
      exportTo: fc.uniqueArray(fc.constantFrom('*', '.', '~', 'n1', 'n2', 'n3'), { minLength: 1, maxLength: 2 }),
    },
    { requiredKeys: ['hosts'] },
  );
  const key = fc.tuple(fc.constantFrom('n1', 'n2'), fc.integer({ min: 0, max: 6 })).map((parts) => parts.join('/'));
  const step = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ origin: fc.constantFrom('one', 'two', 'three'), entries: fc.dictionary(key, entry) }),
    },
    { weight: 2, arbitrary: fc.constant('flush' as const) },
    { weight: 3, arbitrary: fc.constant('turn' as const) },
  );

  test('in the end it is found what a search of all that is sent finds', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25, size: 'max' }), async (steps) => {
        start('report', 'one', 'two', 'three');
        const said = { one: {}, two: {}, three: {} } as Record<string, Entries>;
        for (const one of steps) {
          if (one === 'flush') lab.flush();
          else if (one === 'turn') await settle();
          else {
            await deliver(one.origin, one.entries);
            said[one.origin] = one.entries;
          }
        }
        await publish();
        expect(Object.fromEntries(found().map(({ name, reason, origins }) => [name, [reason, ...origins]]))).toEqual(
          search(said),
        );
        expectSentIsOfFirst(said);
      }),
      { numRuns: 150 },
    );
  }, 60_000);
});

/** Host → reason and origins, the plain way: over pairs, namespace by namespace. */
function search(said: Readonly<Record<string, Entries>>): Record<string, string[]> {
  const order = ['one', 'two', 'three'];
  const sent = new Map<string, Entry & { origin: string }>();
  for (const origin of order.toReversed()) {
    for (const [key, entry] of Object.entries(said[origin] ?? {})) sent.set(key, { origin, ...entry });
  }
  const result: Record<string, string[]> = {};
  for (const host of ['a', 'b', 'c', 'd', 'e', 'f']) {
    const namers = [...sent]
      .filter(([, { hosts }]) => hosts.includes(host))
      .map(([key, { origin, exportTo = ['*'] }]) => ({ origin, home: key.split('/')[0] as string, exportTo }));
    const homes = new Set(namers.map(({ home }) => home));
    const isShared = (some: typeof namers) => new Set(some.map(({ origin }) => origin)).size > 1;
    const together = [...homes].some((home) => isShared(namers.filter((one) => one.home === home)));
    // `n3` and `elsewhere` have no entries of their own; who has one sees that.
    const strangers = ['n1', 'n2', 'n3', 'elsewhere'].filter((name) => !homes.has(name));
    const apart = strangers.some((name) =>
      isShared(namers.filter(({ exportTo }) => exportTo.includes('*') || exportTo.includes(name))),
    );
    if (!together && !apart) continue;
    const origins = order.filter((name) => namers.some(({ origin }) => origin === name));
    result[host] = [together ? 'same_host' : 'same_host_elsewhere', ...origins];
  }
  return result;
}

/** What is looked at is what is sent. */
function expectSentIsOfFirst(said: Readonly<Record<string, Entries>>): void {
  const snapshot = lab.store.snapshot(se.id);
  for (const row of snapshot?.rows ?? []) {
    expect(row).not.toBe(noRow);
    const name = keyOf(snapshot?.pool as never, row);
    const first = ['one', 'two', 'three'].map((origin) => said[origin]?.[name]).find((entry) => entry !== undefined);
    expect(hostsOf(snapshot?.pool as never, row).hosts).toEqual(first?.hosts);
  }
}
