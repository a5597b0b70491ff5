import * as fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { JudgedLab } from '../../support/judged-lab.ts';
import { invalidEntry, validEntry } from '../../support/service-entries.ts';
import { propertyTimeoutMs, runs } from '../state-model/runs.ts';

vi.mock('../../../src/model/sizes.ts', async () => (await import('../../support/tiny-sizes.ts')).tinySizes);

const origins = ['one', 'two', 'three'] as const;
const keys = Array.from({ length: 12 }, (_, i) => `a/${i}`);

type Form = { readonly isValid: boolean; readonly host: string };

const form = fc.option(fc.record({ isValid: fc.boolean(), host: fc.constantFrom('x', 'y', 'z') }), { nil: undefined });
const forms = fc.array(form, { minLength: keys.length, maxLength: keys.length });
/** What each source says, all at the same time. */
const round = fc.record({ one: forms, two: forms, three: forms });

test(
  'sources that speak at the same time, between any two turns of each other, end with the first good form of each key',
  () =>
    fc.assert(
      fc.asyncProperty(fc.array(round, { minLength: 1, maxLength: 6 }), fc.boolean(), async (rounds, isDownFirst) => {
        const lab = new JudgedLab();
        const held = new Map(origins.map((origin) => [origin, new Map<string, Form>()]));
        lab.validator.isDown = isDownFirst;
        for (const one of rounds) {
          await Promise.all(
            origins.map((origin) => {
              const own = held.get(origin) as Map<string, Form>;
              const resources = one[origin].flatMap((said, i) => {
                const key = keys[i] as string;
                if (said === undefined) own.delete(key);
                // What is bad does not take the place of what is good, as far as somebody could look.
                else if (said.isValid || own.get(key)?.isValid !== true || lab.validator.isDown) own.set(key, said);
                return said === undefined ? [] : [(said.isValid ? validEntry : invalidEntry)(key, said.host)];
              });
              return lab.tell(origin, ...resources);
            }),
          );
          lab.validator.isDown = false;
          await lab.quarantine.judgeShared();
        }
        lab.quarantine.start();
        await lab.sweep();
        const expected: Record<string, string> = {};
        for (const key of keys) {
          const all = origins.flatMap((origin) => held.get(origin)?.get(key) ?? []);
          const best = all.find(({ isValid }) => isValid) ?? all[0];
          if (best !== undefined) expected[key] = best.host;
        }
        expect(lab.sent).toEqual(expected);
        expect(lab.log.of('error')).toEqual([]);
        await lab.quarantine.stop();
      }),
      runs(150),
    ),
  propertyTimeoutMs,
);
