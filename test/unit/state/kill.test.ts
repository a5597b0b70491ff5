import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { Random } from '../../support/istiod/random.ts';
import { serviceEntry } from '../../support/resources.ts';
import { skipWhere } from '../../support/skip-where.ts';
import { StateLab, stateFiles } from '../../support/state-lab.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const writer = join(import.meta.dirname, '../../support/state-writer.ts');
const kills = 12;

/** The state that is remembered in a folder: its number, after a look at whether it is one that was ever said. */
async function rememberedIn(stateDir: string): Promise<number> {
  const lab = new StateLab();
  lab.addOrigin('one', serviceEntry);
  await lab.load(stateDir);
  expect(lab.state.view.problems).toEqual([]);
  const held = lab.held('one', serviceEntry);
  const n = Number.parseInt(held['a/0'] ?? '0', 10);
  if (n === 0) return 0;
  const content = String(n).padEnd(1 + ((n * 37) % 5000), '.');
  const said = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`a/${i}`, content]));
  expect(held).toEqual({ ...said, [`b/${n}`]: 'comes and goes' });
  return n;
}

test('killed at any moment of writing, a process leaves one whole state, no older than the last that was saved', async () => {
  const stateDir = tempFolder();
  const random = new Random(Number(process.env.ISTHMUS_SEED ?? 20_260_101));
  for (let i = 0; i < kills; i++) {
    const child = spawn(process.execPath, ['--import', 'tsx', writer, stateDir], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let printed = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
    });
    const rounds = 1 + random.below(8);
    while (printed.split('\n').length <= rounds) await once(child.stdout, 'data');
    // The moment is what is random here; nothing depends on it.
    await wait(random.below(25));
    child.kill('SIGKILL');
    await once(child, 'close');
    const saved = Number(printed.trimEnd().split('\n').at(-1));
    const remembered = await rememberedIn(stateDir);
    expect(remembered, `seed, kill ${i}`).toBeGreaterThanOrEqual(saved);
    // Of a state that was saved, nobody may have been told yet.
    expect(remembered).toBeLessThanOrEqual(saved + 2);
  }
}, 180_000);

describe('the lock of a process that was killed', () => {
  /** A state folder in which a process was killed that had saved something, and the lock that it left. */
  async function killed(): Promise<{ stateDir: string; lock: string }> {
    const stateDir = tempFolder();
    const child = spawn(process.execPath, ['--import', 'tsx', writer, stateDir], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'close');
    return { stateDir, lock: join(stateFiles(stateDir).folder, 'lock') };
  }

  /** Whether the next process saves without waiting. */
  async function savesAtOnce(stateDir: string): Promise<boolean> {
    const lab = new StateLab();
    lab.addOrigin('one', serviceEntry);
    await lab.load(stateDir);
    await lab.say('one', serviceEntry, { 'a/0': '1' });
    await lab.state.saveNow();
    return lab.state.view.files.every(({ isDue }) => !isDue);
  }

  test('counts no more where that process can be looked for', async (context) => {
    skipWhere(!existsSync('/proc/self/stat'), 'there is no /proc here to look for a process in', context);
    const { stateDir } = await killed();
    expect(await savesAtOnce(stateDir)).toBe(true);
  });

  test.each([
    ['of another boot', { home: 'another boot pid:[4026531836]' }],
    ['that says nothing of it', { home: undefined }],
    ['without a number', { pid: 'none' }],
  ])('counts for a minute: one %s', async (_, change) => {
    const { stateDir, lock } = await killed();
    const content = JSON.parse(readFileSync(lock, 'utf8')) as object;
    writeFileSync(lock, JSON.stringify({ ...content, ...change }));
    expect(await savesAtOnce(stateDir)).toBe(false);
  });
});
