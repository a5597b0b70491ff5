import { loadSync, type MessageTypeDefinition, type ServiceDefinition } from '@grpc/proto-loader';
import { includeDirs, contractFiles } from './root.ts';

/** What travels on a raw stream: bytes in, bytes or a {@link Rope}-like object out. */
export type Outgoing = { readonly length: number; copy(target: Uint8Array, at?: number): number };

/** A method of one of our services with bytes on both sides; the shape that grpc-js takes. */
export type RawMethod = {
  readonly path: string;
  readonly requestStream: true;
  readonly responseStream: true;
  readonly requestSerialize: (value: Outgoing) => Buffer;
  readonly requestDeserialize: (bytes: Buffer) => Buffer;
  readonly responseSerialize: (value: Outgoing) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => Buffer;
};

const same = (bytes: Buffer): Buffer => bytes;
/** grpc-js types want a Buffer; it only copies from what it gets (see Rope). */
const asBuffer = (value: Outgoing): Buffer => value as unknown as Buffer;

let loaded: ReturnType<typeof loadSync> | undefined;

function rawMethod(service: string, method: string): RawMethod {
  loaded ??= loadSync(contractFiles, { includeDirs: includeDirs() });
  const definition = loaded[service] as ServiceDefinition;
  const { path } = definition[method] as ServiceDefinition[string] & {
    requestType: MessageTypeDefinition<object, object>;
  };
  return {
    path,
    requestStream: true,
    responseStream: true,
    requestSerialize: asBuffer,
    requestDeserialize: same,
    responseSerialize: asBuffer,
    responseDeserialize: same,
  };
}

/** The sink dials the source. */
export const resourceSource = () => rawMethod('istio.mcp.v1alpha1.ResourceSource', 'EstablishResourceStream');
/** The source dials the sink. */
export const resourceSink = () => rawMethod('istio.mcp.v1alpha1.ResourceSink', 'EstablishResourceStream');
/** The sink dials the source, in the protocol of Istio 1.0 and 1.1. */
export const aggregatedMeshConfig = () =>
  rawMethod('istio.mcp.v1alpha1.AggregatedMeshConfigService', 'StreamAggregatedResources');
/** istiod dials Isthmus. */
export const aggregatedDiscovery = () =>
  rawMethod('envoy.service.discovery.v3.AggregatedDiscoveryService', 'StreamAggregatedResources');
