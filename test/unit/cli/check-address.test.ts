import { describe, expect, test } from 'vitest';
import { handshakeFindings, sourceServiceFindings, spokenFinding } from '../../../src/cli/check-address.ts';
import type { Finding } from '../../../src/cli/check-findings.ts';
import type { OfferedCertificate } from '../../../src/net/probe.ts';
import type { Spoken } from '../../../src/net/protocol-hint.ts';

const now = Date.UTC(2026, 10, 25);
const day = 24 * 60 * 60 * 1000;

function codesOf(findings: readonly Finding[]): string[] {
  return findings.map(({ severity, code }) => `${severity} ${code}`);
}

describe('what a port speaks', () => {
  test.each<[Spoken, string]>([
    [{ speaks: 'http2' }, 'ok HTTP2_SPOKEN'],
    [{ speaks: 'http1', said: 'HTTP/1.1 400 Bad Request' }, 'error WRONG_PROTOCOL'],
    [{ speaks: 'other', said: '220 mail' }, 'error WRONG_PROTOCOL'],
    [{ speaks: 'tls' }, 'error TLS_UNEXPECTED'],
    [{ speaks: 'nothing' }, 'error SILENT'],
    [{ speaks: 'hangs-up' }, 'error SILENT'],
    [{ speaks: 'unreachable', why: 'ECONNREFUSED' }, 'error UNREACHABLE'],
  ])('%j is %s, and every error says what to do', (spoken, expected) => {
    const finding = spokenFinding(spoken, 'source a', 'Isthmus');
    expect(codesOf([finding])).toEqual([expected]);
    expect(finding.next === undefined).toBe(finding.severity === 'ok');
  });

  test('TLS where istiod would come says which istiod can do that', () => {
    expect(spokenFinding({ speaks: 'tls' }, 'xds://a:1', 'istiod').next).toContain('tlsSettings.mode SIMPLE');
    const newer = spokenFinding({ speaks: 'tls' }, 'xds://a:1', 'newIstiod');
    expect(codesOf([newer])).toEqual(['ok TLS_SPOKEN']);
    expect(newer.what).toContain('tlsSettings.mode SIMPLE');
  });
});

describe('a certificate', () => {
  const good: OfferedCertificate = {
    subject: 'galley',
    issuer: 'ca',
    names: 'DNS:galley.istio-system.svc',
    validFrom: new Date(now - day),
    validTo: new Date(now + 60 * day),
    nameMismatch: undefined,
  };
  const look = (change: Partial<OfferedCertificate>) =>
    handshakeFindings({ certificate: { ...good, ...change }, alpn: 'h2', refusal: undefined }, 'source a', now);

  test('is shown with its names, its issuer and its end', () => {
    const [finding, ...rest] = look({});
    expect(rest).toEqual([]);
    expect(finding).toMatchObject({
      severity: 'info',
      what: 'it offers a certificate of galley for DNS:galley.istio-system.svc, by ca, valid from 2026-11-24 to 2027-01-24',
      data: { names: 'DNS:galley.istio-system.svc', validTo: '2027-01-24T00:00:00.000Z' },
    });
  });

  test.each<[string, Partial<OfferedCertificate>, string[]]>([
    ['has ended', { validTo: new Date(now - 1) }, ['error CERTIFICATE_EXPIRED']],
    ['has not begun', { validFrom: new Date(now + 1) }, ['error CERTIFICATE_EXPIRED']],
    ['ends within two weeks', { validTo: new Date(now + 13 * day) }, ['warning CERTIFICATE_EXPIRES']],
    ['ends later', { validTo: new Date(now + 15 * day) }, []],
    ['is of another host', { nameMismatch: 'Host: b is not in the cert’s altnames' }, ['warning CERTIFICATE_NAME']],
  ])('that %s', (_what, change, expected) => {
    expect(codesOf(look(change))).toEqual(['info CERTIFICATE', ...expected]);
  });

  test('is not there where the server ends the handshake; how it did is said', () => {
    const handshake = { certificate: undefined, alpn: undefined, refusal: 'certificate required' };
    const [finding] = handshakeFindings(handshake, 'a', now);
    expect(finding?.what).toContain('certificate required');
  });

  test('and HTTP/1 within TLS is told from gRPC', () => {
    const handshake = { certificate: undefined, alpn: 'http/1.1', refusal: undefined };
    expect(codesOf(handshakeFindings(handshake, 'a', now))).toEqual(['info TLS_WITHOUT_HTTP2']);
  });
});

describe('a gRPC server that was asked for ResourceSource', () => {
  test.each([
    ['has it', { has: 'yes', code: 12, details: '' }, [], 'ok SERVICE_FOUND', 'serves legacy MCP'],
    ['has it not', { has: 'no', code: 12, details: '' }, [], 'error SERVICE_MISSING', 'without legacy MCP'],
    [
      'is of Istio 1.0',
      { has: 'no', code: 12, details: '' },
      ['istio.mcp.v1alpha1.AggregatedMeshConfigService'],
      'error SERVICE_MISSING',
      'MCP of Istio 1.0 and 1.1 only',
    ],
    [
      'is an xDS server',
      { has: 'no', code: 12, details: '' },
      ['envoy.service.discovery.v3.AggregatedDiscoveryService'],
      'error SERVICE_MISSING',
      'serves xDS',
    ],
    ['does not tell', { has: 'unknown', code: 12, details: 'no' }, [], 'info SERVICE_UNKNOWN', '--direct'],
    ['wants credentials', { has: 'unknown', code: 16, details: 'who?' }, [], 'error SERVICE_MISSING', 'who?'],
    [
      'has no such page',
      { has: 'unknown', code: 12, details: 'Received HTTP status code 404' },
      [],
      'error SERVICE_MISSING',
      '404',
    ],
    ['is a web server', { has: 'unknown', code: 2, details: '404' }, [], 'error SERVICE_MISSING', '404'],
  ] as const)('%s', (_what, answer, others, code, text) => {
    const findings = sourceServiceFindings(answer, 'a', others);
    expect(codesOf(findings)).toEqual([code]);
    expect(findings[0]?.what).toContain(text);
  });
});
