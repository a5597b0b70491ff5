import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { onTestFinished } from 'vitest';
import { codec } from '../peers/support/contract.ts';
import { framed } from './grpc-frames.ts';

const requests = codec('envoy.service.discovery.v3.DiscoveryRequest');

/** An HTTP/2 connection to a port of 127.0.0.1, gone when the test is over. @param from another address of this host. */
export function dialHttp2(port: number, from = '127.0.0.1'): ClientHttp2Session {
  const session = connectHttp2(`http://127.0.0.1:${port}`, {
    createConnection: () => connect({ host: '127.0.0.1', port, localAddress: from }),
  });
  session.on('error', () => {});
  onTestFinished(() => session.destroy());
  return session;
}

/** One ADS stream, down to the frames. */
export class RawAds {
  readonly stream: ClientHttp2Stream;
  /** gRPC status, once it came. */
  status: { readonly code: number; readonly details: string } | undefined;
  /** Bytes of responses so far. */
  bytes = 0;

  /** @param reads false = never takes a byte of what comes. */
  constructor(session: ClientHttp2Session, reads = true) {
    this.stream = session.request({
      ':method': 'POST',
      ':path': '/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    this.stream.on('error', () => {});
    for (const event of ['response', 'trailers'] as const) {
      this.stream.on(event, (headers) => {
        const { 'grpc-status': code, 'grpc-message': message = '' } = headers;
        if (code === undefined) return;
        this.status = { code: Number(code), details: decodeURIComponent(String(message)) };
        this.stream.end();
      });
    }
    if (!reads) this.stream.pause();
    else {
      this.stream.on('data', (bytes: Buffer) => {
        this.bytes += bytes.length;
      });
    }
  }

  /** Asks for a type as a new stream does. Returns once it is on its way. */
  ask(typeUrl: string, more: object = {}): Promise<void> {
    const bytes = framed(requests.encode({ typeUrl, ...more }));
    return new Promise((resolve) => {
      this.stream.write(bytes, () => resolve());
    });
  }
}
