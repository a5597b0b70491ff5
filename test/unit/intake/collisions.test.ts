import { describe, expect, test } from 'vitest';
import { viewed } from '../../../src/wire/bytes.ts';
import { hash128, hashed, resetHash } from '../../../src/wire/hash.ts';
import { hashResource, newResourceParts, orderMaps, scanResource, seedOf } from '../../../src/wire/resource-parts.ts';
import { encodeResourceMessage } from '../../../src/wire/resource-view.ts';
import { legacyResource, serviceEntry, serviceEntryBody } from '../../support/resources.ts';
import { SourceView } from '../../support/source-view.ts';
import { StoreLab } from '../../support/store-lab.ts';

type Four = [number, number, number, number];

const c1 = 0x239b961b;
const c2 = 0xab0e9789 | 0;
const c3 = 0x38b34ae5;
const c4 = 0xa1e38b93 | 0;

const rotate = (value: number, by: number) => (value << by) | (value >>> (32 - by));
/** The number that, multiplied with an odd `n`, is 1 modulo 2^32. */
function inverse(n: number): number {
  let x = n;
  for (let i = 0; i < 5; i++) x = Math.imul(x, 2 - Math.imul(n, x));
  return x;
}
const unmix = (k: number, first: number, by: number, second: number) =>
  Math.imul(rotate(Math.imul(k, inverse(second)), 32 - by), inverse(first));

function unavalanche(value: number): number {
  let h = value ^ (value >>> 16);
  h = Math.imul(h, inverse(0xc2b2ae35));
  h ^= (h >>> 13) ^ (h >>> 26);
  h = Math.imul(h, inverse(0x85ebca6b));
  return h ^ (h >>> 16);
}

/** The state before the last four lines of MurmurHash3, of whose result three numbers are given. */
function unfinished([t1, t2, t3]: readonly number[], length: number): Four {
  const f: Four = [0, 0, 0, 0];
  const last = 12345;
  // The fourth number of the result is free.
  const h1 = t1 as number;
  let [a2, a3, a4] = [((t2 as number) - h1) | 0, ((t3 as number) - h1) | 0, last];
  let a1 = (h1 - a2 - a3 - a4) | 0;
  [a1, a2, a3, a4] = [unavalanche(a1), unavalanche(a2), unavalanche(a3), unavalanche(a4)];
  f[1] = (a2 - a1) | 0;
  f[2] = (a3 - a1) | 0;
  f[3] = (a4 - a1) | 0;
  f[0] = (a1 - f[1] - f[2] - f[3]) | 0;
  return f.map((h) => h ^ length) as Four;
}

/** The 16 bytes that bring MurmurHash3 from one state to another. */
function blockBetween([h1, h2, h3, h4]: Four, [g1, g2, g3, g4]: Four): Buffer {
  const fifth = inverse(5);
  const before = (g: number, c: number, add: number, by: number, h: number) =>
    rotate((Math.imul((g - c) | 0, fifth) - add) | 0, 32 - by) ^ h;
  const block = Buffer.alloc(16);
  block.writeInt32LE(unmix(before(g1, 0x561ccd1b, h2, 19, h1), c1, 15, c2) | 0, 0);
  block.writeInt32LE(unmix(before(g2, 0x0bcaa747, h3, 17, h2), c2, 16, c3) | 0, 4);
  block.writeInt32LE(unmix(before(g3, 0x96cd1c35, h4, 15, h3), c3, 17, c4) | 0, 8);
  block.writeInt32LE(unmix(before(g4, 0x32ac3b17, g1, 13, h4), c4, 18, c1) | 0, 12);
  return block;
}

/** The state of MurmurHash3 after whole blocks, before it is finished. */
function stateAfter(seed: Four, bytes: Buffer): Four {
  let [h1, h2, h3, h4] = seed;
  const mix = (k: number, first: number, by: number, second: number) =>
    Math.imul(rotate(Math.imul(k, first), by), second);
  for (let at = 0; at < bytes.length; at += 16) {
    h1 ^= mix(bytes.readInt32LE(at), c1, 15, c2);
    h1 = (Math.imul((rotate(h1, 19) + h2) | 0, 5) + 0x561ccd1b) | 0;
    h2 ^= mix(bytes.readInt32LE(at + 4), c2, 16, c3);
    h2 = (Math.imul((rotate(h2, 17) + h3) | 0, 5) + 0x0bcaa747) | 0;
    h3 ^= mix(bytes.readInt32LE(at + 8), c3, 17, c4);
    h3 = (Math.imul((rotate(h3, 15) + h4) | 0, 5) + 0x96cd1c35) | 0;
    h4 ^= mix(bytes.readInt32LE(at + 12), c4, 18, c1);
    h4 = (Math.imul((rotate(h4, 13) + h1) | 0, 5) + 0x32ac3b17) | 0;
  }
  return [h1, h2, h3, h4];
}

const bodyType = viewed(Buffer.from(`type.googleapis.com/${serviceEntry.body}`));
const seed = seedOf(bodyType);

/** The content hash of a resource, as its version says it. */
function contentHash(resource: Buffer): [number, number, number] {
  const bytes = viewed(Buffer.from(resource));
  const parts = newResourceParts();
  scanResource(bytes, 0, bytes.length, parts);
  orderMaps(bytes, parts, {});
  hashResource(bytes, parts, undefined, seed);
  return [hashed.h1, hashed.h2, hashed.h3];
}

/** A good resource with this name and any content hash one likes: a ServiceEntry, and 32 bytes in an unknown field. */
function resourceWithHash(name: string, target: readonly number[]): Buffer {
  resetHash(seed);
  const key = viewed(Buffer.from(name));
  hash128(key.view, 0, key.length);
  const afterName: Four = [hashed.h1, hashed.h2, hashed.h3, hashed.h4];
  const spec = serviceEntryBody({ hosts: ['evil.example'] });
  // Field 1000, length-delimited: two bytes of tag and one of length, in front of what fills the blocks.
  const unknown = (length: number) => Buffer.from([0xc2, 0x3e, length]);
  const padding = 16 - ((spec.length + 3) % 16);
  const head = Buffer.concat([spec, unknown(padding + 16), Buffer.alloc(padding)]);
  const length = head.length + 16;
  const block = blockBetween(stateAfter(afterName, head), unfinished(target, length));
  return encodeResourceMessage({
    name,
    createTime: new Date(0),
    bodyType: serviceEntry.body,
    body: Buffer.concat([head, block]),
  });
}

/** The hash of a resource's bytes as they come. */
function rawHash(resource: Buffer): [number, number, number] {
  resetHash();
  hash128(viewed(resource).view, 0, resource.length);
  return [hashed.h1, hashed.h2, hashed.h3];
}

/** A good resource with this name whose own bytes have any hash one likes. */
function resourceWithRawHash(name: string, target: readonly number[]): Buffer {
  const spec = serviceEntryBody({ hosts: ['evil.example'] });
  for (let padding = 0; padding < 16; padding++) {
    const unknown = Buffer.concat([Buffer.from([0xc2, 0x3e, padding + 16]), Buffer.alloc(padding + 16)]);
    const body = Buffer.concat([spec, unknown]);
    const bytes = encodeResourceMessage({ name, createTime: new Date(0), bodyType: serviceEntry.body, body });
    if (bytes.length % 16 !== 0) continue;
    const head = bytes.subarray(0, -16);
    const block = blockBetween(stateAfter([0, 0, 0, 0], head), unfinished(target, bytes.length));
    return Buffer.concat([head, block]);
  }
  throw new Error('no padding brings it to whole blocks');
}

test('a resource of any name can be given any content hash: MurmurHash3 is no secret', () => {
  const target = contentHash(legacyResource('shop/victim', 'x'));
  expect(contentHash(resourceWithHash('evil/tenant', target))).toEqual(target);
  const raw = rawHash(legacyResource('shop/victim', 'x'));
  expect(rawHash(resourceWithRawHash('evil/tenant', raw)), 'with a seed that everybody knows').toEqual(raw);
});

describe('content that was made to collide', () => {
  test('of another name does not take a good resource with it, in whatever order they come', async () => {
    const victim = legacyResource('shop/victim', 'x');
    const other = legacyResource('shop/other');
    const evil = resourceWithHash('evil/tenant', contentHash(victim));
    const source = new SourceView();
    await source.take([evil, victim, other]);
    const change = await source.take([victim, other, evil]);
    expect(change.missing, 'the source still has all three').toEqual([]);
    expect([...source.resources.keys()].toSorted()).toEqual(['evil/tenant', 'shop/other', 'shop/victim']);
  });

  test('of another name in the bytes as they come does not take a good resource with it', async () => {
    const victim = legacyResource('shop/victim', 'x');
    const other = legacyResource('shop/other');
    const evil = resourceWithRawHash('evil/tenant', rawHash(victim));
    const source = new SourceView();
    await source.take([evil, victim, other]);
    // A message that changes nothing: from now on the bytes as they come are looked at first.
    await source.take([evil, victim, other]);
    const change = await source.take([victim, other, evil]);
    expect(change.missing, 'the source still has all three').toEqual([]);
    expect([...source.resources.keys()].toSorted()).toEqual(['evil/tenant', 'shop/other', 'shop/victim']);
  });

  test('of another name does not hide a new resource', async () => {
    const victim = legacyResource('shop/victim', 'x');
    const evil = resourceWithHash('evil/tenant', contentHash(victim));
    const source = new SourceView();
    await source.take([evil]);
    await source.take([victim, evil]);
    expect([...source.resources.keys()].toSorted()).toEqual(['evil/tenant', 'shop/victim']);
  });

  test('of another name does not keep a resource that its source has removed', async () => {
    const victim = legacyResource('shop/victim', 'x');
    const source = new SourceView();
    await source.take([victim, legacyResource('shop/other')]);
    const change = await source.take([
      resourceWithHash('evil/tenant', contentHash(victim)),
      legacyResource('shop/other'),
    ]);
    expect(change.missing).toEqual(['shop/victim']);
    expect([...source.resources.keys()].toSorted()).toEqual(['evil/tenant', 'shop/other']);
  });

  test('of one source does not hide the change of another source', async () => {
    const lab = new StoreLab();
    lab.addOrigin('evil', serviceEntry);
    lab.addOrigin('good', serviceEntry);
    await lab.deliver('evil', serviceEntry, [legacyResource('evil/tenant', 'first')]);
    await lab.say('good', serviceEntry, { 'shop/victim': 'x' });
    lab.flush();
    // v(evil) + v(x) = v(evil') + v(y)
    const [own, old, next] = [
      contentHash(legacyResource('evil/tenant', 'first')),
      contentHash(legacyResource('shop/victim', 'x')),
      contentHash(legacyResource('shop/victim', 'y')),
    ];
    const target = own.map((lane, i) => (lane + (old[i] as number) - (next[i] as number)) | 0);
    await lab.deliver('evil', serviceEntry, [resourceWithHash('evil/tenant', target)]);
    await lab.say('good', serviceEntry, { 'shop/victim': 'y' });
    expect(lab.flush(), 'listeners hear of it').toEqual([[serviceEntry.id]]);
  });
});
