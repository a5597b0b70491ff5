import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { holdsEscape, isPlainName, maxNameBytes, type NameRules, parseName } from '../../../src/intake/name.ts';
import { requireKind, serviceEntry } from '../../support/resources.ts';

const guessed: NameRules = { defaultNamespace: 'default', namespaceIsExplicit: false };
const chosen: NameRules = { defaultNamespace: 'registry', namespaceIsExplicit: true };

const parse = (name: string | Uint8Array, rules = guessed, kind = serviceEntry) =>
  parseName(Buffer.from(name), kind, rules);
const plain = (bytes: Buffer) => (isPlainName(bytes, 0, bytes.length) ? bytes.toString() : undefined);

describe('a name', () => {
  test.each([
    ['shop/orders', 'shop/orders'],
    ['/shop/orders', 'shop/orders'],
    ['shop/bücher', 'shop/bücher'],
    ['Shop/UPPER_case.and-dots', 'Shop/UPPER_case.and-dots'],
  ])('%j becomes the key %j', (name, key) => {
    expect(parse(name)).toEqual({ key, bytes: Buffer.from(key), bare: false });
  });

  test('without a namespace gets the one of its source', () => {
    expect(parse('orders')).toEqual({ key: 'default/orders', bytes: Buffer.from('default/orders'), bare: true });
    expect(parse('orders', chosen)).toMatchObject({ key: 'registry/orders', bare: true });
  });

  test.each([
    ['', 'is empty'],
    ['/', 'has an empty namespace'],
    ['/orders', 'has an empty namespace'],
    ['//orders', 'has an empty namespace'],
    ['shop/', 'ends with a slash'],
    ['/shop/', 'ends with a slash'],
    ['a/b/c', 'has more than one slash'],
    ['/a/b/c', 'has more than one slash'],
    ['a//b', 'has more than one slash'],
    ['shop/or\0ders', 'holds a NUL'],
  ])('%j is refused: it %s', (name, what) => {
    expect(parse(name)).toEqual({ reason: 'bad_name', message: expect.stringContaining(what) as string });
  });

  test.each(['shop/', 'a/b/c'])('%j is refused with the setting that would take it', (name) => {
    expect(parse(name)).toMatchObject({ message: expect.stringContaining('set slashes: escape') as string });
    expect(parse('/orders')).toMatchObject({ message: expect.not.stringContaining('escape') as string });
  });

  test('that is no UTF-8 is refused, and is not shown', () => {
    const parsed = parse(Buffer.from([0x61, 0x2f, 0xff, 0xfe]));
    expect(parsed).toEqual({
      reason: 'bad_name',
      message: 'metadata.name is no valid UTF-8; "namespace/name" is expected',
    });
  });

  test('may be as long as the limit, and no byte longer', () => {
    const longest = `a/${'b'.repeat(maxNameBytes - 2)}`;
    expect(parse(longest)).toMatchObject({ key: longest });
    expect(parse(`${longest}b`)).toMatchObject({ reason: 'bad_name' });
    expect(plain(Buffer.from(longest))).toBe(longest);
    expect(plain(Buffer.from(`${longest}b`))).toBeUndefined();
  });

  test('never shows a raw NUL to the operator', () => {
    expect(JSON.stringify(parse('a/\0'))).not.toContain('\\u0000');
  });
});

describe('a bare name of a kind that may speak for the whole mesh', () => {
  const sidecar = requireKind('Sidecar');

  test('is refused while the namespace is only a guess', () => {
    expect(parse('default', guessed, sidecar)).toEqual({
      reason: 'bare_mesh_wide_name',
      message: expect.stringContaining('set defaultNamespace') as string,
    });
  });

  test('is taken where the operator chose the namespace', () => {
    expect(parse('default', chosen, sidecar)).toMatchObject({ key: 'registry/default', bare: true });
  });

  test('says nothing against full names of that kind', () => {
    expect(parse('shop/default', guessed, sidecar)).toMatchObject({ key: 'shop/default', bare: false });
  });
});

test('the short cut for plain names agrees with the parser on every input', () => {
  const piece = fc.constantFrom('/', 'a', 'shop', '\0', 'é', '-').map((text) => Buffer.from(text));
  const raw = fc.uint8Array({ maxLength: 2 }).map((bytes) => Buffer.from(bytes));
  const name = fc
    .array(fc.oneof({ weight: 5, arbitrary: piece }, raw), { maxLength: 6 })
    .map((pieces) => Buffer.concat(pieces));
  fc.assert(
    fc.property(name, fc.nat(3), (bytes, before) => {
      const padded = Buffer.concat([Buffer.alloc(before, '/'), bytes, Buffer.from('/x')]);
      const short = isPlainName(padded, before, before + bytes.length) ? bytes.toString() : undefined;
      const parsed = parseName(bytes, serviceEntry, guessed);
      if (short !== undefined) {
        expect(parsed).toEqual({ key: short, bytes, bare: false });
      } else if ('key' in parsed) {
        const needsWork = parsed.bare || bytes[0] === 0x2f || bytes.some((byte) => byte >= 0x80);
        expect(needsWork, 'the short cut missed a plain name').toBe(true);
      }
    }),
    { numRuns: 2000 },
  );
});

test('whatever is taken is a key that istiod splits into a namespace and a name', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('/', 'a', 'b', 'ü'), maxLength: 8 }), (name) => {
      const parsed = parse(name);
      if ('reason' in parsed) return;
      const pieces = parsed.key.split('/');
      expect(pieces).toHaveLength(2);
      expect(pieces).not.toContain('');
      expect(parsed.bytes.toString()).toBe(parsed.key);
    }),
  );
});

describe('with slashes: escape', () => {
  const escaping: NameRules = { ...guessed, slashes: 'escape' };

  test.each([
    ['a/b/c', 'a/b%2Fc'],
    ['/a/b/c', 'a/b%2Fc'],
    ['a//b', 'a/%2Fb'],
    ['a/', 'a/%'],
    ['/a/', 'a/%'],
    ['a/100%', 'a/100%25'],
    ['a/b%2Fc', 'a/b%252Fc'],
    ['bücher/a/b', 'bücher/a%2Fb'],
  ])('%j becomes %j', (name, key) => {
    expect(parse(name, escaping)).toEqual({ key, bytes: Buffer.from(key), bare: false, escaped: true });
  });

  test.each(['a/b', '/a/b', 'orders', '', '/', '//a', '/orders', 'a/\0'])('%j is taken as ever', (name) => {
    expect(parse(name, escaping)).toEqual(parse(name));
  });

  test('a bare name gets the namespace, and is escaped too', () => {
    expect(parse('50%', escaping)).toMatchObject({ key: 'default/50%25', bare: true, escaped: true });
  });

  test('is as long as the limit at most, once it is written', () => {
    expect(parse(`a/${'/'.repeat(400)}`, escaping)).toMatchObject({ reason: 'bad_name' });
  });

  test('no two names become one, but for those that are one: with a slash in front, or without a namespace', () => {
    const name = fc.string({ unit: fc.constantFrom('/', 'a', '%', '2', 'F', '5'), maxLength: 7 });
    const plainly = (text: string) => {
      const whole = text.startsWith('/') ? text.slice(1) : text;
      return whole.includes('/') ? whole : `default/${whole}`;
    };
    fc.assert(
      fc.property(name, name, (one, other) => {
        const [a, b] = [parse(one, escaping), parse(other, escaping)];
        if ('reason' in a || 'reason' in b) return;
        expect(a.key === b.key).toBe(plainly(one) === plainly(other));
        expect(a.key.split('/')).toHaveLength(2);
      }),
      { numRuns: 5000 },
    );
  });

  test('the short cut for names that look escaped sees each of them', () => {
    const bytes = Buffer.from('/a/b%/c');
    expect([holdsEscape(bytes, 0, 4), holdsEscape(bytes, 0, 5), holdsEscape(bytes, 5, 7)]).toEqual([
      false,
      true,
      false,
    ]);
  });
});
