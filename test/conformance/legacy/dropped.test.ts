import { describe, expect, onTestFinished, test } from 'vitest';
import type { OriginView } from '../../../src/admin/views.ts';
import { droppedCollections } from '../../../src/model/dropped.ts';
import { Bridge, startSource } from '../../support/bridge.ts';
import { run } from '../../support/cli.ts';
import { named, unnamed } from '../../support/choosy-source.ts';
import { entry, LegacySource, resource } from '../../support/legacy-source.ts';
import { viewOf } from '../../support/legacy-states.ts';
import { legacyResource } from '../../support/resources.ts';
import { sourceAt } from '../../support/serving-source.ts';
import { until } from '../../support/until.ts';
import { versionsOf, XdsPeer } from '../../support/xds-peer.ts';

const se = 'networking.istio.io/v1/ServiceEntry';
const serviceEntries = 'istio/networking/v1alpha3/serviceentries';
const roles = 'istio/rbac/v1alpha1/serviceroles';
const synthetic = 'istio/networking/v1alpha3/synthetic/serviceentries';

/** What a Galley of Istio 1.5 may have. */
const has: Readonly<Record<string, readonly object[]>> = {
  [serviceEntries]: [entry('a/1', 'x')],
  [synthetic]: [entry('a/1', 'y'), entry('a/2', 'y')],
  [roles]: Array.from({ length: 7 }, (_, i) => resource(`a/role-${i}`, 'istio.rbac.v1alpha1.ServiceRole', Buffer.of())),
  'istio/rbac/v1alpha1/rbacconfigs': [],
};

/** A source that has that, and ends the stream where it is asked for something else. */
async function listen(refusal = named): Promise<LegacySource> {
  const source = await LegacySource.listen();
  onTestFinished(() => source.kill());
  source.onStream = (stream) => {
    stream.open();
    let isOver = false;
    stream.onRequest = ({ collection, responseNonce }) => {
      if (isOver || responseNonce !== '') return;
      const resources = has[collection];
      isOver = resources === undefined;
      if (resources === undefined) stream.end(...refusal(collection));
      else stream.send({ collection, resources });
    };
  };
  return source;
}

const droppedOf = async (bridge: Bridge) => {
  const [origin] = await bridge.page<OriginView[]>('/debug/origins');
  return new Map(origin?.dropped.map((one) => [one.collection, one]));
};

/** Until the source has said of every collection what it has, or that it does not know it. */
async function counted(source: LegacySource, more: object = {}): Promise<Bridge> {
  const bridge = await Bridge.of({ sources: [sourceAt('galley', source.port, { countDropped: true, ...more })] });
  await until('all is counted', async () => {
    const dropped = [...(await droppedOf(bridge)).values()];
    return dropped.length > 0 && dropped.every(({ resources, isRefused }) => resources !== null || isRefused);
  });
  return bridge;
}

test('by default nobody asks for what istiod has no place for', async () => {
  const source = await listen();
  const bridge = await Bridge.of({ sources: [sourceAt('galley', source.port)] });
  await bridge.complete();
  expect(source.streams.map(({ asked }) => asked)).toEqual([[serviceEntries]]);
  expect((await droppedOf(bridge)).size).toBe(0);
});

describe('a source that is asked for it', () => {
  test.each([
    ['by name', named],
    ['without naming', unnamed],
  ])(
    'is asked for the rest alone first, refuses what it does not know %s, and all that it has is counted',
    async (_how, refusal) => {
      const source = await listen(refusal);
      const bridge = await counted(source);
      expect(source.streams[0]?.asked).toEqual([serviceEntries]);
      const dropped = await droppedOf(bridge);
      expect([...dropped.keys()]).toEqual(droppedCollections.map(({ collection }) => collection));
      expect(dropped.get(roles)).toMatchObject({
        resources: 7,
        names: ['a/role-0', 'a/role-1', 'a/role-2', 'a/role-3', 'a/role-4'],
        isRefused: false,
        instead: expect.stringMatching(/^AuthorizationPolicy /),
      });
      expect(dropped.get(synthetic)).toMatchObject({ resources: 2, names: ['a/1', 'a/2'] });
      expect(dropped.get('istio/rbac/v1alpha1/rbacconfigs')).toMatchObject({ resources: 0, names: [] });
      expect([...dropped.values()].filter(({ isRefused }) => isRefused)).toHaveLength(droppedCollections.length - 3);
    },
  );

  test('is answered as ever, and nothing of it is sent to an istiod', async () => {
    const source = await listen();
    const bridge = await counted(source);
    const live = await until('a stream is open', () => source.streams.find(({ closed }) => !closed));
    await until('all is acknowledged', () => live.acked.length === live.sentMessages && live.sentMessages === 4);
    const peer = XdsPeer.connect(bridge.ports.xds);
    peer.subscribe(se);
    expect(Object.keys(versionsOf(await peer.response(se)))).toEqual(['a/1']);
    const [origin] = await bridge.page<OriginView[]>('/debug/origins');
    expect(origin?.connection.unsupportedCollections, 'what nobody needs is not missed').toEqual({});
  });

  test('is said what it loses, once in the log, in metrics, status and check', async () => {
    const source = await listen();
    const bridge = await counted(source);
    const live = await until('a stream is open', () => source.streams.find(({ closed }) => !closed));
    await live.deliver({ collection: roles, resources: has[roles] ?? [] });
    const lines = bridge.log.lines.filter(({ message }) => message.includes('has no place for'));
    const said = lines.map(({ level, fields }) => `${level} of ${(fields as { collection: string }).collection}`);
    expect(new Set(said)).toEqual(new Set([`warn of ${synthetic}`, `warn of ${roles}`]));
    expect(said).toHaveLength(2);
    const metrics = await (await bridge.fetch('/metrics')).text();
    expect(metrics).toContain(`isthmus_dropped_resources{source="galley",collection="${roles}"} 7`);
    const { code, stdout } = await run('status', bridge.adminUrl);
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /^! source galley has 7 in istio\/rbac\/v1alpha1\/serviceroles \(a\/role-0, .*, …\): .*AuthorizationPolicy/m,
    );
    expect((await run('check', bridge.adminUrl, '-o', 'json')).stdout).toContain('COLLECTIONS_DROPPED');
  });

  test('sends whole states of it, where it is asked for changes of the rest', async () => {
    const source = await listen();
    await counted(source, { incremental: true });
    const live = await until('a stream is open', () => source.streams.find(({ closed }) => !closed));
    await until('all is asked for', () => live.asked.length === 4);
    const asked = live.requests.filter(({ responseNonce }) => responseNonce === '');
    expect(asked.filter(({ incremental }) => incremental).map(({ collection }) => collection)).toEqual([
      serviceEntries,
    ]);
    expect(asked.length).toBe(4);
  });
});

test('check --direct asks for it', async () => {
  const served = viewOf({ 'a/1': 'x' });
  const { address } = await startSource(
    new Map([...served, [roles, { version: '1', resources: [legacyResource('a/r')] }]]),
  );
  const { stdout } = await run('check', address, '--direct', '-o', 'json');
  expect(stdout).toContain('COLLECTIONS_DROPPED');
  expect(stdout).toContain('1 in istio/rbac/v1alpha1/serviceroles (a/r)');
  expect(stdout).toContain('ServiceEntry 1');
});
