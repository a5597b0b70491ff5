import { describe, expect, test, vi } from 'vitest';
import { Intake } from '../../../src/intake/intake.ts';
import { noRow, ResourcePool } from '../../../src/model/resource.ts';
import { Holding } from '../../../src/store/holding.ts';
import { Merged } from '../../../src/store/merged.ts';
import type { Snapshot } from '../../../src/model/snapshot.ts';
import {
  applyAtOnce,
  legacyResource,
  messageOf,
  newRow,
  serviceEntry,
  workloadEntry,
} from '../../support/resources.ts';
import { heldBy } from '../../support/source-view.ts';
import { settle } from '../../support/settle.ts';
import { StoreLab } from '../../support/store-lab.ts';

describe('a message that fails half-way, as where there is no memory for it', () => {
  test('leaves nothing behind that nobody is told of', async () => {
    const lab = new StoreLab();
    lab.addOrigin('only', serviceEntry);
    await lab.say('only', serviceEntry, { 'a/1': 'x', 'a/2': 'x' });
    lab.flush();
    const told = (lab.store.snapshot(serviceEntry.id) as Snapshot).version;
    const { arena } = lab.store.holding('only', serviceEntry.id);
    const reserve = vi.spyOn(arena, 'reserve').mockImplementation(() => {
      throw new RangeError('Array buffer allocation failed');
    });
    // a/1 keeps its length and is overwritten; there is no room for a/2.
    await expect(lab.say('only', serviceEntry, { 'a/1': 'y', 'a/2': 'much longer' })).rejects.toThrow(RangeError);
    reserve.mockRestore();
    // The stream is ended; the source comes back, and has a/2 as it was.
    await lab.say('only', serviceEntry, { 'a/1': 'y', 'a/2': 'x' });
    const news = lab.flush();
    expect(lab.published(serviceEntry)).toEqual({ 'a/1': 'y', 'a/2': 'x' });
    expect((lab.store.snapshot(serviceEntry.id) as Snapshot).version).not.toBe(told);
    expect(news, 'who was told of the version before hears of it').toEqual([[serviceEntry.id]]);
  });

  test('keeps no rows of it', async () => {
    const pool = new ResourcePool();
    const holding = new Holding(pool);
    const intake = new Intake(serviceEntry, { defaultNamespace: 'default', namespaceIsExplicit: false });
    const reserve = holding.arena.reserve.bind(holding.arena);
    let left = 2;
    vi.spyOn(holding.arena, 'reserve').mockImplementation((size) => {
      if (left-- === 0) throw new RangeError('Array buffer allocation failed');
      reserve(size);
    });
    const resources = ['a/1', 'a/2', 'a/3'].map((name) => legacyResource(name));
    await expect(intake.take(messageOf(resources), holding)).rejects.toThrow(RangeError);
    expect(pool.size).toBe(holding.resources.size);
  });
});

describe('while a kind is not complete', () => {
  test('keys that came and went are not kept', () => {
    const merged = new Merged('k');
    for (let i = 0; i < 1000; i++) {
      const row = newRow(merged.pool, `a/${i}`);
      merged.set(`a/${i}`, row);
      merged.set(`a/${i}`, noRow);
      merged.pool.retire(row);
    }
    expect(merged.pending).toBe(0);
  });
});

test('what is put in after memory was laid out anew counts as memory too', async () => {
  const pool = new ResourcePool();
  const holding = new Holding(pool);
  const intake = new Intake(serviceEntry, { defaultNamespace: 'default', namespaceIsExplicit: false });
  const text = 'x'.repeat(50 << 10);
  const all = Array.from({ length: 800 }, (_, i) => legacyResource(`a/${i}`, text));
  const change = await intake.take(messageOf(all), holding);
  // A publication of something else comes in between, and finds that all should be laid out anew.
  for (const _ of holding.layOut(new Int32Array())) continue;
  applyAtOnce(holding, change);
  const few = all.filter((_, i) => i % 20 === 0);
  applyAtOnce(holding, await intake.take(messageOf(few), holding));
  const chunks = new Set(heldBy(holding.resources).map(({ chunk }) => chunk));
  const held = [...chunks].reduce((sum, { length }) => sum + length, 0);
  const live = heldBy(holding.resources).reduce((sum, { start, end }) => sum + end - start, 0);
  expect(held > 2 * live + (8 << 20), `${held} bytes are held for ${live}`).toBe(holding.isWasteful);
});

test('another origin may speak between the turns of a large message', async () => {
  const lab = new StoreLab();
  lab.addOrigin('first', serviceEntry, workloadEntry);
  lab.addOrigin('second', serviceEntry, workloadEntry);
  for (const origin of ['first', 'second']) {
    for (const kind of [serviceEntry, workloadEntry]) await lab.say(origin, kind, {});
  }
  await lab.say('second', serviceEntry, { 'a/0001': 'second' });
  lab.flush();
  const many = Object.fromEntries(Array.from({ length: 6000 }, (_, i) => [`a/${String(i).padStart(4, '0')}`, 'first']));
  const done = lab.say('first', serviceEntry, many).then(() => 'done');
  for (let turn = 0; (await Promise.race([done, settle()])) !== 'done'; turn++) {
    await lab.say('second', serviceEntry, { 'a/0001': turn % 2 === 0 ? 'longer' : 'second' });
    lab.flush();
  }
  lab.flush();
  expect(lab.published(serviceEntry)).toEqual(many);
});
