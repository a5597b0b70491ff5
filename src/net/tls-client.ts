import { type ChannelCredentials, credentials } from '@grpc/grpc-js';
import { isIP, type Socket } from 'node:net';
import { checkServerIdentity, connect, type TLSSocket } from 'node:tls';
import { X509Certificate } from 'node:crypto';
import { tcpKeepaliveMs } from './keepalive.ts';
import type { ProtocolHint } from './protocol-hint.ts';
import { altNamesOf, describeCertificate, nameOfCertificate } from './tls-certificate.ts';
import { explainOtherName, explainTlsError, explainUnverified, hungUp, type OurSide } from './tls-failure.ts';
import type { Identity } from './tls-identity.ts';

export type ClientTlsOptions = {
  /** Our certificate, if we have one to show, and the CAs that count. */
  readonly identity: Identity;
  /** In place of the host that is dialled: what the server's certificate has to be for. */
  readonly serverName?: string | undefined;
  /** In place of that name: the certificate has to have one of these, to the letter. SPIFFE ids are no host names. */
  readonly subjectAltNames?: readonly string[] | undefined;
  /** Anybody may be the server. */
  readonly insecureSkipVerify?: boolean | undefined;
  /** @default the present time */
  readonly date?: () => Date;
};

/** A connection, or what was to be one. */
type Attempt = { failure: ProtocolHint | undefined };

/** How a server is spoken to over TLS. Each connection uses what the files of the identity hold by then. */
export class ClientTls {
  readonly #options: ClientTlsOptions;
  /** The last connection that was begun. */
  #attempt: Attempt = { failure: undefined };

  constructor(options: ClientTlsOptions) {
    this.#options = options;
  }

  /**
   * What went wrong with TLS on the last connection that was begun; undefined where nothing did, so far. Of one on which
   * HTTP/2 was spoken, how it ended.
   */
  get failure(): ProtocolHint | undefined {
    return this.#attempt.failure;
  }

  /**
   * For one client of a server on this host.
   * @param onSocket told of each connection as it is made.
   */
  credentials(host: string, onSocket: (socket: Socket) => void): ChannelCredentials {
    const attempt: Attempt = { failure: undefined };
    this.#attempt = attempt;
    // grpc-js lets nobody at its sockets but credentials (1.14).
    const plaintext = credentials.createInsecure();
    // oxlint-disable-next-line no-underscore-dangle
    plaintext._isSecure = () => true;
    // oxlint-disable-next-line no-underscore-dangle
    plaintext._createSecureConnector = (_target, _options, callCredentials) => ({
      connect: async (socket) => ({ socket: await this.#secure(socket, host, attempt, onSocket), secure: true }),
      waitForReady: () => this.#options.identity.start(),
      getCallCredentials: () => callCredentials ?? credentials.createEmpty(),
      destroy() {},
    });
    return plaintext;
  }

  /** Resolves once the server is known to be the right one. */
  #secure(socket: Socket, host: string, attempt: Attempt, onSocket: (socket: Socket) => void): Promise<TLSSocket> {
    const { identity, serverName = host } = this.#options;
    const { material, view } = identity;
    if (material === undefined) {
      const { what = 'they were not read yet', next } = view.refused ?? {};
      attempt.failure = { problem: `our own TLS files can't be used: ${what}`, hint: next };
      return Promise.reject(new Error(`TLS: ${attempt.failure.problem}`));
    }
    const { certificate } = material;
    const ours: OurSide = {
      name: serverName,
      certificate: certificate === undefined ? undefined : nameOfCertificate(certificate),
      caFile: identity.files.ca,
    };
    socket.setKeepAlive(true, tcpKeepaliveMs);
    const secure = connect({
      socket,
      secureContext: material.context,
      ...(isIP(serverName) === 0 ? { servername: serverName } : {}),
      ALPNProtocols: ['h2'],
      // Both are looked at below, where there is more to say than a code.
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
    });
    onSocket(secure);
    return new Promise((resolve, reject) => {
      const fail = (failure: ProtocolHint) => {
        attempt.failure ??= failure;
        secure.destroy();
        reject(new Error(`TLS: ${failure.problem}`));
      };
      let isThrough = false;
      // Servers of TLS 1.3 look at our certificate only when we are through: these stay.
      secure.on('error', (error: NodeJS.ErrnoException) => fail(explainTlsError(error, ours)));
      secure.once('close', () => fail(hungUp(ours, isThrough)));
      secure.once('secureConnect', () => {
        isThrough = true;
        const failure = this.#verify(secure, ours);
        if (failure === undefined) resolve(secure);
        else fail(failure);
      });
    });
  }

  /** Why this server is not the right one. */
  #verify(secure: TLSSocket, ours: OurSide): ProtocolHint | undefined {
    const { subjectAltNames, insecureSkipVerify = false, date = () => new Date() } = this.#options;
    if (insecureSkipVerify) return undefined;
    const offered = secure.getPeerCertificate();
    // Node gives an empty object where the server has none.
    const certificate = offered.raw === undefined ? undefined : new X509Certificate(offered.raw);
    const described = certificate === undefined ? undefined : describeCertificate(certificate);
    if (!secure.authorized || described === undefined) {
      return explainUnverified(String(secure.authorizationError), described, ours, date());
    }
    if (subjectAltNames !== undefined) {
      const names = altNamesOf(certificate?.subjectAltName ?? '').map(({ value }) => value);
      const isWanted = names.some((name) => subjectAltNames.includes(name));
      return isWanted ? undefined : explainOtherName(described, ours.name, subjectAltNames);
    }
    const isSame = checkServerIdentity(ours.name, offered) === undefined;
    return isSame ? undefined : explainOtherName(described, ours.name, undefined);
  }
}
