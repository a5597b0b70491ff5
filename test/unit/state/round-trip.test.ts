import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FaultyFs } from '../../support/faulty-fs.ts';
import { legacyResource, serviceEntry, workloadEntry } from '../../support/resources.ts';
import { StateLab, stateFiles } from '../../support/state-lab.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { field, fields } from '../../support/wire-bytes.ts';
import { propertyTimeoutMs, runs } from '../state-model/runs.ts';

const name = fc.constantFrom('a/1', 'a/2', 'b/1', 'b/2', 'bare', '/c/1', 'é/x', 'c/1', 'c/2');
/** One without a body is bad; one whose name has two slashes is unreadable. */
const item = fc.oneof(
  { weight: 8, arbitrary: fc.record({ name, content: fc.constantFrom('x', 'y', 'longer', 'm'.repeat(3000)) }) },
  { weight: 2, arbitrary: fc.record({ name, content: fc.constant(undefined) }) },
  { weight: 1, arbitrary: fc.record({ name: fc.constant('a/b/c'), content: fc.constant('x') }) },
);
const message = fc.record({
  origin: fc.constantFrom('one', 'two'),
  items: fc.array(item, { maxLength: 8 }),
  full: fc.boolean(),
  removed: fc.array(name, { maxLength: 2 }),
  /** All is written before the next one. */
  isSaved: fc.boolean(),
});

function newLab(): StateLab {
  const lab = new StateLab();
  lab.addOrigin('one', serviceEntry, workloadEntry);
  lab.addOrigin('two', serviceEntry);
  return lab;
}

function bytesOf(one: { readonly name: string; readonly content: string | undefined }): Uint8Array {
  return one.content === undefined ? fields(field(1, field(1, one.name))) : legacyResource(one.name, one.content);
}

/** All that should outlive a restart. */
function known(lab: StateLab) {
  const given = lab.given(serviceEntry);
  const origins = ['one', 'two'].map((origin) => {
    const holding = lab.store.holding(origin, serviceEntry.id);
    const { received, released, quarantine, withheld, sync } = holding;
    return {
      received,
      released,
      quarantine: [...quarantine.values()],
      withheld: [...withheld].toSorted(),
      held: lab.held(origin, serviceEntry),
      isWaiting: sync === 'waiting',
    };
  });
  return { given, origins };
}

test(
  'whatever was said, the next process knows all of it, and sends the same bytes',
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 8 }), async (messages) => {
        const stateDir = tempFolder();
        const before = newLab();
        await before.load(stateDir);
        for (const { origin, items, full, removed, isSaved } of messages) {
          await before.deliver(origin, serviceEntry, items.map(bytesOf), { full, removed });
          before.clock.advance(7);
          if (isSaved) await before.state.saveNow();
        }
        before.flush();
        await before.end();

        const after = newLab();
        await after.load(stateDir);
        after.flush();
        expect(known(after)).toEqual(known(before));
        expect(after.state.view.problems).toEqual([]);
        expect(after.state.view.files.filter(({ isDue }) => isDue)).toEqual([]);
      }),
      runs(60),
    );
  },
  propertyTimeoutMs,
);

describe('after a restart', () => {
  async function restarted(): Promise<{ before: StateLab; after: StateLab; stateDir: string }> {
    const stateDir = tempFolder();
    const before = newLab();
    await before.load(stateDir);
    await before.say('one', serviceEntry, { 'a/1': 'x', 'a/2': 'y', 'a/3': 'z' });
    await before.say('one', workloadEntry, {});
    await before.say('two', serviceEntry, { 'b/1': 'x' });
    await before.end();
    before.flush();
    const after = newLab();
    await after.load(stateDir);
    return { before, after, stateDir };
  }

  test('all is served, and said to be stale until its source speaks', async () => {
    const { before, after } = await restarted();
    const syncOf = () =>
      [...after.store.origins.values()].flatMap((kinds) => Array.from(kinds.values(), (one) => one.sync));
    expect(syncOf()).toEqual(['stale', 'stale', 'stale']);
    expect(after.flush()).toEqual([expect.arrayContaining([serviceEntry.id, workloadEntry.id])]);
    expect(after.given(serviceEntry)).toBe(before.given(serviceEntry));
    await after.say('one', serviceEntry, { 'a/1': 'x', 'a/2': 'y', 'a/3': 'z' });
    expect(syncOf()).toEqual(['synced', 'stale', 'stale']);
    expect(after.flush()).toEqual([]);
  });

  test('one changed resource, one gone and one new are that, and nothing else is', async () => {
    const { after } = await restarted();
    after.flush();
    await after.say('one', serviceEntry, { 'a/1': 'x', 'a/2': 'other', 'a/4': 'new' });
    expect(after.flush()).toEqual([[serviceEntry.id]]);
    expect(after.published(serviceEntry)).toEqual({ 'a/1': 'x', 'a/2': 'other', 'a/4': 'new', 'b/1': 'x' });
    expect(after.reported.of('changed').map(([origin, , upserts, removals]) => [origin, upserts, removals])).toEqual([
      ['one', 2, 1],
    ]);
  });

  test('a changed resource takes the place of the old one, where one origin alone has the kind', async () => {
    const stateDir = tempFolder();
    const alone = () => {
      const lab = new StateLab();
      lab.addOrigin('one', serviceEntry);
      return lab;
    };
    const before = alone();
    await before.load(stateDir);
    await before.say('one', serviceEntry, { 'a/1': 'x', 'a/2': 'y' });
    await before.end();
    const after = alone();
    await after.load(stateDir);
    after.flush();
    await after.say('one', serviceEntry, { 'a/1': 'x', 'a/2': 'z' });
    expect(after.flush()).toEqual([[serviceEntry.id]]);
    expect(after.published(serviceEntry)).toEqual({ 'a/1': 'x', 'a/2': 'z' });
  });

  test.each(['silent', 'unsupported'] as const)('a collection that is %s keeps what is held', async (why) => {
    const { before, after } = await restarted();
    after.flush();
    after.store.setEmpty('one', serviceEntry.id, why);
    after.store.setEmpty('one', workloadEntry.id, why);
    expect(after.flush()).toEqual([]);
    expect(after.given(serviceEntry)).toBe(before.given(serviceEntry));
    const sync = (kind: typeof serviceEntry) => after.store.holding('one', kind.id).sync;
    expect([sync(serviceEntry), sync(workloadEntry)]).toEqual([why === 'silent' ? 'silent' : 'stale', why]);
  });

  test('the age that is shown is that of the last change', async () => {
    const stateDir = tempFolder();
    const before = newLab();
    await before.load(stateDir);
    await before.say('one', serviceEntry, { 'a/1': 'x' });
    await before.state.saveNow();
    const changedAt = before.clock.date();
    before.clock.advance(1000);
    await before.say('one', serviceEntry, { 'a/1': 'x' });
    await before.end();
    const after = newLab();
    await after.load(stateDir);
    expect(after.store.holding('one', serviceEntry.id)).toMatchObject({ lastMessageAt: changedAt, messages: 0 });
  });

  test('a source that says that it has nothing any more is held to what was known, until the operator believes it', async () => {
    const { after } = await restarted();
    after.flush();
    const served = after.published(serviceEntry);
    await after.say('one', serviceEntry, {});
    after.flush();
    expect(after.store.holding('one', serviceEntry.id).hold?.reason).toBe('emptied');
    expect(after.published(serviceEntry)).toEqual(served);
    await after.store.release('one', serviceEntry.id);
    after.flush();
    expect(after.published(serviceEntry)).toEqual({ 'b/1': 'x' });
  });

  test('what was held back stays so, and leaves when its source has taken it out one by one', async () => {
    const { after, stateDir } = await restarted();
    after.flush();
    const served = after.published(serviceEntry);
    await after.say('one', serviceEntry, {});
    after.flush();
    await after.end();
    const again = newLab();
    await again.load(stateDir);
    again.flush();
    const holding = again.store.holding('one', serviceEntry.id);
    expect([holding.sync, holding.withheld.size, again.published(serviceEntry)]).toEqual(['stale', 3, served]);
    await again.say('one', serviceEntry, { 'a/1': 'x', 'a/2': 'x' });
    await again.say('one', serviceEntry, { 'a/1': 'x' });
    again.flush();
    expect([holding.withheld.size, Object.keys(again.published(serviceEntry) ?? {})]).toEqual([0, ['a/1', 'b/1']]);
  });

  test('an origin that is new is waited for', async () => {
    const { stateDir } = await restarted();
    const more = newLab();
    more.addOrigin('three', serviceEntry);
    await more.load(stateDir);
    more.flush();
    expect([more.given(serviceEntry), more.published(workloadEntry)]).toEqual([undefined, {}]);
    await more.say('three', serviceEntry, { 'c/1': 'x' });
    more.flush();
    expect(Object.keys(more.published(serviceEntry) ?? {})).toEqual(['a/1', 'a/2', 'a/3', 'b/1', 'c/1']);
  });

  test('an origin that nobody has added turns up by itself, with all that it held, and its files stay', async () => {
    const { stateDir } = await restarted();
    const less = new StateLab();
    less.addOrigin('two', serviceEntry);
    await less.load(stateDir);
    less.flush();
    expect(less.published(serviceEntry)).toEqual({ 'a/1': 'x', 'a/2': 'y', 'a/3': 'z', 'b/1': 'x' });
    expect(less.store.holding('one', serviceEntry.id).sync).toBe('stale');
    expect(less.state.view.unused).toEqual([]);
    await less.say('two', serviceEntry, { 'b/1': 'y' });
    await less.end();
    const again = newLab();
    await again.load(stateDir);
    again.flush();
    expect(again.published(serviceEntry)).toEqual({ 'a/1': 'x', 'a/2': 'y', 'a/3': 'z', 'b/1': 'y' });
  });

  test('what leaves the store has no file any more, but for what is damaged', async () => {
    const { stateDir } = await restarted();
    const lab = newLab();
    await lab.load(stateDir);
    await lab.state.saveNow();
    const { folder } = stateFiles(stateDir);
    writeFileSync(join(folder, 'one.ServiceEntry.state.damaged'), 'for a look');
    expect(await lab.store.removeOrigin('one', serviceEntry.id)).toBe(3);
    await lab.end();
    expect(stateFiles(stateDir).names.filter((file) => file.startsWith('one.ServiceEntry'))).toEqual([
      'one.ServiceEntry.state.damaged',
    ]);
    const next = newLab();
    await next.load(stateDir);
    expect(next.store.holding('one', serviceEntry.id).sync).toBe('waiting');
  });

  test('a file whose name says nothing is not served, and is named with its counts', async () => {
    const { stateDir } = await restarted();
    const { folder } = stateFiles(stateDir);
    renameSync(join(folder, 'one.ServiceEntry.state'), join(folder, 'Copy of one.ServiceEntry.state'));
    const lab = newLab();
    await lab.load(stateDir);
    const unused = { source: 'one', kind: serviceEntry.id, resources: 3 };
    expect(lab.state.view.unused).toEqual([expect.objectContaining(unused)]);
    expect(lab.log.lines.find((line) => line.message.includes('is not served'))?.fields).toMatchObject(unused);
  });

  test.each([
    ['is cut off', 'no state at all'],
    ['is of another format', 'isthmus last-known-good 99\n'],
  ])('a file whose name says nothing, and that %s, keeps nothing else from being served', async (_what, content) => {
    const { stateDir } = await restarted();
    writeFileSync(join(stateFiles(stateDir).folder, 'a-copy.state'), content);
    // Nobody has added the sources whose files come after it.
    const lab = new StateLab();
    await lab.load(stateDir);
    lab.flush();
    expect(Object.keys(lab.published(serviceEntry) ?? {})).toEqual(['a/1', 'a/2', 'a/3', 'b/1']);
    expect(lab.state.view.problems).toMatchObject([{ file: expect.stringContaining('a-copy.state') }]);
  });

  test('a source that comes back while its old file can’t be deleted keeps its new one', async () => {
    const { stateDir } = await restarted();
    const faulty = new FaultyFs();
    const lab = newLab();
    await lab.load(stateDir, faulty.fs);
    await lab.say('one', serviceEntry, { 'a/1': 'x' });
    await lab.state.saveNow();
    await lab.store.removeOrigin('one', serviceEntry.id);
    faulty.failsOn = /^rm .*one\.ServiceEntry\.state(\.prev)?$/;
    await lab.state.saveNow();
    lab.addOrigin('one', serviceEntry);
    await lab.say('one', serviceEntry, { 'a/9': 'new' });
    await lab.state.saveNow();
    faulty.failsOn = undefined;
    await lab.state.saveNow();
    await lab.end();
    const next = newLab();
    await next.load(stateDir);
    expect(next.held('one', serviceEntry)).toEqual({ 'a/9': 'new' });
  });
});

describe('files', () => {
  test('are for this user alone, and only those are written that have changed', async () => {
    const stateDir = tempFolder();
    const lab = newLab();
    await lab.load(stateDir);
    await lab.say('one', serviceEntry, { 'a/1': 'x' });
    await lab.say('two', serviceEntry, { 'b/1': 'x' });
    await lab.state.saveNow();
    const { folder, names } = stateFiles(stateDir);
    expect(names).toEqual(['one.ServiceEntry.state', 'two.ServiceEntry.state']);
    expect(names.map((file) => statSync(join(folder, file)).mode & 0o777)).toEqual([0o600, 0o600]);
    const other = readFileSync(join(folder, 'two.ServiceEntry.state'));
    writeFileSync(join(folder, 'two.ServiceEntry.state'), 'not touched');
    await lab.say('one', serviceEntry, { 'a/1': 'y' });
    await lab.say('two', serviceEntry, { 'b/1': 'x' });
    await lab.state.saveNow();
    expect(readFileSync(join(folder, 'two.ServiceEntry.state'), 'utf8')).toBe('not touched');
    writeFileSync(join(folder, 'two.ServiceEntry.state'), other);
    expect(stateFiles(stateDir).names).toEqual([
      'one.ServiceEntry.state',
      'one.ServiceEntry.state.prev',
      'two.ServiceEntry.state',
    ]);
    await lab.end();
  });

  test('of a holding that waits are not written', async () => {
    const stateDir = tempFolder();
    const lab = newLab();
    await lab.load(stateDir);
    await lab.say('two', serviceEntry, {});
    await lab.state.saveNow();
    expect(stateFiles(stateDir).names).toEqual(['two.ServiceEntry.state']);
    await lab.end();
  });

  test('are written once more at the end', async () => {
    const stateDir = tempFolder();
    const lab = newLab();
    await lab.load(stateDir);
    await lab.say('one', serviceEntry, { 'a/1': 'x' });
    await lab.end();
    const next = newLab();
    await next.load(stateDir);
    expect(next.held('one', serviceEntry)).toEqual({ 'a/1': 'x' });
  });

  test('hold resources larger than a block, and many of them', async () => {
    const stateDir = tempFolder();
    const lab = newLab();
    await lab.load(stateDir);
    const contents = Object.fromEntries(
      Array.from({ length: 900 }, (_, i) => [`a/${i}`, i % 300 === 7 ? 'L'.repeat(400_000) : 's'.repeat(i)]),
    );
    await lab.say('one', serviceEntry, contents);
    await lab.end();
    const next = newLab();
    await next.load(stateDir);
    expect(next.held('one', serviceEntry)).toEqual(contents);
  });
});
