import { Client, type ClientDuplexStream, type ClientReadableStream, credentials } from '@grpc/grpc-js';
import { onTestFinished } from 'vitest';
import { codec } from '../peers/support/contract.ts';
import { bogusNonce, nodeIds } from './fake-istiod.ts';
import { until } from './until.ts';

// The contract is read from proto/ once more here, so that a mistake of ours cannot hide behind itself.
const requests = codec('envoy.service.discovery.v3.DiscoveryRequest');
const responses = codec('envoy.service.discovery.v3.DiscoveryResponse');
const resources = codec('istio.mcp.v1alpha1.Resource');

/** A DiscoveryResponse as it came. */
export type Response = {
  readonly versionInfo: string;
  readonly typeUrl: string;
  readonly nonce: string;
  /** Each an Any, whose field keeps its proto name. */
  readonly resources: readonly { readonly type_url: string; readonly value: Uint8Array }[];
};

const same = (bytes: Buffer): Buffer => bytes;

/** A connection of its own to a port of 127.0.0.1, closed when the test is over. */
function dial(port: number): Client {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
    'grpc.max_receive_message_length': -1,
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_retries': 0,
  });
  onTestFinished(() => client.close());
  return client;
}

/** A client in istiod's place that says what a test tells it to, and nothing by itself. */
export class XdsPeer {
  /** All that came, in order. */
  readonly responses: Response[] = [];
  readonly node: { readonly id: string };
  /** How the stream ended; a code of gRPC. */
  ended: { readonly code: number; readonly details: string } | undefined;
  /** Called with each response. */
  onResponse: (response: Response) => void = () => {};
  /** Called when the stream has ended. */
  onEnd: () => void = () => {};
  readonly #stream: ClientDuplexStream<Buffer, Buffer>;
  #asked = false;

  private constructor(client: Client, id: string) {
    this.node = { id };
    const method = '/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources';
    this.#stream = client.makeBidiStreamRequest(method, same, same);
    this.#stream.on('data', (bytes: Buffer) => {
      const response = responses.decode(bytes) as Response;
      this.responses.push(response);
      this.onResponse(response);
    });
    this.#stream.on('error', () => {});
    this.#stream.on('status', ({ code, details }) => {
      this.ended = { code, details };
      this.onEnd();
    });
  }

  /** @param id the node's; by default one of an istiod of 1.12 and newer. */
  static connect(port: number, id: string = nodeIds.from112): XdsPeer {
    return new XdsPeer(dial(port), id);
  }

  /** Subscribes as a starting istiod: a made-up nonce each; the node in the first request only. */
  subscribe(...types: readonly string[]): void {
    for (const typeUrl of types) {
      const request = { typeUrl, responseNonce: bogusNonce };
      this.request(this.#asked ? request : { node: this.node, ...request });
      this.#asked = true;
    }
  }

  ack({ typeUrl, versionInfo, nonce }: Response): void {
    this.request({ typeUrl, versionInfo, responseNonce: nonce });
  }

  nack({ typeUrl, nonce }: Response, message: string): void {
    this.request({ typeUrl, responseNonce: nonce, errorDetail: { code: 13, message } });
  }

  request(message: object): void {
    this.sendBytes(requests.encode(message));
  }

  sendBytes(bytes: Buffer): void {
    this.#stream.write(bytes);
  }

  /** Says that nothing more comes from here. */
  halfClose(): void {
    this.#stream.end();
  }

  cancel(): void {
    this.#stream.cancel();
  }

  /** Type URLs of all that came, in order. */
  get types(): string[] {
    return this.responses.map(({ typeUrl }) => typeUrl);
  }

  /** The n-th response of a type, from 1; waits for it. */
  async response(typeUrl: string, n = 1): Promise<Response> {
    return until(`response ${n} of ${typeUrl}`, () => this.responses.filter((one) => one.typeUrl === typeUrl)[n - 1]);
  }

  /** How the stream ended; waits for it. */
  async end(): Promise<{ readonly code: number; readonly details: string }> {
    return until('the stream ends', () => this.ended);
  }
}

/** Name → version of the resources in a response. */
export function versionsOf(response: Response): Record<string, string> {
  const metadata = response.resources.map(
    ({ value }) => (resources.decode(value) as { metadata: { name: string; version: string } }).metadata,
  );
  return Object.fromEntries(metadata.map(({ name, version }) => [name, version]));
}

/** Calls a method of grpc.health.v1.Health; statuses are 1 = SERVING, 2 = NOT_SERVING, 3 = SERVICE_UNKNOWN. */
export function checkHealth(port: number, service: string): Promise<number> {
  return new Promise((resolve, reject) => {
    dial(port).makeUnaryRequest('/grpc.health.v1.Health/Check', same, same, healthRequest(service), (error, bytes) => {
      if (error !== null) reject(error);
      else resolve(bytes?.[1] ?? 0);
    });
  });
}

/** Statuses that Health.Watch sends, as they come. */
export type HealthWatch = { readonly statuses: readonly number[]; cancel(): void };

/** The same, watched; returns once the first status came. */
export async function openHealthWatch(port: number, service = ''): Promise<HealthWatch> {
  const stream: ClientReadableStream<Buffer> = dial(port).makeServerStreamRequest(
    '/grpc.health.v1.Health/Watch',
    same,
    same,
    healthRequest(service),
  );
  const statuses: number[] = [];
  stream.on('error', () => {});
  stream.on('data', (bytes: Buffer) => statuses.push(bytes[1] ?? 0));
  await until('the first status', () => statuses.length > 0);
  return { statuses, cancel: () => stream.cancel() };
}

function healthRequest(service: string): Buffer {
  return service === '' ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a, service.length]), Buffer.from(service)]);
}
