import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import { codec } from '../peers/support/contract.ts';
import { framed, FrameReader } from './grpc-frames.ts';

const requestCodec = codec('istio.mcp.v1alpha1.RequestResources');
const messageCodec = codec('istio.mcp.v1alpha1.Resources');

/** What a source sent; every field is set. */
type Message = {
  readonly systemVersionInfo: string;
  readonly collection: string;
  readonly nonce: string;
  readonly incremental: boolean;
  readonly resources: readonly {
    readonly metadata: { readonly name: string; readonly version: string };
    readonly body: { readonly type_url: string; readonly value: Uint8Array };
  }[];
  readonly removedResources: readonly string[];
};

/** A legacy sink that sends what a test tells it, and nothing by itself. */
export class ScriptedSink {
  /** All that came so far. */
  readonly messages: Message[] = [];
  /** gRPC status of the stream, once it is over. */
  status: { readonly code: number; readonly details: string } | undefined;
  /** True once the source has sent its headers. */
  opened = false;
  /** What it sent as headers. */
  headers: Readonly<Record<string, unknown>> = {};
  /** Called with each message. */
  onMessage: (message: Message) => void = () => {};
  readonly #session: ClientHttp2Session;
  readonly #stream: ClientHttp2Stream;
  readonly #frames = new FrameReader();

  constructor(port: number) {
    this.#session = connect(`http://127.0.0.1:${port}`);
    this.#session.on('error', () => {});
    this.#stream = this.#session.request({
      ':method': 'POST',
      ':path': '/istio.mcp.v1alpha1.ResourceSource/EstablishResourceStream',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    this.#stream.on('error', () => {});
    this.#stream.on('data', (bytes: Buffer) => this.#take(bytes));
    this.#stream.on('response', (headers) => {
      this.opened = true;
      this.headers = { ...headers };
      this.#finish(headers);
    });
    this.#stream.on('trailers', (headers) => this.#finish(headers));
  }

  /** Collections of the messages so far. */
  get collections(): string[] {
    return this.messages.map(({ collection }) => collection);
  }

  request(collection: string, responseNonce = '', more: object = {}): void {
    this.sendBytes(requestCodec.encode({ sinkNode: { id: 'scripted' }, collection, responseNonce, ...more }));
  }

  /** Several requests in one write, so that the source finds them together. */
  requestAll(...collections: readonly string[]): void {
    this.#stream.write(Buffer.concat(collections.map((collection) => framed(requestCodec.encode({ collection })))));
  }

  sendBytes(bytes: Buffer): void {
    this.#stream.write(framed(bytes));
  }

  /** Reads nothing any more: what the source sends fills the window. */
  stopReading(): void {
    this.#stream.pause();
  }

  /** Says that no further request comes. */
  end(): void {
    this.#stream.end();
  }

  async close(): Promise<void> {
    if (this.#session.destroyed) return;
    const closed = once(this.#session, 'close');
    this.#session.destroy();
    await closed;
  }

  #finish(headers: { readonly [name: string]: unknown }): void {
    const { 'grpc-status': status, 'grpc-message': message = '' } = headers;
    if (status === undefined) return;
    this.status = { code: Number(status), details: decodeURIComponent(String(message)) };
    this.#stream.end();
  }

  #take(bytes: Buffer): void {
    for (const frame of this.#frames.read(bytes)) {
      const message = messageCodec.decode(frame) as Message;
      this.messages.push(message);
      this.onMessage(message);
    }
  }
}
