import { describe, expect, test } from 'vitest';
import { ConsulMcp } from '../../support/servers/consul-mcp.ts';
import { expectGolden } from '../../support/servers/golden.ts';
import { hasAddresses, kindOf, taken, watched } from '../../support/servers/lab.ts';
import { service } from '../../support/servers/server.ts';
import { until } from '../../support/until.ts';

const web = 'default/web.service.consul';
const api = 'default/api.service.consul';

/** A server with one service, and a bridge that has it. */
async function start(profile: 'consul-mcp' | 'default') {
  const server = await new ConsulMcp().listen();
  server.set(service('web', '10.0.0.1'));
  const { bridge, istiod } = await watched(server, { profile });
  await istiod.has({ [web]: 'web.service.consul' });
  return { server, bridge, istiod };
}

describe('consul-mcp', () => {
  test('bare hosts as names, no create_time, version "v1" for everything: istiod gets all of it, and every change', async () => {
    const { server, istiod } = await start('consul-mcp');
    server.set(service('web', '10.0.0.1', '10.0.0.2'), service('api', '10.0.1.1'));
    await istiod.has({ [api]: 'api.service.consul' });
    await hasAddresses(istiod, web, '10.0.0.1', '10.0.0.2');
    expectGolden('consul-mcp', ...istiod.peer.responses.slice(-1));
  });

  test('a service occurs once more with each change: the last one counts, and the operator is told', async () => {
    const { server, bridge, istiod } = await start('consul-mcp');
    server.set(service('web', '10.0.0.2'));
    server.set(service('web', '10.0.0.3'));
    await hasAddresses(istiod, web, '10.0.0.3');
    expect((await kindOf(bridge)).repairs).toEqual({ bare_name: 3, duplicate: 2 });
  });

  test('an empty push, where Consul does not answer, takes nothing away: not even a single service', async () => {
    const { server, bridge, istiod } = await start('consul-mcp');
    server.failConsul();
    await taken(bridge, 2);
    expect((await kindOf(bridge)).hold).toMatchObject({ reason: 'emptied', removals: 1, of: 1 });
    server.set(service('web', '10.0.0.1'), service('api', '10.0.1.1'));
    await istiod.has({ [api]: 'api.service.consul' });
    expect(istiod.lost(web)).toEqual([]);
    expect((await kindOf(bridge)).hold).toBeNull();
  });

  test('… which is what the profile is for: without it, the last service goes at the first word', async () => {
    const { server, istiod } = await start('default');
    server.failConsul();
    await until('the service is gone', () => Object.keys(istiod.held).length === 0);
  });

  test('its process ends over a client that leaves, and comes back with an empty cache: what it had stays', async () => {
    const { server, bridge, istiod } = await start('consul-mcp');
    await server.restart();
    await taken(bridge, 2);
    server.set(service('web', '10.0.0.9'));
    await hasAddresses(istiod, web, '10.0.0.9');
    expect(istiod.lost(web)).toEqual([]);
  });

  test('a service that was removed leaves after a restart of it, once the guard is released', async () => {
    const { server, bridge, istiod } = await start('consul-mcp');
    server.set(service('api', '10.0.1.1'));
    await istiod.has({ [api]: 'api.service.consul', [web]: 'web.service.consul' });
    await server.restart();
    await taken(bridge, 3);
    server.set(service('web', '10.0.0.9'));
    await hasAddresses(istiod, web, '10.0.0.9');
    expect((await kindOf(bridge)).hold).toMatchObject({ removals: 1 });
    expect((await bridge.fetch('/guard/release', { method: 'POST' })).status).toBe(200);
    await istiod.hasOnly({ [web]: 'web.service.consul' });
  });

  test('only ServiceEntries are asked for, under a SinkNode', async () => {
    const { server } = await start('consul-mcp');
    const { asked, requests } = await server.source.stream(1);
    expect(asked).toEqual(['istio/networking/v1alpha3/serviceentries']);
    expect(requests[0]).toMatchObject({ sinkNode: { id: '' }, incremental: false });
  });
});
