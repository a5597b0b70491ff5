import { describe, expect, test } from 'vitest';
import { Galley, OwnServer } from '../../support/servers/choosy.ts';
import { bridgeTo, Istiod, item } from '../../support/servers/lab.ts';
import { until } from '../../support/until.ts';

const orders = item('ServiceEntry', 'shop/orders', { hosts: ['orders.example.com'] });

describe('keepalive', () => {
  test('pings come as often as the config says', async () => {
    const server = await new Galley().listen();
    await bridgeTo(server, { keepalive: '1s' });
    await until('two pings came', () => server.source.pings >= 2);
  });

  test('none comes where it says nothing: old servers end connections over them', async () => {
    const [eager, plain] = [await new Galley().listen(), await new Galley().listen()];
    await bridgeTo(plain, {});
    await bridgeTo(eager, { keepalive: '1s' });
    await until('the other has had two', () => eager.source.pings >= 2);
    expect(plain.source.pings).toBe(0);
  });
});

test('a profile that is chosen anew is in force at once: what came stays, and is read by it', async () => {
  const server = await new OwnServer().listen();
  server.set(orders, { ...orders, name: 'shop/a/b' });
  const bridge = await bridgeTo(server, { profile: 'default', silentCollection: '100ms' });
  const istiod = new Istiod(bridge, 'ServiceEntry');
  await istiod.has('ServiceEntry', 'shop/orders');
  await bridge.reload({ sources: [server.at({ profile: 'hango', silentCollection: '100ms' })] });
  await istiod.has('ServiceEntry', 'shop/orders', 'shop/a%2Fb');
  const responses = istiod.peer.responses.map(({ resources }) => resources.length);
  expect(responses).toEqual([1, 2]);
});
