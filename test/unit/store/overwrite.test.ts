import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Snapshot } from '../../../src/model/snapshot.ts';
import { frameOf } from '../../../src/push/frames.ts';
import { defaultGuard } from '../../../src/store/guard.ts';
import { decodeDiscoveryResponse } from '../../../src/wire/xds-messages.ts';
import { legacyResource, serviceEntry, workloadEntry } from '../../support/resources.ts';
import { noGuard, StoreLab } from '../../support/store-lab.ts';
import { settle } from '../../support/settle.ts';
import { until } from '../../support/until.ts';

/** One origin only: there, another form of the same length takes the place of the old one in memory. */
async function labWith(contents: Readonly<Record<string, string>>, guard = defaultGuard): Promise<StoreLab> {
  const lab = new StoreLab(guard);
  lab.addOrigin('only', serviceEntry);
  await lab.say('only', serviceEntry, contents);
  lab.flush();
  return lab;
}

/** What a stream is sent at this moment: the version of the type, and every resource with its own version. */
function sent(lab: StoreLab): { version: string; resources: string } {
  const snapshot = lab.store.snapshot(serviceEntry.id);
  if (snapshot === undefined) throw new Error('nothing was published');
  const { resources } = decodeDiscoveryResponse(frameOf(snapshot, { versioned: true }).toBuffer());
  const digest = createHash('sha256');
  // With their lengths: the same bytes cut into other resources are something else.
  for (const { value } of resources) digest.update(`${value.length} `).update(value);
  return { version: snapshot.version, resources: digest.digest('hex') };
}

describe('a resource that changed and kept its length', () => {
  test('takes no memory, and the place of the old one', async () => {
    const lab = await labWith({ 'a/1': 'x', 'a/2': 'x' });
    const { resources, arena } = lab.store.holding('only', serviceEntry.id);
    const [old, { offset }] = [resources.get('a/1'), arena];
    await lab.say('only', serviceEntry, { 'a/1': 'y', 'a/2': 'x' });
    expect(resources.get('a/1')).toBe(old);
    expect(arena.offset).toBe(offset);
    expect(lab.flush()).toEqual([[serviceEntry.id]]);
    expect(lab.published(serviceEntry)).toEqual({ 'a/1': 'y', 'a/2': 'x' });
  });

  test('is reported as a change', async () => {
    const lab = await labWith({ 'a/1': 'x' });
    await lab.say('only', serviceEntry, { 'a/1': 'y' });
    expect(lab.reported.of('changed').at(-1)).toEqual(['only', serviceEntry.id, 1, 0]);
  });

  test('is left alone while another origin has a word in it', async () => {
    const lab = await labWith({ 'a/1': 'x' });
    const old = lab.store.holding('only', serviceEntry.id).resources.get('a/1');
    lab.addOrigin('other', serviceEntry);
    await lab.say('other', serviceEntry, {});
    await lab.say('only', serviceEntry, { 'a/1': 'y' });
    expect(lab.store.holding('only', serviceEntry.id).resources.get('a/1')).not.toBe(old);
    lab.flush();
    expect(lab.published(serviceEntry)).toEqual({ 'a/1': 'y' });
  });

  test('is told of even where it is back before anybody was told, if somebody was given it meanwhile', async () => {
    const lab = await labWith({ 'a/1': 'x' });
    const first = sent(lab);
    await lab.say('only', serviceEntry, { 'a/1': 'y' });
    const second = sent(lab);
    expect(second.version).not.toBe(first.version);
    await lab.say('only', serviceEntry, { 'a/1': 'x' });
    expect(lab.flush()).toEqual([[serviceEntry.id]]);
    expect(sent(lab)).toEqual(first);
  });

  test('is not told of where it is back, and nobody has seen it', async () => {
    const lab = await labWith({ 'a/1': 'x' });
    await lab.say('only', serviceEntry, { 'a/1': 'y' });
    await lab.say('only', serviceEntry, { 'a/1': 'x' });
    expect(lab.flush()).toEqual([]);
  });
});

test('whenever somebody looks, a version means one content; and who listens ends with what the source says', async () => {
  const key = fc.integer({ min: 1, max: 5 }).map((n) => `a/${n}`);
  // Some of the same length, some longer.
  const contents = fc.dictionary(key, fc.constantFrom('x', 'y', 'z', 'longer', 'larger'), { maxKeys: 5 });
  const step = fc.oneof(
    { weight: 4, arbitrary: contents.map((says) => ({ says, full: true })) },
    { weight: 2, arbitrary: contents.map((says) => ({ says, full: false })) },
    { weight: 2, arbitrary: fc.constant('look' as const) },
    { weight: 2, arbitrary: fc.constant('time passes' as const) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 15 }), async (steps) => {
      const lab = await labWith({ 'a/1': 'x', 'a/2': 'longer' }, noGuard);
      const meaning = new Map<string, string>();
      const look = () => {
        const { version, resources } = sent(lab);
        expect(meaning.get(version) ?? resources).toBe(resources);
        meaning.set(version, resources);
        return version;
      };
      let has = look();
      let source: Record<string, string> = { 'a/1': 'x', 'a/2': 'longer' };
      lab.store.onChange(() => {
        has = look();
      });
      for (const one of steps) {
        if (one === 'look') has = look();
        else if (one === 'time passes') lab.flush();
        else {
          const resources = Object.entries(one.says).map(([name, content]) => legacyResource(name, content));
          await lab.deliver('only', serviceEntry, resources, { full: one.full });
          source = one.full ? one.says : { ...source, ...one.says };
        }
      }
      lab.flush();
      expect(has).toBe(look());
      expect(lab.published(serviceEntry)).toEqual({ ...source });
    }),
    { numRuns: 400 },
  );
});

test.each([
  ['the same length', 'y', 25_000],
  ['another length', 'yy', 25_000],
  ['another length, and half of them are gone', 'yyy', 12_500],
])('a look in the middle of a message sees what its version says: %s', async (_what, content, left) => {
  // More than are read in one turn, however fast the machine is.
  const names = Array.from({ length: 25_000 }, (_, i) => `a/${String(i).padStart(5, '0')}`);
  const lab = new StoreLab();
  lab.addOrigin('only', serviceEntry);
  const tell = (text: string, count: number) =>
    lab.deliver(
      'only',
      serviceEntry,
      names.slice(0, count).map((name) => legacyResource(name, text)),
    );
  await tell('x', names.length);
  lab.flush();
  const seen = new Map<string, string>();
  const look = () => {
    const { version, resources } = sent(lab);
    expect(seen.get(version) ?? resources).toBe(resources);
    seen.set(version, resources);
  };
  look();
  // Both the intake and the store give others their turn now and then.
  const done = tell(content, left).then(() => 'done');
  for (let turn = 0; (await Promise.race([done, settle()])) !== 'done'; turn++) {
    if (turn % 2 === 0) lab.flush();
    look();
  }
  expect(seen.size, 'versions that were seen').toBeGreaterThan(2);
  lab.flush();
  look();
  expect(lab.published(serviceEntry)).toEqual(Object.fromEntries(names.slice(0, left).map((name) => [name, content])));
});

test('memory that was laid out anew is not kept by what was made for the streams before', async () => {
  const lab = new StoreLab();
  lab.addOrigin('only', serviceEntry, workloadEntry);
  await lab.say('only', workloadEntry, {});
  const names = Array.from({ length: 1500 }, (_, i) => `a/${1500 - i}`);
  await lab.say('only', serviceEntry, Object.fromEntries(names.map((name) => [name, 'x'])));
  lab.flush();
  const frame = () => frameOf(lab.store.snapshot(serviceEntry.id) as Snapshot, { versioned: true });
  const before = frame();
  expect(before.pieces).toBeGreaterThan(1000);
  // A publication of something else is when there is time for it.
  await lab.say('only', workloadEntry, { 'a/1': 'x' });
  expect(lab.flush()).toEqual([[workloadEntry.id]]);
  const after = frame();
  expect(after.pieces).toBeLessThan(10);
  expect(after.toBuffer().equals(before.toBuffer())).toBe(true);
});

test('the bytes of an earlier message are no proof that nothing changed since', async () => {
  const before = { 'a/1': 'x', 'a/2': 'x', 'a/3': 'x' };
  const lab = await labWith(before);
  for (const contents of [{ ...before, 'a/1': 'y' }, before, { ...before, 'a/1': 'y' }]) {
    await lab.say('only', serviceEntry, contents);
    lab.flush();
    expect(lab.published(serviceEntry)).toEqual(contents);
  }
});

test('what changes while a large state is laid out anew is as good as ever, and so is what does not', async () => {
  const names = Array.from({ length: 17_000 }, (_, i) => `a/${String((i * 7919) % 17_000).padStart(5, '0')}`);
  const lab = new StoreLab();
  lab.addOrigin('only', serviceEntry);
  const contents = new Map(names.map((name) => [name, 'x']));
  const tell = () => lab.say('only', serviceEntry, Object.fromEntries(contents));
  await tell();
  lab.flush();
  const frame = () => frameOf(lab.store.snapshot(serviceEntry.id) as Snapshot, { versioned: true });
  const scattered = frame().pieces;
  expect(scattered, 'more than one slice to move').toBeGreaterThan(10_000);
  // Any publication begins the work; the rest of it takes turns.
  contents.set('a/00001', 'other');
  await tell();
  lab.flush();
  for (const [i, change] of ['y', 'much longer', undefined, 'z', 'back'].entries()) {
    for (const name of [`a/0000${i}`, 'a/16999', 'a/08500']) {
      if (change === undefined) contents.delete(name);
      else contents.set(name, change);
    }
    await tell();
    lab.flush();
    expect(lab.published(serviceEntry)).toEqual(Object.fromEntries(contents));
    await new Promise((resolve) => void setImmediate(resolve));
  }
  await until('the rest was moved', () => frame().pieces < scattered / 100);
  expect(lab.published(serviceEntry)).toEqual(Object.fromEntries(contents));
});
