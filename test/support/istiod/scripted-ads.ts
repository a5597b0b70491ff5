import { once } from 'node:events';
import { createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { framed, FrameReader } from '../grpc-frames.ts';
import { bodyOf, kindOf } from './types.ts';
import { type DiscoveryRequest, discoveryRequest, discoveryResponse, mcpResource } from './wire.ts';

/** What a server says of a type; resources are encoded Resources, wrapped here. */
export type Answer = {
  readonly typeUrl: string;
  readonly resources?: readonly Uint8Array[];
  readonly versionInfo?: string;
  /** What the resources are said to be. @default istio.mcp.v1alpha1.Resource */
  readonly wrapper?: string;
};

/** The server's end of one stream of istiod. */
export class AdsScript {
  /** All that came, in order. */
  readonly requests: DiscoveryRequest[] = [];
  closed = false;
  readonly #stream: ServerHttp2Stream;
  #nonce = 0;

  constructor(stream: ServerHttp2Stream, onRequest: (request: DiscoveryRequest, script: AdsScript) => void) {
    this.#stream = stream;
    const frames = new FrameReader();
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('error', () => {});
    stream.on('close', () => {
      this.closed = true;
    });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.on('data', (bytes: Buffer) => {
      for (const message of frames.read(bytes)) {
        const request = discoveryRequest.decode(message) as DiscoveryRequest;
        this.requests.push(request);
        onRequest(request, this);
      }
    });
  }

  /** Type URLs of the first requests: those whose nonce is none of ours. */
  get asked(): string[] {
    return this.requests.filter(({ responseNonce }) => !responseNonce.startsWith('n')).map(({ typeUrl }) => typeUrl);
  }

  /** Nonces that were acknowledged. */
  get acked(): string[] {
    return this.requests.map(({ responseNonce }) => responseNonce).filter((nonce) => nonce.startsWith('n'));
  }

  /** Returns the nonce, `n1`, `n2`, … */
  answer({ typeUrl, resources = [], versionInfo = '1', wrapper = 'istio.mcp.v1alpha1.Resource' }: Answer): string {
    const nonce = `n${++this.#nonce}`;
    const wrapped = resources.map((value) => ({ type_url: `type.googleapis.com/${wrapper}`, value }));
    this.#stream.write(framed(discoveryResponse.encode({ typeUrl, versionInfo, nonce, resources: wrapped })));
    return nonce;
  }

  /** Ends the stream with status OK. */
  end(): void {
    this.#stream.end();
  }
}

/** An xDS server that does what a test tells it: the naive ones, which istiod's traps are shown with. */
export class ScriptedAds {
  readonly streams: AdsScript[] = [];
  /** Called with each request. */
  onRequest: (request: DiscoveryRequest, script: AdsScript) => void = () => {};
  readonly #server: Http2Server = createServer();
  readonly #sockets = new Set<Socket>();

  /** Listens on a port of 127.0.0.1, as long as the test lasts. @param port 0 = any free one */
  static async listen(port = 0): Promise<ScriptedAds> {
    const ads = new ScriptedAds();
    const server = ads.#server;
    server.on('connection', (socket: Socket) => {
      ads.#sockets.add(socket);
      socket.on('close', () => ads.#sockets.delete(socket));
    });
    server.on('session', (session) => session.on('error', () => {}));
    server.on('sessionError', () => {});
    server.on('stream', (stream) => {
      ads.streams.push(new AdsScript(stream, (request, script) => ads.onRequest(request, script)));
    });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => ads.kill());
    return ads;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get last(): AdsScript {
    const last = this.streams.at(-1);
    if (last === undefined) throw new Error('no stream was opened');
    return last;
  }

  /** Ends as a killed process does. */
  async kill(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise((resolve) => {
      this.#server.close(resolve);
    });
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}

/** Answers every first request but MeshConfig's with what `state` has of the kind, as a good server does. */
export function serve(ads: ScriptedAds, state: Readonly<Record<string, readonly Uint8Array[]>> = {}): void {
  ads.onRequest = ({ typeUrl, responseNonce }, script) => {
    if (responseNonce.startsWith('n') || typeUrl.endsWith('MeshConfig')) return;
    script.answer({ typeUrl, resources: state[kindOf(typeUrl)] ?? [] });
  };
}

/** An encoded Resource; what is left out is as a good server sends it, and undefined is left away. */
export function resource(
  name: string,
  parts: {
    version?: string;
    host?: string | undefined;
    kind?: string;
    bodyType?: string;
    body?: Uint8Array | undefined;
    metadata?: object | undefined;
  } = {},
): Buffer {
  const { version = '1', kind = 'ServiceEntry' } = parts;
  const host = 'host' in parts ? parts.host : 'a';
  const field = (text: string): Buffer => Buffer.concat([Buffer.from([0x0a, text.length]), Buffer.from(text)]);
  const value = 'body' in parts ? parts.body : host === undefined ? Buffer.alloc(0) : field(host);
  const type_url = `type.googleapis.com/${parts.bodyType ?? bodyOf[kind] ?? ''}`;
  const metadata = 'metadata' in parts ? parts.metadata : { createTime: { seconds: 1 } };
  return mcpResource.encode({
    ...(metadata === undefined ? {} : { metadata: { name, version, ...metadata } }),
    ...(value === undefined ? {} : { body: { type_url, value } }),
  });
}
