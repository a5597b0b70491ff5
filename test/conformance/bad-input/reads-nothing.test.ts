import { expect, test } from 'vitest';
import type { OriginView } from '../../../src/admin/views.ts';
import type { StreamView } from '../../../src/xds/ads-server.ts';
import { Bridge } from '../../support/bridge.ts';
import { hastyClock } from '../../support/hasty-clock.ts';
import { entry } from '../../support/legacy-source.ts';
import { dialHttp2, RawAds } from '../../support/raw-ads.ts';
import { ServingSource, sourceAt } from '../../support/serving-source.ts';
import { until } from '../../support/until.ts';
import { seType, WatchingIstiod } from '../../support/watching-istiod.ts';

/** More than the windows and buffers of a connection hold. */
const large = Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`shop/s-${n}`, 'x'.repeat(100)]));
const padding = { annotations: { note: 'x'.repeat(500_000) }, createTime: { seconds: 1 } };

test('an istiod that reads nothing holds one push, is ended after 60 s by name, and its place is free', async () => {
  const source = await ServingSource.listen({});
  const bridge = await Bridge.of({ sources: [sourceAt('galley', source.port)] }, { clock: hastyClock(20) });
  const istiod = WatchingIstiod.connect(bridge.ports.xds);
  await istiod.hasOnly({});
  const stream = await source.live();
  const resources = Object.entries(large).map(([name, host]) => entry(name, host, padding));
  await stream.deliver({ collection: 'istio/networking/v1alpha3/serviceentries', resources });
  await istiod.has(large);

  const sleeper = new RawAds(dialHttp2(bridge.ports.xds), false);
  await sleeper.ask(seType, { node: { id: 'sidecar~192.0.2.9~sleeper.istio-system~x' } });
  await until('it is connected', async () => (await bridge.page<StreamView[]>('/debug/streams')).length === 2);
  for (let n = 0; n < 5; n++) {
    const changed = entry('shop/s-0', `change ${n}`, padding);
    await stream.deliver({
      collection: 'istio/networking/v1alpha3/serviceentries',
      resources: [changed, ...resources.slice(1)],
    });
    await istiod.has({ 'shop/s-0': `change ${n}`, 'shop/s-39': large['shop/s-39'] ?? '' });
  }
  const pushesToSleeper = bridge.log.lines.filter(
    ({ message, fields }) => message === 'push' && JSON.stringify(fields).includes('sleeper'),
  );
  expect(pushesToSleeper).toHaveLength(1);

  const line = await until('it is ended', () =>
    bridge.log.lines.find(({ message }) => message === 'ending a stream to istiod'),
  );
  expect(line.fields).toMatchObject({
    node: 'sidecar~192.0.2.9~sleeper.istio-system~x',
    reason: 'send_timeout',
    details: 'the peer does not read',
    hint: 'it hangs, or the way to it is broken; it keeps what it has, and is served again when it comes back',
  });
  await until('its stream is closed', () => sleeper.stream.closed);
  await until('it is forgotten', async () => (await bridge.page<StreamView[]>('/debug/streams')).length === 1);
  expect(istiod.peer.ended).toBeUndefined();
  expect(istiod.lost(...Object.keys(large))).toEqual([]);
  await WatchingIstiod.connect(bridge.ports.xds).has({ 'shop/s-0': 'change 4' });
});

test('a source that reads none of our answers is not read either, is ended after 60 s by name, and dialled anew', async () => {
  const source = await ServingSource.listen({ 'shop/kept': 'one' });
  const bridge = await Bridge.of(
    { sources: [sourceAt('galley', source.port)] },
    { clock: hastyClock(20), random: () => 0.01 },
  );
  const istiod = WatchingIstiod.connect(bridge.ports.xds);
  await istiod.hasOnly({ 'shop/kept': 'one' });
  const stream = await source.live();
  stream.stopReading();
  // Our answers echo the nonce, so that few of them fill the window, and the 1 MiB that grpc-js takes besides.
  const said = 400;
  stream.flood(
    Array.from({ length: said }, (_, n) => ({
      collection: 'istio/networking/v1alpha3/serviceentries',
      nonce: `${n}-${'x'.repeat(10_000)}`,
      resources: [entry('shop/kept', `flood ${n}`)],
    })),
  );
  const says = `source galley (127.0.0.1:${source.port}): the connection was lost: it has not read our answer for 60 s`;
  const line = await until('the log says so', () => bridge.log.lines.find(({ message }) => message.includes(says)));
  expect(line).toMatchObject({ level: 'warn', fields: { source: 'galley' } });
  // It is dialled anew, and may have said what it says to everybody by now.
  const floods = () => istiod.history.flatMap((held) => /^flood (\d+)$/.exec(held['shop/kept'] ?? '')?.[1] ?? []);
  await until('some of it was taken', () => floods().length > 0);
  const taken = Math.max(...floods().map(Number));
  expect(taken).toBeGreaterThan(0);
  expect(taken).toBeLessThan(said - 1);

  source.publish({ 'shop/kept': 'mended' });
  await istiod.hasOnly({ 'shop/kept': 'mended' });
  expect(istiod.lost('shop/kept')).toEqual([]);
  const [origin] = await bridge.page<OriginView[]>('/debug/origins');
  expect(origin?.connection).toMatchObject({ state: 'connected', streams: 2 });
});
