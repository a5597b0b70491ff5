import { once } from 'node:events';
import { createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { codec } from '../../peers/support/contract.ts';
import { framed, FrameReader } from '../grpc-frames.ts';

const requestCodec = codec('istio.mcp.v1alpha1.MeshConfigRequest');
const responseCodec = codec('istio.mcp.v1alpha1.MeshConfigResponse');

/** What a sink sent; every field is set. */
export type MeshConfigRequest = {
  readonly versionInfo: string;
  readonly sinkNode: { readonly id: string; readonly annotations: object };
  readonly typeUrl: string;
  readonly responseNonce: string;
  readonly errorDetail: { readonly code: number; readonly message: string } | null;
};

/** What is known of one type on one stream. */
type Watch = { nonce: string; isOpen: boolean; version: string };

/** One stream of a sink. */
type Stream = {
  readonly stream: ServerHttp2Stream;
  readonly watches: Map<string, Watch>;
  nonce: number;
};

/**
 * The server of AggregatedMeshConfigService in Galley 1.0 (galley/pkg/mcp/server/server.go, 1.0.9) and 1.1: it looks at no
 * error, and sends at once to whoever names another version than the one it has.
 */
export class AggregatedServer {
  /** The method that was called, of each stream. */
  readonly paths: string[] = [];
  /** Every request of every stream, in order. */
  readonly requests: MeshConfigRequest[] = [];
  /** Messages sent. */
  sent = 0;
  readonly #server: Http2Server = createServer();
  readonly #sockets = new Set<Socket>();
  readonly #streams = new Set<Stream>();
  readonly #types: readonly string[];
  readonly #state = new Map<string, { version: string; resources: readonly object[] }>();

  private constructor(types: readonly string[]) {
    this.#types = types;
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    this.#server.on('session', (session) => session.on('error', () => {}));
    this.#server.on('stream', (stream, headers) => {
      this.paths.push(String(headers[':path']));
      this.#serve(stream);
    });
  }

  /** Listens on 127.0.0.1 as long as the test lasts. @param types what it knows. */
  static async listen(...types: readonly string[]): Promise<AggregatedServer> {
    const server = new AggregatedServer(types);
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    onTestFinished(() => {
      server.#server.close();
      server.dropConnections();
    });
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** All of one type; of types that were never set, nothing is ever sent. */
  set(type: string, version: string, ...resources: readonly object[]): void {
    this.#state.set(type, { version, resources });
    for (const stream of this.#streams) this.#push(stream, type);
  }

  /** Sends a message of any type, asked for or not. */
  force(type: string, version: string): void {
    for (const stream of this.#streams) this.#send(stream, type, version, []);
  }

  /** Closes every connection without a word. */
  dropConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #serve(http2Stream: ServerHttp2Stream): void {
    const stream: Stream = { stream: http2Stream, watches: new Map(), nonce: 0 };
    this.#streams.add(stream);
    http2Stream.on('error', () => {});
    http2Stream.on('close', () => this.#streams.delete(stream));
    http2Stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    const frames = new FrameReader();
    http2Stream.on('data', (bytes: Buffer) => {
      for (const message of frames.read(bytes)) this.#take(stream, requestCodec.decode(message) as MeshConfigRequest);
    });
  }

  #take(stream: Stream, request: MeshConfigRequest): void {
    this.requests.push(request);
    const { typeUrl, responseNonce, versionInfo } = request;
    const watch = stream.watches.get(typeUrl) ?? { nonce: '', isOpen: false, version: '' };
    // What was forced is no type that it knows.
    if (!this.#types.includes(typeUrl) && watch.nonce === '') {
      stream.stream.on('wantTrailers', () => {
        stream.stream.sendTrailers({
          'grpc-status': '3',
          'grpc-message': encodeURI(`unsupported type_url "${typeUrl}"`),
        });
      });
      stream.stream.end();
      return;
    }
    stream.watches.set(typeUrl, watch);
    if (watch.nonce !== '' && watch.nonce !== responseNonce) return;
    watch.version = versionInfo;
    watch.isOpen = true;
    this.#push(stream, typeUrl);
  }

  #push(stream: Stream, type: string): void {
    const watch = stream.watches.get(type);
    const state = this.#state.get(type);
    if (watch?.isOpen !== true || state === undefined || state.version === watch.version) return;
    watch.isOpen = false;
    this.#send(stream, type, state.version, state.resources);
  }

  #send(stream: Stream, typeUrl: string, versionInfo: string, resources: readonly object[]): void {
    const nonce = String(++stream.nonce);
    const watch = stream.watches.get(typeUrl);
    if (watch === undefined) stream.watches.set(typeUrl, { nonce, isOpen: false, version: '' });
    else watch.nonce = nonce;
    this.sent++;
    stream.stream.write(framed(responseCodec.encode({ versionInfo, typeUrl, nonce, resources })));
  }
}
