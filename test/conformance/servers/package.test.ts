import { describe, expect, test } from 'vitest';
import { Champly, Copilot, Galley, OwnServer, ServiceManager } from '../../support/servers/choosy.ts';
import { expectGolden } from '../../support/servers/golden.ts';
import { bridgeTo, Istiod, item, kindOf, originOf, taken } from '../../support/servers/lab.ts';
import { until } from '../../support/until.ts';

const entrySpec = { hosts: ['orders.example.com'], ports: [{ number: 80, name: 'http', protocol: 'HTTP' }] };
const routeSpec = { hosts: ['orders.example.com'], gateways: ['edge'] };
const gatewaySpec = { servers: [{ port: { number: 80, name: 'http', protocol: 'http' }, hosts: ['*'] }] };

const bare = {
  entry: item('ServiceEntry', 'orders', entrySpec),
  route: item('VirtualService', 'orders', routeSpec),
  gateway: item('Gateway', 'edge', gatewaySpec),
};

describe('galley', () => {
  test('a collection that it does not know ends its stream: that is learned, and costs nothing else', async () => {
    const server = await new Galley().listen();
    server.set(item('ServiceEntry', 'shop/orders', entrySpec), item('VirtualService', 'shop/orders', routeSpec));
    const bridge = await bridgeTo(server, { profile: 'galley' });
    const istiod = new Istiod(bridge, 'ServiceEntry', 'VirtualService', 'WorkloadEntry', 'WorkloadGroup');
    const entries = await istiod.has('ServiceEntry', 'shop/orders');
    expectGolden(
      'galley',
      entries,
      await istiod.has('VirtualService', 'shop/orders'),
      await istiod.has('WorkloadEntry'),
    );
    await istiod.has('WorkloadGroup');
    const { connection, profile } = await originOf(bridge);
    expect(Object.keys(connection.unsupportedCollections).toSorted()).toEqual([
      'istio/networking/v1alpha3/workloadentries',
      'istio/networking/v1alpha3/workloadgroups',
    ]);
    expect(profile).toEqual({ configured: 'galley', looksLike: null, because: [], notInForce: [] });
  });

  test('is recognised by its versions, and needs no profile', async () => {
    const server = await new Galley().listen();
    server.set(item('ServiceEntry', 'shop/orders', entrySpec));
    const bridge = await bridgeTo(server, {});
    await new Istiod(bridge, 'ServiceEntry').has('ServiceEntry', 'shop/orders');
    expect((await originOf(bridge)).profile).toMatchObject({ configured: 'auto', looksLike: 'galley', notInForce: [] });
    expect(bridge.log.lines.filter(({ fields }) => 'looksLike' in fields)).toMatchObject([{ level: 'debug' }]);
  });
});

describe('a server of one’s own that embeds the package', () => {
  test('a collection that was never set is silent for ever: it counts as empty once the others have spoken', async () => {
    const server = await new OwnServer().listen();
    server.set(bare.entry);
    const bridge = await bridgeTo(server, { profile: 'pkg-mcp', silentCollection: '300ms' });
    const istiod = new Istiod(bridge, 'ServiceEntry', 'VirtualService', 'Gateway', 'DestinationRule');
    await istiod.has('ServiceEntry', 'default/orders');
    await istiod.has('VirtualService');
    await istiod.has('DestinationRule');
    expect((await kindOf(bridge, 'VirtualService')).sync).toBe('silent');
    expect((await kindOf(bridge, 'DestinationRule')).sync).toBe('unsupported');
  });
});

describe('copilot', () => {
  const internal = item('Sidecar', 'internal/sidecar', { egress: [{ hosts: ['*/*'] }] });

  test('nothing before its first tick is no answer; then names with and without a namespace, and no create_time', async () => {
    const server = await new Copilot().listen();
    const bridge = await bridgeTo(server, { profile: 'copilot', defaultNamespace: 'cloudfoundry' });
    const istiod = new Istiod(bridge, 'Gateway', 'VirtualService', 'Sidecar', 'ServiceEntry', 'EnvoyFilter');
    // Nobody may have it here, so it is answered at once.
    await istiod.has('EnvoyFilter');
    await until('it was asked', async () => (await server.source.stream(1)).asked.length === 5);
    expect(istiod.names('Gateway')).toBeUndefined();
    const gateway = { ...bare.gateway, version: '1' };
    server.tick(gateway, { ...bare.route, version: '1' }, { ...internal, version: '1' });
    const routes = await istiod.has('VirtualService', 'cloudfoundry/orders');
    const gateways = await istiod.has('Gateway', 'cloudfoundry/edge');
    expectGolden('copilot', gateways, routes, await istiod.has('Sidecar', 'internal/sidecar'));
    // The gateway keeps its version "1", whatever is in it.
    const tls = { servers: [{ port: { number: 443, name: 'https', protocol: 'https' }, hosts: ['*'] }] };
    server.tick({ ...item('Gateway', 'edge', tls), version: '1' }, { ...bare.route, version: '2' }, internal);
    await until('the gateway is another one', () => istiod.last('Gateway') !== gateways);
  });

  test('only what it serves is asked for: its stream lives', async () => {
    const server = await new Copilot().listen();
    const bridge = await bridgeTo(server, { profile: 'copilot' });
    server.tick(bare.entry);
    await new Istiod(bridge, 'ServiceEntry').has('ServiceEntry', 'default/orders');
    expect(server.source.streams).toHaveLength(1);
    expect((await originOf(bridge)).connection.unsupportedCollections).toEqual({});
  });
});

describe('service-manager', () => {
  test('a folder that it reads while it is written takes nothing away, not even the last file', async () => {
    const server = await new ServiceManager().listen();
    server.reload(bare.entry, bare.route, bare.gateway);
    const bridge = await bridgeTo(server, { profile: 'service-manager' });
    const istiod = new Istiod(bridge, 'ServiceEntry', 'VirtualService', 'Gateway');
    const entries = await istiod.has('ServiceEntry', 'default/orders');
    const routes = await istiod.has('VirtualService', 'default/orders');
    expectGolden('service-manager', entries, routes, await istiod.has('Gateway', 'default/edge'));
    server.reload();
    await taken(bridge, 2);
    expect((await kindOf(bridge)).hold).toMatchObject({ reason: 'emptied', removals: 1 });
    const other = { ...entrySpec, hosts: ['orders.example.com', 'o.example.com'] };
    server.reload(item('ServiceEntry', 'orders', other), bare.route, bare.gateway);
    await until('the change is there', () => istiod.last('ServiceEntry') !== entries);
    expect(istiod.names('ServiceEntry')).toEqual(['default/orders']);
    expect((await kindOf(bridge)).hold).toBeNull();
  });

  test('a create_time at each reading is no change', async () => {
    const server = await new ServiceManager().listen();
    server.reload(bare.entry);
    const bridge = await bridgeTo(server, { profile: 'service-manager' });
    const istiod = new Istiod(bridge, 'ServiceEntry');
    await istiod.has('ServiceEntry', 'default/orders');
    for (let i = 0; i < 3; i++) server.reload(bare.entry);
    await taken(bridge, 4);
    server.reload(bare.entry, item('ServiceEntry', 'other', entrySpec));
    await istiod.has('ServiceEntry', 'default/orders', 'default/other');
    expect(istiod.peer.responses).toHaveLength(2);
  });
});

describe('champly', () => {
  test('only who came last is told of changes: Isthmus keeps one connection, and hears them', async () => {
    const server = await new Champly().listen();
    server.set(bare.entry);
    const bridge = await bridgeTo(server, { profile: 'champly' });
    const istiod = new Istiod(bridge, 'ServiceEntry', 'VirtualService');
    await istiod.has('ServiceEntry', 'default/orders');
    server.set(bare.entry, bare.route);
    expectGolden(
      'champly',
      await istiod.has('ServiceEntry', 'default/orders'),
      await istiod.has('VirtualService', 'default/orders'),
    );
    expect(server.source.connections).toBe(1);
  });
});
