import { expect, test } from 'vitest';
import { isInNetwork, isNetwork } from '../../../src/net/network.ts';

test.each(['10.0.0.7', '10.0.0.0/8', '0.0.0.0/0', '10.0.0.7/32', '::1', 'fd00::/8', '::/0'])(
  '%s is a network',
  (text) => {
    expect(isNetwork(text)).toBe(true);
  },
);

test.each([
  '',
  '10.0.0',
  '10.0.0.0/33',
  '10.0.0.0/',
  '10.0.0.0/-1',
  '10.0.0.0/8/8',
  'fd00::/129',
  'localhost',
  'fe80::1%eth0',
])('"%s" is none, and nothing is in it', (text) => {
  expect([isNetwork(text), isInNetwork('10.0.0.7', text)]).toEqual([false, false]);
});

test.each<[string, string, boolean]>([
  ['10.0.0.7', '10.0.0.7', true],
  ['10.0.0.8', '10.0.0.7', false],
  ['10.255.255.255', '10.0.0.0/8', true],
  ['11.0.0.0', '10.0.0.0/8', false],
  ['203.0.113.9', '0.0.0.0/0', true],
  ['::ffff:10.0.0.7', '10.0.0.0/8', true],
  ['fd12::1', 'fd00::/8', true],
  ['fe80::1%eth0', 'fe80::/10', true],
  ['fe80::1', 'fd00::/8', false],
  ['10.0.0.7', 'fd00::/8', false],
  ['fd12::1', '10.0.0.0/8', false],
  ['unknown', '0.0.0.0/0', false],
])('%s in %s: %s', (host, network, isIn) => {
  expect(isInNetwork(host, network)).toBe(isIn);
});
