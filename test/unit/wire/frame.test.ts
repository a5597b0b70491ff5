import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Arena } from '../../../src/wire/arena.ts';
import { Rope } from '../../../src/wire/frame.ts';
import { encodeResourceMessage, viewResourceBytes } from '../../../src/wire/resource-view.ts';
import { root } from '../../../src/wire/root.ts';
import { decodeDiscoveryResponse, encodeResponseTail } from '../../../src/wire/xds-messages.ts';
import {
  bytesOf,
  encoded,
  type Encoded,
  leastWithoutVersions,
  serviceEntry,
  splice,
  spliceWithoutVersions,
} from './encoded.ts';
import { field } from './fields.ts';

function resource(name: string, arena: Arena, hostLength = 20): Encoded {
  const body = field(1, 'h'.repeat(hostLength));
  return encoded(encodeResourceMessage({ name, labels: { a: '1' }, bodyType: serviceEntry, body }), { arena });
}

describe('a rope', () => {
  const pieces = fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 6 });

  test('is the bytes of its pieces, in their order', () => {
    fc.assert(
      fc.property(pieces, (list) => {
        const joined = Buffer.concat(list);
        const rope = Rope.of(...list);
        expect(rope.length).toBe(joined.length);
        expect(rope.byteLength).toBe(joined.length);
        expect(rope.toBuffer()).toEqual(joined);
      }),
    );
  });

  test('is copied to the place that is asked for, and touches nothing else', () => {
    fc.assert(
      fc.property(pieces, fc.nat({ max: 5 }), fc.nat({ max: 5 }), (list, left, right) => {
        const joined = Buffer.concat(list);
        const target = Buffer.alloc(left + joined.length + right, 0xee);
        expect(Rope.of(...list).copy(target, left)).toBe(joined.length);
        expect(target).toEqual(Buffer.concat([Buffer.alloc(left, 0xee), joined, Buffer.alloc(right, 0xee)]));
      }),
    );
  });

  test('is copied to the start where no place is given', () => {
    const target = Buffer.alloc(3);
    Rope.of(Buffer.from('ab'), Buffer.from('c')).copy(target);
    expect(target.toString()).toBe('abc');
  });

  test('that is too long for its target is refused, like every write past the end of a Buffer', () => {
    expect(() => Rope.of(Buffer.from('ab'), Buffer.from('cd')).copy(Buffer.alloc(3))).toThrow(RangeError);
  });

  test('with a tail is a new one; the first is shared by all streams and stays as it is', () => {
    const shared = Rope.of(Buffer.from('ab'));
    const [one, other] = [shared.with(Buffer.from('1')), shared.with(Buffer.from('22'))];
    expect([shared, one, other].map((rope) => rope.toBuffer().toString())).toEqual(['ab', 'ab1', 'ab22']);
    expect([shared, one, other].map((rope) => rope.length)).toEqual([2, 3, 4]);
  });
});

describe('a response made of resources', () => {
  const tail = { versionInfo: 'v', typeUrl: 'networking.istio.io/v1/ServiceEntry', nonce: 'n' };
  const names = ['a/one', 'a/two', 'b/three'];

  test('is a DiscoveryResponse with these resources in this order', () => {
    const arena = new Arena();
    const resources = names.map((name) => resource(name, arena));
    const response = splice(resources).with(encodeResponseTail(tail)).toBuffer();
    const { resources: received, ...rest } = decodeDiscoveryResponse(response);
    expect(rest).toEqual(tail);
    expect(received.map((r) => r.typeUrl)).toEqual(names.map(() => 'type.googleapis.com/istio.mcp.v1alpha1.Resource'));
    expect(received.map((r) => viewResourceBytes(r.value).name)).toEqual(names);
    expect(received.map((r) => viewResourceBytes(r.value).version)).toEqual(resources.map((r) => r.version));
  });

  test('of none is nothing, and its tail alone is a response', () => {
    expect(splice([]).length).toBe(0);
    const response = splice([]).with(encodeResponseTail(tail)).toBuffer();
    expect(decodeDiscoveryResponse(response)).toEqual({ ...tail, resources: [] });
  });

  test('is one piece where the resources are neighbours in memory', () => {
    const arena = new Arena();
    const resources = names.map((name) => resource(name, arena));
    expect(splice(resources).pieces).toBe(1);
  });

  test('has a piece for each gap, each step back and each chunk, and the right bytes all the same', () => {
    const [first, second] = [new Arena(), new Arena()];
    const [a, b, c, d] = ['a/a', 'a/b', 'a/c', 'a/d'].map((name) => resource(name, first)) as [
      Encoded,
      Encoded,
      Encoded,
      Encoded,
    ];
    const e = resource('a/e', second);
    for (const [list, pieces] of [
      [[a, b, c, d], 1],
      [[a, c, d], 2],
      [[d, c, b, a], 4],
      [[a, b, e, c, d], 3],
      [[a, a], 2],
      [[e], 1],
    ] as const) {
      const rope = splice(list);
      expect(rope.pieces).toBe(pieces);
      expect(rope.toBuffer()).toEqual(Buffer.concat(list.map(bytesOf)));
    }
  });

  test('does not take chunks for neighbours whose places only happen to fit', () => {
    const [first, second] = [new Arena(), new Arena()];
    const a = resource('a/a', first);
    resource('a/x', second);
    const b = resource('a/b', second);
    expect(b.start).toBe(a.end);
    expect(splice([a, b]).toBuffer()).toEqual(Buffer.concat([bytesOf(a), bytesOf(b)]));
  });

  test('any choice of resources, in any order, is those resources', () => {
    const arenas = [new Arena(), new Arena()];
    const all = Array.from({ length: 12 }, (_, i) => resource(`ns/r${i}`, arenas[i % 2] as Arena, i * 30));
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 11 }), { maxLength: 20 }), (choice) => {
        const list = choice.map((i) => all[i] as Encoded);
        expect(splice(list).toBuffer()).toEqual(Buffer.concat(list.map(bytesOf)));
      }),
    );
  });
});

describe('resources without a version', () => {
  const type = () => root().lookupType('istio.mcp.v1alpha1.Resource');

  /** The metadata and the body of a resource as protobufjs reads them. */
  function parts(value: Buffer): { version: unknown; metadata: object; type: string; body: Buffer } {
    const { metadata, body } = type().toObject(type().decode(value), { longs: String }) as {
      metadata: Record<string, unknown>;
      body: { type_url: string; value?: Buffer };
    };
    const { version, ...rest } = metadata;
    return { version, metadata: rest, type: body.type_url, body: body.value ?? Buffer.alloc(0) };
  }

  /** Bytes that each resource is shorter by. */
  function check(list: readonly Encoded[]): number[] {
    const versioned = decodeDiscoveryResponse(splice(list).toBuffer()).resources;
    const without = decodeDiscoveryResponse(spliceWithoutVersions(list).toBuffer()).resources;
    expect(without.map((r) => r.typeUrl)).toEqual(versioned.map((r) => r.typeUrl));
    without.forEach((r, i) => {
      const [before, after] = [parts(versioned[i]?.value as Buffer), parts(r.value)];
      expect(before.version).toMatch(/^[\w-]{16}$/);
      expect(after.version).toBeUndefined();
      expect(after.metadata).toEqual(before.metadata);
      expect(after.type).toBe(before.type);
      expect(after.body.equals(before.body)).toBe(true);
    });
    const exact = spliceWithoutVersions(list).length;
    expect(leastWithoutVersions(list)).toBeLessThanOrEqual(exact);
    expect(leastWithoutVersions(list)).toBeGreaterThanOrEqual(exact - 3 * list.length);
    return list.map((one) => bytesOf(one).length - spliceWithoutVersions([one]).length);
  }

  test('are the same resources otherwise', () => {
    const arena = new Arena();
    check(['a/one', 'a/two', 'b/three'].map((name) => resource(name, arena)));
    expect(spliceWithoutVersions([]).length).toBe(0);
  });

  test('whatever their size: also where lengths need a byte less without the version', () => {
    const arena = new Arena();
    const labelled = (label: number, host: number) => {
      const labels = { a: 'x'.repeat(label) };
      const body = field(1, 'h'.repeat(host));
      return encoded(encodeResourceMessage({ name: 'a/b', labels, bodyType: serviceEntry, body }), { arena });
    };
    const upTo300 = Array.from({ length: 300 }, (_, i) => i);
    const shorter = new Set<number>();
    for (const host of upTo300) for (const by of check([labelled(0, host)])) shorter.add(by);
    for (const label of upTo300) for (const by of check([labelled(label, 5)])) shorter.add(by);
    expect(shorter).toEqual(new Set([18, 19]));

    // Metadata that passes a border of its own, and what holds it passing one too.
    const label = upTo300.find((n) => check([labelled(n, 5)])[0] === 19 && n > 60) as number;
    for (const host of upTo300) for (const by of check([labelled(label, 16_384 - host)])) shorter.add(by);
    for (const host of [0, 100, 170, 240]) for (const by of check([labelled(label, 2_097_152 - host)])) shorter.add(by);
    expect(shorter).toEqual(new Set([18, 19, 20]));
  });

  test('may be very many', () => {
    const one = resource('a/b', new Arena());
    const many = Array.from({ length: 200_000 }, () => one);
    expect(spliceWithoutVersions(many).length).toBe(many.length * spliceWithoutVersions([one]).length);
  });

  test('with a create_time of any length', () => {
    for (const createTime of [new Date(0), new Date(1), new Date(-62_135_596_800_000), new Date(253_402_300_799_999)]) {
      const body = Buffer.alloc(0);
      check([encoded(encodeResourceMessage({ name: 'a/b', createTime, bodyType: serviceEntry, body }))]);
    }
  });

  test('do not change the resources that they are made of', () => {
    const one = resource('a/b', new Arena());
    const before = Buffer.from(bytesOf(one));
    spliceWithoutVersions([one]);
    expect(bytesOf(one)).toEqual(before);
  });
});
