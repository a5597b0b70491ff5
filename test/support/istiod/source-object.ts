import { messageType } from '../../peers/support/contract.ts';
import { field } from '../wire-bytes.ts';
import { type Form, formOf } from './history.ts';
import { bodyOf } from './types.ts';
import { mcpResource } from './wire.ts';

/** The two kinds that change in a run. */
export type SourceKind = 'ServiceEntry' | 'WorkloadEntry';

/** One object as a source has it. */
export type SourceObject = {
  readonly kind: SourceKind;
  /** As the source writes it: `ns/name`, `/ns/name`, or bare. */
  readonly name: string;
  /** Told apart by this text. */
  readonly content: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** False where the source leaves create_time out. */
  readonly hasTime: boolean;
};

/** Ways in which one resource of a message is of no use; the first four leave its name readable. */
export const namedFaults = ['no body', 'another kind', 'unknown message', 'no protobuf'] as const;
export const namelessFaults = ['no metadata', 'three parts', 'no name'] as const;
export type Fault = (typeof namedFaults)[number] | (typeof namelessFaults)[number];

const anyOf = (type: string, value: Uint8Array): object => ({ type_url: `type.googleapis.com/${type}`, value });

function bodyBytes({ kind, content }: SourceObject): Buffer {
  const type = messageType(bodyOf[kind] as string);
  const body =
    kind === 'ServiceEntry'
      ? { hosts: [content], endpoints: [{ address: '192.0.2.7', labels: { app: 'a', version: 'v1' } }] }
      : { address: content, labels: { app: 'a', version: 'v1' } };
  return Buffer.from(type.encode(type.fromObject(body)).finish());
}

/** `namespace/name` under which istiod should have it. */
export function keyOf({ name }: SourceObject): string {
  if (name.startsWith('/')) return name.slice(1);
  return name.includes('/') ? name : `default/${name}`;
}

/** What istiod should have of it. */
export function sourceForm(object: SourceObject): Form {
  const { labels, annotations, kind } = object;
  return formOf({ labels, annotations, bodyType: bodyOf[kind], body: bodyBytes(object) });
}

/** A `resources` field of a legacy Resources message with this object. */
export function sourceBytes(object: SourceObject, fault?: Fault): Buffer {
  const { kind, name, labels, annotations, hasTime } = object;
  const metadata = { name, labels, annotations, ...(hasTime ? { createTime: { seconds: 1_600_000_000 } } : {}) };
  const good = { metadata, body: anyOf(bodyOf[kind] as string, bodyBytes(object)) };
  return field(3, mcpResource.encode(fault === undefined ? good : spoilers[fault](good)));
}

type Good = { readonly metadata: object; readonly body: object };

const spoilers: Readonly<Record<Fault, (good: Good) => object>> = {
  'no body': ({ metadata }) => ({ metadata }),
  'another kind': (good) => ({
    ...good,
    body: anyOf('istio.networking.v1alpha3.DestinationRule', Buffer.from([0x0a, 1, 0x61])),
  }),
  'unknown message': (good) => ({ ...good, body: anyOf('example.v1.Unknown', Buffer.alloc(0)) }),
  'no protobuf': (good) => ({
    ...good,
    body: anyOf('istio.networking.v1alpha3.ServiceEntry', Buffer.from([0x0a, 0x7f, 1])),
  }),
  'no metadata': ({ body }) => ({ body }),
  'three parts': (good) => ({ ...good, metadata: { ...good.metadata, name: 'a/b/c' } }),
  'no name': (good) => ({ ...good, metadata: { ...good.metadata, name: '' } }),
};
