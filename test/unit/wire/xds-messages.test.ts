import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeDiscoveryRequest,
  decodeDiscoveryResponse,
  encodeDiscoveryRequest,
  encodeResponseTail,
} from '../../../src/wire/xds-messages.ts';
import { MalformedError } from '../../../src/wire/scan.ts';
import { field, number, tag } from './fields.ts';

const text = fc.string({ maxLength: 10, unit: 'binary' });

describe('a DiscoveryRequest', () => {
  test('is what was encoded', () => {
    const request = fc.record(
      {
        versionInfo: text,
        node: fc.record({ id: text, cluster: text }),
        resourceNames: fc.array(text, { maxLength: 3 }),
        typeUrl: text,
        responseNonce: text,
        errorDetail: fc.record({ code: fc.integer({ min: 0, max: 16 }), message: text }),
      },
      { requiredKeys: ['versionInfo', 'resourceNames', 'typeUrl', 'responseNonce'] },
    );
    fc.assert(
      fc.property(request, (given) => {
        const decoded = decodeDiscoveryRequest(encodeDiscoveryRequest(given));
        expect(decoded).toMatchObject(given);
        expect(Object.keys(decoded).sort()).toEqual(Object.keys(given).sort());
      }),
    );
  });

  test('of no bytes has empty texts, no node and no error', () => {
    expect(decodeDiscoveryRequest(Buffer.alloc(0))).toEqual({
      versionInfo: '',
      resourceNames: [],
      typeUrl: '',
      responseNonce: '',
    });
  });

  test('with an empty error says that there is one: its presence is the NACK', () => {
    expect(decodeDiscoveryRequest(field(6)).errorDetail).toMatchObject({ code: 0, message: '' });
    expect(decodeDiscoveryRequest(field(6, number(1, 13))).errorDetail).toMatchObject({ code: 13, message: '' });
  });

  test('with an empty node has a node without a name', () => {
    expect(decodeDiscoveryRequest(field(2)).node).toMatchObject({ id: '', cluster: '' });
  });

  test('with fields that only Envoy knows is read without them', () => {
    const node = field(2, field(1, 'id'), field(2, 'cluster'), field(4, field(1, 'region')), field(6, 'agent'));
    const bytes = Buffer.concat([field(7, field(1, 'locator')), node, field(4, 'a/b/c'), number(99, 1)]);
    expect(decodeDiscoveryRequest(bytes)).toMatchObject({ node: { id: 'id', cluster: 'cluster' }, typeUrl: 'a/b/c' });
  });

  test('has the bytes that the contract says', () => {
    const request = {
      versionInfo: 'v',
      node: { id: 'i', cluster: 'c' },
      resourceNames: ['n'],
      typeUrl: 't',
      responseNonce: '1',
      errorDetail: { code: 3, message: 'm' },
    };
    const error = field(6, number(1, 3), field(2, 'm'));
    const node = field(2, field(1, 'i'), field(2, 'c'));
    expect(encodeDiscoveryRequest(request)).toEqual(
      Buffer.concat([field(1, 'v'), node, field(3, 'n'), field(4, 't'), field(5, '1'), error]),
    );
  });

  test.each([
    ['a length past the end', Buffer.from([0x0a, 5, 1])],
    ['a node that is no message', field(2, Buffer.from([0x0a, 9]))],
    ['wire type 7', tag(9, 7)],
  ])('with %s is refused', (_what, bytes) => {
    expect(() => decodeDiscoveryRequest(bytes)).toThrow(MalformedError);
  });
});

describe('a DiscoveryResponse', () => {
  const any = field(1, 'type.googleapis.com/x.Y');

  test('is its resources and its tail, in either order', () => {
    const tail = { versionInfo: 'v', typeUrl: 't', nonce: 'n' };
    const resources = Buffer.concat([field(2, any, field(2, 'one')), field(2, any, field(2, 'two'))]);
    const expected = {
      ...tail,
      resources: ['one', 'two'].map((value) => ({ typeUrl: 'type.googleapis.com/x.Y', value: Buffer.from(value) })),
    };
    expect(decodeDiscoveryResponse(Buffer.concat([resources, encodeResponseTail(tail)]))).toEqual(expected);
    expect(decodeDiscoveryResponse(Buffer.concat([encodeResponseTail(tail), resources]))).toEqual(expected);
  });

  test('has a tail with the bytes that the contract says', () => {
    expect(encodeResponseTail({ versionInfo: 'v', typeUrl: 't', nonce: 'n' })).toEqual(
      Buffer.concat([field(1, 'v'), field(4, 't'), field(5, 'n')]),
    );
  });

  test('with a resource without a value has an empty one', () => {
    expect(decodeDiscoveryResponse(field(2, any)).resources).toEqual([
      { typeUrl: 'type.googleapis.com/x.Y', value: Buffer.alloc(0) },
    ]);
    expect(decodeDiscoveryResponse(field(2)).resources).toEqual([{ typeUrl: '', value: Buffer.alloc(0) }]);
  });

  test('that is cut off is refused', () => {
    const whole = Buffer.concat([field(2, any, field(2, 'one')), field(4, 't')]);
    expect(() => decodeDiscoveryResponse(whole.subarray(0, 10))).toThrow(MalformedError);
    expect(() => decodeDiscoveryResponse(whole.subarray(0, -1))).toThrow(MalformedError);
  });
});
