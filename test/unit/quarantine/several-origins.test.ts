import * as fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { JudgedLab } from '../../support/judged-lab.ts';
import { serviceEntry } from '../../support/resources.ts';
import { entryOf, invalidEntry, validEntry } from '../../support/service-entries.ts';
import { addressesIn } from '../../support/source-view.ts';

let lab: JudgedLab;

describe('of a key that several sources hold, a form that breaks a rule', () => {
  beforeEach(() => {
    lab = new JudgedLab();
  });

  test('gives way to one that comes later in precedence, whoever speaks first', async () => {
    for (const order of [
      ['one', 'two'],
      ['two', 'one'],
    ]) {
      lab = new JudgedLab();
      await lab.tell('three');
      for (const origin of order) {
        await lab.tell(origin, origin === 'one' ? invalidEntry('a/1', 'bad') : validEntry('a/1', 'good'));
      }
      expect(lab.sent).toEqual({ 'a/1': 'good' });
      expect(lab.reasons).toEqual({ 'a/1': 'invalid' });
      expect([lab.refused('one'), lab.refused('two')]).toEqual([['a/1'], []]);
      expect(lab.conflicts[0]?.origins).toEqual(['one', 'two']);
      expect(lab.log.of('warn').filter((line) => line.includes('is not valid'))).toHaveLength(1);
    }
  });

  test('is never published on the way, not for a moment', async () => {
    await lab.tell('three');
    await lab.tell('two', validEntry('a/1', 'good'));
    await lab.tell('one');
    const seen = [lab.sent];
    await lab.tell('one', invalidEntry('a/1', 'bad'));
    seen.push(lab.sent);
    await lab.tell('one', invalidEntry('a/1', 'worse'));
    seen.push(lab.sent);
    await lab.sweep();
    expect([...seen, lab.sent]).toEqual(Array.from({ length: 4 }, () => ({ 'a/1': 'good' })));
  });

  test('comes back to its place once it is mended', async () => {
    await lab.tell('three');
    await lab.tell('two', validEntry('a/1', 'good'));
    await lab.tell('one', invalidEntry('a/1', 'bad'));
    expect(lab.sent).toEqual({ 'a/1': 'good' });
    await lab.tell('one', validEntry('a/1', 'mended'));
    expect(lab.sent).toEqual({ 'a/1': 'mended' });
    expect(lab.reasons).toEqual({ 'a/1': 'precedence' });
    expect(lab.refused('one')).toEqual([]);
  });

  test('is sent where no other source has a better one, or not any more', async () => {
    await lab.tell('three', invalidEntry('a/1', 'third'));
    await lab.tell('two', validEntry('a/1', 'good'));
    await lab.tell('one', invalidEntry('a/1', 'bad'));
    expect(lab.sent).toEqual({ 'a/1': 'good' });
    await lab.tell('two');
    expect(lab.sent).toEqual({ 'a/1': 'bad' });
    expect(lab.reasons).toEqual({ 'a/1': 'precedence' });
  });

  test('is found later where nobody could look, and gives way then', async () => {
    lab.validator.isDown = true;
    await lab.tell('three');
    await lab.tell('two', validEntry('a/1', 'good'));
    await lab.tell('one', invalidEntry('a/1', 'bad'), validEntry('a/2', 'own'));
    expect(lab.sent).toEqual({ 'a/1': 'bad', 'a/2': 'own' });
    lab.validator.isDown = false;
    lab.quarantine.start();
    await lab.sweep();
    expect(lab.sent).toEqual({ 'a/1': 'good', 'a/2': 'own' });
    expect(lab.reasons).toEqual({ 'a/1': 'invalid' });
  });

  test('is known before anything is sent of what an earlier process knew', async () => {
    lab.validator.isDown = true;
    await lab.tell('three');
    await lab.tell('two', validEntry('a/1', 'good'));
    await lab.tell('one', invalidEntry('a/1', 'bad'));
    lab.validator.isDown = false;
    await lab.quarantine.judgeShared();
    expect(lab.sent).toEqual({ 'a/1': 'good' });
    expect(lab.validator.checked).toBe(2);
  });
});

test('the endpoints of a form that breaks a rule are not added to another one’s', async () => {
  lab = new JudgedLab({ sameKey: 'mergeEndpoints' });
  const at = (address: string, more: object = {}) =>
    entryOf('a/1', {
      hosts: ['orders.example.com'],
      ports: [{ number: 80, name: 'http', protocol: 'HTTP' }],
      resolution: 'STATIC',
      endpoints: [{ address, ...more }],
    });
  const published = () => {
    lab.flush();
    return addressesIn(lab.store.snapshot(serviceEntry.id));
  };
  await lab.tell('one', at('10.0.0.1'));
  await lab.tell('two', at('10.0.0.2', { ports: { grpc: 90 } }));
  await lab.tell('three', at('10.0.0.3'));
  expect(published()).toEqual({ 'a/1': ['10.0.0.1', '10.0.0.3'] });
  expect(lab.reasons).toEqual({ 'a/1': 'invalid' });
  await lab.tell('two', at('10.0.0.2'));
  expect(published()).toEqual({ 'a/1': ['10.0.0.1', '10.0.0.2', '10.0.0.3'] });
  expect(lab.reasons).toEqual({ 'a/1': 'merged' });
});

test('all forms count alike where the operator wants that', async () => {
  lab = new JudgedLab({ refusedGivesWay: false });
  await lab.tell('three');
  await lab.tell('two', validEntry('a/1', 'good'));
  await lab.tell('one', invalidEntry('a/1', 'bad'));
  expect(lab.sent).toEqual({ 'a/1': 'bad' });
  expect(lab.reasons).toEqual({ 'a/1': 'precedence' });
});

test('whatever sources say, the first good form of a key is sent, and the first bad one where there is no good one', async () => {
  const origins = ['one', 'two', 'three'];
  const form = fc.option(fc.record({ isValid: fc.boolean(), host: fc.constantFrom('x', 'y', 'z') }), {
    nil: undefined,
  });
  const message = fc.record({ origin: fc.constantFrom(...origins), forms: fc.tuple(form, form) });
  await fc.assert(
    fc.asyncProperty(fc.array(message, { maxLength: 12 }), async (messages) => {
      lab = new JudgedLab();
      type Form = { isValid: boolean; host: string };
      const held = new Map(origins.map((origin) => [origin, new Map<string, Form>()]));
      for (const origin of origins) await lab.tell(origin);
      for (const { origin, forms } of messages) {
        const own = held.get(origin) as Map<string, Form>;
        const resources = forms.flatMap((one, i) => {
          const key = `a/${i}`;
          if (one === undefined) own.delete(key);
          // What is bad does not take the place of what is good.
          else if (one.isValid || own.get(key)?.isValid !== true) own.set(key, one);
          return one === undefined ? [] : [(one.isValid ? validEntry : invalidEntry)(key, one.host)];
        });
        await lab.tell(origin, ...resources);
        const expected: Record<string, string> = {};
        for (const key of ['a/0', 'a/1']) {
          const all = origins.flatMap((one) => held.get(one)?.get(key) ?? []);
          const best = all.find(({ isValid }) => isValid) ?? all[0];
          if (best !== undefined) expected[key] = best.host;
        }
        expect(lab.sent).toEqual(expected);
      }
    }),
    { numRuns: 200 },
  );
});
