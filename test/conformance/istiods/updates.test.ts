import { describe, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import type { Istiod } from '../../support/istiod/istiod.ts';
import { IstiodLab, object, servicesOf, startIstiod, upTo111, versions } from '../../support/istiod/lab.ts';
import { resource, ScriptedAds } from '../../support/istiod/scripted-ads.ts';
import type { IstiodVersion } from '../../support/istiod/types.ts';

const from112 = versions.filter((version) => !upTo111.includes(version));

/** A server that says what it is told, each time acknowledged. */
async function naive(version: IstiodVersion) {
  const ads = await ScriptedAds.listen();
  const istiod = await startIstiod(version, ads.port);
  await eventually(() => ads.last.asked.length > 0);
  const say = async (...resources: readonly Buffer[]): Promise<void> => {
    const nonce = ads.last.answer({ typeUrl: istiod.typeOf('ServiceEntry'), resources });
    await eventually(() => ads.last.acked.includes(nonce));
  };
  return { istiod, say };
}

/** Adds, updates and deletes so far. */
const eventsOf = ({ events }: Istiod): number[] => [events.add, events.update, events.delete];

describe('metadata.version', () => {
  test('1.11 refuses every update that has one, while it creates and deletes', async () => {
    const { istiod, say } = await naive('1.11');
    await say(resource('shop/a', { version: 'v1', host: 'one' }));
    await say(resource('shop/a', { version: 'v2', host: 'two' }), resource('shop/b', { version: 'v2', host: 'new' }));
    expect(servicesOf(istiod)).toEqual({ 'shop/a': 'one', 'shop/b': 'new' });
    await say(resource('shop/b', { version: 'v2', host: 'new' }));
    expect(servicesOf(istiod)).toEqual({ 'shop/b': 'new' });
    await say(resource('shop/b', { version: '', host: 'newer' }));
    expect(servicesOf(istiod), 'without one it takes it').toEqual({ 'shop/b': 'newer' });
  });

  test('1.9 takes an update whatever it says', async () => {
    const { istiod, say } = await naive('1.9');
    await say(resource('shop/a', { version: 'v1', host: 'one' }));
    await say(resource('shop/a', { version: 'v1', host: 'two' }));
    await say(resource('shop/a', { version: 'v2', host: 'three' }));
    expect(servicesOf(istiod)).toEqual({ 'shop/a': 'three' });
  });

  test.each(from112)('%s does not look at what has the version that it holds', async (version) => {
    const { istiod, say } = await naive(version);
    await say(resource('shop/a', { version: 'v1', host: 'one' }));
    await say(resource('shop/a', { version: 'v1', host: 'two' }));
    expect(servicesOf(istiod)).toEqual({ 'shop/a': 'one' });
    await say(resource('shop/a', { version: 'v2', host: 'three' }));
    expect(servicesOf(istiod)).toEqual({ 'shop/a': 'three' });
  });

  test('of Isthmus lets each update through, to every version', async () => {
    const lab = await IstiodLab.start([object('shop/a', 'one'), object('shop/b', 'b')]);
    const istiods = await lab.istiods();
    for (const istiod of istiods) await eventually(() => servicesOf(istiod)['shop/a'] === 'one');
    for (const host of ['two', 'three', 'one']) {
      lab.say(object('shop/a', host));
      for (const istiod of istiods) await eventually(() => servicesOf(istiod)['shop/a'] === host);
    }
    lab.say(object('shop/a', 'one', { labels: { team: 'x' } }));
    for (const istiod of istiods) {
      const { store } = istiod;
      const type = istiod.typeOf('ServiceEntry');
      await eventually(() => store.list(type).get('shop/a')?.labels['team'] === 'x');
      expect(store.list(type).get('shop/a')?.version === '').toBe(istiod.profile.versions !== 'compared');
    }
    for (const istiod of istiods.filter(({ profile }) => profile.versions === 'compared')) {
      expect(eventsOf(istiod), 'one event for each change, and none for what stayed').toEqual([2, 4, 0]);
    }
  });
});

describe('a resend of what is there', () => {
  test.each(upTo111)('is a push to every proxy in %s, for each resource', async (version) => {
    const { istiod, say } = await naive(version);
    for (let i = 0; i < 3; i++) await say(resource('shop/a', { version: '' }), resource('shop/b', { version: '' }));
    expect(eventsOf(istiod)).toEqual([2, 4, 0]);
  });

  test.each(from112)('is nothing in %s, unless it has no version', async (version) => {
    const { istiod, say } = await naive(version);
    for (let i = 0; i < 3; i++) await say(resource('shop/a', { version: 'v' }), resource('shop/b', { version: 'v' }));
    expect(eventsOf(istiod)).toEqual([2, 0, 0]);
    await say(resource('shop/a', { version: '' }), resource('shop/b', { version: '' }));
    expect(eventsOf(istiod)).toEqual([2, 2, 0]);
  });

  test('by the source is not passed on by Isthmus, in whatever order its maps are', async () => {
    const lab = await IstiodLab.start([object('shop/a', 'one', { labels: { app: 'a', tier: 'x' } })]);
    const istiods = await lab.istiods();
    for (const istiod of istiods) await eventually(() => istiod.responses === istiod.profile.types.length);
    for (let i = 0; i < 3; i++) {
      lab.source.put(object('shop/a', 'one', { labels: i % 2 ? { app: 'a', tier: 'x' } : { tier: 'x', app: 'a' } }));
      lab.source.resend();
      await eventually(() => lab.source.isHeard);
    }
    lab.say(object('shop/b', 'two'));
    for (const istiod of istiods) {
      await eventually(() => servicesOf(istiod)['shop/b'] === 'two');
      expect(istiod.responses, 'one response more').toBe(istiod.profile.types.length + 1);
    }
  });
});

describe('a name twice in one response', () => {
  test.each(from112)('flips at every resend in %s', async (version) => {
    const { istiod, say } = await naive(version);
    const twins = [
      resource('shop/a', { version: 'v1', host: 'one' }),
      resource('shop/a', { version: 'v2', host: 'two' }),
    ];
    for (let i = 0; i < 3; i++) await say(...twins);
    expect(servicesOf(istiod)).toEqual({ 'shop/a': 'two' });
    expect(eventsOf(istiod)).toEqual([1, 5, 0]);
  });

  test('never comes from Isthmus: the last one counts', async () => {
    const lab = await IstiodLab.start([object('shop/a', 'zero')]);
    const istiods = await lab.istiods();
    for (const istiod of istiods) await eventually(() => servicesOf(istiod)['shop/a'] === 'zero');
    lab.source.putTwice(object('shop/a', 'one'), object('shop/a', 'two'));
    lab.source.resend();
    for (const istiod of istiods) await eventually(() => servicesOf(istiod)['shop/a'] === 'two');
    for (const { profile, events } of istiods) if (profile.versions === 'compared') expect(events.add).toBe(1);
  });
});
