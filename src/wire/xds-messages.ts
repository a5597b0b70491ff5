import { decodeMessage, root } from './root.ts';

/** The part of a DiscoveryRequest that the exchange looks at. */
export type DiscoveryRequest = {
  readonly versionInfo: string;
  readonly node?: { readonly id: string; readonly cluster: string; readonly metadata?: unknown };
  readonly resourceNames: readonly string[];
  readonly typeUrl: string;
  readonly responseNonce: string;
  /** Present means NACK. istiod never sends one for configuration. */
  readonly errorDetail?: { readonly code: number; readonly message: string };
};

const requestType = () => root().lookupType('envoy.service.discovery.v3.DiscoveryRequest');
const responseType = () => root().lookupType('envoy.service.discovery.v3.DiscoveryResponse');

/** @throws MalformedError where the bytes are no such message. */
export function decodeDiscoveryRequest(bytes: Buffer): DiscoveryRequest {
  const type = requestType();
  const plain = type.toObject(decodeMessage(type, bytes), { arrays: true }) as Partial<DiscoveryRequest>;
  const error = plain.errorDetail;
  return {
    versionInfo: plain.versionInfo ?? '',
    resourceNames: plain.resourceNames ?? [],
    typeUrl: plain.typeUrl ?? '',
    responseNonce: plain.responseNonce ?? '',
    ...(plain.node ? { node: { ...plain.node, id: plain.node.id ?? '', cluster: plain.node.cluster ?? '' } } : {}),
    ...(error ? { errorDetail: { code: error.code ?? 0, message: error.message ?? '' } } : {}),
  };
}

export function encodeDiscoveryRequest(request: Partial<DiscoveryRequest>): Buffer {
  return Buffer.from(requestType().encode(request).finish());
}

/**
 * Everything of a DiscoveryResponse but its resources. Protobuf fields may come in any order, so the
 * per-stream part is a small tail behind the shared resource bytes.
 */
export function encodeResponseTail(tail: { versionInfo: string; typeUrl: string; nonce: string }): Buffer {
  return Buffer.from(responseType().encode(tail).finish());
}

/** One resource of a decoded DiscoveryResponse: its envelope's type and the Resource bytes inside. */
export type ResponseResource = { readonly typeUrl: string; readonly value: Buffer };

/** A DiscoveryResponse as a client reads it. */
export type DiscoveryResponse = {
  readonly versionInfo: string;
  readonly typeUrl: string;
  readonly nonce: string;
  readonly resources: readonly ResponseResource[];
};

/** @throws MalformedError where the bytes are no such message. */
export function decodeDiscoveryResponse(bytes: Buffer): DiscoveryResponse {
  const type = responseType();
  const plain = type.toObject(decodeMessage(type, bytes), { defaults: true, arrays: true }) as Omit<
    DiscoveryResponse,
    'resources'
  > & {
    /** protobufjs' own Any keeps the field's proto name. */
    resources: { type_url: string; value: Uint8Array }[];
  };
  return {
    versionInfo: plain.versionInfo,
    typeUrl: plain.typeUrl,
    nonce: plain.nonce,
    resources: plain.resources.map((r) => ({ typeUrl: r.type_url, value: Buffer.from(r.value) })),
  };
}
