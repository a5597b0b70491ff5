import { randomBytes } from 'node:crypto';

/**
 * MurmurHash3_x86_128 (Austin Appleby, public domain): what content versions are made of. Not a
 * cryptographic hash: whoever can make two contents of one version is the source of both, and would hide a change of
 * its own. A call of node:crypto for each of a hundred thousand small resources costs five times as much.
 *
 * The result is in the four numbers below, because a returned array would be one for each resource.
 */
export const hashed = { h1: 0, h2: 0, h3: 0, h4: 0 };

const c1 = 0x239b961b;
const c2 = 0xab0e9789 | 0;
const c3 = 0x38b34ae5;
const c4 = 0xa1e38b93 | 0;

/** Where a hash begins. */
export type HashSeed = { readonly h1: number; readonly h2: number; readonly h3: number; readonly h4: number };

const zero: HashSeed = { h1: 0, h2: 0, h3: 0, h4: 0 };

/** 32 bits that nobody outside of this process knows. */
export function secretBits(): number {
  return randomBytes(4).readInt32LE();
}

/** Begins a new hash. */
export function resetHash(seed = zero): void {
  hashed.h1 = seed.h1;
  hashed.h2 = seed.h2;
  hashed.h3 = seed.h3;
  hashed.h4 = seed.h4;
}

/**
 * Adds `view[start, end)` to {@link hashed}, four signed 32-bit numbers: the result of one range is the seed of the
 * next. Of a single one it is MurmurHash3's, with seed 0.
 */
export function hash128(view: DataView, start: number, end: number): void {
  let { h1, h2, h3, h4 } = hashed;
  let at = start;
  for (const last = end - 16; at <= last; at += 16) {
    h1 ^= mix(view.getInt32(at, true), c1, 15, c2);
    h1 = (Math.imul((rotate(h1, 19) + h2) | 0, 5) + 0x561ccd1b) | 0;
    h2 ^= mix(view.getInt32(at + 4, true), c2, 16, c3);
    h2 = (Math.imul((rotate(h2, 17) + h3) | 0, 5) + 0x0bcaa747) | 0;
    h3 ^= mix(view.getInt32(at + 8, true), c3, 17, c4);
    h3 = (Math.imul((rotate(h3, 15) + h4) | 0, 5) + 0x96cd1c35) | 0;
    h4 ^= mix(view.getInt32(at + 12, true), c4, 18, c1);
    h4 = (Math.imul((rotate(h4, 13) + h1) | 0, 5) + 0x32ac3b17) | 0;
  }
  if (at < end) {
    h1 ^= mix(tail(view, at, end), c1, 15, c2);
    if (at + 4 < end) h2 ^= mix(tail(view, at + 4, end), c2, 16, c3);
    if (at + 8 < end) h3 ^= mix(tail(view, at + 8, end), c3, 17, c4);
    if (at + 12 < end) h4 ^= mix(tail(view, at + 12, end), c4, 18, c1);
  }
  const length = end - start;
  h1 ^= length;
  h2 ^= length;
  h3 ^= length;
  h4 ^= length;
  h1 = (h1 + h2 + h3 + h4) | 0;
  h2 = (h2 + h1) | 0;
  h3 = (h3 + h1) | 0;
  h4 = (h4 + h1) | 0;
  h1 = avalanche(h1);
  h2 = avalanche(h2);
  h3 = avalanche(h3);
  h4 = avalanche(h4);
  h1 = (h1 + h2 + h3 + h4) | 0;
  hashed.h1 = h1;
  hashed.h2 = (h2 + h1) | 0;
  hashed.h3 = (h3 + h1) | 0;
  hashed.h4 = (h4 + h1) | 0;
}

function rotate(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by));
}

function mix(k: number, first: number, by: number, second: number): number {
  return Math.imul(rotate(Math.imul(k, first), by), second);
}

/** Up to four bytes, little end first. */
function tail(view: DataView, at: number, end: number): number {
  if (at + 4 <= end) return view.getInt32(at, true);
  let value = 0;
  for (let i = end - 1; i >= at; i--) value = (value << 8) | view.getUint8(i);
  return value;
}

/** Spreads every bit over all of them (MurmurHash3's fmix32). */
export function avalanche(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
