import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { noRow, ResourcePool } from '../../../src/model/resource.ts';
import { Arena } from '../../../src/wire/arena.ts';
import { viewed } from '../../../src/wire/bytes.ts';
import { adoptResource, encodeResource, keyOf, scanResources } from '../../../src/wire/resource-frame.ts';
import { SpanList } from '../../../src/wire/spans.ts';
import { hashResource, newResourceParts, orderMaps, scanResource, seedOf } from '../../../src/wire/resource-parts.ts';
import { shapes } from '../../../src/wire/shapes.ts';
import { encoded, serviceEntry } from './encoded.ts';
import { entry, field, tag, varint } from './fields.ts';

const bodyUrl = `type.googleapis.com/${serviceEntry}`;
const resourceUrl = 'type.googleapis.com/istio.mcp.v1alpha1.Resource';

const rarely = fc.integer({ min: 0, max: 9 }).map((n) => n === 0);
/** What Isthmus writes, in the order in which it does; or something else that means the same, or not quite. */
const strange = fc.record({
  labels: fc.dictionary(fc.stringMatching(/^[a-z]{1,4}$/), fc.stringMatching(/^[a-z]{0,9}$/), { maxKeys: 3 }),
  annotations: fc.dictionary(fc.stringMatching(/^[a-z]{1,4}$/), fc.stringMatching(/^[a-z]{0,200}$/), { maxKeys: 2 }),
  value: fc.option(fc.constant(field(1, 'catalog.example.com')), { nil: Buffer.alloc(0), freq: 4 }),
  hasEmptyValue: rarely,
  version: fc.constantFrom('own', 'own', 'own', 'own', 'other', 'shorter', 'none', 'behind the name', 'elsewhere'),
  hasTime: rarely.map((isSo) => !isSo),
  isAnnotationFirst: rarely,
  isNameLast: rarely,
  isBodyFirst: rarely,
  isTypeLast: rarely,
  extra: fc.constantFrom('none', 'none', 'none', 'none', 'none', 'none', 'metadata', 'resource', 'body', 'second name'),
  long: fc.array(rarely, { minLength: 16, maxLength: 16 }),
});

type Strange = typeof strange extends fc.Arbitrary<infer T> ? T : never;

function entryOf(given: Strange): Buffer {
  let next = 0;
  const padded = (id: number, content: Uint8Array | string): Buffer => {
    const bytes = Buffer.from(content);
    return Buffer.concat([tag(id, 2), varint(bytes.length, given.long[next++] === true ? 1 : 0), bytes]);
  };
  const maps = [
    ...Object.entries(given.labels).map(([key, value]) => ({ key, bytes: entry(4, key, value) })),
    ...Object.entries(given.annotations).map(([key, value]) => ({ key, bytes: entry(5, key, value) })),
  ].map(({ bytes }) => bytes);
  const mapsBytes = Buffer.concat(given.isAnnotationFirst ? maps.toReversed() : maps);
  const body = () => {
    const type = padded(1, bodyUrl);
    const value = given.value.length > 0 || given.hasEmptyValue ? padded(2, given.value) : Buffer.alloc(0);
    const extra = given.extra === 'body' ? field(9, 'x') : Buffer.alloc(0);
    return padded(2, Buffer.concat(given.isTypeLast ? [value, type, extra] : [type, value, extra]));
  };
  const resourceWith = (version: Buffer) => {
    const name = padded(1, 'shop/catalog');
    const named = given.extra === 'second name' ? Buffer.concat([field(1, 'shop/cart'), name]) : name;
    const time = given.hasTime ? padded(2, Buffer.from([0x08, 0x07])) : Buffer.alloc(0);
    const extra = given.extra === 'metadata' ? field(9, 'x') : Buffer.alloc(0);
    const inOrder = given.isNameLast
      ? [time, version, mapsBytes, named, extra]
      : [time, version, named, mapsBytes, extra];
    const moved = given.version === 'behind the name' ? inOrder.toSpliced(1, 1).toSpliced(2, 0, version) : inOrder;
    const metadata = padded(1, Buffer.concat(moved));
    const last = given.extra === 'resource' ? field(9, 'x') : Buffer.alloc(0);
    return Buffer.concat(given.isBodyFirst ? [body(), metadata, last] : [metadata, body(), last]);
  };
  const { version: own } = encoded(resourceWith(Buffer.alloc(0)));
  const text = { own, other: 'A'.repeat(16), shorter: own.slice(1), none: '', 'behind the name': own, elsewhere: own }[
    given.version
  ];
  next = 0;
  const resource = resourceWith(text === '' ? Buffer.alloc(0) : field(given.version === 'elsewhere' ? 9 : 3, text));
  return field(2, field(1, resourceUrl), field(2, resource));
}

test('an entry is taken as it is where, and only where, it is what its resource becomes', () => {
  const outcomes = { adopted: 0, strange: 0 };
  fc.assert(
    fc.property(strange, (given) => {
      const bytes = viewed(entryOf(given));
      const found = new SpanList();
      scanResources(bytes, 0, bytes.length, new SpanList(), found);
      const resources = found.all();
      const parts = newResourceParts();
      scanResource(bytes, resources[0] as number, resources[1] as number, parts);
      const type = viewed(Buffer.from(bodyUrl));
      orderMaps(bytes, parts, shapes[serviceEntry] ?? {});
      hashResource(bytes, parts, undefined, seedOf(type));

      const pool = new ResourcePool();
      const arena = new Arena();
      const made = encodeResource(bytes, parts, undefined, type, arena, pool);
      const before = arena.offset;
      const adopted = adoptResource(bytes, 0, bytes.length, parts, type, arena, pool);
      const bytesOf = (row: number) => pool.chunk(row).subarray(pool.start(row), pool.end(row));
      if (!bytesOf(made).equals(bytes)) {
        outcomes.strange++;
        expect([adopted, arena.offset, pool.size]).toEqual([noRow, before, 1]);
        return;
      }
      outcomes.adopted++;
      expect(bytesOf(adopted)).toEqual(bytesOf(made));
      expect([keyOf(pool, adopted), pool.contentStart(adopted) - pool.start(adopted)]).toEqual([
        'shop/catalog',
        pool.contentStart(made) - pool.start(made),
      ]);
    }),
    { numRuns: 4000 },
  );
  expect(outcomes.adopted).toBeGreaterThan(100);
  expect(outcomes.strange).toBeGreaterThan(100);
});
