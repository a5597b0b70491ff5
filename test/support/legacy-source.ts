import { once } from 'node:events';
import { type ClientHttp2Stream, constants, createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { codec } from '../peers/support/contract.ts';
import { eventually } from './eventually.ts';
import { framed, FrameReader } from './grpc-frames.ts';
import { field } from './wire-bytes.ts';

const requestCodec = codec('istio.mcp.v1alpha1.RequestResources');
const messageCodec = codec('istio.mcp.v1alpha1.Resources');

/** What most resources of a test have. */
const created = { createTime: { seconds: 1 } };

/** What a sink sent; every field is set. */
type Request = {
  readonly sinkNode: { readonly id: string; readonly annotations: object };
  readonly collection: string;
  readonly initialResourceVersions: object;
  readonly responseNonce: string;
  readonly errorDetail: { readonly code: number; readonly message: string } | null;
  readonly incremental: boolean;
};

/** What a source says; what is left out is empty. */
type Message = {
  readonly collection: string;
  readonly systemVersionInfo?: string;
  readonly nonce?: string;
  readonly incremental?: boolean;
  readonly resources?: readonly object[];
  readonly removedResources?: readonly string[];
};

/** A `Resources` message as bytes. */
export function encodeMessage(message: Message): Buffer {
  return messageCodec.encode(message);
}

/** A resource with a body of this kind (`istio.networking.v1alpha3`, unless it says which). */
export function resource(name: string, kind: string, body: Uint8Array, metadata: object = created): object {
  const typeUrl = `type.googleapis.com/${kind.includes('.') ? kind : `istio.networking.v1alpha3.${kind}`}`;
  return { metadata: { name, ...metadata }, body: { typeUrl, type_url: typeUrl, value: body } };
}

/** A resource whose body has this host where a ServiceEntry has it; test/support/resources.ts tells contents apart by it. */
export function entry(name: string, host = 'a', metadata: object = created, kind = 'ServiceEntry'): object {
  return resource(name, kind, field(1, host), metadata);
}

/** The source's end of one stream, down to the frames, whoever has opened it. */
export class SourceStream {
  /** All that came so far. */
  readonly requests: Request[] = [];
  /** True once nothing more comes or goes. */
  closed = false;
  /** Messages of a flood that the connection has taken. */
  flooded = 0;
  /** Called with each request. */
  onRequest: (request: Request) => void = () => {};
  readonly #stream: ServerHttp2Stream | ClientHttp2Stream;
  readonly #frames = new FrameReader();
  #nonce = 0;

  constructor(stream: ServerHttp2Stream | ClientHttp2Stream) {
    this.#stream = stream;
    stream.on('error', () => {});
    stream.on('data', (bytes: Buffer) => this.#take(bytes));
    stream.on('close', () => {
      this.closed = true;
    });
  }

  /** Collections of the subscriptions, in order. */
  get asked(): string[] {
    return this.requests.filter(({ responseNonce }) => responseNonce === '').map(({ collection }) => collection);
  }

  /** What answers something. */
  get replies(): Request[] {
    return this.requests.filter(({ responseNonce }) => responseNonce !== '');
  }

  /** Nonces of the replies without an error. */
  get acked(): string[] {
    return this.replies.filter(({ errorDetail }) => errorDetail === null).map(({ responseNonce }) => responseNonce);
  }

  /** Messages that were sent under nonces of this stream's own. */
  get sentMessages(): number {
    return this.#nonce;
  }

  /** Sends the headers of the answer, and these, where the sink has opened it. */
  open(more: Readonly<Record<string, string>> = {}): void {
    if (!('respond' in this.#stream) || this.#stream.headersSent) return;
    const headers = { ':status': 200, 'content-type': 'application/grpc', ...more };
    this.#stream.respond(headers, { waitForTrailers: true });
  }

  /** Sends a message under the stream's next nonce; returns that. */
  send(message: Message): string {
    const nonce = String(++this.#nonce);
    this.sendBytes(encodeMessage({ nonce, ...message }));
    return nonce;
  }

  /** The same, and returns once it is acknowledged. */
  async deliver(message: Message): Promise<void> {
    const nonce = this.send(message);
    await eventually(() => this.acked.includes(nonce));
  }

  /** `taken` is called once the connection has taken it all. */
  sendBytes(bytes: Buffer, taken: () => void = () => {}): void {
    this.open();
    this.#stream.write(framed(bytes), taken);
  }

  /** The same for a message that is packed by what the headers of the stream say. */
  sendPacked(bytes: Buffer): void {
    this.open();
    const frame = framed(bytes);
    frame[0] = 1;
    this.#stream.write(frame);
  }

  /** Sends a message that says to be compressed, and is not. */
  sendFlagged(bytes: Buffer): void {
    this.open();
    const message = framed(bytes);
    message[0] = 1;
    this.#stream.write(message);
  }

  /** Sends the beginning of a message, of which no more comes. */
  sendPart(bytes: Buffer, length: number): void {
    this.open();
    this.#stream.write(framed(bytes).subarray(0, length));
  }

  /** Sends messages one after the other, as fast as the connection takes them, whatever is answered. */
  flood(messages: readonly Message[]): void {
    const [message, ...rest] = messages;
    if (message === undefined) return;
    this.sendBytes(encodeMessage({ nonce: String(++this.#nonce), ...message }), () => {
      this.flooded++;
      this.flood(rest);
    });
  }

  /** Ends the stream with a gRPC status, or with what is none; who has opened it can only say that nothing more comes. */
  end(code: number | string = 0, details = ''): void {
    const stream = this.#stream;
    if (!('respond' in stream)) {
      stream.end();
      return;
    }
    const trailers = { 'grpc-status': String(code), 'grpc-message': encodeURI(details) };
    if (!stream.headersSent) {
      const headers = { ':status': 200, 'content-type': 'application/grpc', ...trailers };
      stream.respond(headers, { endStream: true });
      return;
    }
    stream.on('wantTrailers', () => stream.sendTrailers(trailers));
    stream.end();
  }

  /** Reads nothing more of what the sink sends. */
  stopReading(): void {
    this.#stream.pause();
  }

  /** Takes back what the sink may send ahead: not one more byte of it leaves. Returns once the sink knows. */
  closeWindow(): Promise<void> {
    return new Promise((resolve) => {
      this.#stream.session?.settings({ initialWindowSize: 0 }, () => resolve());
    });
  }

  /** Ends it without any status, by RST_STREAM. */
  reset(code = constants.NGHTTP2_CANCEL): void {
    // Who has opened it would say first that no more comes.
    if (!('respond' in this.#stream)) this.#stream.destroy();
    else this.#stream.close(code);
  }

  /** Says in HTTP/2 that the connection ends. */
  goAway(): void {
    this.#stream.session?.destroy();
  }

  #take(bytes: Buffer): void {
    for (const message of this.#frames.read(bytes)) {
      const request = requestCodec.decode(message) as Request;
      this.requests.push(request);
      this.onRequest(request);
    }
  }
}

/** A legacy MCP server that does what a test tells it, and nothing by itself; any method is ResourceSource's to it. */
export class LegacySource {
  /** Every stream that was opened, in order. */
  readonly streams: SourceStream[] = [];
  /** HTTP/2 pings that came. */
  pings = 0;
  /** Called with each stream as it is opened. Istio's source sends headers then, from 1.3 on. */
  onStream: (stream: SourceStream) => void = (stream) => stream.open();
  readonly #server: Http2Server = createServer();
  readonly #sockets = new Set<Socket>();

  private constructor() {
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    this.#server.on('session', (session) => {
      session.on('error', () => {});
      session.on('ping', () => {
        this.pings++;
      });
    });
    this.#server.on('sessionError', () => {});
    this.#server.on('stream', (http2Stream) => {
      const stream = new SourceStream(http2Stream);
      this.streams.push(stream);
      this.onStream(stream);
    });
  }

  /** Listens on 127.0.0.1; port 0 = any free one. */
  static async listen(port = 0): Promise<LegacySource> {
    const source = new LegacySource();
    source.#server.listen(port, '127.0.0.1');
    await once(source.#server, 'listening');
    return source;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Open TCP connections. */
  get connections(): number {
    return this.#sockets.size;
  }

  /** The n-th stream that is opened, from 1; waits for it. */
  async stream(n: number): Promise<SourceStream> {
    await eventually(() => this.streams.length >= n);
    return this.streams[n - 1] as SourceStream;
  }

  /** Closes every TCP connection without a word. */
  dropConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Ends as a killed process does. */
  async kill(): Promise<void> {
    const closed = new Promise((resolve) => {
      this.#server.close(resolve);
    });
    this.dropConnections();
    await closed;
  }
}
