import { constants } from 'node:crypto';
import type { Socket } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import { identitiesOf } from './tls-certificate.ts';
import { minVersion, type TlsMaterial } from './tls-files.ts';
import type { Identity } from './tls-identity.ts';

/** How a listener speaks TLS. */
export type ServerTls = {
  /** Its certificate. With CAs, clients have to show a certificate that one of them has signed. */
  readonly identity: Identity;
  /** Who may come in; see {@link isAllowedIdentity}. @default every client that the CAs have signed */
  readonly allowedIdentities?: readonly string[] | undefined;
};

/** Why a client that has shaken hands may not come in. */
export type ClientFault = {
  readonly why: 'no-http2' | 'no-certificate' | 'bad-certificate' | 'unknown-identity';
  /** For the log, and for the client. */
  readonly said: string;
};

/**
 * Shakes hands on a connection. `done` is called once with what is spoken through from now on, or why there is nothing.
 * Whether the client is who it has to be, {@link faultOfClient} says.
 */
export function shakeHands(socket: Socket, material: TlsMaterial, done: (secure: TLSSocket | Error) => void): void {
  const { pem, authorities } = material;
  // A server for each handshake: of one for all, nobody could tell which connection its errors are about.
  const server = createServer({
    ...pem,
    minVersion,
    ALPNProtocols: ['h2'],
    requestCert: authorities.length > 0,
    rejectUnauthorized: false,
    // What was verified once would be believed again, whatever the files hold by then.
    secureOptions: constants.SSL_OP_NO_TICKET,
  });
  server.once('secureConnection', done);
  server.once('tlsClientError', done);
  server.emit('connection', socket);
}

/** Why a client may not come in, though TLS has begun; undefined where it may. */
export function faultOfClient(secure: TLSSocket, { identity, allowedIdentities }: ServerTls): ClientFault | undefined {
  // grpc-js would answer it in HTTP/1.
  if (secure.alpnProtocol !== 'h2') return { why: 'no-http2', said: 'it does not ask for HTTP/2 (ALPN h2)' };
  if (identity.files.ca === undefined) return undefined;
  const certificate = secure.getPeerX509Certificate();
  if (certificate === undefined) return { why: 'no-certificate', said: 'a client certificate is required' };
  const identities = identitiesOf(certificate.subjectAltName ?? '');
  const name = identities.join(', ') || certificate.subject.replaceAll('\n', ', ') || '(no name)';
  if (!secure.authorized) {
    const code = String(secure.authorizationError);
    return {
      why: 'bad-certificate',
      said: `the client certificate of ${name} ${unverified[code] ?? `can't be verified (${code})`}`,
    };
  }
  if (allowedIdentities === undefined || identities.some((one) => isAllowedIdentity(one, allowedIdentities)))
    return undefined;
  return { why: 'unknown-identity', said: `${name} is not in allowedIdentities` };
}

const unverified: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'has ended',
  CERT_NOT_YET_VALID: 'has not begun',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'is signed by a CA that is not known here',
  UNABLE_TO_GET_ISSUER_CERT: 'is signed by a CA that is not known here',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'is signed by a CA that is not known here',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'is signed by a CA that is not known here',
  CERT_SIGNATURE_FAILURE: 'is signed by another key than that of the CA that is known here',
  INVALID_PURPOSE: 'is not made for a client (clientAuth)',
};

/**
 * True where one of `allowed` means this identity: the same text; `spiffe://…/*` for all below it; `*.example.com` for one
 * label more. Letters of DNS names are the same in both cases.
 */
export function isAllowedIdentity(identity: string, allowed: readonly string[]): boolean {
  return allowed.some((one) => {
    if (one.includes('://')) {
      if (!one.endsWith('/*')) return one === identity;
      const above = one.slice(0, -1);
      return identity.length > above.length && identity.startsWith(above);
    }
    const dns = identity.toLowerCase();
    const wanted = one.toLowerCase();
    if (!wanted.startsWith('*.')) return wanted === dns;
    return !identity.includes('://') && dns.slice(dns.indexOf('.')) === wanted.slice(1) && dns.indexOf('.') > 0;
  });
}

/** Why a handshake with a client has failed. @param error undefined where the client just left. */
export function explainHandshake(error: NodeJS.ErrnoException | undefined): string {
  const { code = '', message } = error ?? { code: 'ECONNRESET', message: '' };
  const alert = /\balert ([a-z ]+?) *:/i.exec(message)?.[1]?.toLowerCase();
  if (alert !== undefined) {
    const isTrust = /unknown ca|bad certificate|certificate unknown|certificate expired/.test(alert);
    return isTrust ? `it does not believe our certificate (${alert})` : `it ended the handshake (${alert})`;
  }
  if (code === 'ECONNRESET') return 'it closed the connection in the handshake; it may not believe our certificate';
  if (/UNSUPPORTED_PROTOCOL/.test(code)) return 'it speaks no TLS 1.2 or newer';
  if (/NO_SHARED_CIPHER/.test(code)) return 'it shares no way of encryption with us';
  if (/NO_APPLICATION_PROTOCOL/.test(code)) return 'it does not ask for HTTP/2 (ALPN h2)';
  return code === '' ? message.slice(0, 200) : code;
}
