import { describe, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { IstiodLab, object, servicesOf, startIstiod, versions } from '../../support/istiod/lab.ts';
import { profiles } from '../../support/istiod/profile.ts';
import { resource, ScriptedAds } from '../../support/istiod/scripted-ads.ts';
import { namedFaults, namelessFaults, sourceBytes } from '../../support/istiod/source-object.ts';
import type { IstiodVersion } from '../../support/istiod/types.ts';

const those = (is: (version: IstiodVersion) => boolean) => versions.filter(is);
const panicking = those((version) => profiles[version].panics);
const timeless = those((version) => profiles[version].needsCreateTime);
const validating = those((version) => profiles[version].validates);

const good = resource('shop/good');

/** What an istiod has after it was told `first`, and then `then`. */
async function after(version: IstiodVersion, first: readonly Buffer[], then: readonly Buffer[], revision = '') {
  const ads = await ScriptedAds.listen();
  const istiod = await startIstiod(version, ads.port, { revision });
  await eventually(() => ads.last.asked.length > 0);
  for (const resources of [first, then]) {
    const nonce = ads.last.answer({ typeUrl: istiod.typeOf('ServiceEntry'), resources });
    await eventually(() => istiod.fatal !== undefined || ads.last.acked.includes(nonce));
  }
  return { istiod, services: servicesOf(istiod) };
}

describe('what would end the process', () => {
  const bad = {
    'no metadata': resource('shop/bad', { metadata: undefined }),
    'a body of another kind': resource('shop/bad', { bodyType: 'istio.networking.v1alpha3.WorkloadEntry' }),
  };
  test.each(Object.entries(bad))('%s: 1.11 and 1.12 panic, the others go on', async (_, one) => {
    for (const version of versions) {
      const { istiod, services } = await after(version, [good], [one, good, resource('shop/new')]);
      expect(istiod.fatal?.what, version).toBe(panicking.includes(version) ? 'panicked' : undefined);
      if (istiod.fatal === undefined) expect(services).toEqual({ 'shop/good': 'a', 'shop/new': 'a' });
    }
    expect(panicking).toEqual(['1.11', '1.12']);
  });
});

describe('what would be dropped, and with it what is there', () => {
  test.each([
    ['no body', resource('shop/a', { body: undefined })],
    ['an unknown message', resource('shop/a', { bodyType: 'istio.networking.v1.ServiceEntry' })],
    ['no protobuf', resource('shop/a', { body: Buffer.from([0x0a, 0x7f, 1]) })],
  ])('%s, by every version', async (_, bad) => {
    for (const version of versions) {
      const { services } = await after(version, [resource('shop/a'), good], [bad, good]);
      expect(services, version).toEqual({ 'shop/good': 'a' });
    }
  });

  test('a resource without create_time, by 1.9 to 1.13', async () => {
    for (const version of versions) {
      const { services } = await after(version, [resource('shop/a')], [resource('shop/a', { metadata: {} })]);
      expect(services, version).toEqual(timeless.includes(version) ? {} : { 'shop/a': 'a' });
    }
    expect(timeless).toEqual(['1.9', '1.11', '1.12']);
  });

  test('a name that has not two parts, by every version', async () => {
    for (const version of versions) {
      const { services } = await after(version, [], [resource('a'), resource('a/b/c'), resource('shop/a')]);
      expect(services, version).toEqual({ 'shop/a': 'a' });
    }
  });

  test('a ServiceEntry that is not wrapped in a Resource, by every version', async () => {
    for (const version of versions) {
      const ads = await ScriptedAds.listen();
      const istiod = await startIstiod(version, ads.port);
      await eventually(() => ads.last.asked.length > 0);
      const body = Buffer.from([0x0a, 1, 0x61]);
      const wrapper = 'istio.networking.v1alpha3.ServiceEntry';
      const nonce = ads.last.answer({ typeUrl: istiod.typeOf('ServiceEntry'), resources: [body], wrapper });
      await eventually(() => ads.last.acked.includes(nonce));
      expect([servicesOf(istiod), istiod.log.length], version).toEqual([{}, 1]);
    }
  });
});

describe('what is not valid', () => {
  test('is refused alone and its old form stays, but in 1.10 to 1.13', async () => {
    for (const version of versions) {
      const bad = resource('shop/a', { host: undefined, version: version === '1.11' ? '' : '2' });
      const { services } = await after(version, [resource('shop/a'), good], [bad, good, resource('shop/new')]);
      const kept = validating.includes(version) ? 'a' : '';
      expect(services, version).toEqual({ 'shop/a': kept, 'shop/good': 'a', 'shop/new': 'a' });
    }
  });
});

describe('label istio.io/rev', () => {
  test.each([
    ['', { '1.9': true, '1.11': true, '1.12': true, '1.16': false, '1.18': false, '1.24': true, '1.30': true }],
    ['canary', { '1.9': true, '1.11': true, '1.12': true, '1.16': true, '1.18': true, '1.24': true, '1.30': true }],
    ['stable', { '1.9': true, '1.11': true, '1.12': true, '1.16': false, '1.18': false, '1.24': false, '1.30': false }],
  ])('canary: which istiods of revision "%s" keep it', async (revision, keeps) => {
    const labelled = resource('shop/a', {
      metadata: { createTime: { seconds: 1 }, labels: { 'istio.io/rev': 'canary' } },
    });
    for (const version of versions) {
      const { services } = await after(version, [resource('shop/a', { version: '0' })], [labelled], revision);
      expect(services, version).toEqual(keeps[version] ? { 'shop/a': 'a' } : {});
    }
  });
});

describe('Isthmus', () => {
  test('sends none of that: every istiod keeps the last good form, and gets what is good', async () => {
    const names = namedFaults.map((fault) => `shop/${fault.replaceAll(' ', '-')}`);
    const lab = await IstiodLab.start([...names.map((name) => object(name, 'last-good')), object('shop/good', 'one')]);
    const istiods = await lab.istiods();
    for (const istiod of istiods) await eventually(() => Object.keys(servicesOf(istiod)).length === names.length + 1);
    for (const [index, fault] of namedFaults.entries()) lab.source.spoil(object(names[index] ?? '', 'x'), fault);
    lab.source.stray(
      'ServiceEntry',
      namelessFaults.map((fault) => sourceBytes(object('shop/stray', 'x'), fault)),
    );
    lab.source.put(object('shop/timeless', 'two', { hasTime: false }));
    lab.say(object('bare', 'three'), object('/web/slash', 'four'), object('shop/good', 'five'));
    const expected = {
      ...Object.fromEntries(names.map((name) => [name, 'last-good'])),
      'shop/good': 'five',
      'shop/timeless': 'two',
      'default/bare': 'three',
      'web/slash': 'four',
    };
    for (const istiod of istiods) {
      // A stream that is due while the message is in work may be given some of it before the rest (ADR 3).
      await eventually(() => expect(servicesOf(istiod), istiod.profile.version).toEqual(expected));
      expect(istiod.fatal).toBeUndefined();
      expect(istiod.log).toEqual([]);
      expect(istiod.events.delete).toBe(0);
    }
  });

  test('leaves revisions to istiod', async () => {
    const labels = { 'istio.io/rev': 'canary' };
    const lab = await IstiodLab.start([object('shop/a', 'one', { labels }), object('shop/b', 'two')]);
    for (const istiod of await lab.istiods()) {
      await eventually(() => servicesOf(istiod)['shop/b'] === 'two');
      const drops = istiod.profile.revisions === 'exact';
      expect(servicesOf(istiod)).toEqual(drops ? { 'shop/b': 'two' } : { 'shop/a': 'one', 'shop/b': 'two' });
    }
  });
});
