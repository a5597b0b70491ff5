import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeRequestResources,
  encodeRequestResources,
  encodeResources,
  readResources,
  type RequestResources,
} from '../../../src/wire/legacy-messages.ts';
import { encodeResourceMessage } from '../../../src/wire/resource-view.ts';
import { root } from '../../../src/wire/root.ts';
import { MalformedError } from '../../../src/wire/scan.ts';
import { field, number, tag, varint } from './fields.ts';

const text = fc.string({ maxLength: 10, unit: 'binary' });
const type = () => root().lookupType('istio.mcp.v1alpha1.Resources');

function spansOf(view: ReturnType<typeof readResources>): Buffer[] {
  const list: Buffer[] = [];
  for (let i = 0; i < view.spans.length; i += 2) list.push(view.bytes.subarray(view.spans[i], view.spans[i + 1]));
  return list;
}

describe('Resources', () => {
  const resource = fc
    .record({ name: text, labels: fc.dictionary(text, text, { maxKeys: 2 }), body: fc.uint8Array({ maxLength: 200 }) })
    .map((r) => encodeResourceMessage({ ...r, bodyType: 'x.Y' }));
  const message = fc.record({
    systemVersionInfo: text,
    collection: text,
    nonce: text,
    incremental: fc.boolean(),
    resources: fc.array(resource, { maxLength: 5 }),
    removedResources: fc.array(text, { maxLength: 4 }),
  });

  test('are read as protobufjs reads them', () => {
    fc.assert(
      fc.property(message, (given) => {
        const resourceType = root().lookupType('istio.mcp.v1alpha1.Resource');
        const resources = given.resources.map((bytes) => resourceType.decode(bytes));
        const bytes = Buffer.from(
          type()
            .encode({ ...given, resources })
            .finish(),
        );
        const { resources: decoded, ...envelope } = type().toObject(type().decode(bytes), { defaults: true }) as Record<
          string,
          unknown
        >;
        const view = readResources(bytes);
        const { bytes: _, spans: __, ...read } = view;
        expect(read).toEqual(envelope);
        expect(
          spansOf(view).map((span) => resourceType.toObject(resourceType.decode(span), { defaults: true })),
        ).toEqual(decoded);
      }),
    );
  });

  test('are what was encoded, with every resource byte for byte', () => {
    fc.assert(
      fc.property(message, (given) => {
        const view = readResources(encodeResources(given));
        const { resources, ...envelope } = given;
        const { bytes: _, spans: __, ...read } = view;
        expect(read).toEqual(envelope);
        expect(spansOf(view)).toEqual(resources);
      }),
    );
  });

  test.each([0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152])('hold a resource of %d bytes', (size) => {
    const bytes = Buffer.alloc(size, 7);
    const given = { systemVersionInfo: '', collection: 'c', nonce: '1', incremental: false, removedResources: [] };
    const spans = spansOf(readResources(encodeResources({ ...given, resources: [bytes, bytes] })));
    expect(spans.map((span) => span.equals(bytes))).toEqual([true, true]);
  });

  test('of no bytes are the empty message', () => {
    expect(readResources(Buffer.alloc(0))).toMatchObject({
      systemVersionInfo: '',
      collection: '',
      nonce: '',
      incremental: false,
      removedResources: [],
      spans: new Int32Array(),
    });
  });

  test('may have their fields in any order, with unknown ones between; the last of a repeated text counts', () => {
    const parts = [
      field(3, field(1, field(1, 'a/b'))),
      number(6, 1),
      field(7, 'unknown'),
      number(7, 7),
      Buffer.concat([tag(8, 1), Buffer.alloc(8)]),
      Buffer.concat([tag(2_000_000, 5), Buffer.alloc(4)]),
      // Known numbers with another wire type are unknown fields.
      number(1, 5),
      number(3, 5),
      field(6, 'x'),
      field(2, 'collection'),
      field(4, 'gone/one'),
      field(1, 'version'),
      field(4, 'gone/two'),
    ];
    fc.assert(
      fc.property(fc.shuffledSubarray(parts, { minLength: parts.length }), (list) => {
        const view = readResources(Buffer.concat([field(5, 'first'), ...list, field(5, 'last')]));
        expect(view).toMatchObject({
          systemVersionInfo: 'version',
          collection: 'collection',
          nonce: 'last',
          incremental: true,
        });
        expect(view.removedResources.toSorted()).toEqual(['gone/one', 'gone/two']);
        expect(spansOf(view)).toEqual([field(1, field(1, 'a/b'))]);
      }),
    );
  });

  test('take any number that is not 0 for true, and a later 0 for false', () => {
    expect(readResources(number(6, 2)).incremental).toBe(true);
    expect(readResources(number(6, -1)).incremental).toBe(true);
    expect(readResources(Buffer.concat([number(6, 1), number(6, 0)])).incremental).toBe(false);
  });

  test.each([
    ['a length past the end', Buffer.concat([field(2, 'c'), Buffer.from([0x1a, 5, 1])])],
    ['a cut tag', Buffer.from([0x80])],
    ['a cut length', Buffer.from([0x1a, 0x80])],
    ['a cut flag', Buffer.from([0x30])],
    ['a group', Buffer.concat([tag(9, 3), tag(9, 4)])],
    ['wire type 7', tag(9, 7)],
    ['field number 0', Buffer.from([0x00, 0])],
    ['field number 0 with a length', Buffer.from([0x02, 0])],
    ['a tag without end', Buffer.alloc(12, 0xff)],
    ['text', Buffer.from('HTTP/1.1 400 Bad Request\r\n')],
    [
      'a length of 2^32 and what would fit modulo 2^32',
      Buffer.concat([tag(3, 2), varint(2 ** 32 + 1), Buffer.from('x')]),
    ],
  ])('with %s are malformed', (_what, bytes) => {
    expect(() => readResources(bytes)).toThrow(MalformedError);
  });

  test('any bytes are read, with spans inside of the message, or malformed; never another error', () => {
    let read = 0;
    const cut = message.chain((given) => {
      const bytes = encodeResources(given);
      return fc.tuple(fc.nat({ max: bytes.length }), fc.nat({ max: 255 })).map(([at, byte]) => {
        const changed = Buffer.from(bytes);
        if (at < changed.length) changed[at] = byte;
        return changed.subarray(0, at + byte);
      });
    });
    fc.assert(
      fc.property(
        fc.oneof(
          cut,
          fc.uint8Array({ maxLength: 40 }).map((b) => Buffer.from(b)),
        ),
        (bytes) => {
          try {
            const { spans } = readResources(bytes);
            read++;
            let at = 0;
            for (const edge of spans) {
              expect(edge).toBeGreaterThanOrEqual(at);
              at = edge;
            }
            expect(at).toBeLessThanOrEqual(bytes.length);
          } catch (error) {
            expect(error).toBeInstanceOf(MalformedError);
          }
        },
      ),
      { numRuns: 2000 },
    );
    expect(read).toBeGreaterThan(100);
  });
});

describe('RequestResources', () => {
  const request: fc.Arbitrary<RequestResources> = fc.record(
    {
      sinkNode: fc.record({ id: text, annotations: fc.dictionary(text, text, { maxKeys: 3 }) }),
      collection: text,
      initialResourceVersions: fc.dictionary(text, text, { maxKeys: 3 }),
      responseNonce: text,
      errorDetail: fc.record({ code: fc.integer({ min: 0, max: 16 }), message: text }),
      incremental: fc.boolean(),
    },
    { requiredKeys: ['sinkNode', 'collection', 'responseNonce', 'incremental'] },
  );

  test('are what was encoded; an error is there if and only if one was given, also one without code and text', () => {
    fc.assert(
      fc.property(request, (given) => {
        const decoded = decodeRequestResources(encodeRequestResources(given));
        const { errorDetail, ...rest } = given;
        expect(decoded).toMatchObject({ initialResourceVersions: {}, ...rest });
        expect('errorDetail' in decoded).toBe(errorDetail !== undefined);
        if (errorDetail !== undefined) expect(decoded.errorDetail).toMatchObject(errorDetail);
      }),
    );
  });

  test('have the bytes that the contract says', () => {
    const nack = {
      sinkNode: { id: 'pilot', annotations: { k: 'v' } },
      collection: 'c',
      responseNonce: '3',
      errorDetail: { code: 12, message: 'no' },
      incremental: true,
    };
    const bytes = Buffer.concat([
      field(1, field(1, 'pilot'), field(2, field(1, 'k'), field(2, 'v'))),
      field(2, 'c'),
      field(4, '3'),
      field(5, number(1, 12), field(2, 'no')),
      number(6, 1),
    ]);
    expect(encodeRequestResources(nack)).toEqual(bytes);
  });

  test('of no bytes are an empty request of a node without a name', () => {
    expect(decodeRequestResources(Buffer.alloc(0))).toEqual({
      sinkNode: { id: '', annotations: {} },
      collection: '',
      initialResourceVersions: {},
      responseNonce: '',
      incremental: false,
    });
  });

  test('pass over unknown fields', () => {
    const bytes = Buffer.concat([
      number(17, 5),
      field(2, 'c'),
      field(18, 'x'),
      field(1, field(1, 'me'), field(9, 'y')),
    ]);
    expect(decodeRequestResources(bytes)).toMatchObject({ collection: 'c', sinkNode: { id: 'me' } });
  });

  test.each([
    ['a length past the end', Buffer.from([0x12, 5, 1])],
    ['a cut varint', Buffer.from([0x30, 0x80])],
    ['a node that is no message', field(1, Buffer.from([0x0a, 9]))],
    ['wire type 7', tag(9, 7)],
  ])('with %s are refused', (_what, bytes) => {
    expect(() => decodeRequestResources(bytes)).toThrow(MalformedError);
  });
});
