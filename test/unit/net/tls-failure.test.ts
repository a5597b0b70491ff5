import { describe, expect, test } from 'vitest';
import type { Certificate } from '../../../src/net/tls-certificate.ts';
import {
  explainOtherName,
  explainTlsError,
  explainUnverified,
  hungUp,
  type OurSide,
} from '../../../src/net/tls-failure.ts';

const now = new Date('2026-11-26T12:00:00Z');

const certificate: Certificate = {
  subject: 'galley',
  issuer: 'shop CA',
  names: ['spiffe://cluster.local/ns/shop/sa/galley'],
  validFrom: new Date('2026-01-01T00:00:00Z'),
  validTo: new Date('2027-01-01T00:00:00Z'),
};

const without: OurSide = { name: 'galley.shop', certificate: undefined, caFile: undefined };
const withOurs: OurSide = { name: 'galley.shop', certificate: 'bridge.shop', caFile: '/tls/ca.crt' };

describe('a certificate of a server that is not believed', () => {
  test.each([
    [
      'CERT_HAS_EXPIRED',
      { ...certificate, validTo: new Date('2026-11-25T00:00:00Z') },
      /ended on 2026-11-25T/,
      /2026-11-26T12:00/,
    ],
    ['CERT_HAS_EXPIRED', certificate, /^what signed its certificate .* has ended$/, /renew/],
    [
      'CERT_NOT_YET_VALID',
      { ...certificate, validFrom: new Date('2026-11-27T00:00:00Z') },
      /begins only on 2026-11-27T/,
      /clocks/,
    ],
    [
      'DEPTH_ZERO_SELF_SIGNED_CERT',
      certificate,
      /is self-signed, and is none of the CAs in \/tls\/ca\.crt/,
      /as tls\.ca/,
    ],
    ['SELF_SIGNED_CERT_IN_CHAIN', certificate, /signed by "shop CA", is signed by none of the CAs in/, /tls\.ca/],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', certificate, /signed by "shop CA", is signed by none/, /intermediate/],
    [
      'CERT_SIGNATURE_FAILURE',
      certificate,
      /by another key than that of the CA of this name in \/tls\/ca\.crt/,
      /made anew/,
    ],
    ['INVALID_PURPOSE', certificate, /is not made for a server/, /serverAuth/],
    ['SOMETHING_NEW', certificate, /can't be verified \(SOMETHING_NEW\)/, /tls\.ca/],
    ['CERT_HAS_EXPIRED', undefined, /has ended/, /renew/],
  ])('%s', (code, offered, problem, hint) => {
    const found = explainUnverified(code, offered, withOurs, now);
    expect(found.problem).toMatch(problem);
    expect(found.hint).toMatch(hint);
  });

  test('by the CAs of this host, where the config names none', () => {
    expect(explainUnverified('SELF_SIGNED_CERT_IN_CHAIN', certificate, without, now).problem).toContain(
      'none of the CAs of this host',
    );
  });
});

test('a certificate of another server says whose it is, and how it would be taken', () => {
  expect(explainOtherName(certificate, 'galley.shop', undefined)).toEqual({
    problem: 'its certificate is for spiffe://cluster.local/ns/shop/sa/galley, and not for galley.shop',
    hint: 'is it the right server? If so, put its SPIFFE id into tls.subjectAltNames',
  });
  expect(explainOtherName({ ...certificate, names: ['a.shop'] }, 'galley.shop', undefined).hint).toContain(
    'tls.serverName',
  );
  expect(explainOtherName(certificate, 'x', ['spiffe://a', 'b']).problem).toMatch(
    /and for none of tls\.subjectAltNames \(spiffe:\/\/a, b\)$/,
  );
});

describe('an error of TLS', () => {
  const alert = (text: string) =>
    `80:error:0A000412:SSL routines:ssl3_read_bytes:tlsv13 alert ${text}:rec.c:1600:SSL alert number 1\n`;

  test.each<[string, string, OurSide, RegExp, RegExp]>([
    [
      alert('certificate required'),
      'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
      without,
      /wants a certificate of us, and we have none/,
      /tls\.cert and tls\.key/,
    ],
    [alert('certificate required'), '', withOurs, /refuses our certificate \(bridge\.shop\)/, /the CA of tls\.cert/],
    // Go's servers of TLS 1.2 say so where there is none.
    [alert('bad certificate'), '', without, /wants a certificate of us, and we have none/, /tls\.cert/],
    [
      alert('bad certificate'),
      '',
      withOurs,
      /refuses our certificate \(bridge\.shop\): it can not be verified there \(bad certificate\)/,
      /clocks/,
    ],
    [alert('unknown ca'), '', withOurs, /its CA is not known there/, /the CA of tls\.cert/],
    [alert('certificate expired'), '', withOurs, /it has ended, or not begun, by the clock there/, /clocks/],
    ['x', 'ERR_SSL_SSLV3_ALERT_CERTIFICATE_REVOKED', withOurs, /it was revoked/, /./],
    [alert('protocol version'), '', without, /no TLS 1\.2 or newer/, /upgrade/],
    [
      alert('handshake failure'),
      '',
      without,
      /shares no way of encryption with us, or wants a certificate/,
      /tls\.cert/,
    ],
    [alert('no application protocol'), '', without, /no HTTP\/2/, /gRPC/],
    [alert('unrecognized name'), '', without, /does not know the name galley\.shop/, /tls\.serverName/],
    [alert('internal error'), '', without, /it ended TLS: internal error/, /log of the server/],
    ['x', 'ERR_SSL_WRONG_VERSION_NUMBER', without, /^it does not speak TLS$/, /mcp:\/\/ in place of mcps:\/\//],
    [
      '80:error:0A00010B:SSL routines:ssl3_get_record:wrong version number:x.c:1:\n',
      'EPROTO',
      without,
      /^it does not speak TLS$/,
      /mcp:/,
    ],
    ['x', 'ERR_SSL_PACKET_LENGTH_TOO_LONG', without, /^it does not speak TLS$/, /take tls out/],
    ['x', 'ECONNRESET', without, /closed the connection instead of a TLS handshake/, /may want a certificate of us/],
    [
      'x',
      'ECONNRESET',
      withOurs,
      /closed the connection instead of a TLS handshake/,
      /may not believe our certificate \(bridge\.shop\)/,
    ],
    ['x', 'ERR_SSL_SOMETHING_NEW', without, /TLS failed: ERR_SSL_SOMETHING_NEW/, /./],
  ])('%s %s', (message, code, ours, problem, hint) => {
    const found = explainTlsError(Object.assign(new Error(message), code === '' ? {} : { code }), ours);
    expect(found.problem).toMatch(problem);
    expect(found.hint).toMatch(hint);
  });

  test('a server that just leaves', () => {
    expect(hungUp(without).hint).toContain('plaintext');
    expect(hungUp(withOurs, true)).toEqual({
      problem: 'it closed the connection right behind the TLS handshake',
      hint: 'it may not believe our certificate (bridge.shop): see its log',
    });
  });
});
