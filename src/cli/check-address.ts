import { type HostPort, formatHostPort } from '../net/address.ts';
import {
  askService,
  connectFailure,
  type OfferedCertificate,
  probePort,
  resolveHost,
  type ServiceAnswer,
  type Spoken,
} from '../net/probe.ts';
import { about, type Finding } from './check-findings.ts';

/** A certificate that ends sooner is worth a word. */
const soonMs = 14 * 24 * 60 * 60 * 1000;

const resourceSource = 'istio.mcp.v1alpha1.ResourceSource';
const aggregatedMcp = 'istio.mcp.v1alpha1.AggregatedMeshConfigService';
const aggregatedDiscovery = 'envoy.service.discovery.v3.AggregatedDiscoveryService';

/** Who dials an address, for the texts. */
export type Dialler = 'Isthmus' | 'istiod';

/** `speaksHttp2`: a plaintext gRPC server may be there; it is of use to ask it more. */
export type AddressReport = { readonly findings: readonly Finding[]; readonly speaksHttp2: boolean };

/** Resolves, connects, and finds out what is spoken. Opens no stream. */
export async function checkAddress(
  address: HostPort,
  subject: string,
  dialler: Dialler,
  timeoutMs: number,
): Promise<AddressReport> {
  const { ok, error } = about(subject);
  let resolved: string[];
  try {
    resolved = await resolveHost(address.host, timeoutMs);
  } catch (failure) {
    const next = 'check the name, and that it can be resolved from here: a Kubernetes service only can in its cluster';
    return { findings: [error('UNRESOLVED', connectFailure(address, failure), next)], speaksHttp2: false };
  }
  const known = ok('RESOLVED', `${address.host} is ${resolved.join(', ')}`, { addresses: resolved });
  const findings = resolved[0] === address.host ? [] : [known];
  let spoken: Spoken;
  try {
    spoken = await probePort(address, timeoutMs);
  } catch (failure) {
    const next = 'is the server running, is this its port, and may this host reach it?';
    return {
      findings: [...findings, error('UNREACHABLE', connectFailure(address, failure), next)],
      speaksHttp2: false,
    };
  }
  findings.push(...spokenFindings(spoken, subject, dialler, Date.now()));
  return { findings, speaksHttp2: spoken.protocol === 'http2' };
}

/** What it means that a port speaks this, where `dialler` comes in plaintext HTTP/2. */
export function spokenFindings(spoken: Spoken, subject: string, dialler: Dialler, now: number): Finding[] {
  const { ok, error } = about(subject);
  const expected = `${dialler} dials it in plaintext HTTP/2`;
  if (spoken.protocol === 'http2') return [ok('HTTP2_SPOKEN', 'it speaks HTTP/2 without TLS, as gRPC servers do')];
  if (spoken.protocol === 'tls') return tlsFindings(spoken, subject, dialler, now);
  if (spoken.protocol === 'http1') {
    const next = 'give the gRPC port, not that of web pages or metrics';
    return [error('WRONG_PROTOCOL', `it speaks HTTP/1; ${expected}`, next)];
  }
  if (spoken.protocol === 'other') {
    const what = `it speaks another protocol; ${expected}. It says "${spoken.greeting}"`;
    return [error('WRONG_PROTOCOL', what, 'give the gRPC port of the server')];
  }
  if (spoken.protocol === 'silent') {
    const next = 'is the server stuck, or is this the port of something else, or of a proxy without a backend?';
    return [error('SILENT', 'it takes connections, and answers neither HTTP/2 nor TLS', next)];
  }
  const next = 'it may want a client certificate, or be a proxy without a backend; see its log';
  return [error('SILENT', 'it takes connections, and closes them at once', next)];
}

function tlsFindings(
  { certificate, alpn, refusal }: Extract<Spoken, { protocol: 'tls' }>,
  subject: string,
  dialler: Dialler,
  now: number,
): Finding[] {
  const { error } = about(subject);
  const how = refusal === undefined ? '' : `; it ended the handshake: ${refusal}`;
  const agreed = alpn === undefined || alpn === 'h2' ? '' : `, and in it ${alpn}, no HTTP/2`;
  const next =
    dialler === 'Isthmus'
      ? 'give a plaintext port of the server: Isthmus has no TLS yet. A proxy that adds TLS may stand in between'
      : 'istiod up to 1.25 has no TLS here; from 1.26 on, set tlsSettings.mode SIMPLE in its configSources entry';
  const what = `it speaks TLS${agreed}; ${dialler} dials it in plaintext HTTP/2${how}`;
  const findings = [error('TLS_UNEXPECTED', what, next)];
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

/** Asks a plaintext gRPC server, without opening a stream of MCP, whether it is a legacy source. */
export async function checkSourceService(address: HostPort, subject: string, timeoutMs: number): Promise<Finding[]> {
  const answer = await askService(address, resourceSource, timeoutMs);
  if (answer.has !== 'no') return sourceServiceFindings(answer, subject);
  const others: string[] = [];
  for (const service of [aggregatedMcp, aggregatedDiscovery]) {
    if ((await askService(address, service, timeoutMs)).has === 'yes') others.push(service);
  }
  return sourceServiceFindings(answer, subject, others);
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
      ? ['it serves the MCP of Istio 1.0 only, which Isthmus does not speak yet', 'upgrade that server']
      : others.includes(aggregatedDiscovery)
        ? ['it serves xDS and no legacy MCP: an istiod, or another bridge', 'give the legacy server’s address']
        : ['it is a gRPC server without legacy MCP (ResourceSource)', 'give the port on which it serves MCP'];
    return [error('SERVICE_MISSING', what, next)];
  }
  if (code === 7 || code === 16) {
    const what = `it refuses strangers (code ${code}): ${details.slice(0, 200)}`;
    return [error('SERVICE_MISSING', what, 'Isthmus sends no credentials yet; let this host in without')];
  }
  if (code === 12)
    return [info('SERVICE_UNKNOWN', 'it is a gRPC server; whether it serves legacy MCP only --direct tells')];
  const what = `it speaks HTTP/2, and did not answer a gRPC call (code ${code}): ${details.slice(0, 200)}`;
  return [error('SERVICE_MISSING', what, 'is this the port of a gRPC server, or of a web server?')];
}

/** What an address is called. */
export function sourceSubject(name: string, address: HostPort): string {
  return `source ${name} (mcp://${formatHostPort(address)})`;
}
