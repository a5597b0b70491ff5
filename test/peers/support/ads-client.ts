import type { Client, ClientDuplexStream } from '@grpc/grpc-js';
import { codec, dial, type McpResource } from './contract.ts';
import { kinds, typeUrl } from './kinds.ts';

type DiscoveryResponse = {
  readonly versionInfo: string;
  readonly typeUrl: string;
  readonly nonce: string;
  readonly resources: readonly { readonly typeUrl: string; readonly value: Uint8Array }[];
};

/** One DiscoveryResponse, as it was received. */
export type Received = {
  readonly kind: string;
  /** By "Kind/namespace/name". */
  readonly resources: ReadonlyMap<string, { readonly version: string; readonly body: Uint8Array }>;
};

const requests = codec('envoy.service.discovery.v3.DiscoveryRequest');
const responses = codec('envoy.service.discovery.v3.DiscoveryResponse');
const resources = codec('istio.mcp.v1alpha1.Resource');

/** Asks an MCP-over-xDS server for {@link kinds} as istiod 1.24 does, ACKs everything and keeps it in order. */
export class AdsClient {
  readonly received: Received[] = [];
  readonly #client: Client;
  readonly #stream: ClientDuplexStream<object, DiscoveryResponse>;
  #failure: Error | undefined;

  constructor(port: number) {
    this.#client = dial(port);
    this.#stream = this.#client.makeBidiStreamRequest(
      '/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources',
      requests.encode,
      (bytes) => responses.decode(bytes) as DiscoveryResponse,
    );
    this.#stream.on('data', (response: DiscoveryResponse) => this.#take(response));
    this.#stream.on('error', (error) => {
      this.#failure = error;
    });
    const node = { id: 'sidecar~192.0.2.1~observer.istio-system~istio-system.svc.cluster.local' };
    for (const [index, { kind }] of kinds.entries()) {
      // As istiod does: the node comes once, and first requests carry a nonce that nobody has sent.
      const request = { typeUrl: typeUrl(kind), responseNonce: `2026-01-01 00:00:0${index} +0000 UTC` };
      this.#stream.write(index === 0 ? { ...request, node } : request);
    }
  }

  /** The latest response of each kind, all resources in one; throws when a kind was never answered. */
  state(): ReadonlyMap<string, { readonly version: string; readonly body: Uint8Array }> {
    if (this.#failure) throw this.#failure;
    return new Map(
      kinds.flatMap(({ kind }) => {
        const last = this.received.findLast((response) => response.kind === kind);
        if (!last) throw new Error(`no response for ${kind}`);
        return [...last.resources];
      }),
    );
  }

  close(): void {
    this.#stream.cancel();
    this.#client.close();
  }

  #take({ typeUrl: type, versionInfo, nonce, resources: anys }: DiscoveryResponse): void {
    const kind = type.slice(type.lastIndexOf('/') + 1);
    const decoded = anys.map(({ value }) => {
      const { metadata, body } = resources.decode(value) as McpResource;
      return [`${kind}/${metadata.name}`, { version: metadata.version, body: body.value }] as const;
    });
    this.received.push({ kind, resources: new Map(decoded) });
    this.#stream.write({ typeUrl: type, versionInfo, responseNonce: nonce });
  }
}
