import { X509Certificate } from 'node:crypto';
import { generate } from 'selfsigned';
import { beforeAll, describe, expect, test } from 'vitest';
import { lookAtTls } from '../../../src/net/probe.ts';
import {
  altNamesOf,
  certificatesIn,
  describeCertificate,
  identitiesOf,
  nameOfCertificate,
} from '../../../src/net/tls-certificate.ts';
import { issue, type KeyPair, newAuthority } from '../../support/certificates.ts';
import { strangers } from '../../support/strangers.ts';

const spiffe = 'spiffe://cluster.local/ns/shop/sa/galley';

let authority: KeyPair;
let leaf: KeyPair;

beforeAll(async () => {
  authority = await newAuthority('shop CA');
  leaf = await issue(authority, [spiffe, 'galley.shop', '10.0.0.7']);
});

describe('alternative names', () => {
  test.each([
    ['', []],
    ['DNS:a', [['DNS', 'a']]],
    [
      'DNS:a, URI:spiffe://b/c, IP Address:::1',
      [
        ['DNS', 'a'],
        ['URI', 'spiffe://b/c'],
        ['IP Address', '::1'],
      ],
    ],
    // A name with a comma in it is one name, and no other (CVE-2021-44532).
    [
      'DNS:"a, URI:spiffe://cluster.local/ns/istio-system/sa/istiod", DNS:b',
      [
        ['DNS', 'a, URI:spiffe://cluster.local/ns/istio-system/sa/istiod'],
        ['DNS', 'b'],
      ],
    ],
    [String.raw`DNS:"a\", URI:spiffe://x"`, [['DNS', 'a", URI:spiffe://x']]],
  ])('%s', (text, expected) => {
    expect(altNamesOf(text).map(({ kind, value }) => [kind, value])).toEqual(expected);
  });

  test('URIs and DNS names are identities; addresses are none, nor is a DNS name that plays a URI', () => {
    expect(identitiesOf(`URI:${spiffe}, DNS:galley.shop, IP Address:10.0.0.7`)).toEqual([spiffe, 'galley.shop']);
    expect(identitiesOf(`DNS:${spiffe}, DNS:"a, URI:${spiffe}", email:${spiffe}`)).toEqual([]);
  });
});

test('a CA without a common name, as Istio makes it, is called by its organisation', async () => {
  const extensions = [{ name: 'basicConstraints' as const, cA: true }];
  const { cert } = await generate([{ name: 'organizationName', value: 'cluster.local' }], {
    keyType: 'ec',
    extensions,
  });
  expect(nameOfCertificate(describeCertificate(new X509Certificate(cert)))).toBe('cluster.local');
});

/** The same certificate, with times that can't be read; its signature is wrong, too. */
function timeless(pem: string): string {
  const der = Buffer.from(pem.replaceAll(/-----.+-----|\s/g, ''), 'base64').toString('latin1');
  // UTCTime and GeneralizedTime, as yymmddhhmmssZ and yyyymmddhhmmssZ.
  const broken = der.replaceAll(/\d{12,14}Z/g, (time) => 'x'.repeat(time.length));
  const base64 = Buffer.from(broken, 'latin1').toString('base64');
  return `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`;
}

describe('a certificate whose times can not be read', () => {
  test('counts as ended, where it is that of a peer', () => {
    const { validFrom, validTo } = describeCertificate(new X509Certificate(timeless(leaf.cert)));
    expect([validFrom.getTime(), validTo.getTime()]).toEqual([0, 0]);
  });

  test('does so in a look at a server, too', async () => {
    const port = await strangers.tls(0, { cert: timeless(leaf.cert), key: leaf.key });
    const { certificate } = await lookAtTls({ host: '127.0.0.1', port }, 10_000);
    expect([certificate?.validFrom.getTime(), certificate?.validTo.getTime()]).toEqual([0, 0]);
  });
});

describe('certificates of a text', () => {
  test('are found, first to last, whatever stands between them', () => {
    const found = certificatesIn(`a chain\n${leaf.cert}\nsigned by\n${authority.cert}`);
    expect(found.map((one) => one.fingerprint256)).toEqual(
      [leaf.cert, authority.cert].map((pem) => new X509Certificate(pem).fingerprint256),
    );
  });

  test('are described by names, issuer and times', () => {
    const [certificate] = certificatesIn(leaf.cert).map(describeCertificate);
    expect(certificate).toMatchObject({
      subject: 'leaf',
      issuer: 'shop CA',
      names: [spiffe, 'galley.shop', '10.0.0.7'],
    });
    expect((certificate?.validTo.getTime() ?? 0) - (certificate?.validFrom.getTime() ?? 0)).toBe(
      366 * 24 * 60 * 60 * 1000,
    );
    expect(certificatesIn(authority.cert).map((one) => nameOfCertificate(describeCertificate(one)))).toEqual([
      'shop CA',
    ]);
  });

  test.each([
    ['nothing', () => '', 'it holds no certificate in PEM form'],
    ['a key', () => leaf.key, 'it holds a private key where a certificate is expected'],
    ['half of one', () => leaf.cert.slice(0, 300), 'it is half-written: a certificate in it has no end'],
    [
      'one, and half of another',
      () => leaf.cert + authority.cert.slice(0, 300),
      'it is half-written: a certificate in it has no end',
    ],
    [
      'one whose bytes are wrong',
      () => `${leaf.cert}\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`,
      "certificate 2 in it can't be read",
    ],
    [
      "one whose times can't be read",
      () => `${authority.cert}\n${timeless(leaf.cert)}`,
      "certificate 2 in it can't be read",
    ],
  ])('are none in %s', (_what, text, message) => {
    expect(() => certificatesIn(text())).toThrow(message);
  });
});
