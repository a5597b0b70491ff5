import { describe, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { IstiodLab, object, servicesOf, startIstiod, upTo111, versions } from '../../support/istiod/lab.ts';
import { resource, ScriptedAds, serve } from '../../support/istiod/scripted-ads.ts';
import { ScaledClock } from '../../support/scaled-clock.ts';

const from112 = versions.filter((version) => !upTo111.includes(version));
const clock = () => new ScaledClock(20);

describe('what a response lacks is deleted', () => {
  test('by every version: of two halves the second one stays', async () => {
    for (const version of versions) {
      const ads = await ScriptedAds.listen();
      const istiod = await startIstiod(version, ads.port);
      await eventually(() => ads.last.asked.length > 0);
      const typeUrl = istiod.typeOf('ServiceEntry');
      ads.last.answer({ typeUrl, resources: [resource('shop/a')] });
      const nonce = ads.last.answer({ typeUrl, resources: [resource('shop/b')] });
      await eventually(() => ads.last.acked.includes(nonce));
      expect(servicesOf(istiod), version).toEqual({ 'shop/b': 'a' });
    }
  });

  test('by every version: a server that comes back with nothing takes everything away', async () => {
    for (const version of versions) {
      const ads = await ScriptedAds.listen();
      serve(ads, { ServiceEntry: [resource('shop/a'), resource('shop/b')] });
      const istiod = await startIstiod(version, ads.port, { clock: clock() });
      await eventually(() => Object.keys(servicesOf(istiod)).length === 2);
      const { port } = ads;
      await ads.kill();
      await eventually(() => !istiod.connected);
      expect(Object.keys(servicesOf(istiod)), 'alone it keeps what it has').toHaveLength(2);
      const another = await ScriptedAds.listen(port);
      serve(another);
      await eventually(() => istiod.responses === 2 * istiod.profile.types.length);
      expect(servicesOf(istiod), version).toEqual({});
      expect(istiod.fatal).toBeUndefined();
    }
  });

  test('so Isthmus comes back with nothing to say until its source has spoken', async () => {
    const lab = await IstiodLab.start([object('shop/a', 'one'), object('shop/b', 'two')], { clock: clock() });
    const istiods = await lab.istiods();
    for (const istiod of istiods) await eventually(() => servicesOf(istiod)['shop/b'] === 'two');
    lab.source.hold();
    await lab.restartBridge();
    for (const istiod of istiods) {
      const before = istiod.profile.types.length;
      const others = istiod.profile.types.filter((type) => !/(networking|security)/.test(type)).length;
      // What no source can have is answered at once: the new bridge has heard it.
      await eventually(() => istiod.streams === 2 && istiod.responses >= before + others);
    }
    lab.source.remove(object('shop/a', 'one'));
    lab.source.put(object('shop/c', 'three'));
    lab.source.release();
    for (const istiod of istiods) {
      await eventually(() => servicesOf(istiod)['shop/c'] === 'three');
      expect(servicesOf(istiod)).toEqual({ 'shop/b': 'two', 'shop/c': 'three' });
      expect(istiod.events.delete, 'shop/a, and nothing before').toBe(1);
    }
  });

  test('so Isthmus says nothing new while its source is away, breaks off, or starts again', async () => {
    const lab = await IstiodLab.start([object('shop/a', 'one'), object('shop/b', 'two')], { clock: clock() });
    const istiods = await lab.istiods();
    for (const istiod of istiods) await eventually(() => servicesOf(istiod)['shop/b'] === 'two');
    lab.source.breakInMessage();
    await eventually(() => lab.source.streams === 2 && lab.source.isHeard);
    await lab.source.kill();
    for (const istiod of istiods) {
      istiod.cancel();
      await eventually(() => istiod.streams === 2 && istiod.responses === 2 * istiod.profile.types.length);
    }
    await lab.source.listenAgain();
    await eventually(() => lab.source.isHeard);
    lab.say(object('shop/c', 'three'));
    for (const istiod of istiods) {
      await eventually(() => servicesOf(istiod)['shop/c'] === 'three');
      expect(istiod.events.delete).toBe(0);
    }
  });
});

describe('4 MiB', () => {
  const large = (name: string) => object(name, 'large', { annotations: { note: 'x'.repeat(2_300_000) } });
  const largeResource = (name: string) =>
    resource(name, { metadata: { createTime: { seconds: 1 }, annotations: { note: 'x'.repeat(2_300_000) } } });

  test('are the end of a stream up to 1.11, again and again; for 1.11, the end of all', async () => {
    for (const version of upTo111) {
      const ads = await ScriptedAds.listen();
      serve(ads, { ServiceEntry: [largeResource('shop/a'), largeResource('shop/b')] });
      const istiod = await startIstiod(version, ads.port, { clock: new ScaledClock(1000) });
      await eventually(() => istiod.disconnects >= 11);
      expect(servicesOf(istiod)).toEqual({});
      expect(istiod.log[0]).toMatch(/larger than max/);
      if (version === '1.9') expect(istiod.fatal).toBeUndefined();
      else expect(istiod.fatal?.what).toBe('silent');
    }
  });

  test.each(from112)('are nothing to %s', async (version) => {
    const ads = await ScriptedAds.listen();
    serve(ads, { ServiceEntry: [largeResource('shop/a'), largeResource('shop/b')] });
    const istiod = await startIstiod(version, ads.port);
    await eventually(() => Object.keys(servicesOf(istiod)).length === 2);
    expect(istiod.disconnects).toBe(0);
  });

  test('are what Isthmus keeps to: the last state that fits stays, until one fits again', async () => {
    const lab = await IstiodLab.start([object('shop/a', 'one'), object('shop/b', 'two')]);
    const istiods = await lab.istiods();
    for (const istiod of istiods) await eventually(() => servicesOf(istiod)['shop/b'] === 'two');
    lab.say(large('shop/a'), large('shop/b'), object('shop/c', 'three'));
    const isOld = (version: string) => upTo111.some((one) => one === version);
    for (const istiod of istiods) {
      if (!isOld(istiod.profile.version)) await eventually(() => servicesOf(istiod)['shop/c'] === 'three');
    }
    // The two old ones were told of the next kind in the meantime, and of nothing else.
    lab.say(object('shop/w', '192.0.2.1', { kind: 'WorkloadEntry' }));
    for (const istiod of istiods) {
      await eventually(() => istiod.store.list(istiod.typeOf('WorkloadEntry')).size === 1);
      if (isOld(istiod.profile.version)) expect(servicesOf(istiod)).toEqual({ 'shop/a': 'one', 'shop/b': 'two' });
    }
    const metrics = await (await lab.bridge.fetch('/metrics')).text();
    expect(metrics).toMatch(/isthmus_push_too_large_total\{[^}]*ServiceEntry[^}]*\} [1-9]/);
    lab.say(object('shop/b', 'small'));
    for (const istiod of istiods) {
      await eventually(() => servicesOf(istiod)['shop/b'] === 'small');
      expect(servicesOf(istiod)).toEqual({ 'shop/a': 'large', 'shop/b': 'small', 'shop/c': 'three' });
      expect([istiod.disconnects, istiod.fatal]).toEqual([0, undefined]);
    }
  });
});
