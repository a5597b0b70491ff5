import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, createServer, type Server as NetServer, type Socket } from 'node:net';
import { getDefaultHighWaterMark, setDefaultHighWaterMark } from 'node:stream';
import {
  type ChannelOptions,
  Client,
  connectivityState,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServiceDefinition,
} from '@grpc/grpc-js';
import { type Clock, systemClock } from '../model/clock.ts';
import { IsthmusError, messageOf } from '../model/errors.ts';
import type { RawMethod } from '../wire/services.ts';
import { formatHostPort, type HostPort } from './address.ts';
import { silenceGrpc } from './grpc-log.ts';
import type { AllowedPeers } from './allowed-peers.ts';
import { defaultDoorLimits, Door, type DoorLimits, type TurnedAway } from './door.ts';
import { keepaliveOptions, plaintextCredentials, tcpKeepaliveMs, towardsIstiods } from './keepalive.ts';
import { letGoOfPieces } from './received-pieces.ts';
import { identitiesOf } from './tls-certificate.ts';
import type { ClientTls } from './tls-client.ts';
import type { ServerTls } from './tls-server.ts';

silenceGrpc();
letGoOfPieces();

/** The stream of a raw method, on the side that was called: bytes in, bytes out. */
export type RawServerStream = ServerDuplexStream<Buffer, Buffer>;

/** One service with one streaming method, as grpc-js wants it. */
export function serviceOf(method: RawMethod): ServiceDefinition {
  return { [nameOf(method)]: method };
}

/** The method's name within its service. */
export function nameOf(method: RawMethod): string {
  return method.path.slice(method.path.lastIndexOf('/') + 1);
}

/**
 * Wraps a handler: grpc-js lets the client wait for ever when a handler throws or rejects, and ends the process
 * for an unheard 'error' event (grpc-node #984).
 */
export function guarded(handle: (call: RawServerStream) => void): (call: RawServerStream) => void {
  return (call) => {
    call.on('error', () => {});
    try {
      handle(call);
    } catch (error) {
      failCall(call, 13, `internal error: ${messageOf(error)}`);
    }
  };
}

/** Ends a call with a status. `call.emit('error')` is grpc-js' one way that reaches the peer. */
export function failCall(call: RawServerStream, code: number, details: string): void {
  call.emit('error', Object.assign(new Error(details), { code, details }));
}

/** Closes the HTTP/2 stream at once and lets go of what was not sent. grpc-js has no public way to do so. */
export function resetCall(call: RawServerStream): void {
  const { stream } = (call as unknown as { call: { stream?: ServerHttp2Stream } }).call;
  stream?.close(constants.NGHTTP2_CANCEL);
}

/**
 * Who called: the URIs (SPIFFE ids) and DNS names of the client certificate. Empty where there was none, or it was not
 * verified: the listener asks for none.
 */
export function peerIdentities(call: RawServerStream): string[] {
  return identitiesOf(call.getAuthContext().sslPeerCertificate?.subjectaltname ?? '');
}

/** A server for peers that hold one long stream each. */
export function newServer(options: ChannelOptions = {}): Server {
  const server = new Server({
    ...keepaliveOptions(towardsIstiods),
    'grpc.max_receive_message_length': 4 << 20,
    ...options,
  });
  shelter(server);
  return server;
}

/** What grpc-js does with each HTTP/2 stream; it has no public way to it (1.14). */
type StreamHandler = (interceptors: unknown, stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;

/**
 * Keeps calls from grpc-js that are over before it hears of them, since the peer has reset the stream, or broken the
 * connection, within the same packet. It would answer them, if they are to a method that is not there or of another content
 * type, which throws out of an event of Node's and would end the process; all others it would never see the end of (1.14.7
 * server.ts).
 */
function shelter(server: Server): void {
  const handlers = server as unknown as Record<'_channelzHandler' | '_streamHandler', StreamHandler>;
  for (const name of ['_channelzHandler', '_streamHandler'] as const) {
    const handle = handlers[name].bind(server);
    handlers[name] = (interceptors, stream, headers) => {
      if (!stream.destroyed && !stream.closed) handle(interceptors, stream, headers);
      else stream.on('error', () => {});
    };
  }
}

/** How a server looks at those who knock. */
export type ListenOptions = {
  /** What it speaks, for those who speak something else. @default gRPC */
  readonly what?: string;
  /** @default {@link defaultDoorLimits} */
  readonly limits?: DoorLimits;
  readonly clock?: Clock;
  /** @default plaintext */
  readonly tls?: ServerTls | undefined;
  /** @default every address */
  readonly allowedPeers?: AllowedPeers | undefined;
  /** Told of each connection that was turned away. */
  readonly onTurnedAway?: (turnedAway: TurnedAway) => void;
};

/** What accepts the connections of each server that listens. */
const listeners = new WeakMap<Server, { readonly door: Door; readonly sockets: readonly NetServer[] }>();

/**
 * Starts listening on every address that the host has.
 * @returns the port: the given one, or the one that was free where 0 was given.
 * @throws IsthmusError LISTEN_FAILED
 */
export async function listen(
  server: Server,
  address: HostPort,
  subject: string,
  options: ListenOptions = {},
): Promise<number> {
  const { what = 'gRPC', limits = defaultDoorLimits, clock = systemClock, onTurnedAway = () => {}, ...more } = options;
  const target = formatHostPort(address);
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const admit = (socket: Socket) => injector.injectConnection(socket);
  const door = new Door({ ...more, what, limits, clock, admit, report: onTurnedAway });
  const sockets: NetServer[] = [];
  let { port } = address;
  try {
    const hosts = await lookup(address.host, { all: true });
    for (const [i, { address: host }] of hosts.entries()) {
      const socket = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: tcpKeepaliveMs });
      // Those beyond the limits are told so; twice as many, not even that.
      socket.maxConnections = 2 * limits.connections;
      socket.on('connection', (connection) => door.knock(connection));
      socket.listen({ host, port });
      try {
        await once(socket, 'listening');
      } catch (error) {
        // A name may stand for an address of IPv6 where that is turned off: one is enough.
        const isLast = i === hosts.length - 1 && sockets.length === 0;
        if (isLast || !absent.includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
        continue;
      }
      // Too many open files: the next connection may be taken.
      socket.on('error', () => {});
      sockets.push(socket);
      ({ port } = socket.address() as AddressInfo);
    }
  } catch (error) {
    for (const socket of sockets) socket.close();
    const inUse = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
    const problem = inUse ? 'the port is in use' : messageOf(error);
    const hint = inUse ? `end the other process, or choose another port with ${subject}` : undefined;
    const details = hint === undefined ? { cause: error } : { hint, cause: error };
    throw new IsthmusError('LISTEN_FAILED', target, `cannot listen: ${problem}`, details);
  }
  listeners.set(server, { door, sockets });
  return port;
}

/** Ends a server: no new calls, then wait for the open ones, then by force. */
export function stopServer(server: Server, graceMs: number): Promise<void> {
  const listener = listeners.get(server);
  for (const socket of listener?.sockets ?? []) socket.close();
  listener?.door.close();
  return new Promise((resolve) => {
    const force = setTimeout(() => {
      server.forceShutdown();
      resolve();
    }, graceMs);
    server.tryShutdown(() => {
      clearTimeout(force);
      resolve();
    });
  });
}

/** Codes of errors of an address that this host does not have. */
const absent = ['EADDRNOTAVAIL', 'EAFNOSUPPORT'];

/** So long may a connection take to end by itself. */
const closeGraceMs = 1000;

/**
 * A client for one connection: its own subchannel and no reconnects of its own, so that our backoff is the only
 * one. Close it after its stream.
 * @param tls plaintext without it. What went wrong with TLS, it knows.
 */
export function newClient(address: HostPort, options: ChannelOptions = {}, tls?: ClientTls): Client {
  const sockets = new Set<Socket>();
  const track = (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  };
  const credentials = tls?.credentials(address.host, track) ?? plaintextCredentials(track);
  const client = new Client(formatHostPort(address), credentials, {
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_retries': 0,
    // Servers of a mesh are dialled themselves, whatever the environment says of proxies for the web.
    'grpc.enable_http_proxy': 0,
    // Only the side that dials can choose its window; 64 KiB costs a third of the throughput.
    'grpc-node.flow_control_window': 8 << 20,
    ...options,
  });
  const close = client.close.bind(client);
  client.close = () => {
    close();
    // Node reads nothing more of a peer that has broken the rules of HTTP/2, not even its end, and would wait for it.
    setTimeout(() => {
      for (const socket of sockets) socket.destroy();
    }, closeGraceMs).unref();
  };
  return client;
}

/** Calls `connected` once the peer has answered in HTTP/2; never, where the client is closed before. */
export function whenConnected(client: Client, connected: () => void): void {
  const channel = client.getChannel();
  const look = () => {
    const state = channel.getConnectivityState(false);
    if (state === connectivityState.READY) connected();
    else if (state !== connectivityState.SHUTDOWN)
      channel.watchConnectivityState(state, Number.POSITIVE_INFINITY, look);
  };
  look();
}

/** gRPC status codes: the last one that there is, and those for what has none. */
const lastCode = 16;
const unknown = 2;
const internal = 13;

/**
 * Makes a code and a text of what a peer has sent in their place. grpc-js passes on any number as a code, and has neither
 * for a message whose compression it does not know (1.14.7 resolving-call.ts).
 */
function mendStatus(status: { code: number | undefined; details: string | undefined }): void {
  const { code, details } = status;
  if (code === undefined) status.code = internal;
  else if (!Number.isInteger(code) || code < 0 || code > lastCode) status.code = unknown;
  if (details === undefined) status.details = 'it sent a message in a compression that is not known';
  else if (code !== status.code && details === '')
    status.details = `it ended the stream with ${code}, which is no status`;
}

/**
 * Opens a stream of a raw method. While it is paused, no further message is read: what the peer sends meanwhile fills
 * the window, and waits.
 */
export function openStream(client: Client, method: RawMethod) {
  // grpc-js reads up to as many messages ahead as the default says when it makes the stream, of any size.
  const messagesAhead = getDefaultHighWaterMark(true);
  setDefaultHighWaterMark(true, 0);
  try {
    const stream = client.makeBidiStreamRequest(method.path, method.requestSerialize, method.responseDeserialize);
    // Whoever listens later hears what is left of it.
    stream.on('status', mendStatus);
    return stream;
  } finally {
    setDefaultHighWaterMark(true, messagesAhead);
  }
}
