import protobuf from 'protobufjs';
import { codec, messageType } from '../../peers/support/contract.ts';

/** A Resource as istiod's client decodes it. */
export type McpResource = {
  /** Null where the resource has none. */
  readonly metadata: {
    readonly name: string;
    readonly version: string;
    readonly createTime: object | null;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
  } | null;
  readonly body: AnyMessage | null;
};

/** google.protobuf.Any; protobufjs keeps the field's proto name. */
export type AnyMessage = { readonly type_url: string; readonly value: Uint8Array };

export type DiscoveryResponse = {
  readonly versionInfo: string;
  readonly typeUrl: string;
  readonly nonce: string;
  readonly resources: readonly AnyMessage[];
};

/** What a client says; every field is set when decoded. */
export type DiscoveryRequest = {
  readonly node: { readonly id: string; readonly metadata: object | null } | null;
  readonly versionInfo: string;
  readonly typeUrl: string;
  readonly responseNonce: string;
  readonly resourceNames: readonly string[];
  readonly errorDetail: object | null;
};

const resourceType = messageType('istio.mcp.v1alpha1.Resource');
const responseType = messageType('envoy.service.discovery.v3.DiscoveryResponse');

export const discoveryRequest = codec('envoy.service.discovery.v3.DiscoveryRequest');
export const discoveryResponse = codec('envoy.service.discovery.v3.DiscoveryResponse');
export const mcpResource = codec('istio.mcp.v1alpha1.Resource');

/** Of a map's own fields, as protobufjs makes them. */
const texts = (value: unknown): Record<string, string> => ({ ...(value as Record<string, string>) });

/** The plain Reader: the one for Buffers clips what runs past the end. @throws where the bytes are no such message. */
function decode(type: protobuf.Type, bytes: Uint8Array): unknown {
  return type.decode(new protobuf.Reader(bytes));
}

/** @throws where the bytes are no DiscoveryResponse. */
export function decodeResponse(bytes: Uint8Array): DiscoveryResponse {
  return decode(responseType, bytes) as DiscoveryResponse;
}

/** @throws where the bytes are no Resource; Go refuses text that is no UTF-8 too. */
export function decodeResource(bytes: Uint8Array): McpResource {
  const { metadata, body } = decode(resourceType, bytes) as McpResource;
  if (metadata === null) return { metadata, body };
  const { name, version, createTime } = metadata;
  const decoded = {
    name,
    version,
    createTime,
    labels: texts(metadata.labels),
    annotations: texts(metadata.annotations),
  };
  if (JSON.stringify([name, decoded.labels, decoded.annotations]).includes('\ufffd')) throw new Error('invalid UTF-8');
  return { metadata: decoded, body };
}

/** Bodies with fields that we know are decoded by those; of the others every field is looked at. @throws where it can't be. */
export function checkBody(name: string, bytes: Uint8Array): void {
  if (name.endsWith('ServiceEntry') || name.endsWith('WorkloadEntry')) {
    decode(messageType(name), bytes);
    return;
  }
  const reader = new protobuf.Reader(bytes);
  while (reader.pos < reader.len) reader.skipType(reader.uint32() & 7);
}

/** Hosts of a ServiceEntry. */
export function hostsOf(body: Uint8Array): readonly string[] {
  return (decode(messageType('istio.networking.v1alpha3.ServiceEntry'), body) as { hosts: string[] }).hosts;
}
