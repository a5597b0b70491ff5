import type { Socket } from 'node:net';
import { type ChannelCredentials, type ChannelOptions, credentials } from '@grpc/grpc-js';

/** HTTP/2 pings: how often, and how long an answer may take, in milliseconds. */
export type Keepalive = { readonly timeMs: number; readonly timeoutMs: number };

/**
 * Towards legacy servers. grpc-go, grpc-java and Galley 1.0 and 1.1 answer pings that come more often than every
 * 5 minutes with GOAWAY, so this finds a half-open connection late. {@link tcpKeepaliveMs} finds most of them sooner.
 */
export const towardsSources: Keepalive = { timeMs: 360_000, timeoutMs: 20_000 };

/** Towards istiods: up to 1.16 they send no pings, so only we can notice that one is gone. Go clients take any number. */
export const towardsIstiods: Keepalive = { timeMs: 30_000, timeoutMs: 10_000 };

/**
 * An idle connection is asked for a sign of life by the kernel after so long, then every second, and is dropped after
 * ten questions without an answer. No HTTP/2 server sees them. A peer whose host or route is gone is found so; one
 * that hangs, or whose proxy answers in its place, is not.
 */
export const tcpKeepaliveMs = 30_000;

/** The same, as grpc-js wants it. */
export function keepaliveOptions({ timeMs, timeoutMs }: Keepalive): ChannelOptions {
  return { 'grpc.keepalive_time_ms': timeMs, 'grpc.keepalive_timeout_ms': timeoutMs };
}

/**
 * No TLS, and TCP keepalive on the socket. grpc-js lets nobody at its sockets but credentials (1.14).
 * @param onSocket told of each connection as it is made.
 */
export function plaintextCredentials(onSocket: (socket: Socket) => void = () => {}): ChannelCredentials {
  const plaintext = credentials.createInsecure();
  // oxlint-disable-next-line no-underscore-dangle
  const create = plaintext._createSecureConnector.bind(plaintext);
  // oxlint-disable-next-line no-underscore-dangle
  plaintext._createSecureConnector = (...args) => {
    const connector = create(...args);
    return {
      ...connector,
      connect(socket) {
        socket.setKeepAlive(true, tcpKeepaliveMs);
        onSocket(socket);
        return connector.connect(socket);
      },
    };
  };
  return plaintext;
}
