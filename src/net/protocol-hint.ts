import { constants } from 'node:http2';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { messageOf } from '../model/errors.ts';
import type { HostPort } from './address.ts';

/** What was found on a port that had to be a gRPC server's. */
export type Spoken =
  | { readonly speaks: 'http2' }
  /** `said`: its first line. */
  | { readonly speaks: 'http1' | 'other'; readonly said: string }
  | { readonly speaks: 'tls' }
  /** It takes connections, and says nothing. */
  | { readonly speaks: 'nothing' }
  /** It takes connections, and closes them without a word. */
  | { readonly speaks: 'hangs-up' }
  /** No connection; `why` is the system's word for it. */
  | { readonly speaks: 'unreachable'; readonly why: string };

/** What is wrong, and what to do next. */
export type ProtocolHint = { readonly problem: string; readonly hint: string | undefined };

export type ProbeOptions = {
  /** Time for each of the two questions. @default 2000 */
  readonly timeoutMs?: number;
  /** Ends it; what is known by then is returned. */
  readonly signal?: AbortSignal;
};

/** How a client begins in HTTP/2 (RFC 9113, 3.4), with an empty SETTINGS frame. */
const http2Greeting = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u0004\0\0\0\0\0', 'latin1');

/** Errors that say more than any look at the port could. */
const systemErrors = /\b(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT)\b/;

/**
 * Finds out what speaks on a port: greets it in HTTP/2, and where no word comes back, in TLS. At most two connections,
 * closed again at once, and no call: a legacy server does not notice them. Never rejects.
 */
export async function probeProtocol(
  { host, port }: HostPort,
  { timeoutMs = 2000, signal }: ProbeOptions = {},
): Promise<Spoken> {
  const plain = await converse(
    () => connectTcp({ host, port }),
    (socket) => socket.on('connect', () => socket.write(http2Greeting)),
    timeoutMs,
    signal,
  );
  if (plain.bytes.length > 0) return spokenBy(plain.bytes);
  if (!plain.connected) return { speaks: 'unreachable', why: systemErrorOf(plain.error) ?? 'no answer' };
  const secure = await converse(
    () => connectTls({ host, port, rejectUnauthorized: false, ALPNProtocols: ['h2'] }),
    () => {},
    timeoutMs,
    signal,
  );
  if (secure.connected || /^ERR_SSL_.*(ALERT|UNSUPPORTED_PROTOCOL)/.test(secure.error?.code ?? '')) {
    return { speaks: 'tls' };
  }
  return { speaks: plain.closed ? 'hangs-up' : 'nothing' };
}

/** What the first bytes of an answer to {@link http2Greeting} are. */
function spokenBy(bytes: Buffer): Spoken {
  // The first frame of a server is SETTINGS: its length, then type 4.
  if (bytes[0] === 0 && bytes[3] === 4) return { speaks: wantsTls(bytes) ? 'tls' : 'http2' };
  // A TLS record: alert or handshake, version 3.x.
  if ((bytes[0] === 0x15 || bytes[0] === 0x16) && bytes[1] === 3) return { speaks: 'tls' };
  const said = firstLine(bytes);
  return { speaks: said.startsWith('HTTP/1') ? 'http1' : 'other', said };
}

/**
 * True where a GOAWAY with INADEQUATE_SECURITY (RFC 9113, 7) stands behind the SETTINGS: a port with TLS that tells clients
 * without it why they can't come in, as those of Isthmus do.
 */
function wantsTls(bytes: Buffer): boolean {
  const goAway = bytes.subarray(9 + bytes.readUIntBE(0, 3));
  return goAway.length >= 17 && goAway[3] === 7 && goAway.readUInt32BE(13) === constants.NGHTTP2_INADEQUATE_SECURITY;
}

/** The first line of some bytes, at most 80 characters, without what would command a terminal. */
export function firstLine(bytes: Buffer): string {
  const [line = ''] = bytes.toString('latin1', 0, 80).split(/\r?\n/);
  return line.replaceAll(/[^ -~]/g, '?');
}

/** The system's word in an error of a connection, such as `ECONNREFUSED`. */
export function systemErrorOf(error: unknown): string | undefined {
  return error === undefined ? undefined : systemErrors.exec(messageOf(error))?.[1];
}

/**
 * @param wanted what should be there, as `a legacy MCP server (istio.mcp.v1alpha1)`.
 * @param isSecure true where Isthmus dials over TLS.
 */
export function protocolHint(spoken: Spoken, wanted: string, isSecure = false): ProtocolHint {
  switch (spoken.speaks) {
    case 'http2':
      if (isSecure) {
        return {
          problem: 'it speaks HTTP/2 without TLS, and Isthmus dials over TLS',
          hint: 'take tls out of this source, and write mcp:// in place of mcps://; or give the port on which it speaks TLS',
        };
      }
      return { problem: 'it answers in HTTP/2 and then ends the connection', hint: `is this the port of ${wanted}?` };
    case 'http1':
      return {
        problem: `it does not speak gRPC, but HTTP/1: it says "${spoken.said}"`,
        hint: `this may be an admin, metrics or web port; give the port of ${wanted}`,
      };
    case 'tls':
      if (isSecure) {
        return {
          problem: 'it speaks TLS, and nothing more comes',
          hint: `its process may hang, or be none of gRPC; see that ${wanted} listens there`,
        };
      }
      return {
        problem: 'it speaks TLS, and Isthmus dials in plaintext',
        hint: `write mcps:// in place of mcp://, or set tls of this source (docs/tls.md); or give the plaintext port of ${wanted}`,
      };
    case 'other':
      return {
        problem: `it does not speak gRPC: it says "${spoken.said}"`,
        hint: `give the port of ${wanted}`,
      };
    case 'nothing':
      return {
        problem: 'it takes connections and says nothing',
        hint: `its process may hang, or be none of gRPC; see that ${wanted} listens there`,
      };
    case 'hangs-up':
      return {
        problem: 'it takes connections and closes them without a word',
        hint: `a proxy or a Service without a server behind it does so; see that ${wanted} listens there`,
      };
    case 'unreachable':
      return unreachable(spoken.why, wanted);
    default:
      return spoken satisfies never;
  }
}

function unreachable(why: string, wanted: string): ProtocolHint {
  switch (why) {
    case 'ECONNREFUSED':
      return { problem: `nobody listens there (${why})`, hint: `see that ${wanted} runs, and on this port` };
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return {
        problem: `its name can not be resolved (${why})`,
        hint: 'check the host name, and the DNS of this host',
      };
    default:
      return {
        problem: `its host does not answer (${why})`,
        hint: 'check the address, and what stands between: a firewall, a NetworkPolicy',
      };
  }
}

type Conversation = {
  readonly connected: boolean;
  /** By the peer; false where time was up. */
  readonly closed: boolean;
  readonly bytes: Buffer;
  readonly error: NodeJS.ErrnoException | undefined;
};

/** Opens a connection, and listens until the first bytes come, the peer closes, or time is up. */
function converse(
  open: () => Socket,
  begin: (socket: Socket) => void,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<Conversation> {
  return new Promise((resolve) => {
    let connected = false;
    let error: NodeJS.ErrnoException | undefined;
    const socket = open();
    const settle = (closed: boolean, bytes: Buffer = Buffer.alloc(0)) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      socket.destroy();
      resolve({ connected, closed, bytes, error });
    };
    const onAbort = () => settle(false);
    const timer = setTimeout(onAbort, timeoutMs).unref();
    signal?.addEventListener('abort', onAbort);
    socket.on('secureConnect', () => {
      connected = true;
      settle(false);
    });
    socket.on('connect', () => {
      // That of a TLS socket says nothing of TLS.
      if (!('encrypted' in socket)) connected = true;
    });
    socket.on('error', (thrown: NodeJS.ErrnoException) => {
      error ??= thrown;
    });
    socket.on('data', (bytes: Buffer) => settle(false, bytes));
    socket.on('end', () => settle(true));
    socket.on('close', () => settle(true));
    begin(socket);
    if (signal?.aborted === true) onAbort();
  });
}
