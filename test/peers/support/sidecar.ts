import type { Client, ClientDuplexStream } from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import { codec, dial } from './contract.ts';

type DiscoveryResponse = {
  readonly versionInfo: string;
  readonly typeUrl: string;
  readonly nonce: string;
  readonly resources: readonly { readonly value: Uint8Array }[];
};

// Of Envoy's API just the fields that say who is reached where.
const { root } = protobuf.parse(`
  syntax = "proto3";
  message Cluster { string name = 1; int32 type = 2; }
  message SocketAddress { string address = 2; uint32 port_value = 3; }
  message Address { SocketAddress socket_address = 1; }
  message Endpoint { Address address = 1; }
  message LbEndpoint { Endpoint endpoint = 1; }
  message LocalityLbEndpoints { repeated LbEndpoint lb_endpoints = 2; }
  message ClusterLoadAssignment { string cluster_name = 1; repeated LocalityLbEndpoints endpoints = 2; }
`);

type Cluster = { readonly name: string; readonly type: number };
type ClusterLoadAssignment = {
  readonly clusterName: string;
  readonly endpoints: readonly {
    readonly lbEndpoints: readonly {
      readonly endpoint: { readonly address: { readonly socketAddress: { readonly address: string } } };
    }[];
  }[];
};

function decode(type: string, bytes: Uint8Array): object {
  const message = root.lookupType(type);
  return message.toObject(message.decode(bytes), { defaults: true, arrays: true });
}

const requests = codec('envoy.service.discovery.v3.DiscoveryRequest');
const responses = codec('envoy.service.discovery.v3.DiscoveryResponse');
const clusterType = 'type.googleapis.com/envoy.config.cluster.v3.Cluster';
const assignmentType = 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment';
/** Cluster.DiscoveryType.EDS: its endpoints come by themselves. */
const eds = 3;

/** One push: all clusters, or the endpoints of some of them. */
export type Push = {
  /** Milliseconds of `performance.now()`. */
  readonly at: number;
} & (
  | { readonly clusters: readonly string[] }
  /** Addresses by cluster. */
  | { readonly endpoints: ReadonlyMap<string, readonly string[]> }
);

/** The part of a sidecar that asks istiod for clusters and endpoints (state of the world), ACKs them and keeps them. */
export class Sidecar {
  readonly pushes: Push[] = [];
  readonly #client: Client;
  readonly #stream: ClientDuplexStream<object, DiscoveryResponse>;
  readonly #endpoints = new Map<string, readonly string[]>();
  #clusters: readonly string[] = [];
  #wanted: readonly string[] = [];
  #nonce = '';
  #version = '';
  #failure: Error | undefined;

  /** @param port istiod's gRPC port */
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
    const node = { id: 'sidecar~127.0.0.1~observer.default~default.svc.cluster.local', cluster: 'observer' };
    this.#stream.write({ typeUrl: clusterType, node });
  }

  /** Names of the clusters that the sidecar has now. @throws when its stream has ended */
  get clusters(): readonly string[] {
    this.#check();
    return this.#clusters;
  }

  /** Where the sidecar sends requests for a cluster now; empty when it knows none. @throws when its stream has ended */
  endpoints(cluster: string): readonly string[] {
    this.#check();
    return this.#clusters.includes(cluster) ? (this.#endpoints.get(cluster) ?? []) : [];
  }

  close(): void {
    this.#stream.cancel();
    this.#client.close();
  }

  #check(): void {
    if (this.#failure) throw this.#failure;
  }

  #take({ typeUrl, versionInfo, nonce, resources }: DiscoveryResponse): void {
    const at = performance.now();
    if (typeUrl === clusterType) {
      const all = resources.map(({ value }) => decode('Cluster', value) as Cluster);
      this.#clusters = all.map(({ name }) => name);
      this.pushes.push({ at, clusters: this.#clusters });
      this.#stream.write({ typeUrl, versionInfo, responseNonce: nonce });
      const wanted = all.filter(({ type }) => type === eds).map(({ name }) => name);
      if (wanted.join() === this.#wanted.join()) return;
      this.#wanted = wanted;
    } else {
      const assignments = resources.map(({ value }) => decode('ClusterLoadAssignment', value) as ClusterLoadAssignment);
      const endpoints = new Map(
        assignments.map(({ clusterName, endpoints: localities }) => [
          clusterName,
          localities.flatMap(({ lbEndpoints }) =>
            lbEndpoints.map(({ endpoint }) => endpoint.address.socketAddress.address),
          ),
        ]),
      );
      for (const [cluster, addresses] of endpoints) this.#endpoints.set(cluster, addresses);
      this.pushes.push({ at, endpoints });
      this.#nonce = nonce;
      this.#version = versionInfo;
    }
    const request = { typeUrl: assignmentType, versionInfo: this.#version, responseNonce: this.#nonce };
    this.#stream.write({ ...request, resourceNames: this.#wanted });
  }
}
