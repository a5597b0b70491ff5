import * as fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { legacyResource, serviceEntry, serviceEntryResource } from '../../support/resources.ts';
import { SourceView } from '../../support/source-view.ts';
import { StoreLab } from '../../support/store-lab.ts';
import { tinySizes } from '../../support/tiny-sizes.ts';
import { field, fields } from '../../support/wire-bytes.ts';

vi.mock('../../../src/model/sizes.ts', async () => (await import('../../support/tiny-sizes.ts')).tinySizes);

const { sealRows } = tinySizes;

const good = (name: string, content = 'x') => legacyResource(name, content);
const bad = (name: string) => fields(field(1, field(1, name)));
const keys = (length: number) => Array.from({ length }, (_, i) => `a/${String(i).padStart(2, '0')}`);

/** A source that has said `said` often enough that its blocks are known. */
async function settled(said: readonly Uint8Array[], source = new SourceView()): Promise<SourceView> {
  for (let i = 0; i < 3; i++) await source.take(said);
  return source;
}

/** Takes a message; how many of its resources were looked at one by one. */
async function looks(source: SourceView, said: readonly Uint8Array[]): Promise<number> {
  const spy = vi.spyOn(source.pool, 'hasRaw');
  await source.take(said);
  const { length } = spy.mock.calls;
  spy.mockRestore();
  return length;
}

describe('of a message that is nearly as the last one, only the blocks with a change are looked at one by one', () => {
  const said = keys(7 * sealRows + 1).map((key) => good(key));
  const rest = 1;

  test('nothing changed', async () => {
    expect(await looks(await settled(said), said)).toBe(rest);
  });

  test('nothing changed, and the last block is a whole one', async () => {
    expect(await looks(await settled(said.slice(rest)), said.slice(rest))).toBe(0);
  });

  test('one changed', async () => {
    const source = await settled(said);
    const other = said.with(sealRows, good('a/03', 'y'));
    expect(await looks(source, other)).toBe(sealRows + rest);
    expect(source.contents).toMatchObject({ 'a/02': 'x', 'a/03': 'y', 'a/04': 'x' });
    expect(await looks(source, other)).toBe(rest);
  });

  test('one is bad all the time', async () => {
    const other = said.with(1, bad('a/01'));
    expect(await looks(await settled(other), other)).toBe(sealRows + rest);
  });

  test('not where most changed in the last message', async () => {
    const source = await settled(said);
    const others = keys(said.length).map((key) => good(key, 'z'));
    await source.take(others);
    expect(await looks(source, others)).toBe(0);
  });
});

describe('what is said of a resource in a known block is said each time', () => {
  const said = keys(5 * sealRows).map((key) => good(key));

  test('a name without a namespace', async () => {
    const source = await settled(said.with(4, good('bare')));
    expect((await source.take(said.with(4, good('bare')))).repairs).toMatchObject({ bareNames: 1 });
  });

  test('a bad form of it behind its block', async () => {
    const twice = [...said, bad('a/01')];
    const source = await settled(twice);
    const change = await source.take(twice);
    expect(change.quarantined).toMatchObject([{ key: 'a/01', named: true }]);
    expect(source.contents).toMatchObject({ 'a/01': 'x' });
  });

  test('another form of it behind its block, which is the one that counts', async () => {
    const twice = [...said, good('a/01', 'y')];
    const source = await settled(twice);
    const change = await source.take(twice);
    expect(change.repairs).toMatchObject({ duplicates: 1 });
    expect(source.contents).toMatchObject({ 'a/01': 'y' });
    await source.take(said);
    expect(source.contents).toMatchObject({ 'a/01': 'x' });
  });

  test('the same, where it takes the place of the form that istiod is given', async () => {
    const lab = new StoreLab();
    lab.addOrigin('one', serviceEntry);
    const say = async (message: readonly Uint8Array[]) => {
      await lab.deliver('one', serviceEntry, message);
      lab.flush();
    };
    for (let i = 0; i < 4; i++) await say([...said, good('a/01', 'y')]);
    expect(lab.published(serviceEntry)).toMatchObject({ 'a/01': 'y' });
    await say(said);
    expect(lab.published(serviceEntry)).toMatchObject({ 'a/01': 'x' });
  });

  test('a repair of its body', async () => {
    const repairs = { invalidLabels: true, hostColons: false, zeroPorts: false, servicePorts: false };
    const broken = serviceEntryResource('a/04', {
      hosts: ['a'],
      endpoints: [{ address: '10.0.0.1', labels: { 'not a label': '' } }],
    });
    const source = await settled(said.with(4, broken), new SourceView(undefined, { repairs }));
    expect((await source.take(said.with(4, broken))).repairs.bodies).toEqual({ invalid_labels: 1 });
  });

  test('a bad form of it before its block', async () => {
    const twice = [bad('a/14'), ...said];
    const source = await settled(twice);
    const change = await source.take(twice);
    expect(change.quarantined).toEqual([]);
    expect(change.repairs).toMatchObject({ duplicates: 1 });
  });
});

test('a known block says nothing where another message came between', async () => {
  const said = keys(4 * sealRows).map((key) => good(key));
  const source = await settled(said);
  await source.take([good('a/01', 'y')], { full: false, removed: ['a/02'] });
  expect(source.contents).toMatchObject({ 'a/01': 'y' });
  await source.take(said);
  expect(source.contents).toEqual(Object.fromEntries(keys(4 * sealRows).map((key) => [key, 'x'])));
});

test('the same bytes with other borders are other resources', async () => {
  const said = keys(sealRows).map((key) => good(key));
  const source = await settled(said);
  const [first, ...rest] = said as [Buffer, Buffer, Buffer];
  const moved = [first.subarray(0, -1), Buffer.concat([first.subarray(-1), rest[0]]), rest[1]];
  expect(Buffer.concat(moved)).toEqual(Buffer.concat(said));
  const change = await source.take(moved);
  expect(change.quarantined).toHaveLength(2);
});

const anyKey = fc.constantFrom(...keys(12), 'bare', 'other');
const said = fc.oneof(
  { weight: 8, arbitrary: fc.tuple(anyKey, fc.constantFrom('x', 'y', 'longer')).map(([k, c]) => good(k, c)) },
  { weight: 1, arbitrary: anyKey.map((k) => bad(k)) },
  { weight: 1, arbitrary: fc.constant(Buffer.from([0xff])) },
);
const edit = fc.oneof(
  { weight: 4, arbitrary: fc.constant('again' as const) },
  { weight: 3, arbitrary: fc.record({ put: fc.nat(20), what: said }) },
  { weight: 1, arbitrary: fc.record({ insert: fc.nat(20), what: said }) },
  { weight: 1, arbitrary: fc.record({ cut: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ swap: fc.nat(20), and: fc.nat(20) }) },
  {
    weight: 1,
    arbitrary: fc.record({ only: fc.array(said, { maxLength: 3 }), removed: fc.array(anyKey, { maxLength: 2 }) }),
  },
);
type Edit = typeof edit extends fc.Arbitrary<infer T> ? T : never;

function edited(list: readonly Buffer[], one: Edit): Buffer[] {
  const next = [...list];
  if (one === 'again' || 'only' in one) return next;
  if ('put' in one && one.put < next.length) next[one.put] = one.what as Buffer;
  if ('insert' in one) next.splice(one.insert, 0, one.what as Buffer);
  if ('cut' in one) next.splice(one.cut, 1);
  if ('swap' in one && one.swap < next.length && one.and < next.length) {
    [next[one.swap], next[one.and]] = [next[one.and] as Buffer, next[one.swap] as Buffer];
  }
  return next;
}

test('a message says the same whether the one before is remembered or not', async () => {
  const start = keys(17).map((key) => Buffer.from(good(key)));
  await fc.assert(
    fc.asyncProperty(fc.array(edit, { maxLength: 25, size: 'max' }), async (edits) => {
      const [remembers, forgets] = [new SourceView(), new SourceView()];
      let list: readonly Buffer[] = start;
      for (const one of ['again', 'again', 'again', ...edits] as Edit[]) {
        list = edited(list, one);
        const isPart = typeof one === 'object' && 'only' in one;
        const [bytes, options] = isPart ? [one.only, { full: false, removed: one.removed }] : [list, {}];
        // A message that is not full leaves nothing to compare the next one with.
        await forgets.take([], { full: false });
        const [change, expected] = [await remembers.take(bytes, options), await forgets.take(bytes, options)];
        const sayings = (of: typeof change, by: SourceView) => ({
          upserts: by.upserts(of).map(({ key, version }) => `${key} ${version}`),
          missing: of.missing,
          confirmed: of.confirmed.toSorted(),
          quarantined: of.quarantined,
          received: of.received,
          repairs: of.repairs,
          repeated: of.repeated,
        });
        expect(sayings(change, remembers)).toEqual(sayings(expected, forgets));
        expect(remembers.contents).toEqual(forgets.contents);
      }
    }),
    { numRuns: 400 },
  );
}, 60_000);
