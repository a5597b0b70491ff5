import { describe, expect, onTestFinished, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { type Form, History } from '../../support/istiod/history.ts';
import { object, versions } from '../../support/istiod/lab.ts';
import { profiles } from '../../support/istiod/profile.ts';
import { resource, ScriptedAds, serve } from '../../support/istiod/scripted-ads.ts';
import { Seat } from '../../support/istiod/seat.ts';
import { historyKey, ChangingSource } from '../../support/istiod/changing-source.ts';
import { Random } from '../../support/istiod/random.ts';
import { sourceForm } from '../../support/istiod/source-object.ts';
import { messageType } from '../../peers/support/contract.ts';
import { ScaledClock } from '../../support/scaled-clock.ts';

const form = (id: string): Form => ({ id, labels: {} });

/** What an observer says to these forms of one key, seen one after the other, where the source had `had`. */
function faults(had: readonly string[], seen: readonly string[]): string[] {
  const history = new History();
  const observer = history.observer();
  const formOf = (id: string): Form | undefined => (id === '-' ? undefined : form(id));
  for (const id of had) history.append('k', formOf(id));
  for (const id of seen) observer.saw('k', formOf(id));
  return observer.faults;
}

describe('an observer of a history', () => {
  test.each([
    ['all of it', ['a', 'b'], ['a', 'b']],
    ['the end of it', ['a', 'b', 'c'], ['c']],
    ['the same twice', ['a'], ['a', 'a']],
    ['a removal', ['a', '-', 'b'], ['a', '-', 'b']],
    ['neither a removal nor what came back', ['a', '-', 'a', 'b'], ['a', 'b']],
    ['what came back as it was', ['a', '-', 'a'], ['a', '-', 'a']],
    ['what changed back', ['a', 'b', 'a'], ['a', 'b', 'a']],
  ])('may see %s', (_, had, seen) => {
    expect(faults(had, seen)).toEqual([]);
  });

  test.each([
    ['that something is missing which was there all the time', ['a', 'b'], ['a', '-'], /is missing/],
    ['the same, after a removal that it has seen', ['a', '-', 'a'], ['a', '-', 'a', '-'], /is missing/],
    ['an older form', ['a', 'b'], ['b', 'a'], /went back/],
    ['what was removed', ['a', '-'], ['a', '-', 'a'], /went back/],
    ['what never was', ['a'], ['x'], /never had/],
  ])('may not see %s', (_, had, seen, fault) => {
    expect(faults(had, seen)).toEqual([expect.stringMatching(fault)]);
  });

  test('keeps what a slow one may still see, however long the history gets', () => {
    const history = new History();
    const slow = history.observer();
    const quick = history.observer();
    history.append('k', form('0'));
    slow.saw('k', form('0'));
    for (let i = 1; i <= 1000; i++) {
      history.append('k', form(String(i)));
      quick.saw('k', form(String(i)));
    }
    slow.saw('k', form('500'));
    for (let i = 1001; i <= 1100; i++) history.append('k', form(String(i)));
    slow.saw('k', form('400'));
    slow.saw('k', form('700'));
    expect([quick.faults, slow.faults.length]).toEqual([[], 1]);
  });
});

test.each(versions)('%s is found out where a server loses something on the way', async (version) => {
  const source = await ChangingSource.listen(new Random(1), 0);
  onTestFinished(() => source.kill());
  const [a, b] = [object('shop/a', 'one'), object('shop/b', 'two')];
  for (const one of [a, b]) source.put(one);
  const { history } = source;
  expect(history.now(historyKey(a))?.id).toBe(sourceForm(a).id);

  const ads = await ScriptedAds.listen();
  const bodyOf = (host: string) => {
    const type = messageType('istio.networking.v1alpha3.ServiceEntry');
    const endpoints = [{ address: '192.0.2.7', labels: { app: 'a', version: 'v1' } }];
    return Buffer.from(type.encode(type.fromObject({ hosts: [host], endpoints })).finish());
  };
  const good = (name: string, host: string) => resource(name, { version: '', body: bodyOf(host) });
  serve(ads, { ServiceEntry: [good('shop/a', 'one'), good('shop/b', 'two')] });
  const clock = new ScaledClock(20);
  const seat = await Seat.take({ profile: profiles[version], port: ads.port, history, clock, random: () => 0.5 });
  onTestFinished(() => seat.stop());
  await eventually(() => seat.differences(history).length === 0);
  expect(seat.observer.faults).toEqual([]);

  serve(ads, { ServiceEntry: [good('shop/a', 'one')] });
  ads.last.end();
  await eventually(() => seat.differences(history).length > 0);
  expect(seat.differences(history)).toEqual(['ServiceEntry shop/b is missing']);
  expect(seat.observer.faults).toEqual(['ServiceEntry shop/b is missing, though the source held it all the time']);
});
