import { setImmediate as nextTurn } from 'node:timers/promises';
import * as fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { serviceEntry } from '../../support/resources.ts';
import { StateLab } from '../../support/state-lab.ts';
import { noGuard } from '../../support/store-lab.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { propertyTimeoutMs, runs } from '../state-model/runs.ts';

vi.mock('../../../src/model/sizes.ts', async () => (await import('../../support/tiny-sizes.ts')).tinySizes);

const keys = Array.from({ length: 30 }, (_, i) => `a/${i}`);
const state = fc.dictionary(fc.constantFrom(...keys), fc.constantFrom('x', 'y', 'longer', 'm'.repeat(900)), {
  minKeys: 1,
  maxKeys: 30,
  size: 'max',
});

test(
  'written while its source speaks, a file has all that was there all the time, and no form that nobody said',
  async () => {
    let mixes = 0;
    await fc.assert(
      fc.asyncProperty(
        state,
        fc.array(fc.record({ state, restTurns: fc.nat(12) }), { minLength: 1, maxLength: 6 }),
        fc.nat(20),
        async (first, messages, saveAfterTurns) => {
          const stateDir = tempFolder();
          const lab = new StateLab(noGuard);
          lab.addOrigin('one', serviceEntry);
          await lab.load(stateDir);
          await lab.say('one', serviceEntry, first);
          const said: Record<string, string>[] = [first];
          const progress = { isSaved: false };
          const speak = async () => {
            // At least once each, and over again until all is written.
            for (let i = 0; i < messages.length || !progress.isSaved; i++) {
              const message = messages[i % messages.length] as (typeof messages)[number];
              said.push(message.state);
              await lab.say('one', serviceEntry, message.state);
              lab.flush();
              // One at least: a source is not as quick as promises, which would never let the disk have its turn.
              for (let turn = 0; turn <= message.restTurns; turn++) await nextTurn();
            }
          };
          const speaking = speak();
          for (let i = 0; i < saveAfterTurns; i++) await nextTurn();
          const begun = said.length;
          await lab.state.saveNow();
          progress.isSaved = true;
          // What was said last before it, and all that was said until it was done.
          const meanwhile = said.slice(Math.max(0, begun - 2));
          if (said.length > begun) mixes++;
          const next = new StateLab(noGuard);
          next.addOrigin('one', serviceEntry);
          await next.load(stateDir);
          expect(next.state.view.problems).toEqual([]);
          const held = next.held('one', serviceEntry);
          for (const [key, content] of Object.entries(held)) {
            expect(meanwhile.map((one) => one[key])).toContain(content);
          }
          const always = keys.filter((key) => meanwhile.every((one) => one[key] !== undefined));
          expect(always.filter((key) => held[key] === undefined)).toEqual([]);

          await speaking;
          await lab.end();
          const last = new StateLab(noGuard);
          last.addOrigin('one', serviceEntry);
          await last.load(stateDir);
          expect(last.held('one', serviceEntry)).toEqual(said.at(-1));
        },
      ),
      runs(80),
    );
    expect(mixes).toBeGreaterThan(10);
  },
  propertyTimeoutMs,
);
