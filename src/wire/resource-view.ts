import type { Resource } from '../model/resource.ts';
import { decodeMessage, root } from './root.ts';

/** A decoded `istio.mcp.v1alpha1.Resource`, for people and tools; never on the push path. */
export type ResourceView = {
  readonly name: string;
  readonly version: string;
  /** RFC 3339; undefined where there is none or it is outside of what a Date can say. */
  readonly createTime: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Full name of the body message, without the host part of its URL. */
  readonly bodyType: string;
  readonly body: Buffer;
};

type PlainResource = {
  metadata?: {
    name?: string;
    version?: string;
    createTime?: { seconds?: number; nanos?: number };
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
  /** protobufjs' own Any keeps the field's proto name. */
  body?: { type_url?: string; value?: Uint8Array };
};

const resourceType = () => root().lookupType('istio.mcp.v1alpha1.Resource');

/** Decodes the bytes of one `istio.mcp.v1alpha1.Resource`. @throws MalformedError where they are none. */
export function viewResourceBytes(bytes: Uint8Array): ResourceView {
  const type = resourceType();
  const plain = type.toObject(decodeMessage(type, bytes), { longs: Number }) as PlainResource;
  const { metadata = {}, body = {} } = plain;
  return {
    name: metadata.name ?? '',
    version: metadata.version ?? '',
    createTime: isoTime(metadata.createTime),
    labels: metadata.labels ?? {},
    annotations: metadata.annotations ?? {},
    bodyType: (body.type_url ?? '').replace(/^.*\//, ''),
    body: Buffer.from(body.value ?? new Uint8Array()),
  };
}

/** The `istio.mcp.v1alpha1.Resource` inside an encoded resource (a view, not a copy). */
export function resourceBytes(resource: Resource): Buffer {
  const { chunk, start, end } = resource;
  const any = root().lookupType('google.protobuf.Any');
  const headerless = chunk.subarray(lengthEnd(chunk, start), end);
  const { value } = any.decode(headerless) as unknown as { value: Uint8Array };
  return Buffer.from(value.buffer, value.byteOffset, value.length);
}

export function viewResource(resource: Resource): ResourceView {
  return viewResourceBytes(resourceBytes(resource));
}

/** Encodes a Resource from its parts, as a legacy server would. */
export function encodeResourceMessage(view: {
  name: string;
  version?: string;
  createTime?: Date;
  labels?: Readonly<Record<string, string>>;
  annotations?: Readonly<Record<string, string>>;
  bodyType: string;
  body: Uint8Array;
}): Buffer {
  const ms = view.createTime?.getTime();
  const message = {
    metadata: {
      name: view.name,
      version: view.version ?? '',
      labels: view.labels ?? {},
      annotations: view.annotations ?? {},
      ...(ms === undefined
        ? {}
        : { createTime: { seconds: Math.floor(ms / 1000), nanos: (((ms % 1000) + 1000) % 1000) * 1_000_000 } }),
    },
    body: { type_url: `type.googleapis.com/${view.bodyType}`, value: view.body },
  };
  return Buffer.from(resourceType().encode(message).finish());
}

function isoTime(time: { seconds?: number; nanos?: number } | undefined): string | undefined {
  if (time === undefined) return undefined;
  const ms = (time.seconds ?? 0) * 1000 + Math.floor((time.nanos ?? 0) / 1_000_000);
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}

function lengthEnd(chunk: Buffer, start: number): number {
  let at = start + 1;
  while ((chunk[at] as number) >= 0x80) at++;
  return at + 1;
}
