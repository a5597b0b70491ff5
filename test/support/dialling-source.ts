import { once } from 'node:events';
import { type ClientHttp2Session, connect, constants } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { onTestFinished } from 'vitest';
import { eventually } from './eventually.ts';
import { encodeMessage, SourceStream } from './legacy-source.ts';

const path = '/istio.mcp.v1alpha1.ResourceSink/EstablishResourceStream';

/** A stream that a source has opened to a sink. */
export class DialledStream extends SourceStream {
  /** gRPC status, once the sink has ended it. */
  status: { readonly code: number; readonly details: string } | undefined;

  /** The message with which Istio's sources begin: of 1.2 to 1.8, or of 1.1 where the collection is "". */
  trigger(collection = '$triggerCollection'): void {
    this.sendBytes(encodeMessage({ collection }));
  }

  /** Collections of the subscriptions, in order; the answer to a trigger has no nonce, too, and is none. */
  override get asked(): string[] {
    const subscriptions = this.requests.filter(
      ({ responseNonce, errorDetail }) => responseNonce === '' && errorDetail === null,
    );
    return subscriptions.map(({ collection }) => collection);
  }

  /** Messages that were answered, one way or another. */
  get answered(): number {
    return this.requests.length - this.asked.length;
  }

  /** Its status; waits for it. */
  async ended(): Promise<{ readonly code: number; readonly details: string }> {
    await eventually(() => this.status !== undefined);
    return this.status ?? { code: -1, details: '' };
  }

  /** Begins as Istio's sources do, and returns once it is asked for so many collections. */
  async begin(collections: number): Promise<this> {
    this.trigger();
    await eventually(() => this.asked.length >= collections);
    return this;
  }
}

/** A connection of a legacy source that dials a sink, and does what a test tells it. It lasts as long as the test. */
export class DiallingSource {
  readonly #session: ClientHttp2Session;

  private constructor(port: number, localAddress: string) {
    this.#session = connect(`http://127.0.0.1:${port}`, {
      createConnection: () => connectTcp({ host: '127.0.0.1', port, localAddress }),
    });
    this.#session.on('error', () => {});
    onTestFinished(() => this.close());
  }

  /** @param localAddress where it dials from. */
  static connect(port: number, localAddress = '127.0.0.1'): DiallingSource {
    return new DiallingSource(port, localAddress);
  }

  /** @param headers of the stream, as Galley's `--sinkMeta`. */
  open(headers: Readonly<Record<string, string>> = {}): DialledStream {
    const http2Stream = this.#session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    });
    const stream = new DialledStream(http2Stream);
    const finish = ({ 'grpc-status': status, 'grpc-message': message = '' }: { readonly [name: string]: unknown }) => {
      if (status === undefined) return;
      stream.status = { code: Number(status), details: decodeURIComponent(String(message)) };
      http2Stream.end();
    };
    http2Stream.on('response', finish);
    http2Stream.on('trailers', finish);
    return stream;
  }

  /** Ends the connection as a killed process does. */
  async close(): Promise<void> {
    if (this.#session.destroyed) return;
    const closed = once(this.#session, 'close');
    this.#session.destroy(undefined, constants.NGHTTP2_NO_ERROR);
    await closed;
  }
}
