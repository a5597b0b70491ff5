import { describe, expect, test } from 'vitest';
import type { TlsView } from '../../../../src/admin/views.ts';
import { tlsProblems, unverifiedProblems } from '../../../../src/admin/findings/tls-problem.ts';

const now = Date.UTC(2026, 10, 26);
const dayMs = 24 * 60 * 60 * 1000;

/** One that ends in so many days, of 365. */
function certificate(days: number, subject = 'mesh CA') {
  const validTo = new Date(now + days * dayMs);
  const validFrom = new Date(validTo.getTime() - 365 * dayMs);
  return { subject, issuer: '', names: [], validFrom: validFrom.toISOString(), validTo: validTo.toISOString() };
}

const good: TlsView = {
  use: 'xds',
  files: { cert: 'tls.crt', key: 'tls.key', ca: 'ca.crt' },
  certificate: certificate(100),
  authorities: [certificate(5, 'old CA'), certificate(200, 'new CA')],
  refused: null,
  isUnusable: false,
};

/** What is wrong where these are others. */
const problems = (change: Partial<TlsView>) => tlsProblems([{ ...good, ...change }], now).map(({ what }) => what);

describe('TLS files of a running bridge', () => {
  test('that are all right are no problem; nor is an old CA beside a new one', () => {
    expect(problems({})).toEqual([]);
    expect(tlsProblems([], now)).toEqual([]);
  });

  test('that are refused are one, with what goes on meanwhile and what to do', () => {
    const refused = { what: 'tls.key: there is no such file', next: 'mount it', since: '' };
    expect(tlsProblems([{ ...good, refused }], now)).toEqual([
      {
        what: "TLS files of xds can't be used, those before them stay in use: tls.key: there is no such file",
        next: 'mount it',
      },
    ]);
    const nothing = { certificate: null, authorities: [], isUnusable: true };
    expect(problems({ refused, ...nothing })).toEqual([
      "TLS files of xds can't be used, no connection is possible: tls.key: there is no such file",
    ]);
  });

  test.each<[string, Partial<TlsView>, string[]]>([
    [
      'a certificate that ends soon',
      { certificate: certificate(29) },
      ['the certificate of xds (tls.crt) ends in 29 days'],
    ],
    [
      'a certificate that has ended',
      { certificate: certificate(-1) },
      ['the certificate of xds (tls.crt) ended on 2026-11-25T00:00:00.000Z: peers refuse it'],
    ],
    [
      'CAs that all end soon',
      { authorities: [certificate(2), certificate(3)] },
      ['the CA of xds (ca.crt) ends in 3 days'],
    ],
  ])('with %s', (_what, change, expected) => {
    expect(problems(change)).toEqual(expected);
  });
});

test('a source that is not verified is named', () => {
  const sources = [{ name: 'a' }, { name: 'b', tls: {} }, { name: 'c', tls: { insecureSkipVerify: true } }];
  expect(unverifiedProblems(sources).map(({ what }) => what)).toEqual([
    'INSECURE: whoever answers at the address of source c is believed, and may change all services',
  ]);
});
