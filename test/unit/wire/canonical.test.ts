import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalise, type Shape } from '../../../src/wire/canonical.ts';
import { bodies, root } from '../../../src/wire/root.ts';
import { MalformedError } from '../../../src/wire/scan.ts';
import { shapes } from '../../../src/wire/shapes.ts';
import { entry, field, fieldsOf, mapOf, number, only, tag, varint } from './fields.ts';

const map = { map: true, shape: undefined } as const;
/** Two maps, one whose values hold the same again, and a message that does. */
const nested: { [field: number]: Shape[number] } = { 1: map, 2: map };
nested[3] = { map: true, shape: nested };
nested[4] = { map: false, shape: nested };

function canonical(bytes: Buffer, shape: Shape): Buffer {
  const copy = Buffer.from(bytes);
  canonicalise(copy, 0, copy.length, shape);
  return copy;
}

/** One message as a tree; what is ordered is a list, what has no order is a map. */
type Message = readonly Item[];
type Item =
  | { readonly map: 1 | 2; readonly entries: readonly (readonly [string, string])[] }
  | { readonly map: 3; readonly entries: readonly (readonly [string, Message])[] }
  | { readonly list: readonly string[] }
  | { readonly inner: Message }
  | { readonly other: Buffer };

const key = fc.string({ maxLength: 3, unit: 'binary' });
const byKey = { selector: ([k]: readonly [string, unknown]) => k, maxLength: 5 };
const { message } = fc.letrec<{ message: Message }>((tie) => ({
  message: fc.array(
    fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      fc.record({ list: fc.array(fc.string({ maxLength: 3 }), { maxLength: 4 }) }),
      fc.record({
        map: fc.constantFrom(1 as const, 2 as const),
        entries: fc.uniqueArray(fc.tuple(key, fc.string({ maxLength: 3 })), byKey),
      }),
      fc.record({
        other: fc.oneof(
          fc.maxSafeNat().map((n) => number(7, n)),
          fc.constant(Buffer.concat([tag(8, 1), Buffer.alloc(8, 3)])),
          fc.constant(Buffer.concat([tag(70_000, 5), Buffer.alloc(4, 4)])),
        ),
      }),
      fc.record({
        map: fc.constant(3 as const),
        entries: fc.uniqueArray(fc.tuple(key, tie('message')), byKey),
      }),
      fc.record({ inner: tie('message') }),
    ),
    { maxLength: 5 },
  ),
}));

/** `order` sorts what has no order; any will do. */
function encode(items: Message, order: (key: string) => number): Buffer {
  // A map in two pieces is one map in two orders that nobody chose; encoders write each map once.
  const written = new Set<number>();
  return Buffer.concat(
    items.flatMap((item): Buffer[] => {
      if ('list' in item) return item.list.map((text) => field(6, text));
      if ('inner' in item) return [field(4, encode(item.inner, order))];
      if ('other' in item) return [item.other];
      if (written.has(item.map)) return [];
      written.add(item.map);
      return item.entries
        .toSorted(([a], [b]) => order(a) - order(b))
        .map(([k, value]) =>
          field(item.map, field(1, k), field(2, ...(typeof value === 'string' ? [value] : [encode(value, order)]))),
        );
    }),
  );
}

const orders = fc.func(fc.nat()) as fc.Arbitrary<(key: string) => number>;

describe('two encodings of one message', () => {
  test('get the same bytes, whatever the order of their maps, at any depth', () => {
    let moved = 0;
    fc.assert(
      fc.property(message, orders, orders, (items, one, other) => {
        const [a, b] = [encode(items, one), encode(items, other)];
        if (!a.equals(b)) moved++;
        expect(canonical(a, nested)).toEqual(canonical(b, nested));
      }),
      { numRuns: 500 },
    );
    expect(moved).toBeGreaterThan(20);
  });

  test('get bytes that stay as they are when they are brought into order again', () => {
    fc.assert(
      fc.property(message, orders, (items, order) => {
        const once = canonical(encode(items, order), nested);
        expect(canonical(once, nested)).toEqual(once);
      }),
      { numRuns: 300 },
    );
  });

  test('keep every field, and the order of all that is no map', () => {
    const fieldsByOrder = (bytes: Buffer) =>
      fieldsOf(bytes)
        .filter((f) => f.id > 4)
        .map((f) => f.raw.toString('hex'));
    fc.assert(
      fc.property(message, orders, (items, order) => {
        const before = encode(items, order);
        const after = canonical(before, nested);
        expect(after).toHaveLength(before.length);
        expect(fieldsByOrder(after)).toEqual(fieldsByOrder(before));
        expect(fieldsOf(after).map((f) => f.id)).toEqual(fieldsOf(before).map((f) => f.id));
        expect(mapOf(after, 1)).toEqual(mapOf(before, 1));
      }),
      { numRuns: 300 },
    );
  });
});

test('a ServiceEntry: maps of endpoints are sorted, the endpoints keep their order', () => {
  const type = bodies().lookupType('istio.networking.v1alpha3.ServiceEntry');
  const encodeEntry = (reverse: boolean, addresses = ['10.0.0.2', '10.0.0.1']) => {
    const turn = (pairs: Record<string, unknown>) =>
      Object.fromEntries(reverse ? Object.entries(pairs).toReversed() : Object.entries(pairs));
    const endpoints = addresses.map((address) => ({
      address,
      ports: turn({ http: 80, grpc: 9090, https: 443 }),
      labels: turn({ version: 'v1', zone: 'a', rack: 'r1' }),
    }));
    return Buffer.from(type.encode({ hosts: ['b.example.com', 'a.example.com'], endpoints }).finish());
  };
  const shape = shapes['istio.networking.v1alpha3.ServiceEntry'] as Shape;
  expect(encodeEntry(false)).not.toEqual(encodeEntry(true));
  const bytes = canonical(encodeEntry(false), shape);
  expect(canonical(encodeEntry(true), shape)).toEqual(bytes);
  expect(type.toObject(type.decode(bytes))).toEqual(type.toObject(type.decode(encodeEntry(false))));
  const otherOrder = encodeEntry(true, ['10.0.0.1', '10.0.0.2']);
  expect(canonical(otherOrder, shape)).not.toEqual(bytes);
});

describe('the Struct of an EnvoyFilter', () => {
  const shape = shapes['istio.networking.v1alpha3.EnvoyFilter'] as Shape;
  type Value = { kind: string; value: unknown };
  const leaf = fc.oneof(
    fc.string({ maxLength: 4 }).map((value) => ({ kind: 'stringValue', value })),
    fc.double({ noNaN: true }).map((value) => ({ kind: 'numberValue', value })),
    fc.boolean().map((value) => ({ kind: 'boolValue', value })),
  );
  const { value: anyValue } = fc.letrec<{ value: Value }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 5 },
      leaf,
      fc.dictionary(key, tie('value'), { maxKeys: 4 }).map((fields) => ({ kind: 'structValue', value: fields })),
      fc.array(tie('value'), { maxLength: 3 }).map((values) => ({ kind: 'listValue', value: values })),
    ),
  }));

  /** A google.protobuf.Value with its fields in the order that `order` says. */
  function plain({ kind, value }: Value, order: (key: string) => number): object {
    if (kind === 'listValue') return { listValue: { values: (value as Value[]).map((v) => plain(v, order)) } };
    if (kind !== 'structValue') return { [kind]: value };
    const fields = Object.entries(value as Record<string, Value>).sort(([a], [b]) => order(a) - order(b));
    return { structValue: { fields: Object.fromEntries(fields.map(([k, v]) => [k, plain(v, order)])) } };
  }

  test('has one form, and keeps its meaning, with structs in lists in structs', () => {
    const type = root().lookupType('google.protobuf.Struct');
    const patch = (fields: Record<string, Value>, order: (key: string) => number) => {
      const { structValue } = plain({ kind: 'structValue', value: fields }, order) as { structValue: object };
      return field(4, number(1, 1), field(3, number(1, 2), field(2, type.encode(structValue).finish())));
    };
    fc.assert(
      fc.property(fc.dictionary(key, anyValue, { maxKeys: 4 }), orders, orders, (fields, one, other) => {
        const bytes = canonical(patch(fields, one), shape);
        expect(canonical(patch(fields, other), shape)).toEqual(bytes);
        const meaning = (b: Buffer) => type.toObject(type.decode(only(only(only(b, 4), 3), 2)));
        expect(meaning(bytes)).toEqual(meaning(patch(fields, one)));
      }),
      { numRuns: 300 },
    );
  });

  test('may be thirty levels deep; far deeper ones are refused before they exhaust the stack', () => {
    const deep = (levels: number) => {
      let struct = field(1, field(1, 'k'), field(2, field(3, 'end')));
      for (let i = 1; i < levels; i++) struct = field(1, field(1, 'k'), field(2, field(5, struct)));
      return field(4, field(3, field(2, struct)));
    };
    expect(canonical(deep(30), shape)).toEqual(deep(30));
    expect(() => canonical(deep(2_000), shape)).toThrow(MalformedError);
  });
});

describe('a map that no encoder would write', () => {
  const metadata: Shape = { 4: map };

  /** An entry with its parts in any number and order, and lengths that may be longer than needed. */
  const part = fc
    .tuple(fc.constantFrom(1, 1, 2, 3), fc.constantFrom('', 'a', 'b', 'bb'), fc.nat({ max: 1 }))
    .map(([id, text, padding]) => Buffer.concat([tag(id, 2), varint(text.length, padding), Buffer.from(text)]));
  const numberKey = fc.constantFrom(number(1, 1), number(1, 5));
  const strange = fc.array(fc.oneof({ weight: 5, arbitrary: part }, numberKey), { maxLength: 4 });
  const ordinary = fc
    .tuple(fc.constantFrom('', 'a', 'b', 'bb'), fc.constantFrom('1', '2'))
    .map(([k, v]) => [field(1, k), field(2, v)]);
  const entries = fc
    .array(fc.oneof(strange, ordinary), { maxLength: 7 })
    .map((list) => list.map((e) => field(4, ...e)));

  test('means the same afterwards: of equal keys the same one counts', () => {
    fc.assert(
      fc.property(entries, (list) => {
        const bytes = Buffer.concat(list);
        const after = canonical(bytes, metadata);
        expect(mapOf(after, 4)).toEqual(mapOf(bytes, 4));
        expect(canonical(after, metadata)).toEqual(after);
      }),
      { numRuns: 3000 },
    );
  });

  test.each([
    ['a value before its key', field(4, field(2, '2'), field(1, 'b')), 'b'],
    ['a key twice in one entry', field(4, field(1, 'a'), field(1, 'z'), field(2, '2')), 'z'],
    ['no key, which is the empty one', field(4, field(2, '2')), ''],
    ['a key with a longer length than needed', field(4, tag(1, 2), varint(1, 1), 'b', field(2, '2')), 'b'],
    ['a key of the wrong wire type, which is none', field(4, number(1, 1), field(2, '2')), ''],
  ])('%s is not moved past an entry with the same key', (_what, late, name) => {
    const early = entry(4, name, '1');
    for (const [first, second, wins] of [
      [early, late, '2'],
      [late, early, '1'],
    ] as const) {
      expect(mapOf(canonical(Buffer.concat([first, second]), metadata), 4)).toEqual(new Map([[name, wins]]));
    }
  });

  test('numbers as keys: the same holds, for those that say one number in two ways too', () => {
    const ports: Shape = shapes['istio.security.v1beta1.PeerAuthentication'] as Shape;
    const port = (keyBytes: Buffer, mode: number) => field(3, tag(1, 0), keyBytes, field(2, number(1, mode)));
    const meaning = (b: Buffer) =>
      new Map(fieldsOf(b).map(({ content }) => [content.readUInt8(1) & 0x7f, only(content, 2).readUInt8(1)]));
    // The last one is cut to 32 bits by its reader.
    const eighties = [varint(80), varint(80, 2), varint(2 ** 32 + 80)];
    for (const [first, second] of eighties.flatMap((a) => eighties.map((b) => [a, b] as const))) {
      const bytes = Buffer.concat([port(varint(90), 3), port(first, 1), port(varint(8), 1), port(second, 2)]);
      const after = canonical(bytes, ports);
      expect(meaning(after)).toEqual(
        new Map(Object.entries({ 90: 3, 80: 2, 8: 1 }).map(([k, mode]) => [Number(k), mode])),
      );
      expect(canonical(after, ports)).toEqual(after);
    }
  });

  test('equal keys keep their order among others that are sorted', () => {
    const bytes = Buffer.concat([entry(4, 'b', '1'), entry(4, 'a', '2'), entry(4, 'b', '3'), entry(4, 'a', '1')]);
    expect(canonical(bytes, metadata)).toEqual(
      Buffer.concat([entry(4, 'a', '2'), entry(4, 'a', '1'), entry(4, 'b', '1'), entry(4, 'b', '3')]),
    );
  });

  test('a map in two pieces means the same afterwards', () => {
    const bytes = Buffer.concat([entry(4, 'b', '1'), entry(4, 'a', '1'), number(9, 9), entry(4, 'b', '2')]);
    expect(mapOf(canonical(bytes, metadata), 4)).toEqual(
      new Map([
        ['a', '1'],
        ['b', '2'],
      ]),
    );
  });

  test('a map field that is no message is left alone', () => {
    const bytes = Buffer.concat([entry(4, 'b', '1'), number(4, 3), entry(4, 'a', '1')]);
    expect(canonical(bytes, metadata)).toEqual(bytes);
  });
});

describe('malformed bytes', () => {
  test.each([
    ['a cut field', Buffer.from([0x22, 5, 1])],
    ['a group', Buffer.concat([tag(9, 3), tag(9, 4)])],
    ['field number 0', Buffer.from([0x02, 0])],
    ['field number 0 without a length', Buffer.from([0x00, 0])],
    ['an entry that is no message', field(1, 'xyz!')],
    ['an entry with field number 0', field(1, field(1, 'a'), Buffer.from([0x02, 0]), field(2, 'b'))],
    ['an entry in a value that is no message', field(3, field(1, 'a'), field(2, field(1, Buffer.from([0x0a, 9]))))],
    ['a nested message that is none', field(4, 'xyz!')],
  ])('%s is refused', (_what, bytes) => {
    expect(() => canonical(bytes, nested)).toThrow(MalformedError);
  });

  test('any bytes are brought into order or refused as malformed, and nothing outside of the range is touched', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat({ max: 5 }), fc.nat({ max: 5 }), (inner, left, right) => {
        const bytes = Buffer.concat([Buffer.alloc(left, 0xee), field(3, inner), Buffer.alloc(right, 0xee)]);
        const sorted = bytes.toSorted();
        try {
          canonicalise(bytes, left, bytes.length - right, nested);
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedError);
        }
        expect(bytes.subarray(0, left).every((byte) => byte === 0xee)).toBe(true);
        expect(bytes.subarray(bytes.length - right).every((byte) => byte === 0xee)).toBe(true);
        expect(bytes.toSorted()).toEqual(sorted);
      }),
      { numRuns: 2000 },
    );
  });
});
