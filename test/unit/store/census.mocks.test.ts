import { beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../../src/model/clock.ts';
import { Census } from '../../../src/store/census.ts';
import {
  labelledResource,
  legacyResource,
  serviceEntry as se,
  serviceEntryBody,
  workloadEntry as we,
} from '../../support/resources.ts';
import { noGuard, StoreLab } from '../../support/store-lab.ts';

// Three resources are counted in one turn.
vi.mock('../../../src/model/sizes.ts', async () => (await import('../../support/tiny-sizes.ts')).tinySizes);

let lab: StoreLab;
let census: Census;
let now: number;
/** Milliseconds that pass between two looks at the clock. */
let step: number;

const rev = (label: string) => ({ 'istio.io/rev': label });
const named = (i: number) => `x/${String(i).padStart(3, '0')}`;

/** Value → how many, and their first names. */
function labelsOf(kindId: string): Record<string, [number, readonly string[]]> {
  const labels = census.of(kindId)?.labels ?? new Map();
  return Object.fromEntries(Array.from(labels, ([label, { count, names }]) => [label, [count, names]]));
}

beforeEach(() => {
  lab = new StoreLab(noGuard);
  lab.addOrigin('a', se, we);
  now = 0;
  step = 0;
  census = new Census(lab.store, { ...systemClock, now: () => (now += step) });
});

test('nothing is counted of what is not published', async () => {
  await lab.deliver('a', se, [labelledResource('x/1', rev('canary'))]);
  await census.refresh();
  expect(census.of(se.id)).toBeUndefined();
  lab.flush();
  expect(census.of(se.id), 'nor before somebody asks').toBeUndefined();
  await census.refresh();
  expect(labelsOf(se.id)).toEqual({ canary: [1, ['x/1']] });
  expect(census.of(we.id)).toBeUndefined();
});

test('labels by their value, with the first twenty names in order', async () => {
  const all = Array.from({ length: 70 }, (_, i) =>
    i % 3 === 0 ? legacyResource(named(i)) : labelledResource(named(i), rev(i % 3 === 1 ? 'canary' : '')),
  );
  await lab.deliver('a', se, all.toReversed());
  lab.flush();
  await census.refresh();
  const namesOf = (rest: number) => Array.from({ length: 20 }, (_, i) => named(3 * i + rest));
  expect(labelsOf(se.id)).toEqual({ canary: [23, namesOf(1)], '': [23, namesOf(2)] });
});

test('values beyond 200 are counted together', async () => {
  await lab.deliver(
    'a',
    se,
    Array.from({ length: 205 }, (_, i) => labelledResource(named(i), rev(`r${i}`))),
  );
  lab.flush();
  await census.refresh();
  expect(census.of(se.id)?.labels.size).toBe(200);
  expect(census.of(se.id)?.otherLabels).toEqual({ count: 5, names: [200, 201, 202, 203, 204].map(named) });
});

test('hosts that want a virtual address, of ServiceEntries alone', async () => {
  const body = serviceEntryBody({ hosts: ['a', 'b'], resolution: 1 });
  await lab.deliver('a', se, [
    labelledResource('x/1', {}, body),
    legacyResource('x/2'),
    labelledResource('x/3', {}, body),
  ]);
  await lab.deliver('a', we, [labelledResource('x/1', {}, body, we.body)]);
  lab.flush();
  await census.refresh();
  expect([se, we].map(({ id }) => census.of(id)?.unaddressedHosts)).toEqual([4, 0]);
});

describe('what changes', () => {
  const start = async () => {
    await lab.deliver(
      'a',
      se,
      Array.from({ length: 20 }, (_, i) => labelledResource(named(i), rev('old'))),
    );
    lab.flush();
  };

  test('is counted anew, and what does not change is not', async () => {
    await start();
    await census.refresh();
    const before = census.of(se.id);
    await census.refresh();
    expect(census.of(se.id)).toBe(before);
    await lab.deliver('a', se, [labelledResource('x/9', rev('new'))]);
    lab.flush();
    expect(census.of(se.id)).toBe(before);
    await census.refresh();
    expect(labelsOf(se.id)).toEqual({ new: [1, ['x/9']] });
  });

  test('in place, too', async () => {
    await start();
    await census.refresh();
    await lab.deliver('a', se, [labelledResource(named(3), rev('new'))], { full: false });
    await census.refresh();
    expect(labelsOf(se.id)).toMatchObject({ new: [1, [named(3)]], old: [19, expect.anything()] });
  });

  test('between two turns is met once or not, and all is right at the next one', async () => {
    await start();
    const counting = census.refresh();
    // The first turn is over once this one is: names before and behind the place that it has come to.
    await lab.deliver('a', se, [
      labelledResource('x/000a', rev('late')),
      ...Array.from({ length: 10 }, (_, i) => labelledResource(named(i + 10), rev('old'))),
      labelledResource('x/9', rev('late')),
    ]);
    lab.flush();
    await counting;
    const [old, late] = ['old', 'late'].map((label) => census.of(se.id)?.labels.get(label)?.names ?? []);
    expect(new Set(old).size).toBe(old?.length);
    for (let i = 10; i < 20; i++) expect(old).toContain(named(i));
    expect(late?.filter((name) => name === 'x/9').length ?? 0).toBeLessThanOrEqual(1);
    await census.refresh();
    const names = Array.from({ length: 10 }, (_, i) => named(i + 10));
    expect(labelsOf(se.id)).toEqual({ old: [10, names], late: [2, ['x/000a', 'x/9']] });
  });

  test('to nothing, between two turns', async () => {
    await start();
    const counting = census.refresh();
    await lab.deliver('a', se, []);
    lab.flush();
    await counting;
    await census.refresh();
    expect(labelsOf(se.id)).toEqual({});
  });

  test('while it is counted for one is counted for the next who asks', async () => {
    await start();
    const first = census.refresh();
    await lab.deliver('a', se, [labelledResource('x/9', rev('new'))]);
    lab.flush();
    await Promise.all([first, census.refresh(), census.refresh()]);
    expect(labelsOf(se.id)).toEqual({ new: [1, ['x/9']] });
  });
});

describe('what took long', () => {
  const change = async (label: string) => {
    await lab.deliver('a', se, [
      labelledResource('x/1', rev(label)),
      ...Array.from({ length: 5 }, (_, i) => legacyResource(named(i))),
    ]);
    lab.flush();
  };

  test('is not done again before two hundred times as long has passed', async () => {
    step = 4;
    await change('a');
    // Two turns of 4 ms each.
    expect(await census.refresh()).toBe(true);
    expect(await census.refresh(), 'nothing has changed').toBe(true);
    step = 0;
    await change('b');
    now += 200 * 8 - 10;
    expect(await census.refresh()).toBe(false);
    expect(labelsOf(se.id)).toEqual({ a: [1, ['x/1']] });
    now += 10;
    expect(await census.refresh()).toBe(true);
    expect(labelsOf(se.id)).toEqual({ b: [1, ['x/1']] });
  });

  test('is what takes over 5 ms', async () => {
    step = 2.5;
    await change('a');
    await census.refresh();
    await change('b');
    expect(await census.refresh()).toBe(true);
    expect(labelsOf(se.id)).toEqual({ b: [1, ['x/1']] });
  });
});
