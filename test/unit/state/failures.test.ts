import { chmodSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { lockTtlMs } from '../../../src/state/folder-lock.ts';
import { loadWithinMs, saveEveryMs } from '../../../src/state/last-known-good.ts';
import { realFs, type StateFs } from '../../../src/state/state-file.ts';
import { eventually } from '../../support/eventually.ts';
import { FaultyFs } from '../../support/faulty-fs.ts';
import { serviceEntry } from '../../support/resources.ts';
import { skipWhere } from '../../support/skip-where.ts';
import { StateLab, stateFiles } from '../../support/state-lab.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const old = { 'a/1': 'old', 'a/2': 'old' };
const news = { 'a/1': 'new', 'a/3': 'new' };
const alarm = 'cannot save what is known; a restart now would serve what was saved before: ';

function newLab(): StateLab {
  const lab = new StateLab();
  lab.addOrigin('one', serviceEntry);
  return lab;
}

/** What a process would serve that starts now. */
async function rememberedIn(stateDir: string): Promise<Record<string, string>> {
  const lab = newLab();
  await lab.load(stateDir);
  expect(lab.state.view.problems).toEqual([]);
  return lab.held('one', serviceEntry);
}

describe.each(['ENOSPC', 'EIO', 'EROFS', 'EACCES'])('a disk that says %s', (code) => {
  test('at any step of a save loses nothing that was saved, and is an alarm until it works again', async () => {
    const outcomes = new Set<string>();
    for (let step = 0; ; step++) {
      const stateDir = tempFolder();
      const faulty = new FaultyFs();
      faulty.code = code;
      const lab = newLab();
      await lab.load(stateDir, faulty.fs);
      await lab.say('one', serviceEntry, old);
      await lab.state.saveNow();
      await lab.say('one', serviceEntry, news);
      const begun = faulty.operations.length;
      faulty.failsFrom = begun + step;
      await lab.state.saveNow();
      const failed = faulty.operations.length > faulty.failsFrom;
      faulty.failsFrom = undefined;
      const remembered = await rememberedIn(stateDir);
      expect([old, news], faulty.operations.slice(begun).join()).toContainEqual(remembered);
      if (!failed) {
        expect([remembered, lab.log.of('error')]).toEqual([news, []]);
        break;
      }
      outcomes.add(JSON.stringify(remembered));
      expect(lab.state.view).toMatchObject({ failing: { code }, files: [{ isDue: lab.state.view.files[0]?.isDue }] });
      expect(lab.log.of('error')).toEqual([`${alarm}${code}: it fails`]);
      lab.flush();
      expect(lab.published(serviceEntry)).toEqual(news);

      await lab.state.saveNow();
      expect(lab.state.view).toMatchObject({ failing: undefined, files: [{ isDue: false }] });
      expect(lab.log.of('info').at(-1)).toBe('what is known is saved again');
      expect(await rememberedIn(stateDir)).toEqual(news);
      expect(stateFiles(stateDir).names).toEqual(['one.ServiceEntry.state', 'one.ServiceEntry.state.prev']);
    }
    // Steps before the last rename, and after it.
    expect(outcomes.size).toBe(2);
  });
});

test('a full device, as the kernel says it: an alarm with what to do, once, and what was saved stays', async () => {
  const stateDir = tempFolder();
  let isFull = false;
  const opened: string[] = [];
  const fs: StateFs = {
    ...realFs,
    open: (path, flags, mode) => {
      if (!isFull || !String(path).endsWith('.tmp')) return open(path, flags, mode);
      opened.push(String(path));
      return open('/dev/full', 'w');
    },
  };
  const lab = newLab();
  await lab.load(stateDir, fs);
  await lab.say('one', serviceEntry, old);
  await lab.state.saveNow();
  isFull = true;
  await lab.say('one', serviceEntry, news);
  await lab.state.saveNow();
  await lab.state.saveNow();
  expect(opened).toHaveLength(2);
  expect(lab.log.of('error')).toEqual([expect.stringMatching(`^${alarm}ENOSPC`)]);
  expect(lab.log.lines.at(-1)?.fields).toMatchObject({ code: 'ENOSPC', hint: 'make room on that disk' });
  expect(await rememberedIn(stateDir)).toEqual(old);
  isFull = false;
  await lab.end();
  expect(await rememberedIn(stateDir)).toEqual(news);
});

test('a folder that may not be written to', async (context) => {
  skipWhere(process.getuid?.() === 0, 'nothing is forbidden to root', context);
  const stateDir = tempFolder();
  chmodSync(stateDir, 0o500);
  const lab = newLab();
  await lab.load(stateDir);
  await lab.say('one', serviceEntry, news);
  await lab.state.saveNow();
  expect(lab.state.view.failing).toMatchObject({
    code: 'EACCES',
    hint: 'make it a folder that this user may write to',
  });
});

test('a state folder that is a file', async () => {
  const stateDir = join(tempFolder({ state: 'a file' }), 'state');
  const lab = newLab();
  await lab.load(stateDir);
  await lab.say('one', serviceEntry, news);
  await lab.end();
  expect(lab.state.view.failing?.code).toMatch(/ENOTDIR|EEXIST/);
});

test('a folder that everybody may write to is warned of', async () => {
  const stateDir = tempFolder({ 'last-known-good/x': '' });
  chmodSync(join(stateDir, 'last-known-good'), 0o777);
  const lab = newLab();
  await lab.load(stateDir);
  expect(lab.log.of('warn')).toEqual([expect.stringContaining('everybody on this host may write')]);
});

describe('a disk that does not answer', () => {
  test('when it is to be read: the sources are asked without it', async () => {
    const lab = newLab();
    const state = lab.open(tempFolder(), { ...realFs, lstat: () => new Promise<never>(() => {}) });
    const loading = state.load();
    await eventually(() => expect(lab.clock.timers).toBe(1));
    lab.clock.advance(loadWithinMs);
    await loading;
    expect(lab.log.of('error')[0]).toContain('the disk has not answered for 30 s');
    await lab.say('one', serviceEntry, news);
    lab.flush();
    expect(lab.published(serviceEntry)).toEqual(news);
  });

  test('when it is to be written: it is an alarm, and the process can end', async () => {
    const lab = newLab();
    await lab.load(tempFolder(), { ...realFs, mkdir: () => new Promise<never>(() => {}) });
    await lab.say('one', serviceEntry, news);
    lab.flush();
    void lab.state.saveNow();
    await eventually(() => expect(lab.clock.timers).toBe(1));
    lab.clock.advance(60_000);
    expect(lab.state.view.failing).toMatchObject({ code: 'SLOW' });
    const stopped = lab.state.stop(5000);
    await eventually(() => expect(lab.clock.timers).toBe(1));
    lab.clock.advance(5000);
    await stopped;
  });
});

describe('how often', () => {
  async function begin() {
    const faulty = new FaultyFs();
    const lab = newLab();
    await lab.load(tempFolder(), faulty.fs);
    lab.state.start();
    await lab.state.idle;
    /** Times at which the file was begun to be written, in seconds. */
    const attempts: number[] = [];
    const pass = async (seconds: number) => {
      for (let end = lab.clock.now() + seconds * 1000; lab.clock.now() < end; ) {
        const before = faulty.operations.length;
        lab.clock.advance(saveEveryMs);
        await lab.state.idle;
        const begun = faulty.operations.slice(before).filter((one) => /^open .*\.tmp$/.test(one));
        for (const _ of begun) attempts.push(lab.clock.now() / 1000);
      }
    };
    return { lab, faulty, attempts, pass };
  }

  test('many changes in five seconds are one write, and none are none', async () => {
    const { lab, attempts, pass } = await begin();
    for (let i = 0; i < 50; i++) await lab.say('one', serviceEntry, { 'a/1': String(i) });
    await pass(20);
    expect(attempts).toEqual([5]);
    await lab.say('one', serviceEntry, { 'a/1': 'another' });
    await pass(20);
    expect(attempts).toEqual([5, 25]);
  });

  test('what fails is tried less and less often, once a minute at last', async () => {
    const { lab, faulty, attempts, pass } = await begin();
    await lab.say('one', serviceEntry, news);
    faulty.failsOn = /^write .*\.tmp$/;
    await pass(300);
    expect(attempts).toEqual([5, 10, 20, 40, 80, 140, 200, 260]);
    expect(lab.log.of('error')).toHaveLength(1);
    faulty.failsOn = undefined;
    await pass(30);
    expect(attempts.at(-1)).toBe(320);
    expect(lab.state.view.failing).toBeUndefined();
  });
});

describe('two processes in one folder', () => {
  test('the second one serves what it finds, saves nothing, and says who is there', async () => {
    const stateDir = tempFolder();
    const [one, two] = [newLab(), newLab()];
    await one.load(stateDir);
    await one.say('one', serviceEntry, old);
    await one.state.saveNow();
    await two.load(stateDir);
    expect(two.held('one', serviceEntry)).toEqual(old);
    await two.say('one', serviceEntry, news);
    await two.state.saveNow();
    expect(two.log.of('info').at(-1)).toContain('nothing is saved for a minute');
    one.clock.advance(saveEveryMs);
    await one.state.saveNow();
    await two.state.saveNow();
    expect(two.state.view.failing).toMatchObject({
      code: 'LOCKED',
      what: expect.stringContaining(`process ${process.pid} on `),
      hint: 'give each bridge a state folder of its own',
    });
    expect(await rememberedIn(stateDir)).toEqual(old);

    await one.end();
    await two.state.saveNow();
    expect(two.state.view.failing).toBeUndefined();
    expect(await rememberedIn(stateDir)).toEqual(news);
  });

  test('of which the first one was killed: its lock counts for a minute', async () => {
    const stateDir = tempFolder();
    const [killed, next] = [newLab(), newLab()];
    await killed.load(stateDir);
    await killed.say('one', serviceEntry, old);
    await killed.state.saveNow();
    await next.load(stateDir);
    await next.say('one', serviceEntry, news);
    await next.state.saveNow();
    next.clock.advance(lockTtlMs - 1);
    await next.state.saveNow();
    expect(await rememberedIn(stateDir)).toEqual(old);
    next.clock.advance(1);
    await next.state.saveNow();
    expect(await rememberedIn(stateDir)).toEqual(news);
    expect(next.log.of('error')).toEqual([]);

    // It was not killed after all.
    await killed.say('one', serviceEntry, { 'a/1': 'older' });
    await killed.state.saveNow();
    expect(await rememberedIn(stateDir)).toEqual(news);
  });

  test('a lock that nobody can read counts for a minute too', async () => {
    const stateDir = tempFolder({ 'last-known-good/lock': '' });
    const lab = newLab();
    await lab.load(stateDir);
    await lab.say('one', serviceEntry, news);
    await lab.state.saveNow();
    expect(stateFiles(stateDir).names).toEqual([]);
    lab.clock.advance(lockTtlMs);
    await lab.state.saveNow();
    expect(await rememberedIn(stateDir)).toEqual(news);
  });
});
