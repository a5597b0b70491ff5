import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { checkServerIdentity, connect, type PeerCertificate } from 'node:tls';
import type { HostPort } from './address.ts';
import { newClient } from './grpc.ts';
import { timeOf } from './tls-certificate.ts';
import type { ClientTls } from './tls-client.ts';

/** The certificate that a server offers. It is not verified. */
export type OfferedCertificate = {
  /** The subject's common name; often empty. */
  readonly subject: string;
  readonly issuer: string;
  /** Subject alternative names, as OpenSSL writes them: `DNS:a, IP Address:10.0.0.1, URI:spiffe://…`. */
  readonly names: string;
  readonly validFrom: Date;
  readonly validTo: Date;
  /** Why it does not stand for the host that was dialled; undefined where it does. */
  readonly nameMismatch: string | undefined;
};

/** How a TLS handshake went. `alpn` is what was agreed on; `refusal` is how the server ended it. */
export type Handshake = {
  readonly certificate: OfferedCertificate | undefined;
  readonly alpn: string | undefined;
  readonly refusal: string | undefined;
};

/** Addresses of a host, in the order of the resolver. Rejects with the resolver's error, or after `timeoutMs`. */
export async function resolveHost(host: string, timeoutMs: number): Promise<string[]> {
  if (isIP(host) !== 0) return [host];
  const found = lookup(host, { all: true }).then((all) => all.map(({ address }) => address));
  // Whoever comes too late must not be an unhandled rejection.
  found.catch(() => {});
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer of the resolver within ${timeoutMs / 1000} s`)), timeoutMs);
  });
  return Promise.race([found, late]).finally(() => clearTimeout(timer));
}

/**
 * Begins TLS with a port, to see the certificate; sends nothing through it. Empty where the handshake does not come to
 * that, for example within `timeoutMs`. Never rejects.
 */
export function lookAtTls(address: HostPort, timeoutMs: number): Promise<Handshake> {
  const { host } = address;
  return new Promise((resolve) => {
    const socket = connect({
      ...address,
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ALPNProtocols: ['h2', 'http/1.1'],
      // It is looked at, not trusted.
      rejectUnauthorized: false,
    });
    const settle = (seen: Partial<Handshake> = {}) => {
      clearTimeout(timer);
      resolve({ certificate: undefined, alpn: undefined, refusal: undefined, ...seen });
      socket.destroy();
    };
    const timer = setTimeout(settle, timeoutMs);
    socket.on('secureConnect', () => {
      const { alpnProtocol } = socket;
      const alpn = typeof alpnProtocol === 'string' ? alpnProtocol : undefined;
      settle({ certificate: describe(host, socket.getPeerCertificate()), alpn });
    });
    socket.on('error', ({ code }: NodeJS.ErrnoException) => {
      // An alert comes where a client certificate is asked for, for example.
      const alert = /^ERR_SSL_.*ALERT_(.+)$/.exec(code ?? '')?.[1];
      settle({ refusal: alert?.replaceAll('_', ' ').toLowerCase() });
    });
    socket.on('close', () => settle());
  });
}

function describe(host: string, certificate: PeerCertificate): OfferedCertificate | undefined {
  // Node gives an empty object where the server has none.
  if (certificate.valid_to === undefined) return undefined;
  const text = (value: string | string[] | undefined) => [value ?? ''].flat().join(', ');
  return {
    subject: text(certificate.subject?.CN),
    issuer: text(certificate.issuer?.CN) || text(certificate.issuer?.O),
    names: certificate.subjectaltname ?? '',
    validFrom: timeOf(certificate.valid_from),
    validTo: timeOf(certificate.valid_to),
    nameMismatch: checkServerIdentity(host, certificate)?.message,
  };
}

/** Whether a gRPC server has a service. `unknown`: it answers the same either way; `details` is what it said. */
export type ServiceAnswer = { readonly has: 'yes' | 'no' | 'unknown'; readonly code: number; readonly details: string };

/**
 * Asks a gRPC server whether it has a service, by calling a method that no service has. The call ends in the
 * gRPC library and never reaches the service. Go's library tells an unknown method from an unknown service (grpc-go
 * server.go handleStream, 1.26 to 1.67); Java's and Node's do not.
 *
 * @param service full name, such as `istio.mcp.v1alpha1.ResourceSource`.
 * @param tls plaintext without it.
 */
export function askService(
  address: HostPort,
  service: string,
  timeoutMs: number,
  tls?: ClientTls,
): Promise<ServiceAnswer> {
  const client = newClient(address, {}, tls);
  const same = (bytes: Buffer) => bytes;
  return new Promise((resolve) => {
    const options = { deadline: Date.now() + timeoutMs };
    client.makeUnaryRequest(`/${service}/IsthmusCheck`, same, same, Buffer.alloc(0), options, (error) => {
      client.close();
      const details = error?.details ?? '';
      const code: number = error?.code ?? 0;
      if (code === 12 && details.includes('unknown method')) resolve({ has: 'yes', code, details });
      else if (code === 12 && details.includes('unknown service')) resolve({ has: 'no', code, details });
      else resolve({ has: 'unknown', code, details });
    });
  });
}
