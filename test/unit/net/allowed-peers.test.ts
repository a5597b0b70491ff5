import { describe, expect, test } from 'vitest';
import { AllowedPeers } from '../../../src/net/allowed-peers.ts';

describe('a list of peers', () => {
  const peers = new AllowedPeers(['10.0.0.0/8', '192.0.2.7', 'fd00::/8', '::1']);

  test.each([
    ['10.1.2.3', true],
    ['11.0.0.1', false],
    ['192.0.2.7', true],
    ['192.0.2.8', false],
    ['::ffff:10.1.2.3', true],
    ['::FFFF:192.0.2.8', false],
    ['fd12::1', true],
    ['fd12::1%eth0', true],
    ['fe80::1%eth0', false],
    ['::1', true],
    ['127.0.0.1', false],
    ['', false],
    ['somebody', false],
  ])('has %s: %s', (address, expected) => {
    expect(peers.has(address)).toBe(expected);
  });

  test('of everybody has everybody of its family', () => {
    const all = new AllowedPeers(['0.0.0.0/0']);
    expect(['1.2.3.4', '::ffff:1.2.3.4', '2001:db8::1'].map((address) => all.has(address))).toEqual([
      true,
      true,
      false,
    ]);
  });
});
