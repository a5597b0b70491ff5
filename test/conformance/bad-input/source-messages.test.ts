import { describe, expect, test } from 'vitest';
import type { OriginView, QuarantineView } from '../../../src/admin/views.ts';
import { encodeResources } from '../../../src/wire/legacy-messages.ts';
import { Bridge } from '../../support/bridge.ts';
import { run } from '../../support/cli.ts';
import { entry, type SourceStream } from '../../support/legacy-source.ts';
import { legacyResource, serviceEntryBody } from '../../support/resources.ts';
import { ServingSource, sourceAt } from '../../support/serving-source.ts';
import { until } from '../../support/until.ts';
import { WatchingIstiod } from '../../support/watching-istiod.ts';
import { field, fields, truncated } from '../../support/wire-bytes.ts';

const collection = 'istio/networking/v1alpha3/serviceentries';
const bodyName = 'istio.networking.v1alpha3.ServiceEntry';
const typeUrl = `type.googleapis.com/${bodyName}`;

/** What stands in every message beside the bad one. */
const good = { 'shop/before': 'one', 'shop/after': 'two' };

type Lab = { readonly bridge: Bridge; readonly istiod: WatchingIstiod; readonly source: ServingSource };

/** A bridge with one source, and an istiod that has the good ones and a good form of `shop/odd`. */
async function start(more: object = {}): Promise<Lab> {
  const source = await ServingSource.listen({ ...good, 'shop/odd': 'old' });
  const bridge = await Bridge.of({ sources: [sourceAt('consul', source.port, more)] }, { random: () => 0.01 });
  const istiod = WatchingIstiod.connect(bridge.ports.xds);
  await istiod.hasOnly({ ...good, 'shop/odd': 'old' });
  return { bridge, istiod, source };
}

/** Sends a whole state: the first good one, changed; these, as bytes; and the other good one. */
function sendAmong(stream: SourceStream, host: string, ...odd: readonly Uint8Array[]): void {
  stream.sendBytes(
    encodeResources({
      systemVersionInfo: '',
      collection,
      nonce: `odd-${host}`,
      incremental: false,
      resources: [legacyResource('shop/before', host), ...odd, legacyResource('shop/after', 'two')],
      removedResources: [],
    }),
  );
}

const goodBody = (host: string) => fields(field(1, typeUrl), field(2, serviceEntryBody({ hosts: [host] })));

/** A resource of these metadata fields and a good body. */
const named = (...metadata: readonly Uint8Array[]) => fields(field(1, fields(...metadata)), field(2, goodBody('odd')));

/** `shop/odd` with this Any in place of its body. */
const withBody = (...any: readonly Uint8Array[]) => fields(field(1, field(1, 'shop/odd')), field(2, fields(...any)));

const text = (length: number) => 'x'.repeat(length);

type Bad = {
  readonly what: string;
  readonly bytes: Uint8Array;
  /** What it is called: its own name, or its place in the message. */
  readonly resource: 'shop/odd' | '#1';
  readonly reason: string;
  readonly says: RegExp;
};

const bad: Bad[] = [
  {
    what: 'without metadata: istiod 1.10 to 1.13 panic',
    bytes: field(2, goodBody('odd')),
    resource: '#1',
    reason: 'no_metadata',
    says: /it has no metadata, so nobody can tell which resource it is/,
  },
  {
    what: 'without a name',
    bytes: named(field(3, 'v1')),
    resource: '#1',
    reason: 'bad_name',
    says: /metadata\.name is empty; "namespace\/name" is expected/,
  },
  ...(
    [
      ['with an empty name', '', /is empty/],
      ['named "/"', '/', /metadata\.name "\/" has an empty namespace/],
      ['named "shop/": istiod would file it under an empty name', 'shop/', /metadata\.name "shop\/" ends with a slash/],
      ['named "/odd": istiod would file it under an empty namespace', '/odd', /has an empty namespace/],
      ['named "a/b/c": istiod would drop it', 'a/b/c', /metadata\.name "a\/b\/c" has more than one slash/],
      ['with a NUL in its name', 'shop/o\0d', /metadata\.name "shop\/o\\0d" holds a NUL/],
      ['with a name of 2,000 characters', `shop/${text(2000)}`, /is 2005 bytes long; at most 1024 are taken/],
      ['with a name that is no UTF-8', Buffer.from([0x73, 0x2f, 0xff]), /is no valid UTF-8/],
    ] as const
  ).map(
    ([what, name, says]): Bad => ({ what, bytes: named(field(1, name)), resource: '#1', reason: 'bad_name', says }),
  ),
  {
    what: 'without a body: istiod would delete what it has',
    bytes: field(1, field(1, 'shop/odd')),
    resource: 'shop/odd',
    reason: 'no_body',
    says: /it has no body; istiod would drop it and delete the ServiceEntry that it had/,
  },
  {
    what: 'with a body of a type that nobody knows',
    bytes: withBody(field(1, 'type.googleapis.com/acme.Service'), field(2, 'x')),
    resource: 'shop/odd',
    reason: 'wrong_kind',
    says: /its body is a acme\.Service; istio\.networking\.v1alpha3\.ServiceEntry is expected in this collection/,
  },
  {
    what: 'with a body of another kind: istiod 1.10 to 1.13 panic',
    bytes: withBody(field(1, 'type.googleapis.com/istio.networking.v1alpha3.Gateway'), field(2, '')),
    resource: 'shop/odd',
    reason: 'wrong_kind',
    says: /its body is a istio\.networking\.v1alpha3\.Gateway/,
  },
  {
    what: 'with a body type of a million characters',
    bytes: withBody(field(1, text(1_000_000)), field(2, '')),
    resource: 'shop/odd',
    reason: 'wrong_kind',
    says: /its body is a x{200}; /,
  },
  {
    what: 'with a body that is cut off',
    bytes: withBody(field(1, typeUrl), field(2, truncated(6))),
    resource: 'shop/odd',
    reason: 'malformed',
    says: /its bytes are no protobuf message/,
  },
  {
    what: 'that is cut off behind its name',
    bytes: fields(field(1, fields(field(1, 'shop/odd'), truncated(4)))),
    resource: 'shop/odd',
    reason: 'malformed',
    says: /its bytes are no protobuf message/,
  },
  {
    what: 'with a label value that is no UTF-8: istiod could not decode it',
    bytes: named(field(1, 'shop/odd'), field(4, fields(field(1, 'app'), field(2, Buffer.from([0xff]))))),
    resource: 'shop/odd',
    reason: 'malformed',
    says: /labels hold text that is no valid UTF-8/,
  },
  {
    what: 'with an annotation key that is no UTF-8: istiod could not decode it',
    bytes: named(field(1, 'shop/odd'), field(5, fields(field(1, Buffer.from([0xff])), field(2, 'x')))),
    resource: 'shop/odd',
    reason: 'malformed',
    says: /annotations hold text that is no valid UTF-8/,
  },
];

const quarantineOf = async (bridge: Bridge) =>
  (await bridge.page<{ resources: QuarantineView[] }>('/debug/quarantine')).resources;

test.each(bad)('a resource $what, is quarantined alone, by name, and mends itself', async (one) => {
  const { bridge, istiod, source } = await start();
  const stream = await source.live();
  sendAmong(stream, 'changed', one.bytes);
  await istiod.hasOnly({ 'shop/before': 'changed', 'shop/after': 'two', 'shop/odd': 'old' });

  expect(await quarantineOf(bridge)).toMatchObject([
    {
      source: 'consul',
      kind: 'ServiceEntry',
      resource: one.resource,
      reason: one.reason,
      message: expect.stringMatching(one.says) as string,
      lastGoodSent: one.resource === 'shop/odd',
    },
  ]);
  const [line] = bridge.log.lines.filter(({ message }) => message.startsWith('a resource is quarantined: '));
  expect(line?.message).toMatch(one.says);
  expect(line?.fields).toMatchObject({ source: 'consul', collection, resource: one.resource, reason: one.reason });
  expect(line?.fields).toMatchObject({
    hint:
      one.resource === 'shop/odd'
        ? 'mend it at the source; its last good form is sent meanwhile'
        : 'mend it at the source; nothing of it is sent until then',
  });
  // Nobody knows which one a resource without a name is: what the message lacks may be it, and stays.
  const [origin] = await bridge.page<OriginView[]>('/debug/origins');
  expect(origin?.kinds[0]).toMatchObject({ quarantined: 1, withheld: one.resource === 'shop/odd' ? 0 : 1 });

  // The same mistake once more is no news.
  sendAmong(stream, 'again', one.bytes);
  await istiod.has({ 'shop/before': 'again' });
  expect(bridge.log.lines.filter(({ message }) => message.startsWith('a resource is quarantined: '))).toHaveLength(1);

  source.publish({ ...good, 'shop/odd': 'mended' });
  await istiod.hasOnly({ ...good, 'shop/odd': 'mended' });
  expect(await quarantineOf(bridge)).toEqual([]);
  expect(bridge.log.of('info')).toContain('resources are in quarantine no more: they were mended, or are gone');
  expect(istiod.lost('shop/odd', 'shop/before', 'shop/after')).toEqual([]);
});

test('`isthmus status` shows what is quarantined, why, and whether anything of it is sent', async () => {
  const { bridge, istiod, source } = await start();
  sendAmong(await source.live(), 'changed', field(1, field(1, 'shop/odd')), named(field(1, 'a/b/c')));
  await istiod.has({ 'shop/before': 'changed' });
  const { code, stdout } = await run('status', bridge.adminUrl);
  expect(code).toBe(1);
  expect(stdout).toMatch(
    /^shop\/odd +ServiceEntry +consul +\S+ +its last good form +no_body +it has no body; istiod would drop it/m,
  );
  expect(stdout).toMatch(
    /^#2 +ServiceEntry +consul +\S+ +nothing +bad_name +metadata\.name "a\/b\/c" has more than one slash/m,
  );
  expect(stdout).toContain('! 2 resources are quarantined');
});

describe('what is merely odd passes', () => {
  const label = (key: string | Uint8Array, value: string | Uint8Array) =>
    field(4, fields(field(1, key), field(2, value)));
  const annotation = (key: string, value: string) => field(5, fields(field(1, key), field(2, value)));
  const many = Array.from({ length: 5000 }, (_, n) => [`key-${n}`, `value-${n}`] as const);

  type Odd = [
    what: string,
    metadata: readonly Uint8Array[],
    labels: Readonly<Record<string, string>>,
    annotations?: Readonly<Record<string, string>>,
  ];
  const odd: Odd[] = [
    ['an empty label key', [label('', 'x')], { '': 'x' }],
    ['a label without a value', [field(4, field(1, 'app'))], { app: '' }],
    ['a label without key and value', [field(4, Buffer.alloc(0))], { '': '' }],
    ['label characters that Kubernetes refuses', [label('no key!', 'a b:c/ü\n')], { 'no key!': 'a b:c/ü\n' }],
    ['a label value of 64 characters and more', [label('app', text(300))], { app: text(300) }],
    ['a NUL in a label', [label('app', 'a\0b')], { app: 'a\0b' }],
    [
      'the same label twice: the last one counts',
      [label('app', 'z'), label('b', '1'), label('app', 'a')],
      { app: 'a', b: '1' },
    ],
    ['5,000 labels', many.map(([key, value]) => label(key, value)), Object.fromEntries(many)],
    ['a revision label', [label('istio.io/rev', 'canary')], { 'istio.io/rev': 'canary' }],
    ['an annotation of 1 MB', [annotation('note', text(1_000_000))], {}, { note: text(1_000_000) }],
    ['an empty annotation key', [annotation('', 'x')], {}, { '': 'x' }],
  ];
  test.each(odd)('%s', async (_what, metadata, labels, annotations = {}) => {
    const { bridge, istiod, source } = await start();
    sendAmong(await source.live(), 'changed', named(field(1, 'shop/odd'), ...metadata));
    await istiod.hasOnly({ 'shop/before': 'changed', 'shop/after': 'two', 'shop/odd': 'odd' });
    const seen = istiod.resources.get('shop/odd');
    expect(seen?.metadata.labels).toEqual(labels);
    expect(seen?.metadata.annotations).toEqual(annotations);
    expect(seen?.body.type_url).toBe(typeUrl);
    expect(await quarantineOf(bridge)).toEqual([]);
  });

  test.each([
    ['upper case, dots and underscores', 'Shop/Odd_Name.EXAMPLE'],
    ['300 characters', `shop/${text(300)}`],
    ['letters beyond ASCII', 'shop/bücher-🏙'],
    ['spaces and line breaks', 'shop/a b\nc'],
  ])('a name of %s', async (_what, name) => {
    const { bridge, istiod, source } = await start();
    sendAmong(await source.live(), 'changed', named(field(1, name)));
    await istiod.hasOnly({ 'shop/before': 'changed', 'shop/after': 'two', [name]: 'odd' });
    expect(await quarantineOf(bridge)).toEqual([]);
  });
});

test('a bare name gets the default namespace, and the log counts such names once', async () => {
  const { bridge, istiod, source } = await start();
  const stream = await source.live();
  for (const host of ['changed', 'again']) {
    sendAmong(stream, host, named(field(1, 'odd')), legacyResource('shop/odd', 'old'));
    await istiod.hasOnly({ 'shop/before': host, 'shop/after': 'two', 'shop/odd': 'old', 'default/odd': 'odd' });
  }
  const lines = bridge.log.lines.filter(({ message }) => message.startsWith('resources were put right'));
  expect(lines).toMatchObject([{ level: 'info', fields: { source: 'consul', collection, bareNames: 1 } }]);
});

test('a name that comes twice in one message: the last one counts, and the log names it', async () => {
  const { bridge, istiod, source } = await start();
  const twice = [legacyResource('shop/odd', 'first'), legacyResource('shop/odd', 'last')];
  sendAmong(await source.live(), 'changed', ...twice);
  await istiod.hasOnly({ 'shop/before': 'changed', 'shop/after': 'two', 'shop/odd': 'last' });
  const line = bridge.log.lines.find(({ message }) => message.startsWith('a message names resources more than once'));
  expect(line).toMatchObject({
    level: 'warn',
    fields: { source: 'consul', collection, duplicates: 1, resources: ['shop/odd'] },
  });
  expect(line?.fields).toMatchObject({
    hint: 'give each resource a name of its own at the source; of those that share one, only one is sent',
  });
  sendAmong(await source.live(), 'mended', legacyResource('shop/odd', 'one'), legacyResource('shop/odd-2', 'two'));
  await istiod.hasOnly({ 'shop/before': 'mended', 'shop/after': 'two', 'shop/odd': 'one', 'shop/odd-2': 'two' });
});

test('a name of two sources: that of the first is sent; when it goes, the other one takes its place at once', async () => {
  const first = await ServingSource.listen({ 'shop/same': 'of first', 'shop/a': 'a' });
  const second = await ServingSource.listen({ 'shop/same': 'of second', 'shop/b': 'b' });
  const bridge = await Bridge.of({ sources: [sourceAt('first', first.port), sourceAt('second', second.port)] });
  const istiod = WatchingIstiod.connect(bridge.ports.xds);
  await istiod.hasOnly({ 'shop/same': 'of first', 'shop/a': 'a', 'shop/b': 'b' });
  first.publish({ 'shop/a': 'a' });
  await istiod.hasOnly({ 'shop/same': 'of second', 'shop/a': 'a', 'shop/b': 'b' });
  first.publish({ 'shop/same': 'back', 'shop/a': 'a' });
  await istiod.hasOnly({ 'shop/same': 'back', 'shop/a': 'a', 'shop/b': 'b' });
  expect(istiod.lost('shop/same', 'shop/a', 'shop/b')).toEqual([]);
});

describe('a message that can not be taken', () => {
  type Whole = {
    readonly what: string;
    readonly send: (stream: SourceStream) => void;
    readonly says: RegExp;
    readonly hint: RegExp;
  };
  const cases: Whole[] = [
    {
      what: 'is over the limit',
      send: (stream) => {
        stream.send({ collection, resources: [entry('shop/huge', 'x', { labels: { big: text(200_000) } })] });
      },
      says: /it sent a message of more than 102400 bytes: .*\(2\d{5} vs 102400\)/,
      hint: /raise maxMessage of this source; what came before stays in force meanwhile/,
    },
    {
      what: 'is no protobuf',
      send: (stream) => stream.sendBytes(Buffer.from([0xff, 0xff, 0xff])),
      says: /it sent a message that is no Resources: /,
      hint: /what came before stays in force, and it is asked again; is it a server of another protocol/,
    },
    {
      what: 'is cut off',
      send: (stream) => stream.sendBytes(fields(field(2, collection), truncated(3))),
      says: /it sent a message that is no Resources: /,
      hint: /what came before stays in force/,
    },
    {
      what: 'says to be compressed, and is not',
      send: (stream) => stream.sendFlagged(fields(field(2, collection))),
      says: /code 13: it sent a message in a compression that is not known/,
      hint: /what came before stays in force, and it is asked again/,
    },
    {
      what: 'is an end with a status that is no number',
      send: (stream) => stream.end('gone'),
      says: /code 2: it ended the stream with NaN, which is no status/,
      hint: /what came before stays in force, and it is asked again/,
    },
    {
      what: 'is an end with a status that gRPC does not have',
      send: (stream) => stream.end(4711, 'odd'),
      says: /code 2: odd/,
      hint: /what came before stays in force, and it is asked again/,
    },
  ];
  test.each(cases)('because it $what, costs the stream, and nothing else', async ({ send, says, hint }) => {
    const { bridge, istiod, source } = await start({ maxMessage: '100KiB' });
    const stream = await source.live();
    send(stream);
    const line = await until('the log says so', () => bridge.log.lines.find(({ message }) => says.test(message)));
    expect(line).toMatchObject({ level: 'warn', fields: { source: 'consul' } });
    expect(line.message).toContain(`source consul (127.0.0.1:${source.port}): `);
    expect((line.fields as { hint: string }).hint).toMatch(hint);
    const [origin] = await bridge.page<OriginView[]>('/debug/origins');
    expect(origin?.connection.lastError).toMatch(says);
    expect(origin?.connection.lastError).toMatch(hint);
    expect(origin?.kinds).toMatchObject([{ sync: 'synced', effective: 3 }]);
    // Nobody outside can make labels.
    expect(await (await bridge.fetch('/metrics')).text()).not.toMatch(/code="(NaN|undefined|4711)"/);

    source.publish({ ...good, 'shop/odd': 'mended' });
    await istiod.hasOnly({ ...good, 'shop/odd': 'mended' });
    expect(istiod.lost('shop/odd', 'shop/before', 'shop/after')).toEqual([]);
  });
});
