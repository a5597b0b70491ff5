import { expect, test } from 'vitest';
import { explainHandshake, isAllowedIdentity } from '../../../src/net/tls-server.ts';

const galley = 'spiffe://cluster.local/ns/istio-system/sa/galley';

test.each([
  [galley, [galley], true],
  [galley, ['spiffe://cluster.local/ns/istio-system/sa/pilot', galley], true],
  [galley, ['spiffe://cluster.local/ns/istio-system/sa/pilot'], false],
  [galley, [], false],
  // All below, and neither itself nor its neighbours.
  [galley, ['spiffe://cluster.local/ns/istio-system/*'], true],
  [galley, ['spiffe://cluster.local/*'], true],
  [galley, ['spiffe://cluster.local/ns/istio/*'], false],
  ['spiffe://cluster.local/ns/istio-system2/sa/galley', ['spiffe://cluster.local/ns/istio-system/*'], false],
  ['spiffe://cluster.local/ns/istio-system/', ['spiffe://cluster.local/ns/istio-system/*'], false],
  ['spiffe://cluster.local', ['spiffe://cluster.local/*'], false],
  ['spiffe://cluster.local.evil.example/ns/x', ['spiffe://cluster.local/*'], false],
  // SPIFFE ids are compared letter by letter.
  [galley, [galley.toUpperCase()], false],
  ['galley.shop', ['galley.shop'], true],
  ['Galley.Shop', ['galley.shop'], true],
  ['galley.shop', ['*.shop'], true],
  ['a.galley.shop', ['*.shop'], false],
  ['shop', ['*.shop'], false],
  ['.shop', ['*.shop'], false],
  ['galley.shop.evil.example', ['*.shop'], false],
  // What is between :// and the end is no host name.
  ['spiffe://x.shop', ['*.shop'], false],
])('TestListAuthChecker_Allowed: %s in %j is %s', (identity, allowed, expected) => {
  expect(isAllowedIdentity(identity, allowed)).toBe(expected);
});

test.each([
  [
    '80:error:0A000418:SSL routines:ssl3_read_bytes:tlsv1 alert unknown ca:x.c:1:SSL alert number 48',
    'x',
    'it does not believe our certificate (unknown ca)',
  ],
  [
    '80:error:0A000412:SSL routines:ssl3_read_bytes:sslv3 alert bad certificate:x.c:1:',
    'x',
    'it does not believe our certificate (bad certificate)',
  ],
  [
    '80:error:0A00042E:SSL routines:ssl3_read_bytes:tlsv1 alert internal error:x.c:1:',
    'x',
    'it ended the handshake (internal error)',
  ],
  ['socket hang up', 'ECONNRESET', 'it closed the connection in the handshake; it may not believe our certificate'],
  ['x', 'ERR_SSL_UNSUPPORTED_PROTOCOL', 'it speaks no TLS 1.2 or newer'],
  ['x', 'ERR_SSL_NO_SHARED_CIPHER', 'it shares no way of encryption with us'],
  ['x', 'ERR_SSL_SOMETHING_NEW', 'ERR_SSL_SOMETHING_NEW'],
  ['something new', undefined, 'something new'],
])('of a handshake that failed with "%s" (%s): %s', (message, code, expected) => {
  expect(explainHandshake(Object.assign(new Error(message), code === undefined ? {} : { code }))).toBe(expected);
});

test('of a client that just left', () => {
  expect(explainHandshake(undefined)).toContain('it may not believe our certificate');
});
