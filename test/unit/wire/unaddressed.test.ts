import { expect, test } from 'vitest';
import { unaddressedHosts } from '../../../src/wire/unaddressed.ts';
import { encodeResourceMessage } from '../../../src/wire/resource-view.ts';
import { serviceEntryBody } from '../../support/resources.ts';
import { encoded, pool, serviceEntry } from './encoded.ts';
import { field, number } from './fields.ts';

const [static_, dns] = [1, 2];

function hostsIn(body: Buffer): number {
  const labels = { app: 'a', 'istio.io/rev': 'canary' };
  const message = encodeResourceMessage({ name: 'a/b', labels, annotations: labels, bodyType: serviceEntry, body });
  return unaddressedHosts(pool, encoded(message).row);
}

test.each([
  ['no body', {}, 0],
  ['no resolution, which is NONE', { hosts: ['a'] }, 0],
  ['resolution NONE', { hosts: ['a'], resolution: 0 }, 0],
  ['resolution STATIC', { hosts: ['a'], resolution: static_ }, 1],
  ['several hosts', { hosts: ['a', 'b.example', 'c'], resolution: dns }, 3],
  ['a wildcard among them', { hosts: ['a', '*.example', '*'], resolution: dns }, 1],
  ['addresses', { hosts: ['a'], addresses: ['192.0.2.1'], resolution: dns }, 0],
  [
    'endpoints and ports',
    { hosts: ['a'], resolution: static_, ports: [{ number: 80 }], endpoints: [{ address: 'x' }] },
    1,
  ],
])('%s', (_what, spec, expected) => {
  expect(hostsIn(serviceEntryBody(spec))).toBe(expected);
});

test('fields in any order, and the last resolution counts', () => {
  expect(hostsIn(Buffer.concat([number(5, 1), field(9, ''), field(1, 'a')]))).toBe(1);
  expect(hostsIn(Buffer.concat([field(1, 'a'), number(5, 1), number(5, 0)]))).toBe(0);
  expect(hostsIn(Buffer.concat([field(1, 'a'), number(5, 1), field(2, '192.0.2.1')]))).toBe(0);
});

test('a body without a value', () => {
  const body = field(2, field(1, `type.googleapis.com/${serviceEntry}`));
  expect(unaddressedHosts(pool, encoded(Buffer.concat([field(1, field(1, 'a/b')), body])).row)).toBe(0);
});
