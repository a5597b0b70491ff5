import { describe, expect, test } from 'vitest';
import type { ConfigInput } from '../../../src/config/schema.ts';
import { openAds } from '../../../src/xds/ads-client.ts';
import type { StreamView } from '../../../src/xds/ads-server.ts';
import { eventually } from '../../support/eventually.ts';
import { gate } from '../../support/gate.ts';
import type { Istiod } from '../../support/istiod/istiod.ts';
import { IstiodLab, object, servicesOf, versions } from '../../support/istiod/lab.ts';
import { profiles } from '../../support/istiod/profile.ts';
import type { IstiodVersion } from '../../support/istiod/types.ts';
import { ScaledClock } from '../../support/scaled-clock.ts';
import { until } from '../../support/until.ts';
import { XdsPeer } from '../../support/xds-peer.ts';

const se = 'networking.istio.io/v1/ServiceEntry';
const rev = (label: string) => ({ labels: { 'istio.io/rev': label } });

/** One of each label, of two kinds; all of them arrive in one message, so that who has one has all that it will take. */
const objects = [
  object('shop/plain', 'a'),
  object('shop/other-label', 'a', { labels: { app: 'canary' } }),
  object('shop/canary-1', 'a', rev('canary')),
  object('shop/canary-2', 'a', rev('canary')),
  object('shop/default', 'a', rev('default')),
  object('shop/empty', 'a', rev('')),
  object('shop/plain', '192.0.2.1', { kind: 'WorkloadEntry' }),
  object('shop/w-canary', '192.0.2.2', { kind: 'WorkloadEntry', ...rev('canary') }),
];

const start = (settings: ConfigInput = {}, clock?: ScaledClock) =>
  IstiodLab.start(objects, { settings, ...(clock === undefined ? {} : { clock }) });

/** The newest stream, as the bridge shows it. */
async function lastStream(lab: IstiodLab): Promise<StreamView> {
  const streams = await lab.bridge.page<StreamView[]>('/debug/streams');
  return streams.toSorted((a, b) => b.id - a.id)[0] as StreamView;
}

/** Starts one, and returns once it has all that it takes. */
async function started(lab: IstiodLab, version: IstiodVersion, revision?: string): Promise<Istiod> {
  const istiod = await lab.istiod(version, revision === undefined ? {} : { revision });
  await eventually(() =>
    ['ServiceEntry', 'WorkloadEntry'].every((kind) => namesIn(istiod, kind).includes('shop/plain')),
  );
  return istiod;
}

function namesIn(istiod: Istiod, kind: string): string[] {
  return [...istiod.store.list(istiod.typeOf(kind)).keys()];
}

/** Names that it was sent, and has not. */
function missingIn(istiod: Istiod, all = objects): Record<string, string[]> {
  const missing = all.filter(({ kind, name }) => !namesIn(istiod, kind).includes(name));
  return byKind(missing.map(({ kind, name }) => [kind, name]));
}

/** Names of those that the bridge says are dropped. */
function droppedIn({ labelled }: StreamView): Record<string, string[]> {
  const dropped = labelled.filter(({ fate }) => fate === 'dropped');
  return byKind(dropped.flatMap(({ kind, names }) => names.map((name) => [kind, name] as const)));
}

function byKind(pairs: readonly (readonly [string, string])[]): Record<string, string[]> {
  const kinds = [...new Set(pairs.map(([kind]) => kind))].toSorted();
  return Object.fromEntries(
    kinds.map((kind) => [kind, pairs.flatMap(([one, name]) => (one === kind ? [name] : [])).toSorted()]),
  );
}

describe('what Isthmus says is dropped is what an istiod has dropped', () => {
  test.each(versions)('%s, of no revision and of several', async (version) => {
    const lab = await start();
    const counts: number[] = [];
    for (const revision of [undefined, 'canary', 'default', 'stable']) {
      const istiod = await started(lab, version, revision);
      const stream = await lastStream(lab);
      expect(droppedIn(stream), revision).toEqual(missingIn(istiod));
      expect(stream.labelled.filter(({ fate }) => fate === 'may be dropped')).toEqual([]);
      const dropped = stream.labelled.filter(({ fate }) => fate === 'dropped');
      counts.push(dropped.reduce((sum, { resources }) => sum + resources, 0));
      istiod.stop();
    }
    const { revisions } = profiles[version];
    const expected = { ignored: [0, 0, 0, 0], exact: [4, 2, 4, 5], 'unset takes all': [0, 2, 4, 5] };
    expect(counts).toEqual(expected[revisions]);
  });

  test('after a label came, went and became another one', async () => {
    const lab = await start();
    const istiod = await started(lab, '1.24', 'canary');
    const now = [
      object('shop/plain', 'b', rev('stable')),
      object('shop/default', 'b'),
      object('shop/canary-1', 'b', rev('stable')),
      object('shop/marker', 'b'),
    ];
    lab.say(...now);
    await eventually(() => servicesOf(istiod)['shop/marker'] === 'b');
    const all = [
      ...objects.filter(({ name, kind }) => !now.some((one) => one.name === name && one.kind === kind)),
      ...now,
    ];
    await until('the page says the same', async () => {
      expect(droppedIn(await lastStream(lab))).toEqual(missingIn(istiod, all));
      return true;
    });
    expect(missingIn(istiod, all)).toEqual({ ServiceEntry: ['shop/canary-1', 'shop/empty', 'shop/plain'] });
  });

  test('where the operator names version and revision of what cannot be seen', async () => {
    const lab = await start({ istiod: { version: '1.18', revision: 'default' } });
    const peer = XdsPeer.connect(lab.port);
    peer.subscribe(se);
    await peer.response(se);
    const stream = await lastStream(lab);
    expect(stream).toMatchObject({ version: '1.18', revision: 'default' });
    expect(droppedIn(stream)).toEqual({ ServiceEntry: ['shop/canary-1', 'shop/canary-2', 'shop/empty'] });
  });
});

describe('reasons', () => {
  const reasonsOf = ({ labelled }: StreamView) => [
    ...new Set(labelled.map(({ fate, reason }) => `${fate}: ${reason}`)),
  ];

  test.each<[IstiodVersion, string | undefined, string, string | null, string[]]>([
    ['1.11', undefined, '1.10 to 1.11', '', ['taken: label_ignored']],
    ['1.12', undefined, '1.12', '', ['taken: label_ignored']],
    ['1.16', undefined, '1.13 to 1.17', '', ['dropped: no_revision']],
    ['1.18', 'canary', '1.18', 'canary', ['dropped: other_revision']],
    ['1.24', undefined, '1.24 to 1.29', '', ['taken: takes_all']],
    ['1.30', 'default', '1.30 and newer', 'default', ['dropped: other_revision']],
  ])('%s of revision %s', async (version, revision, shown, shownRevision, reasons) => {
    const lab = await start();
    await started(lab, version, revision);
    const stream = await lastStream(lab);
    expect([stream.version, stream.revision]).toEqual([shown, shownRevision]);
    expect(reasonsOf(stream).filter((reason) => !reason.endsWith('own_revision'))).toEqual(reasons);
  });

  test('a peer that says nothing of itself: counts by label, and what to set', async () => {
    const lab = await start();
    const peer = XdsPeer.connect(lab.port);
    // Under two names: the resources are the same.
    peer.subscribe(se, 'networking.istio.io/v1alpha3/ServiceEntry');
    await peer.response(se);
    const stream = await lastStream(lab);
    expect(stream.revision).toBeNull();
    expect(stream.labelled).toEqual([
      {
        kind: 'ServiceEntry',
        fate: 'may be dropped',
        reason: 'unknown_revision',
        why: 'unknown revision: it will drop those whose label is not its own',
        resources: 4,
        labels: { canary: 2, default: 1, '': 1 },
        names: ['shop/canary-1', 'shop/canary-2', 'shop/default', 'shop/empty'],
      },
    ]);
  });
});

test('isthmus get and check are no istiods: of them nothing is said', async () => {
  const lab = await start();
  const answered = gate();
  const client = openAds({ host: '127.0.0.1', port: lab.port }, [se], { onResponse: answered.open, onEnd() {} });
  await answered.promise;
  const stream = await lastStream(lab);
  client.close();
  expect([stream.types.length, stream.labelled]).toEqual([1, []]);
});

test('it is said in the log once for each istiod, over all its streams, and in a metric', async () => {
  const lab = await start({}, new ScaledClock(10));
  const istiod = await started(lab, '1.16');
  const warnings = () => lab.bridge.log.lines.filter(({ message }) => /because of their label/.test(message));
  await until('it is said', () => warnings().length > 0);
  expect(warnings()).toEqual([
    {
      level: 'warn',
      message: expect.stringContaining('1.13 to 1.18 without a revision drops every resource that has the label'),
      fields: expect.objectContaining({
        version: '1.13 to 1.17',
        revision: '',
        resources: { ServiceEntry: 3, WorkloadEntry: 1 },
        labels: ['canary', 'default'],
        hint: expect.stringContaining('docs/revisions.md'),
      }),
    },
  ]);
  const metrics = await (await lab.bridge.fetch('/metrics')).text();
  expect(metrics).toContain('isthmus_stream_dropped_by_revision{kind="ServiceEntry",reason="no_revision"} 3\n');
  expect(metrics).toContain('isthmus_stream_dropped_by_revision{kind="WorkloadEntry",reason="no_revision"} 1\n');
  istiod.cut();
  await eventually(() => istiod.streams === 2 && istiod.connected);
  // The next look, which the bridge has had once it says that something else is dropped too.
  const other = await started(lab, '1.24', 'stable');
  await until('the other one is said', () => warnings().length > 1);
  expect(warnings().map(({ fields }) => (fields as { reason: string }).reason)).toEqual([
    'no_revision',
    'other_revision',
  ]);
  expect(other.fatal).toBeUndefined();
});
