import { describe, expect, test } from 'vitest';
import type { StateReport } from '../../../src/admin/views.ts';
import { Nacos1, Nacos2, Nacos20x, Nacos3 } from '../../support/servers/nacos.ts';
import { expectGolden } from '../../support/servers/golden.ts';
import { entryOf, hasAddresses, kindOf, originOf, taken, watched } from '../../support/servers/lab.ts';
import { service, type Service } from '../../support/servers/server.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { until } from '../../support/until.ts';

/** As applications register themselves: metadata that is no label, and the port that they have. */
const shop: Service = {
  name: 'shop',
  instances: [
    { address: '10.0.0.1', port: 8081, labels: { version: 'v1', 'dubbo path': 'a b', side: 'provider' } },
    { address: '10.0.0.2', port: 8081, labels: { version: 'v2' } },
  ],
};

/** A service of Dubbo. */
const dubbo = service('providers:com.example.Orders:1.0:', '10.0.0.3');

describe('nacos-1', () => {
  test('the first request is never answered: that is not empty, and nothing is sent before the timer', async () => {
    const server = await new Nacos1().listen();
    server.set(service('web', '10.0.0.1'));
    const { bridge, istiod } = await watched(server, { profile: 'nacos-1' });
    await until('it was asked', async () => (await server.source.stream(1)).asked.length === 1);
    expect((await bridge.fetch('/syncz')).ok).toBe(false);
    server.tick();
    await istiod.has({ 'nacos/web.sn': 'web.nacos' });
    expect(istiod.history).toEqual([{ 'nacos/web.sn': 'web.nacos' }]);
  });

  test('a second stream is never answered: what the first one brought stays', async () => {
    const server = await new Nacos1().listen();
    const { bridge, istiod } = await watched(server, { profile: 'nacos-1' });
    server.set(service('web', '10.0.0.1'));
    await until('it was asked', async () => (await server.source.stream(1)).asked.length === 1);
    server.tick();
    await istiod.has({ 'nacos/web.sn': 'web.nacos' });
    server.source.dropConnections();
    await until('it was asked again', async () => (await server.source.stream(2)).asked.length === 1);
    server.set(service('web', '10.0.0.2'));
    server.tick();
    await until('it is connected', async () => (await originOf(bridge)).connection.state === 'connected');
    expect(istiod.history).toEqual([{ 'nacos/web.sn': 'web.nacos' }]);
    await server.restart();
    await until('it was asked', async () => (await server.source.stream(1)).asked.length === 1);
    server.hear();
    server.tick();
    await hasAddresses(istiod, 'nacos/web.sn', '10.0.0.2');
    expect(istiod.lost('nacos/web.sn')).toEqual([]);
  });

  test('a bridge that is restarted is never answered: what its state folder has is served', async () => {
    const server = await new Nacos1().listen();
    const stateDir = tempFolder();
    const first = await watched(server, { profile: 'nacos-1' }, { stateDir });
    server.set(service('web', '10.0.0.1'));
    await until('it was asked', async () => (await server.source.stream(1)).asked.length === 1);
    server.tick();
    await first.istiod.has({ 'nacos/web.sn': 'web.nacos' });
    await until('it is saved', async () => {
      const { files } = await first.bridge.page<StateReport>('/debug/state');
      return files.some(({ kind, isDue, savedAt }) => kind === 'ServiceEntry' && !isDue && savedAt !== null);
    });
    await first.bridge.app.stop();
    const { bridge, istiod } = await watched(server, { profile: 'nacos-1' }, { stateDir });
    await istiod.has({ 'nacos/web.sn': 'web.nacos' });
    expect((await kindOf(bridge)).sync).toBe('stale');
  });

  test('one nonce for all that is sent in a millisecond: each message counts', async () => {
    const server = await new Nacos1().listen();
    const { istiod } = await watched(server, { profile: 'nacos-1' });
    await until('it was asked', async () => (await server.source.stream(1)).asked.length === 1);
    for (const address of ['10.0.0.1', '10.0.0.2', '10.0.0.3']) {
      server.set(service('web', address));
      server.tick();
      await hasAddresses(istiod, 'nacos/web.sn', address);
    }
    const { acked } = await server.source.stream(1);
    expect(acked).toEqual(['1600000000000', '1600000000000', '1600000000000']);
  });

  test('labels, hosts and ports as they come: nothing is repaired unless somebody turns it on', async () => {
    const server = await new Nacos1().listen();
    const { bridge, istiod } = await watched(server, { profile: 'nacos-1' });
    await until('it was asked', async () => (await server.source.stream(1)).asked.length === 1);
    server.set(shop, dubbo);
    server.tick();
    await istiod.has({
      'nacos/shop.sn': 'shop.nacos',
      'nacos/providers:com.example.Orders:1.0:.sn': `${dubbo.name}.nacos`,
    });
    const { ports, endpoints } = entryOf(istiod, 'nacos/shop.sn');
    expect(ports.map(({ number }) => number)).toEqual([8848]);
    expect(endpoints[0]?.labels).toEqual({ version: 'v1', 'dubbo path': 'a b', side: 'provider' });
    expect((await kindOf(bridge)).repairs).toEqual({});
  });

  test('repairs: labels that Istio refuses go, colons of hosts become hyphens, the port is that of the endpoints', async () => {
    const server = await new Nacos1().listen();
    const repairs = { invalidLabels: true, hostColons: true, servicePorts: true };
    const { bridge, istiod } = await watched(server, { profile: 'nacos-1', repairs });
    await until('it was asked', async () => (await server.source.stream(1)).asked.length === 1);
    server.set(shop, dubbo);
    server.tick();
    await istiod.has({ 'nacos/shop.sn': 'shop.nacos' });
    expectGolden('nacos-1', ...istiod.peer.responses.slice(-1));
    const done = { invalid_labels: 1, host_colons: 1, service_ports: 2 };
    expect((await kindOf(bridge)).repairs).toEqual(done);
    const told = bridge.log.lines.filter(({ fields }) => 'repaired' in fields);
    expect(told).toMatchObject([{ level: 'warn', fields: { source: 'registry', repaired: done } }]);
    const metrics = await (await bridge.fetch('/metrics')).text();
    expect(metrics).toContain('isthmus_repairs_total{source="registry",kind="ServiceEntry",repair="service_ports"} 2');
    // More of the same is no news.
    server.set(shop, dubbo, service('web', '10.0.0.4'));
    server.tick();
    await istiod.has({ 'nacos/web.sn': 'web.nacos' });
    expect((await kindOf(bridge)).repairs).toEqual({ ...done, service_ports: 3 });
    expect(bridge.log.lines.filter(({ fields }) => 'repaired' in fields)).toHaveLength(1);
  });
});

describe('nacos-2.0.x', () => {
  test('another create_time at each conversion is no change', async () => {
    const server = await new Nacos20x().listen();
    server.set(service('web', '10.0.0.1'));
    const { bridge, istiod } = await watched(server, { profile: 'nacos-2.0.x' });
    await istiod.has({ 'nacos/web.DEFAULT_GROUP.public': 'web.nacos' });
    for (let i = 0; i < 3; i++) server.hear();
    await taken(bridge, 4);
    server.set(service('web', '10.0.0.2'));
    await hasAddresses(istiod, 'nacos/web.DEFAULT_GROUP.public', '10.0.0.2');
    expect(istiod.history).toHaveLength(2);
    expectGolden('nacos-2.0.x', ...istiod.peer.responses.slice(-1));
  });

  test('a first stream that fails at once, without a word, is begun anew', async () => {
    const server = new Nacos20x();
    server.failing = 2;
    await server.listen();
    server.set(service('web', '10.0.0.1'));
    const { bridge, istiod } = await watched(server, { profile: 'nacos-2.0.x' });
    await istiod.has({ 'nacos/web.DEFAULT_GROUP.public': 'web.nacos' });
    expect(server.source.streams).toHaveLength(3);
    expect((await originOf(bridge)).connection.unsupportedCollections).toEqual({});
  });
});

describe('nacos-2', () => {
  test('names of three parts, UUIDs as nonces, labels of its own: istiod gets all of it, and what a registry removes goes', async () => {
    const server = await new Nacos2().listen();
    server.set(shop, service('web', '10.0.0.1'));
    const { istiod } = await watched(server, { profile: 'nacos-2' });
    await istiod.has({ 'public/web.DEFAULT-GROUP.public': 'web.DEFAULT-GROUP.public.nacos' });
    expectGolden('nacos-2', ...istiod.peer.responses.slice(-1));
    server.set(shop);
    await istiod.hasOnly({ 'public/shop.DEFAULT-GROUP.public': 'shop.DEFAULT-GROUP.public.nacos' });
  });
});

describe('nacos-3', () => {
  const web = 'public/web.DEFAULT-GROUP.public';

  test('an empty first reply after its restart takes nothing away: not even a single service', async () => {
    const server = await new Nacos3().listen();
    server.set(service('web', '10.0.0.1'));
    const { bridge, istiod } = await watched(server, { profile: 'nacos-3' });
    await istiod.has({ [web]: 'web.DEFAULT-GROUP.publicnacos' });
    await server.restart();
    await until('the empty reply is held', async () => (await kindOf(bridge)).hold !== null);
    expect((await kindOf(bridge)).hold).toMatchObject({ reason: 'emptied', removals: 1, of: 1 });
    server.hear();
    await until('it has said what it has', async () => (await kindOf(bridge)).hold === null);
    expect(istiod.lost(web)).toEqual([]);
  });

  test('its last service can be removed: who has spoken on the stream is believed', async () => {
    const server = await new Nacos3().listen();
    server.set(service('web', '10.0.0.1'));
    const { istiod } = await watched(server, { profile: 'nacos-3' });
    await istiod.has({ [web]: 'web.DEFAULT-GROUP.publicnacos' });
    server.set();
    await istiod.hasOnly({});
  });

  test('repairs: the port 0 becomes that of the endpoints, and the host gets its dot', async () => {
    const server = await new Nacos3().listen();
    server.set(service('web', '10.0.0.1'), shop);
    const repairs = { zeroPorts: true, missingDot: 'nacos' };
    const { bridge, istiod } = await watched(server, { profile: 'nacos-3', repairs });
    await istiod.has({ [web]: 'web.DEFAULT-GROUP.public.nacos' });
    expectGolden('nacos-3', ...istiod.peer.responses.slice(-1));
    server.set(service('web', '10.0.0.2'), shop);
    await hasAddresses(istiod, web, '10.0.0.2');
    expect((await kindOf(bridge)).repairs).toEqual({ zero_ports: 2, missing_dot: 2 });
  });
});
