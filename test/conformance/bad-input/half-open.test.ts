import { expect, test } from 'vitest';
import type { OriginView } from '../../../src/admin/views.ts';
import { tcpKeepaliveMs, towardsIstiods, towardsSources } from '../../../src/net/keepalive.ts';
import type { StreamView } from '../../../src/xds/ads-server.ts';
import { Bridge } from '../../support/bridge.ts';
import { ServingSource, sourceAt } from '../../support/serving-source.ts';
import { skipWhere } from '../../support/skip-where.ts';
import { TcpRelay } from '../../support/tcp-relay.ts';
import { keepaliveTimers } from '../../support/tcp-timers.ts';
import { until } from '../../support/until.ts';
import { WatchingIstiod } from '../../support/watching-istiod.ts';

/** Pings as the product sends them, in a shorter time: how long that is, grpc-js asks no clock of ours. */
const keepalive = { timeMs: 500, timeoutMs: 1000 };

const directions = ['up', 'down', 'both'] as const;

test('pings are rare enough for servers that take one in 5 minutes, and often enough for istiods that send none', () => {
  expect(towardsSources.timeMs).toBeGreaterThan(300_000);
  expect(towardsIstiods).toEqual({ timeMs: 30_000, timeoutMs: 10_000 });
});

test.each(directions)(
  'a source whose connection is half-open (%s) is dropped, named, and dialled anew',
  async (way) => {
    const galley = await ServingSource.listen({ 'shop/kept': 'one' });
    const consul = await ServingSource.listen({ 'shop/other': 'two' });
    const relay = await TcpRelay.to(consul.port);
    const sources = [sourceAt('galley', galley.port), sourceAt('consul', relay.port)];
    const bridge = await Bridge.of({ sources }, { keepalive: { sources: keepalive }, random: () => 0.01 });
    const istiod = WatchingIstiod.connect(bridge.ports.xds);
    await istiod.hasOnly({ 'shop/kept': 'one', 'shop/other': 'two' });

    relay.freeze(way);
    // It is lost on the way, or its answer is; no error comes to either side.
    consul.publish({ 'shop/other': 'changed' });
    galley.publish({ 'shop/kept': 'one', 'shop/new': 'three' });
    await istiod.has({ 'shop/kept': 'one', 'shop/new': 'three' });
    const says = `source consul (127.0.0.1:${relay.port}): the connection was lost: `;
    const line = await until('the log says so', () => bridge.log.lines.find(({ message }) => message.includes(says)));
    expect(line).toMatchObject({
      level: 'warn',
      fields: { source: 'consul', code: 14, hint: 'what came before stays in force, and it is dialled again' },
    });
    await istiod.hasOnly({ 'shop/kept': 'one', 'shop/new': 'three', 'shop/other': 'changed' });
    expect(istiod.lost('shop/kept', 'shop/other')).toEqual([]);
    await until('it is connected again', async () => {
      const origins = await bridge.page<OriginView[]>('/debug/origins');
      const { connection } = origins.find(({ name }) => name === 'consul') ?? {};
      return connection?.state === 'connected' && connection.streams > 1;
    });
  },
);

test.each(directions)(
  'an istiod that vanished (%s) is forgotten; others are served, and it when it is back',
  async (way) => {
    const source = await ServingSource.listen({ 'shop/kept': 'one' });
    const sources = [sourceAt('galley', source.port)];
    const bridge = await Bridge.of({ sources }, { keepalive: { istiods: keepalive } });
    const relay = await TcpRelay.to(bridge.ports.xds);
    const istiod = WatchingIstiod.connect(bridge.ports.xds);
    const vanishing = WatchingIstiod.connect(relay.port, 'sidecar~192.0.2.9~gone.istio-system~x');
    await Promise.all([istiod, vanishing].map((one) => one.hasOnly({ 'shop/kept': 'one' })));
    const nodes = async () => (await bridge.page<StreamView[]>('/debug/streams')).map(({ node }) => node);
    expect(await nodes()).toContain(vanishing.peer.node.id);

    relay.freeze(way);
    source.publish({ 'shop/kept': 'one', 'shop/new': 'two' });
    await istiod.hasOnly({ 'shop/kept': 'one', 'shop/new': 'two' });
    await until('it is forgotten', async () => !(await nodes()).includes(vanishing.peer.node.id));
    expect(bridge.log.lines).toContainEqual({
      level: 'info',
      fields: expect.objectContaining({ node: vanishing.peer.node.id }) as object,
      message: 'a stream of istiod ended',
    });
    expect(istiod.peer.ended).toBeUndefined();

    const back = WatchingIstiod.connect(relay.port, 'sidecar~192.0.2.9~gone.istio-system~x');
    await back.hasOnly({ 'shop/kept': 'one', 'shop/new': 'two' });
    expect(istiod.lost('shop/kept')).toEqual([]);
  },
);

test('the kernel looks after idle connections on both sides, which no server ever sees', async (context) => {
  skipWhere(process.platform !== 'linux', 'only Linux shows the timers of a connection, in /proc/net/tcp', context);
  const source = await ServingSource.listen({ 'shop/kept': 'one' });
  const bridge = await Bridge.of({ sources: [sourceAt('galley', source.port)] });
  const istiod = WatchingIstiod.connect(bridge.ports.xds);
  await istiod.hasOnly({ 'shop/kept': 'one' });
  for (const connection of [{ remotePort: source.port }, { localPort: bridge.ports.xds }]) {
    const [seconds = 0] = await until('a timer runs', () => {
      const timers = keepaliveTimers(connection);
      return timers.length > 0 && timers;
    });
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(tcpKeepaliveMs / 1000);
  }
});
