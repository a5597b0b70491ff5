import { expect, test } from 'vitest';
import { search } from '../../../src/admin/search.ts';
import { searchTurn } from '../../../src/model/sizes.ts';
import { legacyResource, serviceEntry } from '../../support/resources.ts';
import { StoreLab } from '../../support/store-lab.ts';

const count = 3 * searchTurn + 1;
const named = (prefix: string) => Array.from({ length: count }, (_, i) => legacyResource(`${prefix}${i}`));

/** How often others had a turn while something went on. */
async function turnsDuring(work: Promise<unknown>): Promise<number> {
  let [turns, isOn] = [0, true];
  const look = () => {
    turns++;
    if (isOn) setImmediate(look);
  };
  setImmediate(look);
  await work;
  isOn = false;
  return turns;
}

test('a search gives others their turn: over a kind that waits for a source, by its names', async () => {
  const lab = new StoreLab();
  for (const origin of ['one', 'two', 'silent']) lab.addOrigin(origin, serviceEntry);
  await lab.deliver('one', serviceEntry, named('shop/s-'));
  await lab.deliver('two', serviceEntry, [legacyResource('shop/s-7'), legacyResource('shop/other')]);
  expect(await turnsDuring(search(lab.store, 'nobody', 10))).toBeGreaterThanOrEqual(2);
  const state = { in: 'name', state: 'incomplete', kind: 'ServiceEntry' };
  expect((await search(lab.store, 's-7', 2000)).matches).toContainEqual({
    ...state,
    resource: 'shop/s-7',
    sources: ['one', 'two'],
  });
  expect((await search(lab.store, 'shop/other', 10)).matches).toEqual([
    { ...state, resource: 'shop/other', sources: ['two'] },
  ]);
  const { matches, more } = await search(lab.store, 's-', 10);
  expect([matches.length, new Set(matches.map(({ resource }) => resource)).size, more]).toEqual([10, 10, true]);
});

test('what leaves a kind while it is searched through is not found, and harms nothing', async () => {
  const lab = new StoreLab();
  for (const origin of ['one', 'silent']) lab.addOrigin(origin, serviceEntry);
  await lab.deliver('one', serviceEntry, named('shop/s-'));
  const found = search(lab.store, 'shop/', 2 * count);
  await lab.deliver('one', serviceEntry, [], { full: false, removed: ['shop/s-0', `shop/s-${count - 1}`] });
  const names = new Set((await found).matches.map(({ resource }) => resource));
  expect(names.size).toBeGreaterThanOrEqual(count - 2);
  expect((await search(lab.store, 'shop/', 2 * count)).matches).toHaveLength(count - 2);
});

test('a search gives others their turn: over what is quarantined', async () => {
  const lab = new StoreLab();
  lab.addOrigin('one', serviceEntry);
  const cut = named('shop/s-').map((bytes) => bytes.subarray(0, -1));
  await lab.deliver('one', serviceEntry, cut);
  lab.flush();
  expect(await turnsDuring(search(lab.store, 'nobody', 10))).toBeGreaterThanOrEqual(2);
  const last = await search(lab.store, `s-${count - 1}`, 10);
  expect(last.matches).toMatchObject([{ in: 'name', state: 'quarantined', sources: ['one'] }]);
});
