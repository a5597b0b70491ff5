import { describe, expect, test } from 'vitest';
import { encodeResourceMessage } from '../../../src/wire/resource-view.ts';
import { legacyResource, serviceEntry, serviceEntryBody } from '../../support/resources.ts';
import { contentsOf, SourceView } from '../../support/source-view.ts';
import { field } from '../../support/wire-bytes.ts';

const good = legacyResource;
/** Without a body. */
const bad = (name: string) => field(1, field(1, name));
const unreadable = Buffer.from([0xff]);

async function holding(...resources: Uint8Array[]): Promise<SourceView> {
  const source = new SourceView();
  await source.take(resources);
  return source;
}

describe('a full message', () => {
  test('names as missing what is held and not in it', async () => {
    const source = await holding(good('a/1'), good('a/2'), good('a/3'));
    const { missing, upserts, full } = await source.take([good('a/2')]);
    expect(missing).toEqual(['a/1', 'a/3']);
    expect(upserts).toEqual([]);
    expect(full).toBe(true);
  });

  test('with nothing misses all', async () => {
    const source = await holding(good('a/1'), good('a/2'));
    expect(await source.take([])).toMatchObject({ missing: ['a/1', 'a/2'], upserts: [], received: 0 });
    expect(source.contents).toEqual({});
  });

  test('does not miss a held resource that came in a bad form', async () => {
    const source = await holding(good('a/1'), good('a/2'));
    const { missing, quarantined } = await source.take([bad('a/1'), good('a/2')]);
    expect(missing).toEqual([]);
    expect(quarantined.map(({ key }) => key)).toEqual(['a/1']);
    expect(source.contents).toEqual({ 'a/1': 'a', 'a/2': 'a' });
  });

  test('misses a held resource when all that came could not be read', async () => {
    const source = await holding(good('a/1'));
    expect(await source.take([unreadable])).toMatchObject({ missing: ['a/1'], quarantined: [{ named: false }] });
  });

  test('lists a thousand that have no name, and counts the others', async () => {
    const source = await holding(good('a/1'));
    const change = await source.take([good('a/1'), ...Array.from({ length: 3000 }, () => unreadable), bad('a/2')]);
    expect([change.quarantined.length, change.unlisted, change.received]).toEqual([1001, 2000, 3002]);
    expect(change.quarantined.at(-1)?.key).toBe('a/2');
    expect((await source.take([good('a/1'), unreadable])).unlisted).toBeUndefined();
  });

  test('takes no notice of names that it says are removed', async () => {
    const source = await holding(good('a/1'));
    expect((await source.take([good('a/1')], { removed: ['a/1'] })).missing).toEqual([]);
  });

  test('tells two names apart that only look alike in their bare form', async () => {
    const source = await holding(good('default/x'), good('other/x'));
    const { missing } = await source.take([good('x')]);
    expect(missing).toEqual(['other/x']);
  });

  test('longer than one turn lets other work run, and loses nothing', async () => {
    const source = new SourceView();
    let turns = 0;
    let over = false;
    const count = () => {
      turns++;
      if (!over) setImmediate(count);
    };
    setImmediate(count);
    const names = Array.from({ length: 12_000 }, (_, i) => `a/${i}`);
    const change = await source.take(names.map((name) => good(name)));
    over = true;
    expect(turns).toBeGreaterThanOrEqual(2);
    expect(source.upserts(change).map(({ key }) => key)).toEqual(names.toSorted());
    expect(change.fresh).toEqual(names.toSorted());
  });
});

describe('an incremental message', () => {
  test('misses only what it says is removed, held or not', async () => {
    const source = await holding(good('a/1'), good('a/2'), good('a/3'));
    const { missing, full } = await source.take([good('a/4')], { full: false, removed: ['a/1', 'a/9'] });
    expect(missing).toEqual(['a/1', 'a/9']);
    expect(full).toBe(false);
    expect(Object.keys(source.contents).toSorted()).toEqual(['a/2', 'a/3', 'a/4']);
  });

  test.each([
    ['new', 'a/5', good('a/5')],
    ['changed', 'a/1', good('a/1', 'other')],
    ['unchanged', 'a/1', good('a/1')],
    ['bad', 'a/1', bad('a/1')],
    ['bad and not held', 'a/5', bad('a/5')],
  ])('does not remove a name that it also brings: %s', async (_what, name, resource) => {
    const source = await holding(good('a/1'));
    expect((await source.take([resource], { full: false, removed: [name] })).missing).toEqual([]);
    expect(source.contents).toHaveProperty(['a/1']);
  });

  test('reads removed names as it reads the names of resources', async () => {
    const source = await holding(good('orders'), good('/shop/cart'));
    const removed = ['orders', '/shop/cart', 'a/b/c', '', 'orders'];
    expect((await source.take([], { full: false, removed })).missing).toEqual(['default/orders', 'shop/cart']);
  });

  test('with nothing says nothing', async () => {
    const source = await holding(good('a/1'));
    expect(await source.take([], { full: false })).toMatchObject({ missing: [], upserts: [], quarantined: [] });
  });

  test('confirms what it brings as it is held, so that an earlier doubt about it can end', async () => {
    const source = await holding(good('a/1'), good('a/2'));
    const first = await source.take([good('a/1'), good('a/3')], { full: false });
    expect(first.confirmed).toEqual(['a/1']);
    expect(source.upserts(first).map(({ key }) => key)).toEqual(['a/3']);
    const last = await source.take([good('a/1'), bad('a/1'), bad('a/2'), good('a/2')], { full: false });
    expect(last.confirmed).toEqual(['a/1', 'a/2']);
    expect(last.quarantined.map(({ key }) => key)).toEqual(['a/1']);
  });
});

describe('of a name that is in a message more than once', () => {
  const cases = [
    { forms: ['old'], gets: 'old' },
    { forms: ['new'], gets: 'new' },
    { forms: ['new', 'newer'], gets: 'newer' },
    { forms: ['new', 'new'], gets: 'new' },
    { forms: ['new', 'old'], gets: 'old' },
    { forms: ['old', 'new'], gets: 'new' },
    { forms: ['old', 'new', 'old'], gets: 'old' },
    { forms: ['new', 'bad'], gets: 'bad' },
    { forms: ['old', 'bad'], gets: 'bad' },
    { forms: ['bad', 'new'], gets: 'new' },
    { forms: ['bad', 'old'], gets: 'old' },
    { forms: ['bad', 'bad'], gets: 'bad' },
    { forms: ['bad', 'new', 'bad'], gets: 'bad' },
    { forms: ['new', 'bad', 'newer'], gets: 'newer' },
  ];
  const form = (text: string) => (text === 'bad' ? bad('a/1') : good('a/1', text));

  for (const full of [true, false]) {
    for (const isHeld of [true, false]) {
      test.each(cases)(
        `the last wins, and of good ones the last: $forms (full ${full}, held ${isHeld})`,
        async ({ forms, gets }) => {
          const source = isHeld ? await holding(good('a/1', 'old'), good('a/2')) : await holding(good('a/2'));
          const change = await source.take([...forms.map(form), good('a/2')], { full });
          const { quarantined, missing, repairs } = change;
          expect(missing).toEqual([]);
          expect(quarantined.map(({ key }) => key)).toEqual(gets === 'bad' ? ['a/1'] : []);
          const held = isHeld ? 'old' : undefined;
          const lastGood = forms.findLast((text) => text !== 'bad') ?? held;
          expect(source.contents['a/1']).toBe(lastGood);
          expect(contentsOf(source.upserts(change))).toEqual(lastGood === held ? {} : { 'a/1': lastGood });
          expect(repairs.duplicates).toBe(forms.length - 1);
        },
      );
    }
  }
});

describe('unchanged content', () => {
  const maps = (order: readonly string[]) => Object.fromEntries(order.map((key) => [key, `of ${key}`]));
  const resource = (name: string, order: readonly string[], version: string) =>
    encodeResourceMessage({
      name,
      version,
      labels: maps(order),
      annotations: maps(order),
      bodyType: serviceEntry.body,
      body: serviceEntryBody({
        hosts: ['a', 'b'],
        endpoints: [{ address: '10.0.0.1', labels: maps(order), ports: Object.fromEntries(order.map((p) => [p, 80])) }],
        workloadSelector: { labels: maps(order) },
      }),
    });

  test('with every map in another order is no upsert and takes no memory', async () => {
    const names = ['a/1', 'a/2', 'a/3'];
    const source = await holding(...names.map((name) => resource(name, ['p', 'q', 'r'], '1')));
    const { chunk, offset } = source.arena;
    for (const order of [
      ['r', 'q', 'p'],
      ['q', 'p', 'r'],
    ]) {
      const change = await source.take(names.map((name) => resource(name, order, '2')));
      expect(change).toMatchObject({ upserts: [], missing: [], quarantined: [], received: 3 });
    }
    expect(source.arena.chunk).toBe(chunk);
    expect(source.arena.offset).toBe(offset);
  });

  test('beside one change costs the bytes of that change only', async () => {
    const source = await holding(good('a/1'), good('a/2'), good('a/3'));
    const { offset } = source.arena;
    const upserts = source.upserts(await source.take([good('a/1'), good('a/2', 'b'), good('a/3')]));
    expect(upserts.map(({ key }) => key)).toEqual(['a/2']);
    const [changed] = upserts;
    expect(source.arena.offset - offset).toBe((changed?.end ?? 0) - (changed?.start ?? 0));
  });
});

describe('a resource that comes with the very bytes of the last message', () => {
  test('is counted as repaired each time all the same', async () => {
    const source = new SourceView();
    for (let i = 0; i < 3; i++) expect((await source.take([good('orders'), good('a/1')])).repairs.bareNames).toBe(1);
  });

  test('is found by its place only while the place is right, and taken for what it is where it is not', async () => {
    const source = await holding(good('a/1'), good('a/2'), good('a/3'));
    for (const order of [['a/1', 'a/2', 'a/3'], ['a/3', 'a/1', 'a/2'], ['a/2', 'a/2', 'a/3', 'a/1'], ['a/3']]) {
      const change = await source.take(order.map((name) => good(name)));
      expect(change.upserts).toEqual([]);
      expect(source.contents).toEqual(Object.fromEntries([...new Set(order)].map((name) => [name, 'a'])));
    }
  });
});
