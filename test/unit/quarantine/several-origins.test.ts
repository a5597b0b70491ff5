import * as fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { legacyTarget } from '../../../src/legacy/origin.ts';
import type { SinkTarget } from '../../../src/legacy/sink-client.ts';
import type { ConflictPolicy } from '../../../src/model/conflict.ts';
import { Quarantine } from '../../../src/quarantine/quarantine.ts';
import { encodeResources, readResources } from '../../../src/wire/legacy-messages.ts';
import { InlineValidator } from '../../support/inline-validator.ts';
import { MemoryLogger } from '../../support/memory-logger.ts';
import { serviceEntry } from '../../support/resources.ts';
import { entryOf, invalidEntry, validEntry } from '../../support/service-entries.ts';
import { addressesIn } from '../../support/source-view.ts';
import { settle } from '../../support/settle.ts';
import { noGuard, StoreLab } from '../../support/store-lab.ts';

const collection = serviceEntry.collection ?? '';

let lab: StoreLab;
let log: MemoryLogger;
let validator: InlineValidator;
let quarantine: Quarantine;
let targets: Map<string, SinkTarget>;

function start(policy: Partial<ConflictPolicy> = {}): void {
  lab = new StoreLab(noGuard, { sameKey: 'precedence', sameHost: 'ignore', ...policy });
  log = new MemoryLogger();
  validator = new InlineValidator();
  quarantine = new Quarantine({ store: lab.store, validator, clock: lab.clock, log });
  const rules = { defaultNamespace: 'own', namespaceIsExplicit: true };
  const judge = (...change: Parameters<Quarantine['judge']>) => quarantine.judge(...change);
  targets = new Map();
  for (const origin of ['one', 'two', 'three']) {
    lab.store.addOrigin(origin, [serviceEntry.id]);
    targets.set(
      origin,
      legacyTarget(origin, [collection], rules, lab.store, log, () => {}, judge),
    );
  }
}

/** A source says that these are all its services. */
async function say(origin: string, ...resources: readonly Uint8Array[]): Promise<void> {
  const envelope = { systemVersionInfo: '', collection, nonce: '1', incremental: false, removedResources: [] };
  await targets.get(origin)?.accept(collection, readResources(encodeResources({ ...envelope, resources })), true);
}

/** Key → host of what is sent. */
function sent(): Record<string, string> | undefined {
  lab.flush();
  return lab.published(serviceEntry);
}

async function sweep(): Promise<void> {
  await lab.clock.run(1000);
  for (let i = 0; i < 20; i++) await settle();
}

const reasons = () => Object.fromEntries(lab.conflicts.map(({ name, reason }) => [name, reason]));
const refused = (origin: string) => [...lab.store.holding(origin, serviceEntry.id).refused.keys()];

describe('of a key that several sources hold, a form that breaks a rule', () => {
  beforeEach(() => start());

  test('gives way to one that comes later in precedence, whoever speaks first', async () => {
    for (const order of [
      ['one', 'two'],
      ['two', 'one'],
    ]) {
      start();
      await say('three');
      for (const origin of order) {
        await say(origin, origin === 'one' ? invalidEntry('a/1', 'bad') : validEntry('a/1', 'good'));
      }
      expect(sent()).toEqual({ 'a/1': 'good' });
      expect(reasons()).toEqual({ 'a/1': 'invalid' });
      expect([refused('one'), refused('two')]).toEqual([['a/1'], []]);
      expect(lab.conflicts[0]?.origins).toEqual(['one', 'two']);
      expect(log.of('warn').filter((line) => line.includes('is not valid'))).toHaveLength(1);
    }
  });

  test('is never published on the way, not for a moment', async () => {
    await say('three');
    await say('two', validEntry('a/1', 'good'));
    await say('one');
    const seen = [sent()];
    await say('one', invalidEntry('a/1', 'bad'));
    seen.push(sent());
    await say('one', invalidEntry('a/1', 'worse'));
    seen.push(sent());
    await sweep();
    expect([...seen, sent()]).toEqual(Array.from({ length: 4 }, () => ({ 'a/1': 'good' })));
  });

  test('comes back to its place once it is mended', async () => {
    await say('three');
    await say('two', validEntry('a/1', 'good'));
    await say('one', invalidEntry('a/1', 'bad'));
    expect(sent()).toEqual({ 'a/1': 'good' });
    await say('one', validEntry('a/1', 'mended'));
    expect(sent()).toEqual({ 'a/1': 'mended' });
    expect(reasons()).toEqual({ 'a/1': 'precedence' });
    expect(refused('one')).toEqual([]);
  });

  test('is sent where no other source has a better one, or not any more', async () => {
    await say('three', invalidEntry('a/1', 'third'));
    await say('two', validEntry('a/1', 'good'));
    await say('one', invalidEntry('a/1', 'bad'));
    expect(sent()).toEqual({ 'a/1': 'good' });
    await say('two');
    expect(sent()).toEqual({ 'a/1': 'bad' });
    expect(reasons()).toEqual({ 'a/1': 'precedence' });
  });

  test('is found later where nobody could look, and gives way then', async () => {
    validator.isDown = true;
    await say('three');
    await say('two', validEntry('a/1', 'good'));
    await say('one', invalidEntry('a/1', 'bad'), validEntry('a/2', 'own'));
    expect(sent()).toEqual({ 'a/1': 'bad', 'a/2': 'own' });
    validator.isDown = false;
    quarantine.start();
    await sweep();
    expect(sent()).toEqual({ 'a/1': 'good', 'a/2': 'own' });
    expect(reasons()).toEqual({ 'a/1': 'invalid' });
  });

  test('is known before anything is sent of what an earlier process knew', async () => {
    validator.isDown = true;
    await say('three');
    await say('two', validEntry('a/1', 'good'));
    await say('one', invalidEntry('a/1', 'bad'));
    validator.isDown = false;
    await quarantine.judgeShared();
    expect(sent()).toEqual({ 'a/1': 'good' });
    expect(validator.checked).toBe(2);
  });
});

test('the endpoints of a form that breaks a rule are not added to another one’s', async () => {
  start({ sameKey: 'mergeEndpoints' });
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
  await say('one', at('10.0.0.1'));
  await say('two', at('10.0.0.2', { ports: { grpc: 90 } }));
  await say('three', at('10.0.0.3'));
  expect(published()).toEqual({ 'a/1': ['10.0.0.1', '10.0.0.3'] });
  expect(reasons()).toEqual({ 'a/1': 'invalid' });
  await say('two', at('10.0.0.2'));
  expect(published()).toEqual({ 'a/1': ['10.0.0.1', '10.0.0.2', '10.0.0.3'] });
  expect(reasons()).toEqual({ 'a/1': 'merged' });
});

test('all forms count alike where the operator wants that', async () => {
  start({ refusedGivesWay: false });
  await say('three');
  await say('two', validEntry('a/1', 'good'));
  await say('one', invalidEntry('a/1', 'bad'));
  expect(sent()).toEqual({ 'a/1': 'bad' });
  expect(reasons()).toEqual({ 'a/1': 'precedence' });
});

test('whatever sources say, the first good form of a key is sent, and the first bad one where there is no good one', async () => {
  const origins = ['one', 'two', 'three'];
  const form = fc.option(fc.record({ isValid: fc.boolean(), host: fc.constantFrom('x', 'y', 'z') }), {
    nil: undefined,
  });
  const message = fc.record({ origin: fc.constantFrom(...origins), forms: fc.tuple(form, form) });
  await fc.assert(
    fc.asyncProperty(fc.array(message, { maxLength: 12 }), async (messages) => {
      start();
      type Form = { isValid: boolean; host: string };
      const held = new Map(origins.map((origin) => [origin, new Map<string, Form>()]));
      for (const origin of origins) await say(origin);
      for (const { origin, forms } of messages) {
        const own = held.get(origin) as Map<string, Form>;
        const resources = forms.flatMap((one, i) => {
          const key = `a/${i}`;
          if (one === undefined) own.delete(key);
          // What is bad does not take the place of what is good.
          else if (one.isValid || own.get(key)?.isValid !== true) own.set(key, one);
          return one === undefined ? [] : [(one.isValid ? validEntry : invalidEntry)(key, one.host)];
        });
        await say(origin, ...resources);
        const expected: Record<string, string> = {};
        for (const key of ['a/0', 'a/1']) {
          const all = origins.flatMap((one) => held.get(one)?.get(key) ?? []);
          const best = all.find(({ isValid }) => isValid) ?? all[0];
          if (best !== undefined) expected[key] = best.host;
        }
        expect(sent()).toEqual(expected);
      }
    }),
    { numRuns: 200 },
  );
});
