import { describe, expect, test } from 'vitest';
import { knownCollections } from '../../../src/model/kinds.ts';
import { ChainLab, type Pushed } from '../../support/chain-lab.ts';
import { eventually } from '../../support/eventually.ts';
import { entry, resource } from '../../support/legacy-source.ts';
import { gw, se } from '../../support/sink-lab.ts';
import { field, fields } from '../../support/wire-bytes.ts';

// The scenarios of Pilot's own MCP controller (pilot/pkg/serviceregistry/mcp), each under the name it has there: what a
// legacy source says, through the whole bridge, and what an istiod receives. docs/conformance.md lists all of them.

const gateways = 'networking.istio.io/v1/Gateway';
const services = 'networking.istio.io/v1/ServiceEntry';
const virtualServices = 'networking.istio.io/v1/VirtualService';

/** A Gateway body with one server; without hosts, Istio's validation refuses it. */
function gatewayBody(port: number, ...hosts: readonly string[]): Buffer {
  const serverPort = fields(field(1, port), field(2, 'HTTP'), field(3, 'http'));
  return field(1, fields(field(1, serverPort), ...hosts.map((host) => field(2, host))));
}

const body = gatewayBody(443, '*.secure.example.com');
const body2 = gatewayBody(80, '*.example.com');
const body3 = gatewayBody(8080, 'foo.example.com');

/** A Gateway as Pilot's tests make them: with a name and a body, and nothing else. */
const gateway = (name: string, content = body) => resource(name, 'Gateway', content, {});

const bodies = (pushed: Readonly<Record<string, Pushed>>) =>
  Object.fromEntries(Object.entries(pushed).map(([name, { body: bytes }]) => [name, bytes]));

/** A chain, and what the source says first of Gateways. */
async function chainWith(...resources: readonly object[]): Promise<ChainLab> {
  const lab = await ChainLab.start([gateways]);
  await (await lab.stream()).deliver({ collection: gw, resources });
  return lab;
}

test('TestHasSynced: false at first; true once every collection has spoken, and istiod is given nothing before', async () => {
  const lab = await ChainLab.start([gateways, services]);
  const stream = await lab.stream();
  for (const [index, collection] of knownCollections.entries()) {
    expect((await lab.bridge.fetch('/syncz')).status).toBe(503);
    if (index <= knownCollections.indexOf(gw)) expect(lab.pushes(gateways)).toEqual([]);
    if (index <= knownCollections.indexOf(se)) expect(lab.pushes(services)).toEqual([]);
    await stream.deliver({ collection });
  }
  await lab.bridge.complete();
  expect([await lab.push(gateways, 1), await lab.push(services, 1)]).toEqual([{}, {}]);
});

test('TestConfigDescriptor: what is asked for is what Pilot 1.8 asks for; synthetic service entries are not in it', async () => {
  const lab = await ChainLab.start([]);
  const stream = await lab.stream();
  await eventually(() => stream.asked.length === 11);
  const networking = ['destinationrules', 'envoyfilters', 'gateways', 'serviceentries', 'sidecars', 'virtualservices'];
  const security = ['authorizationpolicies', 'peerauthentications', 'requestauthentications'];
  expect(stream.asked.toSorted()).toEqual([
    ...[...networking, 'workloadentries', 'workloadgroups'].map((name) => `istio/networking/v1alpha3/${name}`),
    ...security.map((name) => `istio/security/v1beta1/${name}`),
  ]);
});

test('TestListCorrectTypeNoData: a collection in which there is nothing is an empty response, not none', async () => {
  const lab = await ChainLab.start([virtualServices]);
  await (await lab.stream()).deliver({ collection: 'istio/networking/v1alpha3/virtualservices' });
  expect(await lab.push(virtualServices, 1)).toEqual({});
});

// Pilot files a name without a namespace under "". istiod 1.9 and newer drops such a name, and deletes what it had of
// it, so it is given the default namespace.
test('TestListAllNameSpace: resources of all namespaces arrive, with their bodies; one without goes to the default namespace', async () => {
  const lab = await chainWith(
    gateway('namespace1/some-gateway1'),
    gateway('default/some-other-gateway', body2),
    gateway('some-other-gateway3', body3),
  );
  expect(bodies(await lab.push(gateways, 1))).toEqual({
    'namespace1/some-gateway1': body,
    'default/some-other-gateway': body2,
    'default/some-other-gateway3': body3,
  });
});

test('TestListSpecificNameSpace: each resource keeps the namespace that it has', async () => {
  const lab = await chainWith(
    gateway('namespace1/some-gateway1'),
    gateway('default/some-other-gateway', body2),
    gateway('namespace1/some-other-gateway3', body3),
  );
  expect(bodies(await lab.push(gateways, 1))).toEqual({
    'namespace1/some-gateway1': body,
    'default/some-other-gateway': body2,
    'namespace1/some-other-gateway3': body3,
  });
});

test('TestApplyInvalidType: a collection that nobody has is refused, and nothing of it is pushed', async () => {
  const lab = await ChainLab.start([gateways]);
  const stream = await lab.stream();
  stream.send({ collection: 'bad-collection', resources: [gateway('some-gateway')] });
  await eventually(() => stream.replies.length === 1);
  expect(stream.replies).toMatchObject([
    { collection: 'bad-collection', responseNonce: '1', errorDetail: { code: 12 } },
  ]);
  await lab.settled();
  expect(lab.pushes(gateways)).toEqual([]);
  await stream.deliver({ collection: gw });
  expect(await lab.push(gateways, 1)).toEqual({});
});

describe('names', () => {
  test('TestApplyValidTypeWithNoNamespace: the second form of a resource without a namespace replaces the first', async () => {
    const lab = await chainWith(gateway('some-gateway', gatewayBody(80, '*.example.com')));
    const first = await lab.push(gateways, 1);
    const changed = gatewayBody(9999, '*.example.com');
    await (await lab.stream()).deliver({ collection: gw, resources: [gateway('some-gateway', changed)] });
    const second = await lab.push(gateways, 2);
    expect([bodies(first), bodies(second)]).toEqual([
      { 'default/some-gateway': body2 },
      { 'default/some-gateway': changed },
    ]);
    expect(second['default/some-gateway']?.version).not.toBe(first['default/some-gateway']?.version);
  });

  test('TestApplyMetadataNameIncludesNamespace: it arrives as it is', async () => {
    const lab = await chainWith(gateway('istio-namespace/some-gateway'));
    expect(bodies(await lab.push(gateways, 1))).toEqual({ 'istio-namespace/some-gateway': body });
  });

  // As for TestListAllNameSpace.
  test('TestApplyMetadataNameWithoutNamespace: it gets the namespace that the source is configured with', async () => {
    const lab = await ChainLab.start([gateways], { defaultNamespace: 'team-a' });
    await (await lab.stream()).deliver({ collection: gw, resources: [gateway('some-gateway')] });
    expect(bodies(await lab.push(gateways, 1))).toEqual({ 'team-a/some-gateway': body });
  });
});

test('TestApplyChangeNoObjects: a message without resources empties the collection', async () => {
  const lab = await chainWith(gateway('some-gateway'));
  expect(bodies(await lab.push(gateways, 1))).toEqual({ 'default/some-gateway': body });
  await (await lab.stream()).deliver({ collection: gw });
  expect(await lab.push(gateways, 2)).toEqual({});
});

test('TestApplyConfigUpdate: one message is one push', async () => {
  const lab = await chainWith(gateway('some-gateway'));
  await lab.settled();
  expect(lab.pushes(gateways).map(bodies)).toEqual([{ 'default/some-gateway': body }]);
});

describe('resources that Pilot discards', () => {
  // Istio's validation rules are not checked here yet. istiod from 1.14 on rejects just such a resource by itself; and a
  // mistake in rules of ours must not lose a service.
  test('TestInvalidResource: what breaks a rule of its kind is passed on, beside the good ones', async () => {
    const withoutHosts = gatewayBody(443);
    const lab = await chainWith(gateway('bar-namespace/foo', withoutHosts), gateway('bar-namespace/good', body2));
    expect(bodies(await lab.push(gateways, 1))).toEqual({
      'bar-namespace/foo': withoutHosts,
      'bar-namespace/good': body2,
    });
  });

  // The time matters to nobody but the order of conflicting resources: it is no reason to lose one.
  test('TestInvalidResource_BadTimestamp: it arrives, with a fixed time in place of the impossible one, and is counted', async () => {
    const time = { createTime: { seconds: -1, nanos: -1 } };
    const lab = await chainWith(resource('bar-namespace/foo', 'Gateway', body, time));
    expect(await lab.push(gateways, 1)).toMatchObject({
      'bar-namespace/foo': { body, createTime: { seconds: '1', nanos: 0 } },
    });
    const metrics = await (await lab.bridge.fetch('/metrics')).text();
    expect(metrics).toContain('isthmus_repairs_total{source="galley",kind="Gateway",repair="create_time"} 1');
  });
});

test('TestEventHandler: add, update, add, delete, and all of them at once: what changed has another version, the rest keeps its own', async () => {
  const lab = await ChainLab.start([services]);
  const stream = await lab.stream();
  const metadata = {
    createTime: { seconds: 1_136_214_245 },
    labels: { lk1: 'lv1' },
    annotations: { ak1: 'av1' },
  };
  /** A service of each name, and the version that its source gives it. */
  const steps: readonly Record<string, string>[] = [
    { foo: 'v0' },
    { foo: 'v1' },
    { foo: 'v1', foo1: 'v0' },
    { foo1: 'v0' },
    { foo1: 'v1', foo2: 'v0', foo3: 'v0' },
    { foo2: 'v1', foo3: 'v0', foo4: 'v0', foo5: 'v0' },
  ];
  const hostOf = (name: string, version: string) => `${name}.${version}.com`;
  /** name and version of the source → version that istiod is given. */
  const versions = new Map<string, string>();
  for (const [index, step] of steps.entries()) {
    const all = Object.entries(step);
    await stream.deliver({
      collection: se,
      resources: all.map(([name, version]) =>
        entry(`default/${name}`, hostOf(name, version), { ...metadata, version: `of the source: ${version}` }),
      ),
    });
    const pushed = await lab.push(services, index + 1);
    expect(Object.keys(pushed).toSorted()).toEqual(all.map(([name]) => `default/${name}`).toSorted());
    for (const [name, version] of all) {
      const { version: given, ...rest } = pushed[`default/${name}`] as Pushed;
      expect(rest).toEqual({
        ...metadata,
        createTime: { seconds: '1136214245', nanos: 0 },
        type: 'type.googleapis.com/istio.networking.v1alpha3.ServiceEntry',
        body: field(1, hostOf(name, version)),
      });
      const key = `${name} ${version}`;
      expect(given).toBe(versions.get(key) ?? given);
      versions.set(key, given);
    }
  }
  expect(new Set(versions.values()).size).toBe(versions.size);
  await lab.settled();
  expect(lab.pushes(services)).toHaveLength(steps.length);
});

// Pilot keeps the requests that it sent, and shows the last 32 with id and annotations. Here the pages show the id, the
// collections and how many messages came of each; what was answered is counted.
test('TestConfigZ: the pages show id and collections before anything came, and one message and its ACK afterwards', async () => {
  const lab = await ChainLab.start([gateways], { sinkNodeId: 'default', collections: [gw] });
  const stream = await lab.stream();
  await eventually(() => stream.requests.length === 1);
  const kinds = async () => (await lab.bridge.page<{ kinds: object[] }[]>('/debug/origins'))[0]?.kinds;
  const acks = async () =>
    /istio_mcp_request_acks_total\{.*gateways.*/.exec(await (await lab.bridge.fetch('/metrics')).text());
  const { sources } = await lab.bridge.page<{ sources: object[] }>('/debug/config');
  expect(sources).toMatchObject([{ name: 'galley', sinkNodeId: 'default', collections: [gw] }]);
  expect(await kinds()).toMatchObject([{ collection: gw, sync: 'waiting', messages: 0 }]);
  expect(await acks()).toBeNull();
  await stream.deliver({ collection: gw, systemVersionInfo: '23', resources: [gateway('foo')] });
  expect(await kinds()).toMatchObject([{ collection: gw, sync: 'synced', messages: 1, effective: 1 }]);
  expect((await acks())?.[0]).toBe(`istio_mcp_request_acks_total{component="isthmus",collection="${gw}"} 1`);
  expect(stream.requests).toMatchObject([{ responseNonce: '' }, { responseNonce: '1', errorDetail: null }]);
});

// Pilot 1.5 and newer skips what is labelled for another revision. So does every istiod from 1.13 on, of its own revision,
// which a bridge between several of them can't know.
test('a resource of another revision is passed on', async () => {
  const labels = { 'istio.io/rev': 'canary' };
  const lab = await chainWith(resource('x/canary', 'Gateway', body, { labels }), gateway('x/any', body2));
  expect(await lab.push(gateways, 1)).toMatchObject({ 'x/canary': { labels, body }, 'x/any': { body: body2 } });
});
