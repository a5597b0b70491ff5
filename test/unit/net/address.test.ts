import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatHostPort, isLoopback, parseHostPort } from '../../../src/net/address.ts';
import { thrownBy } from '../../support/thrown.ts';

describe('HOST:PORT', () => {
  test.each([
    ['127.0.0.1:15410', '127.0.0.1', 15410],
    ['galley.istio-system:9901', 'galley.istio-system', 9901],
    ['[::1]:0', '::1', 0],
    ['[fe80::1%eth0]:1', 'fe80::1%eth0', 1],
    ['a:65535', 'a', 65535],
  ])('%s', (text, host, port) => {
    expect(parseHostPort(text, 'x')).toEqual({ host, port });
  });

  test.each([
    '',
    ':1',
    'a',
    'a:',
    'a:65536',
    'a:123456',
    'a:-1',
    'a:1x',
    'a:0x1',
    '::1:1',
    '[::1]',
    '[::1]1',
    '[127.0.0.1]:1',
    '[zz]:1',
    '[]:1',
    'a b:1',
    'http://a:1',
    'a:1/',
    'a:1\n',
    'me@a:1',
  ])('"%s" is none', (text) => {
    const error = thrownBy(() => parseHostPort(text, '--xds-listen'));
    expect([error.code, error.subject]).toEqual(['USAGE', '--xds-listen']);
    expect(error.hint).toContain('127.0.0.1:15410');
  });

  test('what is formatted reads as the same', () => {
    const host = fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain());
    fc.assert(
      fc.property(host, fc.nat(65_535), (name, port) => {
        const address = { host: name, port };
        expect(parseHostPort(formatHostPort(address), 'x')).toEqual(address);
      }),
    );
  });
});

test.each([
  ['127.0.0.1', true],
  ['127.9.9.9', true],
  ['::1', true],
  ['localhost', true],
  ['0.0.0.0', false],
  ['::', false],
  ['10.0.0.1', false],
  ['127.0.0.1.example.com', false],
  ['localhost.example.com', false],
])('only this machine reaches %s: %s', (host, expected) => {
  expect(isLoopback(host)).toBe(expected);
});
