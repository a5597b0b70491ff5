import { describe, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { IstiodLab, object, servicesOf, startIstiod, upTo111, versions } from '../../support/istiod/lab.ts';
import { profiles } from '../../support/istiod/profile.ts';
import { resource, ScriptedAds, serve } from '../../support/istiod/scripted-ads.ts';
import { ScaledClock } from '../../support/scaled-clock.ts';
import { meshConfig } from '../../support/istiod/types.ts';

const waiting = versions.filter((version) => profiles[version].waitsForTypes);

describe('what an istiod asks for', () => {
  test.each([
    ['1.9', 11, 'networking.istio.io/v1alpha3/ServiceEntry'],
    ['1.11', 12, 'networking.istio.io/v1alpha3/ServiceEntry'],
    ['1.12', 13, 'networking.istio.io/v1alpha3/ServiceEntry'],
    ['1.16', 14, 'networking.istio.io/v1alpha3/ServiceEntry'],
    ['1.18', 14, 'networking.istio.io/v1alpha3/ServiceEntry'],
    ['1.24', 14, 'networking.istio.io/v1/ServiceEntry'],
    ['1.30', 15, 'networking.istio.io/v1/ServiceEntry'],
  ] as const)('%s: MeshConfig and %i types, once each; the node comes with the first', async (version, count, type) => {
    const ads = await ScriptedAds.listen();
    await startIstiod(version, ads.port);
    await eventually(() => ads.streams[0]?.requests.length === 1 + count);
    const { requests, asked } = ads.last;
    expect(asked[0]).toBe(meshConfig);
    expect(new Set(asked).size).toBe(1 + count);
    expect(asked).toContain(type);
    expect(requests.map(({ node }) => node !== null)).toEqual(requests.map((_, index) => index === 0));
    expect(requests.every(({ versionInfo, responseNonce }) => versionInfo === '' && responseNonce !== '')).toBe(true);
    expect(requests[0]?.node?.id.includes('~test-1.default~')).toBe(upTo111.includes(version));
  });
});

describe('made-up nonces', () => {
  test.each(waiting)('keep a %s from getting ready where a server takes them for stale', async (version) => {
    const ads = await ScriptedAds.listen();
    ads.onRequest = ({ typeUrl, responseNonce }, script) => {
      if (responseNonce === '') script.answer({ typeUrl });
    };
    const istiod = await startIstiod(version, ads.port);
    await eventually(() => ads.last.requests.length === 1 + profiles[version].types.length);
    expect([istiod.responses, istiod.ready]).toEqual([0, false]);
  });

  test('subscribe, at Isthmus, on every stream', async () => {
    const lab = await IstiodLab.start([object('shop/a', 'one')], { clock: new ScaledClock(10) });
    const istiods = await lab.istiods();
    for (const istiod of istiods) {
      await eventually(() => istiod.ready && servicesOf(istiod)['shop/a'] === 'one');
      istiod.cancel();
      await eventually(() => istiod.streams === 2 && istiod.connected);
    }
    lab.say(object('shop/a', 'two'));
    for (const istiod of istiods) await eventually(() => servicesOf(istiod)['shop/a'] === 'two');
  });
});

describe('readiness', () => {
  test.each(versions)('%s: where a server answers ServiceEntry alone', async (version) => {
    const ads = await ScriptedAds.listen();
    ads.onRequest = ({ typeUrl, responseNonce }, script) => {
      if (typeUrl.endsWith('/ServiceEntry') && !responseNonce.startsWith('n')) script.answer({ typeUrl });
    };
    const istiod = await startIstiod(version, ads.port);
    await eventually(() => ads.last.acked.length === 1);
    expect(istiod.ready).toBe(!waiting.includes(version));
  });

  test('is given by Isthmus once the source has spoken, not before', async () => {
    const lab = await IstiodLab.start([object('shop/a', 'one')]);
    lab.source.hold();
    const istiods = await lab.istiods();
    const extra = (types: readonly string[]) => types.filter((type) => !/(networking|security)/.test(type)).length;
    for (const istiod of istiods) {
      // Telemetry, WasmPlugin and the like, which no legacy source can have.
      await eventually(() => istiod.responses >= extra(istiod.profile.types));
      expect(istiod.ready).toBe(!istiod.profile.waitsForTypes);
      expect(servicesOf(istiod)).toEqual({});
    }
    lab.source.release();
    for (const istiod of istiods) {
      await eventually(() => istiod.ready && istiod.responses === istiod.profile.types.length);
      expect(servicesOf(istiod)).toEqual({ 'shop/a': 'one' });
    }
  });
});

describe('a type under another version', () => {
  test.each(['1.24', '1.30'] as const)('is acknowledged and thrown away by %s', async (version) => {
    const ads = await ScriptedAds.listen();
    const istiod = await startIstiod(version, ads.port);
    await eventually(() => ads.last.asked.length > 0);
    const nonce = ads.last.answer({
      typeUrl: 'networking.istio.io/v1alpha3/ServiceEntry',
      resources: [resource('shop/a')],
    });
    await eventually(() => ads.last.acked.includes(nonce));
    expect(servicesOf(istiod)).toEqual({});
  });

  test('is never sent by Isthmus: each gets the one that it asked for', async () => {
    const lab = await IstiodLab.start([object('shop/a', 'one')]);
    for (const istiod of await lab.istiods()) await eventually(() => servicesOf(istiod)['shop/a'] === 'one');
  });
});

describe('the channel that nobody reads', () => {
  test.each(upTo111)('of %s is full after an empty MeshConfig: no update arrives any more', async (version) => {
    const ads = await ScriptedAds.listen();
    ads.onRequest = ({ typeUrl, responseNonce }, script) => {
      if (responseNonce.startsWith('n')) return;
      script.answer({ typeUrl, resources: typeUrl.endsWith('/ServiceEntry') ? [resource('shop/a')] : [] });
    };
    const istiod = await startIstiod(version, ads.port);
    await eventually(() => istiod.fatal !== undefined);
    expect(istiod.fatal?.what).toBe('frozen');
    expect(servicesOf(istiod), 'the first answers went in').toEqual({ 'shop/a': 'a' });
    const all = 1 + istiod.profile.types.length;
    expect(istiod.responses).toBe(all);
    await eventually(() => ads.last.acked.length === all - 1);
  });

  test.each(upTo111)('of %s is full after a type that it did not ask for', async (version) => {
    const ads = await ScriptedAds.listen();
    serve(ads);
    const istiod = await startIstiod(version, ads.port);
    await eventually(() => ads.last.acked.length === istiod.profile.types.length);
    expect(istiod.fatal).toBeUndefined();
    ads.last.answer({ typeUrl: 'extensions.istio.io/v1alpha1/TrafficExtension' });
    await eventually(() => istiod.fatal?.what === 'frozen');
  });

  test('is not in 1.12 and newer', async () => {
    for (const version of versions.filter((one) => !upTo111.includes(one))) {
      const ads = await ScriptedAds.listen();
      serve(ads);
      const istiod = await startIstiod(version, ads.port);
      await eventually(() => ads.last.acked.length === istiod.profile.types.length);
      const nonce = ads.last.answer({ typeUrl: meshConfig });
      await eventually(() => ads.last.acked.includes(nonce));
      expect(istiod.fatal).toBeUndefined();
    }
  });

  test('has room for all that Isthmus answers, over many streams', async () => {
    const lab = await IstiodLab.start([object('shop/a', 'one')], { clock: new ScaledClock(10) });
    const istiods = await lab.istiods(upTo111);
    for (const istiod of istiods) await eventually(() => istiod.responses === istiod.profile.types.length);
    for (let stream = 2; stream <= 5; stream++) {
      for (const istiod of istiods) {
        istiod.cancel();
        await eventually(() => istiod.streams === stream && istiod.responses === stream * istiod.profile.types.length);
      }
    }
    lab.say(object('shop/a', 'two'));
    for (const istiod of istiods) {
      await eventually(() => servicesOf(istiod)['shop/a'] === 'two');
      expect(istiod.fatal).toBeUndefined();
    }
  });

  test('a MeshConfig with content is not even acknowledged, by any', async () => {
    for (const version of versions) {
      const ads = await ScriptedAds.listen();
      const istiod = await startIstiod(version, ads.port);
      await eventually(() => ads.last.asked.length > 0);
      ads.last.answer({ typeUrl: meshConfig, resources: [Buffer.alloc(0)] });
      const nonce = ads.last.answer({ typeUrl: istiod.typeOf('ServiceEntry') });
      await eventually(() => ads.last.acked.length > 0);
      expect(ads.last.acked).toEqual([nonce]);
    }
  });
});
