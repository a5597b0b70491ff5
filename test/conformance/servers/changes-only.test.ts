import { describe, expect, test } from 'vitest';
import { expectGolden } from '../../support/servers/golden.ts';
import { IstioConsul } from '../../support/servers/istio-consul.ts';
import { hasAddresses, kindOf, originOf, taken, watched } from '../../support/servers/lab.ts';
import { NacosIstio } from '../../support/servers/nacos-istio.ts';
import { service } from '../../support/servers/server.ts';
import { until } from '../../support/until.ts';

const web = { 'service/web': 'web.service.consul' };
const api = { 'service/api': 'api.service.consul' };
const db = { 'service/db': 'db.service.consul' };

describe('istio-consul', () => {
  test('one changed service in a message that is not marked as a change: the others stay', async () => {
    const server = await new IstioConsul().listen();
    server.change(service('web', '10.0.0.1'));
    server.change(service('api', '10.0.1.1'));
    const { istiod } = await watched(server, { profile: 'istio-consul' });
    await istiod.has({ ...web, ...api });
    server.change(service('db', '10.0.2.1'));
    await istiod.has({ ...web, ...api, ...db });
    expect(istiod.lost('service/web', 'service/api')).toEqual([]);
    expectGolden('istio-consul', ...istiod.peer.responses.slice(-1));
  });

  test('the same after a new stream, whose first message is one service', async () => {
    const server = await new IstioConsul().listen();
    server.change(service('web', '10.0.0.1'));
    const { bridge, istiod } = await watched(server, { profile: 'istio-consul' });
    await istiod.has(web);
    await server.restart();
    await taken(bridge, 2);
    server.change(service('api', '10.0.1.1'));
    await istiod.has({ ...web, ...api });
    expect(istiod.lost('service/web')).toEqual([]);
  });

  test('a service that is gone leaves once the server has forgotten it and has a new name, and no other with it', async () => {
    const server = await new IstioConsul().listen();
    server.change(service('web', '10.0.0.1'));
    server.change(service('api', '10.0.1.1'));
    const { bridge, istiod } = await watched(server, { profile: 'istio-consul' });
    await istiod.has({ ...web, ...api });
    server.lose('api');
    await server.restart();
    await taken(bridge, 2);
    expect((await kindOf(bridge)).effective).toBe(2);
    await bridge.reload({
      sources: [server.at({ name: 'registry-2', profile: 'istio-consul' })],
      confirmRemoval: ['registry'],
    });
    await istiod.hasOnly(web);
    expect(istiod.lost('service/web')).toEqual([]);
  });

  test('without its profile services are lost: that is said at the first message, with what to do', async () => {
    const server = await new IstioConsul().listen();
    server.change(service('web', '10.0.0.1'));
    const { bridge, istiod } = await watched(server, {});
    await istiod.has(web);
    const { profile } = await originOf(bridge);
    expect(profile).toEqual({
      configured: 'auto',
      looksLike: 'istio-consul',
      because: ['its nonces are times of Go', 'every version is "1"'],
      notInForce: ['state'],
    });
    const [line] = bridge.log.lines.filter(({ fields }) => 'looksLike' in fields);
    expect(line).toMatchObject({ level: 'warn', message: expect.stringContaining('services are lost') as string });
    expect(line?.fields).toMatchObject({ hint: expect.stringContaining('profile: istio-consul') as string });
    server.change(service('api', '10.0.1.1'));
    await istiod.hasOnly(api);
  });
});

describe('nacos-istio', () => {
  test('its synthetic collection is asked for, under a SinkNode without an id', async () => {
    const server = await new NacosIstio().listen();
    await watched(server, { profile: 'nacos-istio' });
    const stream = await server.source.stream(1);
    await until('it was asked', () => stream.requests.length > 0);
    expect(stream.asked).toEqual(['istio/networking/v1alpha3/synthetic/serviceentries']);
    expect(stream.requests[0]).toMatchObject({ sinkNode: { id: '' }, incremental: true });
    expect(server.panicked).toBe(false);
  });

  test('changes that only an annotation marks, each after the answer to the one before: all of them count', async () => {
    const server = await new NacosIstio().listen();
    const { istiod } = await watched(server, { profile: 'nacos-istio' });
    await until('it was asked', async () => (await server.source.stream(1)).asked.length === 1);
    server.push(service('web', '10.0.0.1'), service('api', '10.0.1.1'), service('web', '10.0.0.2'));
    await istiod.has({ 'nacos/web': 'web.nacos', 'nacos/api': 'api.nacos' });
    await hasAddresses(istiod, 'nacos/web', '10.0.0.2');
    expect(istiod.lost('nacos/web')).toEqual([]);
    expectGolden('nacos-istio', ...istiod.peer.responses.slice(-1));
  });
});
