import type { SourceProtocol } from '../legacy/source-profile.ts';
import type { HostPort } from '../net/address.ts';
import { messageOf } from '../model/errors.ts';
import {
  askService,
  type Handshake,
  lookAtTls,
  type OfferedCertificate,
  resolveHost,
  type ServiceAnswer,
} from '../net/probe.ts';
import { probeProtocol, protocolHint, type Spoken } from '../net/protocol-hint.ts';
import type { ClientTls } from '../net/tls-client.ts';
import { about, type Finding, type FindingCode } from './check-findings.ts';

/** A certificate that ends sooner is worth a word. */
const soonMs = 14 * 24 * 60 * 60 * 1000;

const resourceSource = 'istio.mcp.v1alpha1.ResourceSource';
const aggregatedMcp = 'istio.mcp.v1alpha1.AggregatedMeshConfigService';
const aggregatedDiscovery = 'envoy.service.discovery.v3.AggregatedDiscoveryService';

/** Who dials an address, for the texts. `newIstiod`: 1.26 or newer, which has TLS where its tlsSettings say so. */
export type Dialler = 'Isthmus' | 'istiod' | 'newIstiod';

/** `speaksHttp2`: a gRPC server may be there; it is of use to ask it more. With TLS, that shows only within. */
export type AddressReport = { readonly findings: readonly Finding[]; readonly speaksHttp2: boolean };

/** Resolves, connects, and finds out what is spoken. Opens no stream. @param isSecure true where TLS is expected. */
export async function checkAddress(
  address: HostPort,
  subject: string,
  dialler: Dialler,
  timeoutMs: number,
  isSecure = false,
): Promise<AddressReport> {
  const { ok, error } = about(subject);
  const findings: Finding[] = [];
  try {
    const resolved = await resolveHost(address.host, timeoutMs);
    const data = { addresses: resolved };
    if (resolved[0] !== address.host) findings.push(ok('RESOLVED', `${address.host} is ${resolved.join(', ')}`, data));
  } catch (failure) {
    const what = `the name "${address.host}" can't be resolved: ${messageOf(failure)}`;
    const next =
      'check it, and that it can be resolved from here: the name of a Kubernetes Service only can in its cluster';
    return { findings: [error('UNRESOLVED', what, next)], speaksHttp2: false };
  }
  const spoken = await probeProtocol(address, { timeoutMs: timeoutMs / 2 });
  if (!isSecure || spoken.speaks !== 'tls') findings.push(spokenFinding(spoken, subject, dialler, isSecure));
  if (spoken.speaks === 'tls') {
    const seen = handshakeFindings(await lookAtTls(address, timeoutMs), subject, Date.now());
    // Who may be believed there, and whether it believes us, shows when it is asked.
    findings.push(...seen.filter(({ code }) => !isSecure || !['CERTIFICATE_NAME', 'TLS_REFUSED'].includes(code)));
  }
  return { findings, speaksHttp2: spoken.speaks === (isSecure ? 'tls' : 'http2') };
}

/** Where istiod, and where Isthmus, would come to. */
const wanted: Readonly<Record<Dialler, string>> = {
  Isthmus: 'a legacy MCP server (istio.mcp.v1alpha1)',
  istiod: 'a bridge (its xds.listen)',
  newIstiod: 'a bridge (its xds.listen)',
};

const codes: Readonly<Record<Spoken['speaks'], FindingCode>> = {
  http2: 'HTTP2_SPOKEN',
  http1: 'WRONG_PROTOCOL',
  other: 'WRONG_PROTOCOL',
  tls: 'TLS_UNEXPECTED',
  nothing: 'SILENT',
  'hangs-up': 'SILENT',
  unreachable: 'UNREACHABLE',
};

/** What it means that a port speaks this, where `dialler` comes in plaintext HTTP/2, or over TLS. */
export function spokenFinding(spoken: Spoken, subject: string, dialler: Dialler, isSecure = false): Finding {
  const { ok, error } = about(subject);
  const code = codes[spoken.speaks];
  if (spoken.speaks === 'http2' && isSecure) {
    const { problem, hint } = protocolHint(spoken, wanted[dialler], true);
    return error('WRONG_PROTOCOL', problem, hint ?? 'give the port on which it speaks TLS');
  }
  if (spoken.speaks === 'http2') return ok(code, 'it speaks HTTP/2 without TLS, as gRPC servers do');
  if (spoken.speaks === 'tls' && dialler === 'istiod') {
    const next =
      'istiod up to 1.25 has no TLS here; for 1.26 and newer set tlsSettings.mode SIMPLE in its configSources, and say ' +
      '--istiod-version 1.26 here';
    return error(code, 'it speaks TLS, and istiod dials in plaintext', next);
  }
  if (spoken.speaks === 'tls' && dialler === 'newIstiod') {
    return ok('TLS_SPOKEN', 'it speaks TLS: istiod needs tlsSettings.mode SIMPLE in its configSources');
  }
  const { problem, hint } = protocolHint(spoken, wanted[dialler], isSecure);
  return error(code, problem, hint ?? `give the address of ${wanted[dialler]}`);
}

/** What is to be said of the TLS of a server, beyond that it should not be there. */
export function handshakeFindings({ certificate, alpn, refusal }: Handshake, subject: string, now: number): Finding[] {
  const { info } = about(subject);
  const findings: Finding[] = [];
  if (refusal !== undefined) {
    findings.push(info('TLS_REFUSED', `it ended the TLS handshake (${refusal}); it may want a client certificate`));
  }
  if (alpn !== undefined && alpn !== 'h2') {
    findings.push(info('TLS_WITHOUT_HTTP2', `within TLS it speaks ${alpn}: it is no gRPC server`));
  }
  if (certificate !== undefined) findings.push(...certificateFindings(certificate, subject, now));
  return findings;
}

function certificateFindings(certificate: OfferedCertificate, subject: string, now: number): Finding[] {
  const { info, warning, error } = about(subject);
  const { validFrom, validTo, names, issuer, nameMismatch } = certificate;
  const day = (date: Date) => date.toISOString().slice(0, 10);
  const name = certificate.subject === '' ? 'a certificate' : `a certificate of ${certificate.subject}`;
  const who = names === '' ? name : `${name} for ${names}`;
  const data = {
    subject: certificate.subject,
    issuer,
    names,
    validFrom: validFrom.toISOString(),
    validTo: validTo.toISOString(),
  };
  const span = `valid from ${day(validFrom)} to ${day(validTo)}`;
  const findings = [info('CERTIFICATE', `it offers ${who}, by ${issuer || 'nobody'}, ${span}`, data)];
  if (validTo.getTime() < now || validFrom.getTime() > now) {
    const what = validTo.getTime() < now ? `ended on ${day(validTo)}` : `begins on ${day(validFrom)}`;
    findings.push(error('CERTIFICATE_EXPIRED', `its certificate ${what}`, 'give the server another certificate'));
  } else if (validTo.getTime() - now < soonMs) {
    const what = `its certificate ends soon, on ${validTo.toISOString()}`;
    findings.push(warning('CERTIFICATE_EXPIRES', what, 'renew it, if nothing does so by itself'));
  }
  if (nameMismatch !== undefined) {
    const next = 'dial it by a name that is in its certificate, or give it another certificate';
    findings.push(warning('CERTIFICATE_NAME', nameMismatch, next));
  }
  return findings;
}

/**
 * Asks a gRPC server, without opening a stream of MCP, whether it is a legacy source.
 *
 * @param tls plaintext without it.
 * @param protocol what the config says that it speaks.
 */
export async function checkSourceService(
  address: HostPort,
  subject: string,
  timeoutMs: number,
  tls?: ClientTls,
  protocol: SourceProtocol = 'resourceSource',
): Promise<Finding[]> {
  const { ok, error } = about(subject);
  const isOlder = protocol !== 'resourceSource';
  let answer = await askService(address, isOlder ? aggregatedMcp : resourceSource, timeoutMs, tls);
  if (tls?.failure !== undefined) {
    const { problem, hint } = tls.failure;
    return [error('TLS_FAILED', problem, hint ?? 'see docs/tls.md')];
  }
  const spoken = tls === undefined ? [] : [ok('TLS_SPOKEN', 'TLS is spoken, and its certificate is the right one')];
  if (isOlder && answer.has === 'yes') {
    return [...spoken, ok('SERVICE_FOUND', 'it serves the MCP of Istio 1.0 and 1.1')];
  }
  if (isOlder && answer.has === 'no') {
    answer = await askService(address, resourceSource, timeoutMs, tls);
    if (answer.has === 'yes') {
      const what = `it serves ResourceSource, and not what protocol: ${protocol} names`;
      return [...spoken, error('SERVICE_MISSING', what, 'take protocol out of the config of this source')];
    }
  }
  const others: string[] = [];
  for (const service of answer.has === 'no' ? [aggregatedMcp, aggregatedDiscovery] : []) {
    if ((await askService(address, service, timeoutMs, tls)).has === 'yes') others.push(service);
  }
  return [...spoken, ...sourceServiceFindings(answer, subject, others)];
}

/** @param others services that it has in place of ResourceSource. */
export function sourceServiceFindings(
  { has, code, details }: ServiceAnswer,
  subject: string,
  others: readonly string[] = [],
): Finding[] {
  const { ok, info, error } = about(subject);
  if (has === 'yes') return [ok('SERVICE_FOUND', 'it serves legacy MCP (ResourceSource)')];
  if (has === 'no') {
    const [what, next] = others.includes(aggregatedMcp)
      ? [
          'it serves the MCP of Istio 1.0 and 1.1 only (AggregatedMeshConfigService)',
          'set protocol: aggregated-1.1 for this source, or profile: galley-1.0 for a Galley 1.0',
        ]
      : others.includes(aggregatedDiscovery)
        ? ['it serves xDS and no legacy MCP: an istiod, or another bridge', 'give the legacy server’s address']
        : ['it is a gRPC server without legacy MCP (ResourceSource)', 'give the port on which it serves MCP'];
    return [error('SERVICE_MISSING', what, next)];
  }
  if (code === 7 || code === 16) {
    const what = `it refuses strangers (code ${code}): ${details.slice(0, 200)}`;
    return [error('SERVICE_MISSING', what, 'it wants an identity: set tls.cert and tls.key, with a name it lets in')];
  }
  const isWeb = /HTTP status/.test(details);
  if (code === 12 && !isWeb)
    return [info('SERVICE_UNKNOWN', 'it is a gRPC server; whether it serves legacy MCP only --direct tells')];
  const what = `it speaks HTTP/2, and did not answer a gRPC call (code ${code}): ${details.slice(0, 200)}`;
  return [error('SERVICE_MISSING', what, 'is this the port of a gRPC server, or of a web server?')];
}

/** What an address is called. */
export function sourceSubject(name: string, url: string): string {
  return `source ${name} (${url})`;
}
