import { describe, expect, test } from 'vitest';
import { entry } from '../../support/legacy-source.ts';
import { AggregatedServer, type MeshConfigRequest } from '../../support/servers/aggregated.ts';
import { expectGolden } from '../../support/servers/golden.ts';
import { bridgeTo, Istiod, originOf } from '../../support/servers/lab.ts';
import { until } from '../../support/until.ts';

const typeOf = (kind: string) => `type.googleapis.com/istio.networking.v1alpha3.${kind}`;
const collectionOf = (plural: string) => `istio/networking/v1alpha3/${plural}`;

/** What Galley 1.0 knows of the kinds that Isthmus may ask for. */
const types = ['VirtualService', 'Gateway', 'ServiceEntry', 'DestinationRule', 'EnvoyFilter'].map(typeOf);

/** How an aggregated server is named in a bridge's settings. */
const at = (server: AggregatedServer) => ({
  at: (more: object) => ({ name: 'registry', address: `mcp://127.0.0.1:${server.port}`, ...more }),
});

const answers = (requests: readonly MeshConfigRequest[]) =>
  requests.filter(({ responseNonce }) => responseNonce !== '');

describe('galley-1.0', () => {
  test('types by their URL, names alone as metadata: istiod gets all of it, and every change', async () => {
    const server = await AggregatedServer.listen(...types);
    server.set(
      typeOf('ServiceEntry'),
      '1',
      entry('shop/orders', 'a.example.com', {}),
      entry('shop/mail', 'm.example.com', {}),
    );
    const bridge = await bridgeTo(at(server), { profile: 'galley-1.0', silentCollection: '300ms' });
    const istiod = new Istiod(bridge, 'ServiceEntry', 'Gateway', 'Sidecar');
    const entries = await istiod.has('ServiceEntry', 'shop/mail', 'shop/orders');
    expectGolden('galley-1.0', entries);
    // Of a type without objects it says nothing, ever.
    await istiod.has('Gateway');
    server.set(typeOf('ServiceEntry'), '2', entry('shop/orders', 'b.example.com', {}));
    await istiod.has('ServiceEntry', 'shop/orders');
    expect(server.paths).toEqual(['/istio.mcp.v1alpha1.AggregatedMeshConfigService/StreamAggregatedResources']);
    const [first] = server.requests;
    expect(first).toMatchObject({
      versionInfo: '',
      responseNonce: '',
      sinkNode: { id: '', annotations: {} },
      errorDetail: null,
    });
    expect(new Set(server.requests.map(({ typeUrl }) => typeUrl))).toEqual(new Set(types));
  });

  test('what came is acknowledged, although a resource of it is quarantined: it is sent once, not again and again', async () => {
    const server = await AggregatedServer.listen(...types);
    server.set(typeOf('ServiceEntry'), '1', entry('shop/orders', 'a', {}), entry('a/b/c', 'b', {}));
    const bridge = await bridgeTo(at(server), { profile: 'galley-1.0' });
    const istiod = new Istiod(bridge, 'ServiceEntry');
    await istiod.has('ServiceEntry', 'shop/orders');
    await until('it is answered', () => answers(server.requests).length > 0);
    server.set(typeOf('ServiceEntry'), '2', entry('shop/orders', 'a', {}), entry('shop/mail', 'b', {}));
    await istiod.has('ServiceEntry', 'shop/orders', 'shop/mail');
    await until('that is answered too', () => answers(server.requests).length > 1);
    expect(answers(server.requests).map(({ errorDetail }) => errorDetail)).toEqual([null, null]);
    expect(server.sent).toBe(2);
  });

  test('a type that it does not know ends its stream: that is learned, and costs nothing else', async () => {
    const known = types.filter((type) => type !== typeOf('EnvoyFilter'));
    const server = await AggregatedServer.listen(...known);
    server.set(typeOf('ServiceEntry'), '1', entry('shop/orders', 'a', {}));
    const bridge = await bridgeTo(at(server), { profile: 'galley-1.0' });
    const istiod = new Istiod(bridge, 'ServiceEntry', 'EnvoyFilter');
    await istiod.has('ServiceEntry', 'shop/orders');
    await istiod.has('EnvoyFilter');
    const { unsupportedCollections } = (await originOf(bridge)).connection;
    expect(Object.keys(unsupportedCollections)).toEqual([collectionOf('envoyfilters')]);
  });
});

describe('aggregated-1.1', () => {
  test('types by their collection', async () => {
    const server = await AggregatedServer.listen(collectionOf('serviceentries'), collectionOf('gateways'));
    server.set(collectionOf('serviceentries'), '17', entry('shop/orders', 'a.example.com'));
    server.set(collectionOf('gateways'), '0');
    const collections = ['serviceentries', 'gateways'].map(collectionOf);
    const bridge = await bridgeTo(at(server), { protocol: 'aggregated-1.1', collections });
    const istiod = new Istiod(bridge, 'ServiceEntry', 'Gateway');
    expectGolden('aggregated-1.1', await istiod.has('ServiceEntry', 'shop/orders'), await istiod.has('Gateway'));
  });

  test('a type that nobody asked for is refused as though it had been taken, and not more often than once a second', async () => {
    const type = collectionOf('serviceentries');
    const server = await AggregatedServer.listen(type);
    server.set(type, '1', entry('shop/orders', 'a'));
    const bridge = await bridgeTo(at(server), { protocol: 'aggregated-1.1', collections: [type] });
    const istiod = new Istiod(bridge, 'ServiceEntry');
    await istiod.has('ServiceEntry', 'shop/orders');
    await until('it is answered', () => answers(server.requests).length === 1);
    const began = performance.now();
    server.force('unknown', 'v1');
    server.force('unknown', 'v2');
    await until('both are answered', () => answers(server.requests).length === 3);
    // Timers of Node may be a millisecond early.
    expect(performance.now() - began).toBeGreaterThan(1990);
    expect(answers(server.requests).slice(1)).toMatchObject([
      { typeUrl: 'unknown', versionInfo: 'v1', responseNonce: '2', errorDetail: { code: 12 } },
      { typeUrl: 'unknown', versionInfo: 'v2', responseNonce: '3', errorDetail: { code: 12 } },
    ]);
    server.set(type, '2', entry('shop/mail', 'b'));
    await istiod.has('ServiceEntry', 'shop/mail');
  });
});
