import { beforeEach, describe, expect, test } from 'vitest';
import type { News } from '../../../src/model/news.ts';
import { legacyResource, serviceEntry as se } from '../../support/resources.ts';
import { debounced, StoreLab } from '../../support/store-lab.ts';

let lab: StoreLab;
let news: (News | undefined)[];

/** What listeners were told of ServiceEntries since the last time. */
function told(): (News | undefined)[] {
  lab.clock.advance(debounced);
  return news.splice(0);
}

const many = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`x/${i}`, 'a']));

beforeEach(async () => {
  lab = new StoreLab();
  news = [];
  lab.store.onChange((_kinds, all) => news.push(all.get(se.id)));
  lab.addOrigin('a', se);
  await lab.say('a', se, many);
  told();
});

describe('listeners are told since when a publication was under way', () => {
  test('that is when the oldest of its changes came in', async () => {
    const first = lab.clock.now();
    await lab.say('a', se, { ...many, 'x/1': 'b' });
    lab.clock.advance(20);
    await lab.say('a', se, { ...many, 'x/1': 'c' });
    expect(told()).toEqual([{ since: first, cause: 'change' }]);
  });

  test('a message counts from when it was there, and not from when it was read', async () => {
    const holding = lab.store.holding('a', se.id);
    const cameAt = lab.clock.now();
    await lab.store.inTurn('a', se.id, async () => {
      lab.clock.advance(3000);
      const change = { ...emptyChange, missing: ['x/1'], full: false };
      await lab.store.apply('a', se.id, change, undefined, cameAt);
    });
    expect(holding.resources.has('x/1')).toBe(false);
    expect(told()).toEqual([{ since: cameAt, cause: 'change' }]);
  });

  test('what is the same, or is withheld, is no beginning of what comes later', async () => {
    await lab.say('a', se, many);
    await lab.say('a', se, {});
    expect(lab.store.holding('a', se.id).withheld.size).toBe(100);
    expect(told()).toEqual([]);
    const since = lab.clock.now();
    await lab.say('a', se, { ...many, 'x/2': 'b' });
    expect(told()).toEqual([{ since, cause: 'change' }]);
  });
});

describe('and what it comes from', () => {
  test('what the guard has let go', async () => {
    await lab.say('a', se, {});
    told();
    await lab.store.release('a', se.id);
    expect(told()).toEqual([{ since: expect.any(Number), cause: 'release' }]);
  });

  test('sources that leave', async () => {
    await lab.store.removeOrigin('a', se.id);
    expect(told()).toEqual([{ since: expect.any(Number), cause: 'reload' }]);
  });
});

test('several changes are one publication, that says of how many it is made', async () => {
  lab.reported.calls.length = 0;
  for (const content of ['b', 'c', 'd']) await lab.say('a', se, { ...many, 'x/1': content });
  told();
  expect(lab.reported.of('published')).toEqual([[3]]);
});

test('when what is given became what it is', async () => {
  const before = lab.store.publishedAt(se.id);
  lab.clock.advance(60_000);
  await lab.say('a', se, many);
  told();
  expect(lab.store.publishedAt(se.id)).toEqual(before);
  await lab.deliver('a', se, [legacyResource('x/new', 'a', se.body)], { full: false });
  told();
  expect(lab.store.publishedAt(se.id)?.getTime()).toBeGreaterThan((before?.getTime() ?? 0) + 60_000);
});

const emptyChange = {
  upserts: [],
  replaced: [],
  fresh: [],
  overwritten: 0,
  missing: [],
  confirmed: [],
  quarantined: [],
  full: true,
  received: 0,
  repairs: { bareNames: 0, createTimes: 0, duplicates: 0 },
};
