import { describe, expect, test } from 'vitest';
import { kinds, meshConfigTypeUrl } from '../../../src/model/kinds.ts';
import { nodeIds } from '../../support/fake-istiod.ts';
import { legacyResource, serviceEntry, workloadEntry } from '../../support/resources.ts';
import { typesOf, XdsLab } from '../../support/xds-lab.ts';
import { versionsOf } from '../../support/xds-peer.ts';

const se = 'networking.istio.io/v1/ServiceEntry';
const we = 'networking.istio.io/v1/WorkloadEntry';
/** What istiod 1.24 asks for, in its order: MeshConfig first. */
const asked = [meshConfigTypeUrl, ...kinds.map(({ group, versions, kind }) => `${group}/${versions.at(-1)}/${kind}`)];
const free = asked.filter((type) => type !== meshConfigTypeUrl && type !== se && type !== we);

async function start(): Promise<XdsLab> {
  const lab = await XdsLab.start();
  lab.addOrigin('galley', serviceEntry, workloadEntry);
  return lab;
}

test('a starting istiod: what nobody can hold is answered empty at once, the rest once it is complete', async () => {
  const lab = await start();
  const peer = lab.connect();
  peer.subscribe(...asked);
  for (const type of free) peer.ack(await lab.response(peer, type));
  expect(peer.responses.map(({ resources, versionInfo }) => [resources, versionInfo])).toEqual(
    free.map(() => [[], '']),
  );
  await lab.settled(peer);
  expect(typesOf(peer)).toEqual(free);

  await lab.deliver('galley', serviceEntry, [legacyResource('shop/orders')]);
  const entries = await lab.accept(peer, se);
  expect(Object.keys(versionsOf(entries))).toEqual(['shop/orders']);
  await lab.settled(peer);
  expect(typesOf(peer)).toEqual([...free, se]);

  await lab.deliver('galley', workloadEntry, []);
  const workloads = await lab.accept(peer, we);
  expect(workloads.resources).toEqual([]);
  expect(workloads.versionInfo).not.toBe('');
  await lab.settled(peer);
  expect(typesOf(peer)).toEqual([...free, se, we]);
});

test('MeshConfig is never answered, whatever is asked and however often', async () => {
  const lab = await start();
  const peer = lab.connect();
  peer.subscribe(meshConfigTypeUrl, meshConfigTypeUrl);
  peer.request({ typeUrl: meshConfigTypeUrl });
  peer.request({ typeUrl: meshConfigTypeUrl, responseNonce: '1', errorDetail: { code: 3, message: 'no' } });
  await lab.deliver('galley', serviceEntry, []);
  lab.flush();
  await lab.settled(peer);
  expect(typesOf(peer)).toEqual([]);
  expect(peer.ended).toBeUndefined();
});

describe('a type that was asked for is echoed to the letter', () => {
  test.each(['networking.istio.io/v1alpha3/ServiceEntry', se, 'networking.istio.io/v1beta7/ServiceEntry'])(
    '%s',
    async (type) => {
      const lab = await start();
      await lab.deliver('galley', serviceEntry, [legacyResource('shop/orders')]);
      const peer = lab.connect();
      peer.subscribe(type);
      const response = await lab.accept(peer, type);
      expect(Object.keys(versionsOf(response))).toEqual(['shop/orders']);
      expect(new Set(response.resources.map((one) => one.type_url))).toEqual(
        new Set(['type.googleapis.com/istio.mcp.v1alpha1.Resource']),
      );
    },
  );

  test('two versions of one kind on one stream', async () => {
    const lab = await start();
    await lab.deliver('galley', serviceEntry, [legacyResource('shop/orders')]);
    const peer = lab.connect();
    const both = ['networking.istio.io/v1alpha3/ServiceEntry', se];
    peer.subscribe(...both);
    await lab.read(peer);
    const [old, current] = [await lab.response(peer, both[0] ?? ''), await lab.response(peer, se)];
    expect(old.resources).toEqual(current.resources);
    expect(old.nonce).not.toBe(current.nonce);
    expect(typesOf(peer)).toEqual(both);
  });
});

test('nothing comes that was not asked for', async () => {
  const lab = await start();
  await lab.deliver('galley', serviceEntry, [legacyResource('shop/orders')]);
  await lab.deliver('galley', workloadEntry, []);
  const peer = lab.connect();
  peer.subscribe(we);
  await lab.accept(peer, we);
  await lab.settled(peer);
  expect(typesOf(peer)).toEqual([we]);
});

test('Envoy asks in vain for its own types, and keeps its stream', async () => {
  const lab = await start();
  const peer = lab.connect('sidecar~10.0.0.1~app.shop~shop.svc.cluster.local');
  peer.subscribe('type.googleapis.com/envoy.config.cluster.v3.Cluster', '', 'a/b/c/d', `x/${'y'.repeat(300)}/z`);
  await lab.settled(peer);
  expect(typesOf(peer)).toEqual([]);
  expect(peer.ended).toBeUndefined();
});

test('an istiod up to 1.11 gets no versions of resources: it would refuse every update', async () => {
  const lab = await start();
  await lab.deliver('galley', serviceEntry, [legacyResource('shop/orders')]);
  const [old, current] = [lab.connect(nodeIds.upTo111), lab.connect(nodeIds.from112)];
  old.subscribe(se);
  current.subscribe(se);
  expect(versionsOf(await lab.response(old, se))).toEqual({ 'shop/orders': '' });
  expect(versionsOf(await lab.response(current, se))).toEqual({ 'shop/orders': expect.stringMatching(/^.{16}$/) });
});
