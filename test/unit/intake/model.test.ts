import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { legacyResource, serviceEntryBody } from '../../support/resources.ts';
import { heldBy, SourceView } from '../../support/source-view.ts';
import { field, fields, truncated } from '../../support/wire-bytes.ts';

type Item = { readonly key?: string; readonly content?: string; readonly bytes: Buffer };

const key = fc.integer({ min: 1, max: 5 }).map((n) => `a/${n}`);
const name = (text: string) => field(1, field(1, text));
const body = (type: string) =>
  field(2, fields(field(1, `type.googleapis.com/${type}`), field(2, serviceEntryBody({}))));

const good: fc.Arbitrary<Item> = fc
  .tuple(key, fc.constantFrom('x', 'y', 'z'))
  .map(([k, content]) => ({ key: k, content, bytes: legacyResource(k, content) }));
const bad: fc.Arbitrary<Item> = fc
  .tuple(
    key,
    fc.constantFrom(Buffer.alloc(0), body('istio.networking.v1alpha3.Gateway'), field(2, truncated(1)), truncated(2)),
  )
  .map(([k, rest]) => ({ key: k, bytes: fields(name(k), rest) }));
const stranger: fc.Arbitrary<Item> = fc
  .constantFrom(Buffer.alloc(0), Buffer.from([0xff]), name('a/b/c'), fields(field(2, truncated(1)), name('a/1')))
  .map((bytes) => ({ bytes }));
const items = fc.array(
  fc.oneof({ weight: 4, arbitrary: good }, { weight: 2, arbitrary: bad }, { weight: 1, arbitrary: stranger }),
  { maxLength: 8 },
);

const bytesOf = (list: readonly Item[]) => list.map(({ bytes }) => bytes);

/** What each name comes to in the end: its content, or undefined for a bad form. */
function lastForms(list: readonly Item[]): Map<string, string | undefined> {
  const last = new Map<string, string | undefined>();
  for (const item of list) if (item.key !== undefined) last.set(item.key, item.content);
  return last;
}

/** The last good content of each name that has one. */
function goodForms(list: readonly Item[]): Map<string, string> {
  return new Map(
    list.flatMap(({ key: k, content }) => (k === undefined || content === undefined ? [] : [[k, content]])),
  );
}

test('after any sequence of messages exactly the last good form of what the source still names is there', async () => {
  const message = fc.record({ items, full: fc.boolean(), removed: fc.array(key, { maxLength: 3 }) });
  await fc.assert(
    fc.asyncProperty(fc.array(message, { maxLength: 6 }), async (messages) => {
      const source = new SourceView();
      let model = new Map<string, string>();
      for (const { items: list, full, removed } of messages) {
        const last = lastForms(list);
        const before = model;
        model = new Map([...before].filter(([k]) => (full ? last.has(k) : last.has(k) || !removed.includes(k))));
        for (const [k, content] of goodForms(list)) model.set(k, content);

        const change = await source.take(bytesOf(list), { full, removed });
        expect(source.contents).toEqual(Object.fromEntries(model));
        expect(
          source
            .upserts(change)
            .map((r) => r.key)
            .toSorted(),
        ).toEqual([...model].flatMap(([k, content]) => (before.get(k) === content ? [] : [k])).toSorted());
        expect(
          change.quarantined
            .filter((q) => q.named)
            .map((q) => q.key)
            .toSorted(),
        ).toEqual([...last].flatMap(([k, content]) => (content === undefined ? [k] : [])).toSorted());
        expect(change.quarantined.filter((q) => !q.named)).toHaveLength(list.filter((i) => i.key === undefined).length);
        expect(change.received).toBe(list.length);
      }
    }),
    { numRuns: 500 },
  );
});

test('a bad resource never takes a good one with it', async () => {
  const placed = fc.tuple(
    fc.nat(8),
    fc.oneof(
      stranger,
      bad.map(({ bytes }) => ({ key: 'b/1', bytes })),
    ),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(good, { maxLength: 6 }),
      fc.array(good, { maxLength: 6 }),
      fc.array(placed, { minLength: 1, maxLength: 4 }),
      async (first, second, intruders) => {
        const clean = new SourceView();
        const dirty = new SourceView();
        await clean.take(bytesOf(first));
        await dirty.take(bytesOf(first));
        const mixed = [...second];
        for (const [place, item] of intruders) {
          const bytes = item.key === undefined ? item.bytes : fields(name('b/1'), truncated(2));
          mixed.splice(place, 0, { bytes });
        }
        const expected = await clean.take(bytesOf(second));
        const change = await dirty.take(bytesOf(mixed));
        expect(dirty.contents).toEqual(clean.contents);
        expect(dirty.upserts(change).map((r) => r.version)).toEqual(clean.upserts(expected).map((r) => r.version));
        expect(change.missing).toEqual(expected.missing);
      },
    ),
    { numRuns: 300 },
  );
});

test('random bytes are never an exception, and never a reason to drop a good resource', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 5 }), async (noise) => {
      const source = new SourceView();
      const change = await source.take([...noise, legacyResource('shop/orders')]);
      expect(source.contents).toMatchObject({ 'shop/orders': 'a' });
      expect(change.received).toBe(noise.length + 1);
    }),
    { numRuns: 1000 },
  );
});

test('a good resource with one byte changed or cut off is taken or quarantined, and spares its neighbour', async () => {
  const bytes = legacyResource('shop/orders', 'orders.example.com');
  await fc.assert(
    fc.asyncProperty(fc.nat(bytes.length - 1), fc.nat(255), fc.boolean(), async (place, value, isCut) => {
      const broken = Buffer.from(isCut ? bytes.subarray(0, place) : bytes);
      if (!isCut) broken[place] = value;
      const source = new SourceView();
      const change = await source.take([broken, legacyResource('shop/cart')]);
      // The byte may be deep in the body, where nobody looks: the content is not asked for.
      expect(heldBy(source.resources).map((held) => held.key)).toContain('shop/cart');
      expect(change.upserts.length + change.quarantined.length).toBe(2);
    }),
    { numRuns: 1000 },
  );
});
