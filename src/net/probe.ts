import { lookup } from 'node:dns/promises';
import { connect, isIP, type Socket } from 'node:net';
import { checkServerIdentity, connect as connectTls, type PeerCertificate } from 'node:tls';
import { type HostPort, formatHostPort } from './address.ts';
import { newClient } from './grpc.ts';

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

/** What a port speaks. */
export type Spoken =
  /** HTTP/2 without TLS, as gRPC servers do. */
  | { readonly protocol: 'http2' }
  | { readonly protocol: 'http1' }
  /** `certificate` is undefined where the handshake failed; `refusal` says how. `alpn` is what was agreed on. */
  | {
      readonly protocol: 'tls';
      readonly certificate: OfferedCertificate | undefined;
      readonly alpn: string | undefined;
      readonly refusal: string | undefined;
    }
  /** Something else; the first text that it sent. */
  | { readonly protocol: 'other'; readonly greeting: string }
  /** Takes connections and says nothing. */
  | { readonly protocol: 'silent' }
  /** Takes connections and closes them. */
  | { readonly protocol: 'closes' };

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
 * Finds out what a port speaks, without asking it for anything: an HTTP/2 preface with empty SETTINGS, and where that
 * is not answered in HTTP/2, a TLS handshake on a second connection. No stream is opened, so nothing reaches the code of
 * a gRPC service; legacy MCP servers that can't bear a second client never see one.
 *
 * @param timeoutMs for all of it.
 * @throws the socket's error where there is no connection.
 */
export async function probePort(address: HostPort, timeoutMs: number): Promise<Spoken> {
  const plain = await greetHttp2(address, timeoutMs / 2);
  if (plain.protocol !== 'closes' && plain.protocol !== 'silent' && plain.protocol !== 'tls') return plain;
  return (await greetTls(address, timeoutMs / 2)) ?? plain;
}

/** Client preface (RFC 9113, 3.4), SETTINGS without a setting, its acknowledgement, and GOAWAY without an error. */
const preface = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(4, 0, Buffer.alloc(0))]);
const farewell = Buffer.concat([frame(4, 1, Buffer.alloc(0)), frame(7, 0, Buffer.alloc(8))]);

function frame(type: number, flags: number, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0, 0, payload.length, type, flags, 0, 0, 0, 0]), payload]);
}

function greetHttp2(address: HostPort, timeoutMs: number): Promise<Spoken> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect({ ...address });
    let received = Buffer.alloc(0);
    let isConnected = false;
    const settle = (spoken: Spoken) => {
      clearTimeout(timer);
      resolve(spoken);
      if (spoken.protocol === 'http2') socket.write(farewell);
      socket.end(() => socket.destroy());
    };
    const timer = setTimeout(() => {
      if (!isConnected) {
        socket.destroy();
        reject(Object.assign(new Error(`no connection within ${timeoutMs / 1000} s`), { code: 'ETIMEDOUT' }));
      } else settle(classify(received) ?? { protocol: 'silent' });
    }, timeoutMs);
    socket.on('connect', () => {
      isConnected = true;
      socket.write(preface);
    });
    socket.on('data', (bytes: Buffer) => {
      received = Buffer.concat([received, bytes]);
      if (received.length >= 9) settle(classify(received) as Spoken);
    });
    socket.on('close', () => settle(classify(received) ?? { protocol: 'closes' }));
    socket.on('error', (error) => {
      if (isConnected) return;
      clearTimeout(timer);
      reject(error);
    });
  });
}

/** What these first bytes of a server are; undefined where there are none. */
export function classify(received: Buffer): Spoken | undefined {
  if (received.length === 0) return undefined;
  // SETTINGS is the first frame of a server: of stream 0, six bytes for each setting, and no acknowledgement.
  const isSettings =
    received.length >= 9 &&
    received[3] === 4 &&
    received[4] === 0 &&
    received.readUInt32BE(5) === 0 &&
    received.readUIntBE(0, 3) % 6 === 0;
  if (isSettings) return { protocol: 'http2' };
  const text = received.subarray(0, 200).toString('latin1');
  if (/^HTTP\/[01]\.\d/.test(text) || /^\s*<(!doctype|html|\?xml)/i.test(text)) return { protocol: 'http1' };
  // An alert record: what TLS servers answer to something that is no TLS.
  if (received[0] === 0x15 && received[1] === 3) {
    return { protocol: 'tls', certificate: undefined, alpn: undefined, refusal: undefined };
  }
  return {
    protocol: 'other',
    greeting: text
      .replaceAll(/[^\x20-\x7e]+/g, ' ')
      .slice(0, 60)
      .trim(),
  };
}

/** Undefined where it does not speak TLS. */
function greetTls(address: HostPort, timeoutMs: number): Promise<Spoken | undefined> {
  return new Promise((resolve) => {
    const { host } = address;
    const socket = connectTls({
      ...address,
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ALPNProtocols: ['h2', 'http/1.1'],
      // It is looked at, and nothing is sent to it.
      rejectUnauthorized: false,
    });
    const settle = (spoken: Spoken | undefined) => {
      clearTimeout(timer);
      resolve(spoken);
      socket.destroy();
    };
    const timer = setTimeout(() => settle(undefined), timeoutMs);
    socket.on('secureConnect', () => {
      const alpn = socket.alpnProtocol;
      const certificate = describe(host, socket.getPeerCertificate());
      settle({
        protocol: 'tls',
        certificate,
        alpn: alpn === false ? undefined : (alpn ?? undefined),
        refusal: undefined,
      });
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // An alert is a word of TLS; it comes where a client certificate is asked for, for example.
      const alert = /^ERR_SSL_.*ALERT_(.+)$/.exec(error.code ?? '')?.[1];
      const refusal = alert?.replaceAll('_', ' ').toLowerCase();
      settle(refusal === undefined ? undefined : { protocol: 'tls', certificate: undefined, alpn: undefined, refusal });
    });
    socket.on('close', () => settle(undefined));
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
    validFrom: new Date(certificate.valid_from),
    validTo: new Date(certificate.valid_to),
    nameMismatch: checkServerIdentity(host, certificate)?.message,
  };
}

/** Whether a gRPC server has a service. `unknown`: it answers the same either way; `details` is what it said. */
export type ServiceAnswer = { readonly has: 'yes' | 'no' | 'unknown'; readonly code: number; readonly details: string };

/**
 * Asks a plaintext gRPC server whether it has a service, by calling a method that no service has. The call ends in the
 * gRPC library and never reaches the service. Go's library tells an unknown method from an unknown service (grpc-go
 * server.go handleStream, 1.26 to 1.67); Java's and Node's do not.
 *
 * @param service full name, such as `istio.mcp.v1alpha1.ResourceSource`.
 */
export function askService(address: HostPort, service: string, timeoutMs: number): Promise<ServiceAnswer> {
  const client = newClient(address);
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

/** One sentence for an error of the resolver or of a socket that was not connected. */
export function connectFailure(address: HostPort, error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  const reasons: Readonly<Record<string, string>> = {
    ENOTFOUND: `there is no host "${address.host}"`,
    EAI_AGAIN: `the resolver can't say now who "${address.host}" is`,
    ECONNREFUSED: 'nobody listens there',
    ETIMEDOUT: 'no connection in time; a firewall or a NetworkPolicy may drop it',
    EHOSTUNREACH: 'there is no way to that host',
    ENETUNREACH: 'there is no way to that network',
  };
  const reason = reasons[code ?? ''];
  return reason === undefined ? message : `${reason} (${code} ${formatHostPort(address)})`;
}
