import type { Kind } from '../../../src/model/kinds.ts';
import type { ResourceView } from '../../../src/wire/resource-view.ts';
import { bodies } from '../../../src/wire/root.ts';
import { serviceEntry, workloadEntry } from '../../support/resources.ts';
import { field, fields } from '../../support/wire-bytes.ts';

/** What a resource says. */
export type Content = {
  readonly host: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Of the maps inside of the body. */
  readonly inner?: Readonly<Record<string, string>>;
};

/** Some of equal length, and some that differ in nothing but where a map stands or in its last value. */
export const contents: readonly Content[] = [
  { host: 'p.example' },
  { host: 'q.example' },
  { host: 'p.example', labels: { app: '1', tier: '2', zone: '3' } },
  { host: 'p.example', labels: { app: '1', tier: '2', zone: '4' } },
  { host: 'p.example', annotations: { app: '1', tier: '2', zone: '3' } },
  { host: 'p.example', labels: { app: '1' }, annotations: { tier: '2', zone: '3' } },
  { host: 'p.example', inner: { app: '1', tier: '2', zone: '3' } },
  { host: 'p.example', inner: { app: '1', tier: '2', zone: '4' } },
  { host: 'longer.example' },
  { host: `${'l'.repeat(300)}.example` },
];

/** The same entries in one of the orders that Go may write them in: 0 to 5. */
export function turned<T>(map: Readonly<Record<string, T>>, turn: number): Record<string, T> {
  const entries = Object.entries(map);
  const shift = turn % Math.max(1, entries.length);
  const shifted = [...entries.slice(shift), ...entries.slice(0, shift)];
  return Object.fromEntries(turn > 2 ? shifted.toReversed() : shifted);
}

const typeOf = (name: string) => bodies().lookupType(`istio.networking.v1alpha3.${name}`);
const types = {
  ServiceEntry: typeOf('ServiceEntry'),
  WorkloadEntry: typeOf('WorkloadEntry'),
  WorkloadSelector: typeOf('WorkloadSelector'),
};

function encode(type: keyof typeof types, message: object): Buffer {
  return Buffer.from(types[type].encode(message).finish());
}

/** The body with this content; the entries of its maps in order `turn`. */
export function bodyOf(kind: Kind, { host, inner = {} }: Content, turn: number): Buffer {
  const labels = turned(inner, turn);
  const ports = turned(Object.fromEntries(Object.entries(inner).map(([key, value]) => [key, Number(value)])), turn);
  const workload = { address: host, labels, ports };
  if (kind === workloadEntry) return encode('WorkloadEntry', workload);
  if (kind === serviceEntry) {
    return encode('ServiceEntry', { hosts: [host], endpoints: [workload], workloadSelector: { labels } });
  }
  // Sidecar: workload_selector 1, egress 3 { hosts 3 }.
  return fields(field(1, encode('WorkloadSelector', { labels })), field(3, field(3, host)));
}

type Seen = Pick<ResourceView, 'labels' | 'annotations' | 'bodyType' | 'body'>;

/** All that a resource says but its name, as one text: equal texts are equal content. */
export function textOf({ labels, annotations, bodyType, body }: Seen): string {
  return JSON.stringify([sorted(labels), sorted(annotations), bodyType, body.toString('hex')]);
}

function sorted(map: Readonly<Record<string, string>>): [string, string][] {
  return Object.keys(map)
    .toSorted()
    .map((key) => [key, map[key] ?? '']);
}

const known = new Map<string, string>();

/** The same, of one of the {@link contents} as it is to be sent. */
export function textOfContent(kind: Kind, content: Content): string {
  const id = `${kind.id} ${contents.indexOf(content)}`;
  let text = known.get(id);
  if (text === undefined) {
    const { labels = {}, annotations = {} } = content;
    text = textOf({ labels, annotations, bodyType: kind.body, body: bodyOf(kind, content, 0) });
    known.set(id, text);
  }
  return text;
}
