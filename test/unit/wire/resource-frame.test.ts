import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Arena } from '../../../src/wire/arena.ts';
import {
  dropInvalidTime,
  invalidText,
  newResourceParts,
  orderMaps,
  scanResource,
  validTimestamp,
} from '../../../src/wire/resource-parts.ts';
import {
  encodeResourceMessage,
  resourceBytes,
  viewResource,
  viewResourceBytes,
} from '../../../src/wire/resource-view.ts';
import { bodies } from '../../../src/wire/root.ts';
import { MalformedError } from '../../../src/wire/scan.ts';
import { shapes } from '../../../src/wire/shapes.ts';
import { decodeDiscoveryResponse } from '../../../src/wire/xds-messages.ts';
import { bytesOf, encoded, sameContent, serviceEntry } from './encoded.ts';
import { entry, field, fieldsOf, mapOf, number, only, tag, varint } from './fields.ts';

const bodyUrl = `type.googleapis.com/${serviceEntry}`;
const body = field(1, 'catalog.example.com');
const any = (value: Uint8Array = body) => field(2, field(1, bodyUrl), field(2, value));
const metadata = (...parts: readonly Uint8Array[]) => field(1, field(1, 'shop/catalog'), ...parts);
const time = (...parts: readonly Uint8Array[]) => field(2, ...parts);
const zeroTime = -62_135_596_800n;

/** create_time of the encoded form, as bytes. */
const timeOf = (resource: ReturnType<typeof encoded>) => only(only(resourceBytes(resource), 1), 2);

describe('what is sent on', () => {
  const text = fc.string({ maxLength: 12, unit: 'binary' });
  const model = fc.record({
    name: fc.tuple(fc.stringMatching(/^[a-z]{1,8}$/), fc.stringMatching(/^[a-z.-]{1,20}$/)).map((n) => n.join('/')),
    version: text,
    labels: fc.dictionary(text, text, { maxKeys: 5 }),
    annotations: fc.dictionary(text, fc.string({ maxLength: 200 }), { maxKeys: 3 }),
    createTime: fc.date({
      noInvalidDate: true,
      min: new Date(-62_135_596_800_000),
      max: new Date(253_402_300_799_999),
    }),
    hosts: fc.array(fc.domain(), { maxLength: 4 }),
    endpoints: fc.array(
      fc.record({
        address: fc.ipV4(),
        ports: fc.dictionary(text, fc.nat({ max: 65_535 }), { maxKeys: 3 }),
        labels: fc.dictionary(text, text, { maxKeys: 3 }),
      }),
      { maxLength: 4 },
    ),
  });
  const bodyMessage = () => bodies().lookupType(serviceEntry);

  test('is what was received, with a version of its own, as a reader of a DiscoveryResponse sees it', () => {
    fc.assert(
      fc.property(model, (given) => {
        const value = bodyMessage().encode(given).finish();
        const received = encodeResourceMessage({ ...given, bodyType: serviceEntry, body: value });
        const resource = encoded(received);
        const { resources } = decodeDiscoveryResponse(bytesOf(resource));
        expect(resources.map((r) => r.typeUrl)).toEqual(['type.googleapis.com/istio.mcp.v1alpha1.Resource']);
        const { body: sentBody, ...sent } = viewResourceBytes(resources[0]?.value as Buffer);
        expect(sent).toEqual({
          name: given.name,
          version: resource.version,
          createTime: given.createTime.toISOString(),
          labels: given.labels,
          annotations: given.annotations,
          bodyType: serviceEntry,
        });
        expect(bodyMessage().toObject(bodyMessage().decode(sentBody))).toEqual(
          bodyMessage().toObject(bodyMessage().decode(value)),
        );
        expect(resource.key).toBe(given.name);
        expect(resource.version).toMatch(/^[\w-]{16}$/);
      }),
      { numRuns: 300 },
    );
  });

  test('does not depend on how it was written: order of fields and entries, unknown fields, long varints', () => {
    const labels = [entry(4, 'a', '1'), entry(4, 'b', '2'), entry(4, 'c', '3')];
    const annotations = [entry(5, 'x', '1'), entry(5, 'y', '2')];
    const plain = encoded(Buffer.concat([metadata(...labels, ...annotations), any()]));
    const noise = fc.constantFrom(
      number(9, 3),
      field(8, 'unknown'),
      Buffer.concat([tag(7, 1), Buffer.alloc(8)]),
      Buffer.concat([tag(1000, 5), Buffer.alloc(4)]),
      // The numbers of known fields with another wire type are unknown fields.
      number(1, 5),
      number(2, 5),
    );
    const shuffle = (parts: readonly Buffer[]) =>
      fc
        .tuple(
          fc.shuffledSubarray([...parts], { minLength: parts.length, maxLength: parts.length }),
          fc.array(noise, { maxLength: 3 }),
          fc.nat(),
        )
        .map(([list, extra, at]) => list.toSpliced(at % (list.length + 1), 0, ...extra));
    const longTag = (id: number, bytes: Buffer) =>
      Buffer.concat([varint(id * 8 + 2, 1), varint(bytes.length, 2), bytes]);
    fc.assert(
      fc.property(
        shuffle([field(1, 'shop/catalog'), field(3, 'some version'), time(number(1, 77)), ...labels, ...annotations]),
        shuffle([field(1, bodyUrl), field(2, body)]),
        shuffle([]),
        fc.boolean(),
        fc.boolean(),
        (metadataParts, anyParts, extra, bodyFirst, long) => {
          const write = long ? longTag : field;
          const [first, second] = [write(1, Buffer.concat(metadataParts)), write(2, Buffer.concat(anyParts))];
          const parts = bodyFirst ? [second, ...extra, first] : [first, ...extra, second];
          const resource = encoded(Buffer.concat(parts));
          expect(resource.version).toBe(plain.version);
          expect(sameContent(resource, plain)).toBe(true);
          expect(timeOf(resource)).toEqual(number(1, 77));
          expect({ ...viewResource(resource), createTime: '' }).toEqual({ ...viewResource(plain), createTime: '' });
        },
      ),
      { numRuns: 500 },
    );
  });

  test('has the name that the caller chose, where it chose one', () => {
    const bytes = Buffer.concat([field(1, field(1, 'bare')), any()]);
    expect(viewResource(encoded(bytes, { name: 'default/bare' })).name).toBe('default/bare');
    expect(viewResource(encoded(bytes)).name).toBe('bare');
  });

  test('has no value where the body had none, or an empty one', () => {
    const [none, empty] = [field(2, field(1, bodyUrl)), any(Buffer.alloc(0))].map((b) =>
      encoded(Buffer.concat([metadata(), b])),
    );
    expect(fieldsOf(only(resourceBytes(none as never), 2)).map((f) => f.id)).toEqual([1]);
    expect(empty?.version).toBe(none?.version);
  });

  test('the last one of a repeated text counts, as for every reader', () => {
    const bytes = Buffer.concat([
      field(1, field(1, 'a/old'), field(1, 'a/new'), entry(4, 'k', '1'), number(9, 1), entry(4, 'k', '2')),
      field(2, field(1, 'x/first'), field(1, bodyUrl), field(2, field(1, 'old')), field(2, body)),
    ]);
    const view = viewResource(encoded(bytes));
    expect(view).toMatchObject({ name: 'a/new', labels: { k: '2' }, bodyType: serviceEntry });
    expect(view.body).toEqual(body);
    const { bodyType, name, labels } = viewResourceBytes(bytes);
    expect({ bodyType, name, labels }).toEqual({ bodyType: view.bodyType, name: view.name, labels: view.labels });
  });

  test('labels that no encoder would write mean the same behind it', () => {
    const short = fc.constantFrom('', 'a', 'b');
    const part = fc.tuple(fc.constantFrom(1, 2, 3), short).map(([id, t]) => field(id, t));
    const parts = fc.array(
      fc.oneof(
        fc.array(part, { maxLength: 3 }).map((p) => field(4, ...p)),
        fc.tuple(short, short).map(([k, v]) => entry(5, k, v)),
        fc.tuple(short, short).map(([k, v]) => entry(4, k, v)),
        fc.constant(number(9, 9)),
      ),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(parts, (list) => {
        const bytes = Buffer.concat([metadata(...list), any()]);
        const sent = only(resourceBytes(encoded(bytes)), 1);
        expect(mapOf(sent, 4)).toEqual(mapOf(only(bytes, 1), 4));
        expect(mapOf(sent, 5)).toEqual(mapOf(only(bytes, 1), 5));
      }),
      { numRuns: 1000 },
    );
  });
});

describe('the version', () => {
  const base = {
    name: 'shop/catalog',
    labels: { a: '1', b: '2' },
    annotations: { c: '3' },
    bodyType: serviceEntry,
    body,
  };
  type Given = Parameters<typeof encodeResourceMessage>[0];
  const versionOf = (change: Partial<Given>, options = {}) =>
    encoded(encodeResourceMessage({ ...base, ...change }), options).version;

  test.each<[string, Partial<Given>]>([
    ['the version of the source', { version: 'v17' }],
    ['create_time', { createTime: new Date(1_700_000_000_000) }],
    ['the order of labels', { labels: { b: '2', a: '1' } }],
  ])('does not depend on %s', (_what, change) => {
    expect(versionOf(change)).toBe(versionOf({}));
  });

  test('differs with the name, a label, an annotation, the body, its type, and with what belongs to what', () => {
    const versions = [
      versionOf({}),
      versionOf({ name: 'shop/catalogue' }),
      versionOf({ name: 'shopc/atalog' }),
      versionOf({ labels: { a: '1', b: '3' } }),
      versionOf({ labels: { a: '1', bb: '2' } }),
      versionOf({ labels: { a: '1' } }),
      versionOf({ labels: { a: '2', b: '1' } }),
      versionOf({ annotations: {} }),
      versionOf({ annotations: {}, labels: {}, name: `shop/catalog${entry(4, 'a', '1').toString()}` }),
      versionOf({ annotations: {}, labels: { a: '1' } }),
      versionOf({ annotations: { c: '4' } }),
      versionOf({ labels: { a: '1', b: '2', c: '3' }, annotations: {} }),
      versionOf({ labels: {}, annotations: { a: '1', b: '2', c: '3' } }),
      versionOf({ body: field(1, 'catalog.example.org') }),
      versionOf({ body: Buffer.concat([body, body]) }),
      versionOf({ body: Buffer.alloc(0) }),
      versionOf({}, { body: 'istio.networking.v1alpha3.WorkloadEntry' }),
    ];
    expect(new Set(versions).size).toBe(versions.length);
  });

  test('is one of 16 characters of base64url, and stands in the bytes as metadata.version', () => {
    const resource = encoded(encodeResourceMessage({ ...base, version: 'a longer version than ours' }));
    expect(resource.version).toMatch(/^[A-Za-z0-9_-]{16}$/);
    expect(only(only(resourceBytes(resource), 1), 3).toString()).toBe(resource.version);
  });

  test('order of the hosts, which is a list, is content', () => {
    const [a, b] = [field(1, 'a.example.com'), field(1, 'b.example.com')];
    expect(versionOf({ body: Buffer.concat([a, b]) })).not.toBe(versionOf({ body: Buffer.concat([b, a]) }));
  });
});

describe('equal content', () => {
  test('is equal bytes behind the version: never for another length, nor for one that begins the same', () => {
    const make = (...parts: Buffer[]) => encoded(Buffer.concat([metadata(), any(Buffer.concat(parts))]));
    const [one, same, longer, other] = [
      make(body),
      make(body),
      make(body, number(4, 1)),
      make(field(1, 'catalog.example.net')),
    ];
    expect(sameContent(one, same)).toBe(true);
    expect(sameContent(one, longer)).toBe(false);
    expect(sameContent(longer, one)).toBe(false);
    expect(sameContent(one, other)).toBe(false);
  });
});

describe('create_time', () => {
  const withTime = (...times: readonly Uint8Array[]) => encoded(Buffer.concat([metadata(...times), any()]));

  test.each<[string, Uint8Array]>([
    ["Go's zero time", number(1, zeroTime)],
    ['a second before 1970', number(1, -1)],
    ['a negative one with nanos', Buffer.concat([number(1, -7), number(2, 999_999_999)])],
    ['the first second of 1970, which is written as nothing', Buffer.alloc(0)],
    ['now', number(1, 1_700_000_000)],
    ['the last second of year 9999', number(1, 253_402_300_799)],
    ['one with an unknown field', Buffer.concat([number(1, 5), field(9, 'x')])],
    ['one written with nine bytes', Buffer.concat([tag(1, 0), varint(5, 8)])],
    ['one written with ten bytes', Buffer.concat([tag(1, 0), varint(5, 9)])],
  ])('that Go accepts is kept byte for byte: %s', (_what, bytes) => {
    const resource = withTime(time(bytes));
    expect(timeOf(resource)).toEqual(Buffer.from(bytes));
  });

  test.each<[string, Uint8Array]>([
    ['before year 1', number(1, zeroTime - 1n)],
    ['year 10000', number(1, 253_402_300_800)],
    ['beyond what a double can say', number(1, 2n ** 62n)],
    ['the least number there is', number(1, -(2n ** 63n))],
    ['negative nanos', Buffer.concat([number(1, 5), number(2, -1)])],
    ['a whole second of nanos', number(2, 1_000_000_000)],
    ['a cut varint', Buffer.from([0x08, 0x80])],
    ['a group', tag(1, 3)],
    ['no message', Buffer.from('xyz!')],
  ])('that Go refuses becomes the fixed constant, and is counted: %s', (_what, bytes) => {
    expect(timeOf(withTime(time(bytes)))).toEqual(number(1, 1));
    const parts = newResourceParts();
    const message = Buffer.concat([metadata(time(bytes)), any()]);
    scanResource(message, 0, message.length, parts);
    expect(dropInvalidTime(message, parts)).toBe(true);
    expect(parts.createStart).toBe(-1);
    expect(validTimestamp(bytes, 0, bytes.length)).toBe(false);
  });

  test('that is missing becomes the same constant, and is not counted as invalid', () => {
    const parts = newResourceParts();
    const message = Buffer.concat([metadata(), any()]);
    scanResource(message, 0, message.length, parts);
    expect(dropInvalidTime(message, parts)).toBe(false);
    expect(timeOf(encoded(message))).toEqual(number(1, 1));
    expect(viewResource(encoded(message)).createTime).toBe('1970-01-01T00:00:01.000Z');
  });

  test('validity is that of the numbers, for any seconds and nanos', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.integer(), (seconds, nanos) => {
        const bytes = Buffer.concat([number(1, seconds), number(2, nanos)]);
        const valid = seconds >= zeroTime && seconds <= 253_402_300_799n && nanos >= 0 && nanos < 1e9;
        expect(validTimestamp(bytes, 0, bytes.length)).toBe(valid);
      }),
      { numRuns: 500 },
    );
  });

  test('twice in one resource is refused: a reader would merge the two', () => {
    expect(() => withTime(time(number(1, 5)), time(number(2, 7)))).toThrow(MalformedError);
  });
});

describe('a resource that cannot be read', () => {
  test.each<[string, Buffer]>([
    ['metadata twice, which a reader would merge', Buffer.concat([metadata(), metadata(entry(4, 'a', 'b')), any()])],
    ['a body twice', Buffer.concat([metadata(), any(), any(field(1, 'other'))])],
    ['metadata that is cut off', Buffer.concat([metadata(), any()]).subarray(0, 6)],
    ['a length past the end of metadata', Buffer.concat([field(1, Buffer.from([0x0a, 9])), any()])],
    ['a length past the end of the body', Buffer.concat([metadata(), field(2, Buffer.from([0x12, 9]))])],
    ['a group', Buffer.concat([metadata(), tag(3, 3), tag(3, 4)])],
    ['a label that is no message', Buffer.concat([metadata(field(4, 'xyz!')), any()])],
    ['an annotation with a length past its end', Buffer.concat([metadata(field(5, Buffer.from([0x0a, 9]))), any()])],
    ['a label with field number 0', Buffer.concat([metadata(field(4, field(1, 'a'), Buffer.from([2, 0]))), any()])],
    ['a body that is no message', Buffer.concat([metadata(), any(Buffer.from('xyz!'))])],
    ['a body with an endpoint that is no message', Buffer.concat([metadata(), any(field(6, 'xyz!'))])],
  ])('%s is malformed', (_what, bytes) => {
    expect(() => encoded(bytes)).toThrow(MalformedError);
  });

  test('the name that stands before the fault is known', () => {
    const bytes = Buffer.concat([metadata(Buffer.from([0x22, 99]))]);
    const parts = newResourceParts();
    expect(() => scanResource(bytes, 0, bytes.length, parts)).toThrow(MalformedError);
    expect(bytes.toString('utf8', parts.nameStart, parts.nameEnd)).toBe('shop/catalog');
  });

  test('leaves nothing behind: the next one that is scanned has only its own parts', () => {
    const parts = newResourceParts();
    const first = Buffer.concat([metadata(entry(4, 'a', 'b'), entry(5, 'c', 'd'), time(number(1, 5))), any()]);
    scanResource(first, 0, first.length, parts);
    scanResource(Buffer.alloc(0), 0, 0, parts);
    expect(parts).toEqual(newResourceParts());
  });

  test('any bytes are read and sent on well formed, or malformed; never another error', () => {
    const pieces = fc.constantFrom(
      metadata(entry(4, 'a', 'b')),
      any(),
      field(2, field(1, bodyUrl)),
      number(5, 5),
      Buffer.from([0x0a]),
      Buffer.from([0xff]),
      tag(2, 2),
    );
    const changed = fc
      .tuple(fc.array(pieces, { maxLength: 4 }), fc.nat(), fc.nat({ max: 255 }))
      .map(([list, at, byte]) => {
        const bytes = Buffer.concat(list);
        if (bytes.length > 0) bytes[at % bytes.length] = byte;
        return bytes;
      });
    let good = 0;
    fc.assert(
      fc.property(
        fc.oneof(
          changed,
          fc.uint8Array({ maxLength: 60 }).map((b) => Buffer.from(b)),
        ),
        (bytes) => {
          try {
            const resource = encoded(bytes, { name: 'a/b' });
            expect(viewResource(resource)).toMatchObject({ name: 'a/b', version: resource.version });
            good++;
          } catch (error) {
            expect(error).toBeInstanceOf(MalformedError);
          }
        },
      ),
      { numRuns: 3000 },
    );
    expect(good).toBeGreaterThan(100);
  });
});

describe('text that is no UTF-8', () => {
  const bad = Buffer.from([0x66, 0xc3, 0x28]);
  const check = (...parts: Buffer[]) => {
    const bytes = Buffer.concat([metadata(...parts), any()]);
    const scanned = newResourceParts();
    scanResource(bytes, 0, bytes.length, scanned);
    return invalidText(bytes, scanned);
  };

  test.each<[string, Buffer[], string | undefined]>([
    ['a key of a label', [entry(4, 'a', 'b'), field(4, field(1, bad), field(2, 'v'))], 'labels'],
    ['a value of a label', [field(4, field(1, 'k'), field(2, bad))], 'labels'],
    [
      'a value of the second run of labels',
      [entry(4, 'a', 'b'), number(9, 9), field(4, field(1, 'k'), field(2, bad))],
      'labels',
    ],
    ['a value of an annotation', [entry(4, 'ü', 'ö'), field(5, field(1, 'k'), field(2, bad))], 'annotations'],
    ['an encoded surrogate', [field(5, field(1, 'k'), field(2, Buffer.from([0xed, 0xa0, 0x80])))], 'annotations'],
    ['good text beyond ASCII', [entry(4, '目录', 'ünïcode'), entry(5, '💡', 'x')], undefined],
    ['numbers above 127', [field(4, field(1, 'é'), number(3, 300))], undefined],
    ['nothing', [], undefined],
  ])('%s', (_what, parts, expected) => {
    expect(check(...parts)).toBe(expected);
  });

  test('an entry that is no message is malformed here too', () => {
    expect(() => check(field(4, 'é', Buffer.from([0x0a, 99])))).toThrow(MalformedError);
  });
});

describe('sizes', () => {
  const around = (size: number) => Array.from({ length: 9 }, (_, i) => size - 4 + i);
  const upTo300 = Array.from({ length: 300 }, (_, i) => i);

  /** A well-formed message of exactly so many bytes; there is none of one byte. */
  function filler(size: number): Buffer {
    const pairs = Buffer.alloc(size - (size % 2) * 3, Buffer.from([0x08, 0x01]));
    return size % 2 === 0 ? pairs : Buffer.concat([pairs, Buffer.from([0x08, 0x81, 0x00])]);
  }

  // What stands around the body, Any, Resource and Metadata, passes the same borders a little earlier.
  const sizes = [
    ...upTo300.filter((size) => size !== 1),
    ...[0, 60, 120, 180].flatMap((less) => around(16_384 - less)),
    ...[0, 60, 180].flatMap((less) => around(2_097_152 - less).slice(2, 6)),
  ];

  test('every length of the body from 0 to 300, and at the borders of longer varints', () => {
    const arena = new Arena();
    for (const size of sizes) {
      const value = filler(size);
      expect(value).toHaveLength(size);
      const resource = encoded(Buffer.concat([metadata(entry(4, 'a', 'b')), any(value)]), { arena });
      const view = viewResource(resource);
      expect(view.body.equals(value)).toBe(true);
      expect(view).toMatchObject({ name: 'shop/catalog', version: resource.version, labels: { a: 'b' } });
    }
  });

  test('every length of a label from 0 to 300 and at the borders of the varints of metadata', () => {
    for (const size of [...upTo300, ...[0, 20, 60, 90].flatMap((less) => around(16_384 - less))]) {
      const label = 'x'.repeat(size);
      const resource = encoded(Buffer.concat([metadata(entry(4, 'a', label)), any()]));
      expect(viewResource(resource).labels['a']).toHaveLength(size);
      expect(viewResource(resource).body).toEqual(body);
    }
  });
});

describe('memory', () => {
  const message = (host: string) => Buffer.concat([metadata(), any(field(1, host))]);

  test('one resource lies behind the other', () => {
    const arena = new Arena();
    const first = encoded(message('a.example.com'), { arena });
    const second = encoded(message('b.example.com'), { arena });
    expect(second.chunk).toBe(first.chunk);
    expect(second.start).toBe(first.end);
    expect(arena.offset).toBe(second.end);
  });

  test('a resource does not depend on the received message', () => {
    const bytes = message('a.example.com');
    const resource = encoded(bytes);
    const before = Buffer.from(bytesOf(resource));
    bytes.fill(0xff);
    expect(bytesOf(resource)).toEqual(before);
    expect(resource.chunk.buffer).not.toBe(bytes.buffer);
  });

  test('maps are sorted where they stand in the message', () => {
    const parts = newResourceParts();
    const bytes = Buffer.concat([
      metadata(entry(4, 'b', '1'), entry(4, 'a', '1')),
      any(field(9, entry(1, 'b', ''), entry(1, 'a', ''))),
    ]);
    scanResource(bytes, 0, bytes.length, parts);
    orderMaps(bytes, parts, shapes[serviceEntry] ?? {});
    expect(bytes).toEqual(
      Buffer.concat([
        metadata(entry(4, 'a', '1'), entry(4, 'b', '1')),
        any(field(9, entry(1, 'a', ''), entry(1, 'b', ''))),
      ]),
    );
  });
});
