import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { legacyTarget } from '../../../src/legacy/origin.ts';
import { silentLogger } from '../../../src/model/logger.ts';
import { Quarantine } from '../../../src/quarantine/quarantine.ts';
import { encodeResources, readResources } from '../../../src/wire/legacy-messages.ts';
import { InlineValidator } from '../../support/inline-validator.ts';
import { serviceEntry } from '../../support/resources.ts';
import { brokenEntry, invalidEntry, validEntry } from '../../support/service-entries.ts';
import { settle } from '../../support/settle.ts';
import { noGuard, StoreLab } from '../../support/store-lab.ts';
import { propertyTimeoutMs, runs } from '../state-model/runs.ts';

const collection = serviceEntry.collection ?? '';
const keys = ['a/1', 'a/2', 'a/3', 'b/4'] as const;

/** Forms of a resource, told apart by their host; those that begin with a capital letter are bad. */
const makers = {
  'one.a': validEntry,
  'other.b': validEntry,
  'longer.host': validEntry,
  Invalid: invalidEntry,
  Broken: brokenEntry,
};
type Form = keyof typeof makers;
const isBad = (form: string) => /^[A-Z]/.test(form);

const form = fc.constantFrom<Form>('one.a', 'other.b', 'longer.host', 'Invalid', 'Broken');
const forms = fc.dictionary(fc.constantFrom(...keys), form, { noNullPrototype: true });

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant('has' as const), forms }) },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('changes' as const),
      forms,
      removed: fc.subarray([...keys], { maxLength: 1 }),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ type: 'time passes' as const }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('validator' as const), isDown: fc.boolean() }) },
);

test(
  'whatever a source says, a bad form never takes the place of a good one, and everything else is as the source says',
  async () => {
    let kept = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const lab = new StoreLab(noGuard);
        const validator = new InlineValidator();
        const quarantine = new Quarantine({ store: lab.store, validator, clock: lab.clock, log: silentLogger });
        lab.store.addOrigin('only', [serviceEntry.id]);
        const rules = { defaultNamespace: 'own', namespaceIsExplicit: true };
        const target = legacyTarget(
          'only',
          [collection],
          rules,
          lab.store,
          silentLogger,
          () => {},
          (...change) => quarantine.judge(...change),
        );
        quarantine.start();
        const effective = new Map<string, string>();
        const held = new Set<string>();
        /** Bad forms that were looked at; they are known even while nobody can look. */
        const known = new Set<string>();
        const isFound = (key: string, host: string) => {
          if (isBad(host) && !validator.isDown) known.add(`${key} ${host}`);
          return known.has(`${key} ${host}`);
        };
        const says = (said: Readonly<Record<string, Form>>) => {
          for (const [key, host] of Object.entries(said)) {
            const before = effective.get(key);
            const isKept = before !== undefined && before !== host && isFound(key, host) && !isFound(key, before);
            if (isKept) held.add(key);
            else held.delete(key);
            if (!isKept) effective.set(key, host);
            else kept++;
          }
        };
        const goes = (key: string) => [effective, held].forEach((all) => all.delete(key));
        const deliver = (said: Readonly<Record<string, Form>>, full: boolean, removedResources: readonly string[]) => {
          const resources = Object.entries(said).map(([key, host]) => makers[host](key, host));
          const envelope = { systemVersionInfo: '', collection, nonce: '1', incremental: !full };
          const bytes = encodeResources({ ...envelope, resources, removedResources });
          return target.accept(collection, readResources(bytes), full);
        };
        for (const one of steps) {
          switch (one.type) {
            case 'has':
              for (const key of keys) if (!(key in one.forms)) goes(key);
              says(one.forms);
              await deliver(one.forms, true, []);
              break;
            case 'changes':
              for (const key of one.removed) if (!(key in one.forms)) goes(key);
              says(one.forms);
              await deliver(one.forms, false, one.removed);
              break;
            case 'time passes':
              await lab.clock.run(1000);
              break;
            case 'validator':
              validator.isDown = one.isDown;
              break;
          }
          // Time for a look at what nobody has looked at, too.
          lab.flush();
          for (let i = 0; i < 10; i++) await settle();
          for (const [key, host] of effective) isFound(key, host);
          expect(lab.published(serviceEntry) ?? {}).toEqual(Object.fromEntries(effective));
          const { quarantine: bad } = lab.store.holding('only', serviceEntry.id);
          expect([...bad.keys()].toSorted()).toEqual([...held].toSorted());
        }
        validator.isDown = false;
        for (let i = 0; i < 3; i++) {
          await lab.clock.run(1000);
          for (let turn = 0; turn < 10; turn++) await settle();
        }
        const { refused } = lab.store.holding('only', serviceEntry.id);
        const bad = [...effective].filter(([, host]) => isBad(host)).map(([key]) => key);
        expect([...refused.keys()].toSorted(), 'what is sent although it is bad is known').toEqual(bad.toSorted());
        await quarantine.stop();
        lab.store.close();
      }),
      runs(300),
    );
    expect(kept).toBeGreaterThan(100);
  },
  propertyTimeoutMs,
);
