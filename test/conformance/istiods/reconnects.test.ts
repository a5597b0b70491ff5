import { describe, expect, test } from 'vitest';
import { FakeClock } from '../../support/fake-clock.ts';
import { eventually } from '../../support/eventually.ts';
import { freePort } from '../../peers/support/ports.ts';
import { IstiodLab, object, servicesOf, startIstiod, versions } from '../../support/istiod/lab.ts';
import { profiles } from '../../support/istiod/profile.ts';
import { ScriptedAds, serve } from '../../support/istiod/scripted-ads.ts';
import { TcpRelay } from '../../support/tcp-relay.ts';
import { until } from '../../support/until.ts';

const minute = 60_000;

/** Lets time pass in steps, with a moment for the sockets after each, until `probe` is true. */
async function flow(clock: FakeClock, what: string, probe: () => boolean, stepMs = 250): Promise<void> {
  await until(
    what,
    () => {
      clock.advance(stepMs);
      return probe();
    },
    { everyMs: 2 },
  );
}

/** Lets so much time pass, in such steps. */
async function pass(clock: FakeClock, ms: number, stepMs = 1000): Promise<void> {
  const end = clock.now() + ms;
  await flow(clock, `${ms} ms pass`, () => clock.now() >= end, stepMs);
}

describe('where nobody listens', () => {
  test.each(versions)('%s ends as it starts', async (version) => {
    const istiod = await startIstiod(version, await freePort());
    expect(istiod.fatal?.what).toBe('exited');
    expect(istiod.ready).toBe(false);
  });

  test('Isthmus does, before its source is there', async () => {
    const lab = await IstiodLab.start([object('shop/a', 'one')]);
    await lab.source.kill();
    await lab.restartBridge();
    const istiods = await lab.istiods();
    expect(istiods.map(({ fatal }) => fatal)).toEqual(istiods.map(() => undefined));
    await lab.source.listenAgain();
    for (const istiod of istiods) await eventually(() => servicesOf(istiod)['shop/a'] === 'one');
  });
});

describe('a server that ends every stream at once', () => {
  test.each(versions)('%s comes back every half second; 1.11 eleven times', async (version) => {
    const clock = new FakeClock();
    const ads = await ScriptedAds.listen();
    ads.onRequest = (_, script) => script.end();
    const istiod = await startIstiod(version, ads.port, { clock });
    await flow(clock, 'it has tried often', () => istiod.disconnects >= 11);
    if (version !== '1.11') {
      await flow(clock, 'it goes on', () => istiod.disconnects >= 15);
      expect(Math.max(...istiod.waits.slice(1))).toBeLessThanOrEqual(750);
      expect(istiod.fatal).toBeUndefined();
      return;
    }
    expect(istiod.fatal?.what).toBe('silent');
    await pass(clock, 10 * minute, minute);
    expect([istiod.streams, ads.streams.length]).toEqual([11, 11]);
  });
});

describe('a server that ends each stream after ten minutes', () => {
  test('loses 1.11 within two hours', async () => {
    const clock = new FakeClock();
    const ads = await ScriptedAds.listen();
    serve(ads);
    const istiod = await startIstiod('1.11', ads.port, { clock });
    for (let stream = 1; stream <= 11; stream++) {
      await flow(clock, `stream ${stream}`, () => ads.streams.length === stream && istiod.connected);
      await pass(clock, 10 * minute, minute);
      ads.last.end();
      await eventually(() => istiod.disconnects === stream);
    }
    expect(istiod.fatal?.what).toBe('silent');
  });

  test('is not Isthmus, to 1.9 to 1.11; the others are back within a second, and nothing happens to them', async () => {
    const clock = new FakeClock();
    const lab = await IstiodLab.start([object('shop/a', 'one')], { clock });
    const istiods = await Promise.all(versions.map((version) => lab.istiod(version)));
    for (const istiod of istiods) await flow(clock, 'it has all', () => servicesOf(istiod)['shop/a'] === 'one');
    await pass(clock, 35 * minute, 2000);
    for (const istiod of istiods) {
      const { version, versions: rule } = istiod.profile;
      if (rule !== 'compared') {
        expect([istiod.streams, istiod.disconnects], version).toEqual([1, 0]);
        continue;
      }
      expect(istiod.disconnects, version).toBeGreaterThanOrEqual(2);
      expect(istiod.events, version).toEqual({ add: 1, update: 0, delete: 0 });
      expect(Math.max(...istiod.waits), version).toBeLessThanOrEqual(750);
      expect(istiod.hotRetries, version).toBe(0);
    }
    lab.say(object('shop/a', 'two'));
    for (const istiod of istiods) await flow(clock, 'an update', () => servicesOf(istiod)['shop/a'] === 'two');
  }, 120_000);
});

describe('a stream that is older than 15 minutes breaks', () => {
  test.each(versions)('%s: a minute without updates, or a hot loop', async (version) => {
    const clock = new FakeClock();
    const ads = await ScriptedAds.listen();
    serve(ads);
    const istiod = await startIstiod(version, ads.port, { clock });
    await eventually(() => ads.last.acked.length === profiles[version].types.length);
    clock.advance(16 * minute);
    const { port } = ads;
    await ads.kill();
    await eventually(() => istiod.disconnects === 1);
    if (profiles[version].afterStopMs === 0) {
      await pass(clock, 100, 1);
      expect(istiod.hotRetries).toBeGreaterThan(30);
    } else {
      expect(istiod.waits).toEqual([60_000]);
      const again = await ScriptedAds.listen(port);
      await pass(clock, 59_000);
      expect(again.streams).toHaveLength(0);
      await flow(clock, 'it is back', () => again.streams.length === 1);
    }
  });

  test('not where Isthmus serves, for it ends them in time: an hour later, a break is mended in two seconds', async () => {
    const clock = new FakeClock();
    const lab = await IstiodLab.start([object('shop/a', 'one')], { clock });
    const newer = versions.filter((version) => profiles[version].versions === 'compared');
    const istiods = await Promise.all(newer.map((version) => lab.istiod(version)));
    for (const istiod of istiods) await flow(clock, 'it has all', () => istiod.responses >= 11);
    await pass(clock, 60 * minute, 2000);
    await flow(clock, 'all are there', () => istiods.every(({ connected }) => connected));
    for (const istiod of istiods) istiod.cancel();
    await eventually(() => istiods.every(({ connected }) => !connected));
    await pass(clock, 2000, 100);
    await eventually(() => istiods.every(({ connected }) => connected));
    expect(istiods.map(({ hotRetries }) => hotRetries)).toEqual(istiods.map(() => 0));
    expect(Math.max(...istiods.flatMap(({ waits }) => waits))).toBeLessThanOrEqual(750);
  }, 120_000);
});

describe('a server that is there and does nothing', () => {
  test.each(versions)('%s: is left after 40 s by those that ping', async (version) => {
    const clock = new FakeClock();
    const ads = await ScriptedAds.listen();
    serve(ads);
    const relay = await TcpRelay.to(ads.port);
    const istiod = await startIstiod(version, relay.port, { clock });
    await eventually(() => ads.last.acked.length === profiles[version].types.length);
    relay.freeze('both');
    await pass(clock, 39_000);
    expect(istiod.disconnects).toBe(0);
    await pass(clock, 2000);
    if (profiles[version].keepalive === undefined) {
      await pass(clock, 60 * minute, minute);
      expect(istiod.disconnects).toBe(0);
    } else {
      await eventually(() => istiod.disconnects === 1);
    }
  });

  test('is not Isthmus: it answers the pings of an hour without changes', async () => {
    const clock = new FakeClock();
    const lab = await IstiodLab.start([object('shop/a', 'one')], { clock, settings: { xds: { recycle: '0s' } } });
    const istiods = await Promise.all((['1.18', '1.24', '1.30'] as const).map((version) => lab.istiod(version)));
    for (const istiod of istiods) await flow(clock, 'it has all', () => servicesOf(istiod)['shop/a'] === 'one');
    const end = clock.now() + 60 * minute;
    // The clock waits for each answer: a busy machine takes its time.
    await until(
      'an hour of answered pings',
      () => {
        if (istiods.every(({ pings }) => pings.sent === pings.answered)) clock.advance(5000);
        return clock.now() >= end;
      },
      { everyMs: 2 },
    );
    for (const { pings } of istiods) expect(pings.answered).toBeGreaterThan(100);
    for (const { streams, disconnects } of istiods) expect([streams, disconnects]).toEqual([1, 0]);
  });
});
