import { cursor, MalformedError, readLength, readVarint, skip, varintSize, writeVarint } from './scan.ts';
import { decodeMessage, root } from './root.ts';
import { type Spans, SpanList } from './spans.ts';
import { touchBytes } from './touch.ts';

/** So much of a version is kept, in bytes: some servers write all that they have into it, megabytes of it. */
const maxVersionBytes = 256;

/** Bytes that are fetched from memory before the borders in them are looked for. */
const touchedBytes = 1 << 13;

/** A message with resources that are still bytes. */
export type ResourcesView = {
  /** For people: the first 256 bytes of it. */
  readonly systemVersionInfo: string;
  readonly collection: string;
  readonly nonce: string;
  readonly incremental: boolean;
  readonly removedResources: readonly string[];
  /** The received message; `spans` points into it. */
  readonly bytes: Buffer;
  /** Start and end of each Resource, in pairs. */
  readonly spans: Spans;
};

/** Reads the envelope of a `Resources` message. @throws MalformedError where the bytes are none. */
export function readResources(bytes: Buffer): ResourcesView {
  let systemVersionInfo = '';
  let collection = '';
  let nonce = '';
  let incremental = false;
  const removedResources: string[] = [];
  const spans = new SpanList();
  let at = 0;
  let touched = 0;
  const end = bytes.length;
  while (at < end) {
    if (at >= touched) {
      touched = Math.min(end, at + touchedBytes);
      touchBytes(bytes, at, touched);
    }
    // A resource of 128 bytes to 16 KiB, as nearly all are, needs no call.
    if (bytes[at] === 0x1a && at + 2 < end) {
      const low = bytes[at + 1] as number;
      const high = bytes[at + 2] as number;
      const start = at + 3;
      const length = (low & 0x7f) | (high << 7);
      if (low >= 0x80 && high < 0x80 && length <= end - start) {
        at = start + length;
        spans.add(start, at);
        continue;
      }
    }
    const tag = readVarint(bytes, at, bytes.length);
    if (tag >>> 3 === 0) throw new MalformedError('field number 0');
    if (tag === 0x30) {
      incremental = readVarint(bytes, cursor, bytes.length) !== 0;
      at = cursor;
      continue;
    }
    if ((tag & 7) !== 2) {
      at = skip(bytes, tag & 7, cursor, bytes.length);
      continue;
    }
    const length = readLength(bytes, cursor, bytes.length);
    const start = cursor;
    at = start + length;
    if (tag === 0x1a) spans.add(start, at);
    else if (tag === 0x0a) systemVersionInfo = bytes.toString('utf8', start, Math.min(at, start + maxVersionBytes));
    else if (tag === 0x12) collection = bytes.toString('utf8', start, at);
    else if (tag === 0x22) removedResources.push(bytes.toString('utf8', start, at));
    else if (tag === 0x2a) nonce = bytes.toString('utf8', start, at);
  }
  return { systemVersionInfo, collection, nonce, incremental, removedResources, bytes, spans: spans.all() };
}

/** A `MeshConfigResponse`, with its type_url as collection. Envelopes of 1.0 have the bytes of Resources. */
export type MeshConfigView = ResourcesView & {
  /** All of it: who answers has to repeat it. */
  readonly versionInfo: string;
};

/** Reads the envelope of a `MeshConfigResponse`. @throws MalformedError where the bytes are none. */
export function readMeshConfigResponse(bytes: Buffer): MeshConfigView {
  let versionInfo = '';
  let collection = '';
  let nonce = '';
  const spans = new SpanList();
  for (let at = 0; at < bytes.length; ) {
    const tag = readVarint(bytes, at, bytes.length);
    if (tag >>> 3 === 0) throw new MalformedError('field number 0');
    if ((tag & 7) !== 2) {
      at = skip(bytes, tag & 7, cursor, bytes.length);
      continue;
    }
    const length = readLength(bytes, cursor, bytes.length);
    const start = cursor;
    at = start + length;
    if (tag === 0x12) spans.add(start, at);
    else if (tag === 0x0a) versionInfo = bytes.toString('utf8', start, at);
    else if (tag === 0x1a) collection = bytes.toString('utf8', start, at);
    else if (tag === 0x22) nonce = bytes.toString('utf8', start, at);
  }
  const systemVersionInfo = versionInfo.slice(0, maxVersionBytes);
  return {
    versionInfo,
    systemVersionInfo,
    collection,
    nonce,
    incremental: false,
    removedResources: [],
    bytes,
    spans: spans.all(),
  };
}

/** What a sink sends in the older protocol: a subscription (no nonce), an ACK or a NACK. */
export type MeshConfigRequest = {
  readonly versionInfo: string;
  readonly sinkNode: { readonly id: string };
  readonly typeUrl: string;
  readonly responseNonce: string;
  /** Present means NACK. */
  readonly errorDetail?: { readonly code: number; readonly message: string };
};

export function encodeMeshConfigRequest(request: MeshConfigRequest): Buffer {
  return Buffer.from(root().lookupType('istio.mcp.v1alpha1.MeshConfigRequest').encode(request).finish());
}

/** What a sink sends: a subscription, an ACK or a NACK. */
export type RequestResources = {
  readonly sinkNode: { readonly id: string; readonly annotations: Readonly<Record<string, string>> };
  readonly collection: string;
  readonly initialResourceVersions?: Readonly<Record<string, string>>;
  readonly responseNonce: string;
  /** Present means NACK. */
  readonly errorDetail?: { readonly code: number; readonly message: string };
  readonly incremental: boolean;
};

export function encodeRequestResources(request: RequestResources): Buffer {
  return Buffer.from(root().lookupType('istio.mcp.v1alpha1.RequestResources').encode(request).finish());
}

/** @throws MalformedError where the bytes are no such message. */
export function decodeRequestResources(bytes: Buffer): RequestResources {
  const type = root().lookupType('istio.mcp.v1alpha1.RequestResources');
  const message = type.toObject(decodeMessage(type, bytes), { defaults: true }) as RequestResources & {
    errorDetail?: RequestResources['errorDetail'] | null;
    sinkNode?: RequestResources['sinkNode'] | null;
  };
  const { errorDetail, sinkNode, ...rest } = message;
  return {
    ...rest,
    sinkNode: sinkNode ?? { id: '', annotations: {} },
    ...(errorDetail ? { errorDetail } : {}),
  };
}

/** Builds a `Resources` message from encoded Resource messages. */
export function encodeResources(message: {
  readonly systemVersionInfo: string;
  readonly collection: string;
  readonly nonce: string;
  readonly incremental: boolean;
  readonly resources: readonly Uint8Array[];
  readonly removedResources: readonly string[];
}): Buffer {
  const { resources, ...envelope } = message;
  const parts: Uint8Array[] = [root().lookupType('istio.mcp.v1alpha1.Resources').encode(envelope).finish()];
  for (const resource of resources) parts.push(lengthHeader(0x1a, resource.length), resource);
  return Buffer.concat(parts);
}

function lengthHeader(tag: number, length: number): Buffer {
  const header = Buffer.allocUnsafe(1 + varintSize(length));
  header[0] = tag;
  writeVarint(header, 1, length);
  return header;
}
