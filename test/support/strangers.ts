import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { createServer as createTcpServer, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { onTestFinished } from 'vitest';
import { listen as listenGrpc, nameOf, newServer, serviceOf, stopServer } from '../../src/net/grpc.ts';
import { aggregatedDiscovery } from '../../src/wire/services.ts';
import { listen } from './listeners.ts';

/** A certificate that nobody trusts, and its key; for tests alone, good until 2126. */
export const testIdentity = {
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgRZgoUQlM1TeyLkrH
oyh3fwvEo5m+gTxnCeX8pK1BWDShRANCAAS/J35IFNdjGiuRKLqnDx3TB9DSYxh+
NzbfqwkVz9O6vLvig5v05/0TdYuv1PYjK45GWA3wOz2JPCgmh5A+myYC
-----END PRIVATE KEY-----`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBmjCCAUGgAwIBAgIUdwiJawtIPwJQCLTqYRWXr0J86PcwCgYIKoZIzj0EAwIw
IjEgMB4GA1UEAwwXZ2FsbGV5LmlzdGlvLXN5c3RlbS5zdmMwIBcNMjYxMTI1MjA0
OTE0WhgPMjEyNjExMDEyMDQ5MTRaMCIxIDAeBgNVBAMMF2dhbGxleS5pc3Rpby1z
eXN0ZW0uc3ZjMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEvyd+SBTXYxorkSi6
pw8d0wfQ0mMYfjc236sJFc/Tury74oOb9Of9E3WLr9T2IyuORlgN8Ds9iTwoJoeQ
PpsmAqNTMFEwHQYDVR0OBBYEFHlw165DKjCA071zvJ1jxdhToHgQMB8GA1UdIwQY
MBaAFHlw165DKjCA071zvJ1jxdhToHgQMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZI
zj0EAwIDRwAwRAIgTrgv94QzZ4J0RK9hrzUypkO8mKeVniVmUKro2Hb6SK4CIF/w
dTpsXJfs4hAC3Lr62WKpP0ls/qp5Bf+DdIdKQ4Sw
-----END CERTIFICATE-----`,
};

/** Servers that are no legacy MCP server, on 127.0.0.1, port 0 = any free one; each returns its port. */
export const strangers = {
  http1: (port = 0) =>
    listen(
      createHttpServer((_, response) => response.end('hello')),
      port,
    ),

  tls: (port = 0, options: TlsOptions = {}) =>
    listen(
      createTlsServer({ ...testIdentity, ...options }, (socket) => socket.on('error', () => {})),
      port,
    ),

  /** Greets in another protocol. */
  smtp: (port = 0) =>
    listen(
      createTcpServer((socket) => socket.write('220 mail.example.com ESMTP ready\r\n')),
      port,
    ),

  /** Takes connections, and says nothing. */
  silent: (port = 0) => listen(createTcpServer(), port),

  /** Takes connections, and closes them. */
  hangsUp: (port = 0) =>
    listen(
      createTcpServer((socket: Socket) => socket.destroy()),
      port,
    ),

  /** A web server that speaks HTTP/2 without TLS. */
  web: (port = 0) =>
    listen(
      createHttp2Server((_, response) => {
        response.writeHead(200, { 'content-type': 'text/html' });
        response.end('<h1>hello</h1>');
      }),
      port,
    ),

  /** An xDS server: gRPC, and another service. */
  xds: async (port = 0): Promise<number> => {
    const server = newServer();
    const method = aggregatedDiscovery();
    server.addService(serviceOf(method), { [nameOf(method)]: () => {} });
    onTestFinished(() => stopServer(server, 0));
    return listenGrpc(server, { host: '127.0.0.1', port }, 'test');
  },
} as const;
