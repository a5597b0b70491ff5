import type { X509Certificate } from 'node:crypto';
import { connect, createServer, type Server, type Socket } from 'node:net';
import {
  type ConnectionOptions,
  connect as connectTls,
  createServer as createTlsServer,
  type TlsOptions,
} from 'node:tls';
import { listen } from './listeners.ts';

/** A port of 127.0.0.1 that speaks TLS, and plaintext with another port: it makes a TLS server of any server. */
export class TlsFront {
  readonly port: number;
  /** What each client showed whose handshake went well, in order; undefined where that was nothing. */
  readonly clients: (X509Certificate | undefined)[];
  /** Gives new connections another certificate, or other CAs. */
  readonly renew: (options: TlsOptions) => void;

  private constructor(port: number, clients: (X509Certificate | undefined)[], renew: (options: TlsOptions) => void) {
    this.port = port;
    this.clients = clients;
    this.renew = renew;
  }

  /** Listens as long as the test lasts. @param port 0 = any free one. */
  static async of(target: number, options: TlsOptions, port = 0): Promise<TlsFront> {
    const clients: (X509Certificate | undefined)[] = [];
    const server = createTlsServer({ ALPNProtocols: ['h2'], ...options }, (near) => {
      clients.push(near.getPeerX509Certificate());
      join(near, connect({ host: '127.0.0.1', port: target }));
    });
    server.on('tlsClientError', () => {});
    return new TlsFront(await listen(server, port), clients, (renewed) => server.setSecureContext(renewed));
  }
}

/** A port of 127.0.0.1 that speaks plaintext, and TLS with another port: it makes a TLS client of any client. */
export class TlsBack {
  readonly port: number;
  /** What the server showed on each connection whose handshake went well, in order. */
  readonly servers: (X509Certificate | undefined)[];
  /** Codes and texts of what went wrong. */
  readonly errors: string[];
  readonly #near: Set<Socket>;

  private constructor(port: number, servers: (X509Certificate | undefined)[], errors: string[], near: Set<Socket>) {
    this.port = port;
    this.servers = servers;
    this.errors = errors;
    this.#near = near;
  }

  /** Listens as long as the test lasts. */
  static async to(target: number, options: ConnectionOptions): Promise<TlsBack> {
    const servers: (X509Certificate | undefined)[] = [];
    const errors: string[] = [];
    const sockets = new Set<Socket>();
    const server: Server = createServer((near) => {
      sockets.add(near);
      const far = connectTls({ host: '127.0.0.1', port: target, ALPNProtocols: ['h2'], ...options });
      far.on('secureConnect', () => servers.push(far.getPeerX509Certificate()));
      far.on('error', (error: NodeJS.ErrnoException) => errors.push(`${error.code} ${error.message}`));
      join(near, far);
    });
    return new TlsBack(await listen(server), servers, errors, sockets);
  }

  /** Breaks the connections. */
  drop(): void {
    for (const socket of this.#near) socket.destroy();
  }
}

function join(near: Socket, far: Socket): void {
  for (const [from, to] of [
    [near, far],
    [far, near],
  ] as const) {
    from.on('error', () => {});
    from.pipe(to);
    from.on('close', () => to.destroy());
  }
}
