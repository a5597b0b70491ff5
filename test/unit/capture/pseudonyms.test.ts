import { isIP } from 'node:net';
import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Pseudonyms } from '../../../src/capture/pseudonyms.ts';

const fresh = (key = 7) => new Pseudonyms(Buffer.alloc(32, key));

/** What of a text may be seen: where its letters and digits are. */
const shapeOf = (text: string) =>
  text
    .replaceAll(/[a-z]/g, 'a')
    .replaceAll(/[A-Z]/g, 'A')
    .replaceAll(/\d/g, '0')
    .replaceAll(/[^\0-\x7f]/gu, '·');

const word = fc.stringMatching(/^[a-z0-9]{1,8}$/);
const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 30 }),
  fc.array(word, { minLength: 1, maxLength: 4 }).map((words) => words.join('.')),
  fc.tuple(word, word).map((words) => words.join('/')),
  fc.ipV4(),
  fc.ipV6(),
);

describe('a pseudonym', () => {
  test('has the length and the shape of its text', () => {
    const pseudonyms = fresh();
    fc.assert(
      fc.property(text, (original) => {
        const found = pseudonyms.of(original);
        expect(Buffer.byteLength(found)).toBe(Buffer.byteLength(original));
        // Where letters are digits, too.
        if (isIP(original) !== 6) expect(shapeOf(found)).toBe(shapeOf(original));
      }),
      { numRuns: 1000 },
    );
  });

  test('of four characters or more holds nothing of its text', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z][A-Za-z0-9]{3,9}$/), (original) => {
        expect(fresh().of(original)).not.toBe(original);
      }),
      { numRuns: 1000 },
    );
  });

  test('is the same for the same text, another one for another text', () => {
    fc.assert(
      fc.property(fc.uniqueArray(text, { maxLength: 100 }), (originals) => {
        const pseudonyms = fresh();
        const found = originals.map((original) => pseudonyms.of(original));
        expect(new Set(found).size).toBe(originals.length);
        expect(originals.map((original) => pseudonyms.of(original))).toEqual(found);
      }),
    );
  });

  test('is an address where its text is one, and only there', () => {
    const pseudonyms = fresh();
    const digits = fc.integer({ min: 0, max: 999 }).map(String);
    const likeOne = fc.tuple(digits, digits, digits, digits).map((parts) => parts.join('.'));
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), likeOne), (address) => {
        expect(isIP(pseudonyms.of(address))).toBe(isIP(address));
      }),
      { numRuns: 1000 },
    );
  });

  test('there is one for each of all that a shape can be', () => {
    const pseudonyms = fresh();
    const octets = Array.from({ length: 256 }, (_, i) => pseudonyms.of(`10.0.0.${i}`));
    expect(new Set(octets).size).toBe(256);
    const letters = 'abcdefghijklmnopqrstuvwxyz'.split('');
    expect(letters.map((letter) => pseudonyms.of(letter)).toSorted()).toEqual(letters);
  });

  test('differs from one capture to the next', () => {
    expect(fresh(1).of('orders.shop')).not.toBe(fresh(2).of('orders.shop'));
  });
});

test.each([
  ['the words of Kubernetes and Istio', 'default', 'default'],
  ['a protocol', 'http-web', 'http-web'],
  ['what stands between', '*./-_:', '*./-_:'],
  ['the unspecified address', '0.0.0.0/0', '0.0.0.0/0'],
])('%s stay', (_what, original, expected) => {
  expect(fresh().of(original)).toBe(expected);
});

test('the length of a prefix stays', () => {
  expect(fresh().of('10.1.0.0/16')).toMatch(/^\d\d\.\d\.0\.0\/16$/);
  expect(fresh().of('2001:db8::/32')).toMatch(/^\d{4}:[a-f]{2}\d::\/32$/);
  expect(fresh().of('orders/16')).not.toMatch(/16$/);
});

test('parts stay equal wherever they stand: references still lead somewhere', () => {
  const pseudonyms = fresh();
  const [namespace = '', name = ''] = pseudonyms.of('shop/orders').split('/');
  expect(pseudonyms.of('orders.shop.svc.cluster.local')).toBe(`${name}.${namespace}.svc.cluster.local`);
});

describe('a version', () => {
  test.each(['v1', '1', '17_9', '2026-11-23 06:46:19.159701788 +0000 UTC m=+0.101981499'])('%s stays', (version) => {
    expect(fresh().ofVersion(version)).toBe(version);
  });

  test('keeps its counter, and no name', () => {
    expect(fresh().ofVersion('secretname/12')).toMatch(/^(?!secretname)[a-z]{10}\/12$/);
  });

  test('that is long, or holds an address, keeps nothing', () => {
    expect(fresh().ofVersion('10.1.2.3')).not.toBe('10.1.2.3');
    expect(fresh().ofVersion('1234 '.repeat(20))).not.toContain('1234');
  });
});

test('what is no UTF-8 stays none, and its letters do not', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 30 }), (bytes) => {
      const replaced = Buffer.from(bytes);
      fresh().replace(replaced);
      expect(replaced.length).toBe(bytes.length);
      expect(isUtf8(replaced)).toBe(isUtf8(bytes));
    }),
    { numRuns: 1000 },
  );
  const latin1 = Buffer.from('Z\xfcrich-office', 'latin1');
  fresh().replace(latin1);
  expect(latin1.toString('latin1')).toMatch(/^[A-Z]\xff[a-z]{4}-[a-z]{6}$/);
  expect(latin1.toString('latin1')).not.toMatch(/rich|office/);
});
