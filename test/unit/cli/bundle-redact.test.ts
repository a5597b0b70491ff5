import { describe, expect, test } from 'vitest';
import { redactText, redactValue } from '../../../src/cli/bundle-redact.ts';

describe('is taken out of a text', () => {
  test.each([
    ['the user of a URL', 'dial mcp://admin:s3cr3t@galley:9901/x', 'dial mcp://[removed]@galley:9901/x'],
    ['a password with slashes and @', 'mcps://a:b/s3cr3t@c@galley:1', 'mcps://[removed]@galley:1'],
    [
      'a user without a scheme',
      '"admin:s3cr3t@galley:9901" is no HOST:PORT',
      '"[removed]@galley:9901" is no HOST:PORT',
    ],
    ['a bearer token', 'authorization failed for Bearer s3cr3t.abc', 'authorization failed for Bearer [removed]'],
    ['a header', 'Authorization: Basic czNjcjN0Cg==', 'Authorization: [removed] [removed]'],
    ['a JWT', 'got eyJhbGciOi.eyJzdWIiOi.s3cr3t here', 'got [removed] here'],
    ['a query', 'GET /x?access_token=s3cr3t&b=1', 'GET /x?access_token=[removed]&b=1'],
    ['a setting', 'password: s3cr3t, next', 'password: [removed], next'],
    ['a quoted one', `{"db.password" : "s3cr3t with \\"blanks"}`, `{"db.password" : "[removed]"}`],
    ['one in YAML', `apiKey: 's3cr3t with "blanks"', b: 1`, `apiKey: '[removed]', b: 1`],
    ['one that is cut off', `{"token":"s3cr3t and`, `{"token":"[removed]`],
    [
      'JSON in JSON, with a quote',
      `"{\\"secret\\":\\"s3\\\\\\"cr3t\\",\\"a\\":1}"`,
      `"{\\"secret\\":\\"[removed]\\",\\"a\\":1}"`,
    ],
    ['JSON in JSON', `"{\\"clientSecret\\":\\"s3cr3t\\"}"`, `"{\\"clientSecret\\":\\"[removed]\\"}"`],
    ['a key', 'x\n-----BEGIN EC PRIVATE KEY-----\ns3cr3t\n-----END EC PRIVATE KEY-----\ny', 'x\n[removed]\ny'],
    ['half a key', 'x -----BEGIN PRIVATE KEY-----\\ns3cr3t', 'x [removed]'],
    ['the name of a home folder', 'open /home/s3cr3t/tls.key: no', 'open ~/tls.key: no'],
  ])('%s', (_what, text, left) => {
    expect(redactText(text)).toBe(left);
  });
});

test.each([
  'isthmus_snapshot_resources{kind="AuthorizationPolicy"} 5',
  'mcp://galley.istio-system:9901',
  'spiffe://cluster.local/ns/shop/sa/galley',
  '2026-11-26T17:05:42.123Z 10.0.0.1:15410 -> [::1]:9901',
  'shop/token-service, shop/password-reset',
  '/etc/isthmus/tls/tls.key',
])('stays as it is: %s', (text) => {
  expect(redactText(text)).toBe(text);
});

test('in a page: fields of secrets, headers that a source is known by, bodies, and what quotes them', () => {
  const page = {
    admin: { tokenFile: '/etc/isthmus/token', token: 's3cr3t' },
    sources: [{ name: 'a', match: { address: '10.0.0.1', meta: { 'x-key': 's3cr3t' } } }],
    labels: { secretCount: 3 },
    rows: [{ resource: 'shop/orders', reason: 'hosts', message: 'hosts[0]: "s3cr3t" is no host name', spec: { a: 1 } }],
    changes: [{ resource: 'shop/orders', what: 'quarantined', note: 'hosts; hosts[0]: "s3cr3t" is no host name' }],
    types: [{ nack: 'bad `s3cr3t` here', typeUrl: 'x' }],
    kinds: { authorizationpolicies: '2026-01-01' },
  };
  expect(redactValue(page)).toEqual({
    admin: { tokenFile: '/etc/isthmus/token', token: '[removed]' },
    sources: [{ name: 'a', match: { address: '10.0.0.1', meta: { 'x-key': '[removed]' } } }],
    labels: { secretCount: 3 },
    rows: [{ resource: 'shop/orders', reason: 'hosts', message: 'hosts[0]: "…" is no host name', spec: '[removed]' }],
    changes: [{ resource: 'shop/orders', what: 'quarantined', note: 'hosts; hosts[0]: "…" is no host name' }],
    types: [{ nack: 'bad "…" here', typeUrl: 'x' }],
    kinds: { authorizationpolicies: '2026-01-01' },
  });
});

// With a pattern that looks at the same text again and again, this would take hours.
test.each([
  'a:',
  'token',
  'a@',
  '"',
  '-----BEGIN ',
  '-----BEGIN X-----',
  'password="',
  '://',
  '\\',
  'eyJaaaaa-',
  '.-',
  'a://',
])('a hostile text of %j is read', (part) => {
  const text = part.repeat(200_000 / part.length);
  expect(redactText(text).length).toBeGreaterThan(0);
});
