import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { serviceEntry as se, workloadEntry as we } from '../../support/resources.ts';
import { debounced, noGuard, StoreLab } from '../../support/store-lab.ts';

vi.mock('../../../src/model/sizes.ts', async () => (await import('../../support/tiny-sizes.ts')).tinySizes);

const services = (prefix: string, count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`a/${prefix}-${i}`, 'x']));

test.each([['alone'], ['with another source of the same kind']])(
  'what a source calls by other names is published under both or the new ones, whatever else is published meanwhile: %s',
  async (who) => {
    const lab = new StoreLab(noGuard);
    lab.addOrigin('only', se, we);
    if (who !== 'alone') {
      lab.addOrigin('other', se);
      await lab.say('other', se, {});
    }
    await lab.say('only', we, {});
    await lab.say('only', se, services('old', 40));
    lab.flush();
    const counts: number[] = [];
    const renaming = lab.say('only', se, services('new', 40));
    // Another kind changes all the time: its debounce ends between any two turns of this one.
    for (let i = 0; i < 500; i++) {
      await lab.say('only', we, { 'a/w': String(i) });
      lab.clock.advance(debounced);
      counts.push(Object.keys(lab.published(se) ?? {}).length);
      await nextTurn();
    }
    await renaming;
    lab.flush();
    expect(Object.keys(lab.published(se) ?? {})).toEqual(Object.keys(services('new', 40)).toSorted());
    expect(Math.min(...counts)).toBeGreaterThanOrEqual(40);
  },
);
