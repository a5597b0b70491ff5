import type { Kind } from '../../../src/model/kinds.ts';
import { encodeResourceMessage } from '../../../src/wire/resource-view.ts';
import { root } from '../../../src/wire/root.ts';
import { field, fields, truncated } from '../../support/wire-bytes.ts';
import { bodyOf, turned } from './content.ts';
import type { BadForm, Item, StrangeForm } from './item.ts';

/** The resource as a source sends it: one `istio.mcp.v1alpha1.Resource`. */
export function bytesOf(item: Item, kind: Kind): Buffer {
  if (item.form === 'good') return goodBytes(item, kind);
  return 'name' in item ? bad[item.form](item.name.text, kind) : strange[item.form](kind);
}

const anyValue = (kind: Kind) => bodyOf(kind, { host: 'any.example' }, 0);
const named = (text: string) => field(1, field(1, text));
const withBody = (type: string, value: Uint8Array) =>
  field(2, fields(field(1, `type.googleapis.com/${type}`), field(2, value)));
const goodBody = (kind: Kind) => withBody(kind.body, anyValue(kind));
const badLabel = field(4, fields(field(1, 'app'), field(2, Buffer.from([0xff]))));

const bad: Readonly<Record<BadForm, (name: string, kind: Kind) => Buffer>> = {
  'no body': (name) => named(name),
  'no type': (name, kind) => fields(named(name), field(2, field(2, anyValue(kind)))),
  'other body': (name, kind) => fields(named(name), withBody('istio.networking.v1alpha3.Gateway', anyValue(kind))),
  'broken value': (name, kind) => fields(named(name), withBody(kind.body, truncated(1))),
  'broken body': (name) => fields(named(name), field(2, truncated(1))),
  'bad labels': (name, kind) => fields(field(1, fields(field(1, name), badLabel)), goodBody(kind)),
};

const strange: Readonly<Record<StrangeForm, (kind: Kind) => Buffer>> = {
  nothing: () => Buffer.alloc(0),
  'no protobuf': () => Buffer.from([0xff]),
  'no metadata': (kind) => goodBody(kind),
  'no name': (kind) => fields(named(''), goodBody(kind)),
  'empty namespace': (kind) => fields(named('//a'), goodBody(kind)),
  'slash at the end': (kind) => fields(named('shop/'), goodBody(kind)),
  'two slashes': (kind) => fields(named('shop/a/b'), goodBody(kind)),
  NUL: (kind) => fields(named('shop/a\0'), goodBody(kind)),
  'broken before its name': () => fields(field(2, truncated(1)), named('shop/a')),
};

/** Go's time.Time{}, and others. */
const times = { zero: -62_135_596_800_000, '1970': 0, some: 1_700_000_000_500 } as const;

function goodBytes({ name: { text: name }, content, dialect }: Item & { form: 'good' }, kind: Kind): Buffer {
  const { turn, time, version, later, layout } = dialect;
  const bodyType = later ? kind.body.replace('v1alpha3', 'v1beta1') : kind.body;
  const labels = turned(content.labels ?? {}, turn);
  const annotations = turned(content.annotations ?? {}, turn);
  const value = bodyOf(kind, content, turn);
  if (layout === 'plain' && time !== 'invalid') {
    const plain = { name, version, labels, annotations, bodyType, body: value };
    return encodeResourceMessage(time === 'none' ? plain : { ...plain, createTime: new Date(times[time]) });
  }
  // Every order of fields that no encoder chooses.
  const [l, a] = [entries(4, labels), entries(5, annotations)];
  const maps =
    layout === 'maps mixed' ? [...a.slice(0, 1), ...l.slice(0, 1), ...a.slice(1), ...l.slice(1)] : [...l, ...a];
  const created = time === 'none' ? [] : [field(2, timestamp(time))];
  const metadata = field(1, fields(...created, ...maps, field(3, version), field(1, name)));
  const body = field(2, fields(field(2, value), field(1, `type.googleapis.com/${bodyType}`)));
  return layout === 'body first' ? fields(body, metadata) : fields(metadata, body);
}

function entries(number: number, map: Readonly<Record<string, string>>): Buffer[] {
  return Object.entries(map).map(([key, text]) => field(number, fields(field(1, key), field(2, text))));
}

function timestamp(time: 'invalid' | keyof typeof times): Uint8Array {
  if (time === 'invalid') return field(2, 2_000_000_000);
  const ms = times[time];
  const seconds = Math.floor(ms / 1000);
  const message = { seconds, nanos: (ms - 1000 * seconds) * 1_000_000 };
  return root().lookupType('google.protobuf.Timestamp').encode(message).finish();
}
