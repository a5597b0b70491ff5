import { createHash } from 'node:crypto';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { legacyResource, serviceEntry } from '../../support/resources.ts';
import { StateLab, stateFiles } from '../../support/state-lab.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { field, fields } from '../../support/wire-bytes.ts';

const file = 'last-known-good/one.ServiceEntry.state';
const first = { 'a/1': 'x', 'a/2': 'y' };
const second = { 'a/1': 'x', 'a/2': 'z', 'é/3': 'new', 'a/4': 'w' };
const truth = { 'a/1': 'truth', 'a/5': 'x' };

/** Both generations of a file that has everything in it: resources, one in quarantine, one withheld. */
let previous: Buffer;
let current: Buffer;

function newLab(): StateLab {
  const lab = new StateLab();
  lab.addOrigin('one', serviceEntry);
  return lab;
}

beforeAll(async () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'isthmus-test-'));
  const lab = newLab();
  await lab.load(stateDir);
  await lab.say('one', serviceEntry, first);
  await lab.state.saveNow();
  const { 'a/4': _w, ...named } = second;
  await lab.say('one', serviceEntry, second);
  const bad = [fields(field(1, field(1, 'a/9'))), legacyResource('no/good/name')];
  const good = Object.entries(named).map(([name, content]) => legacyResource(name, content));
  await lab.deliver('one', serviceEntry, [...good, ...bad]);
  await lab.end();
  current = readFileSync(join(stateDir, file));
  previous = readFileSync(join(stateDir, `${file}.prev`));
  rmSync(stateDir, { recursive: true });
});

function folderWith(files: Readonly<Record<string, Uint8Array | undefined>>): string {
  const stateDir = tempFolder();
  mkdirSync(join(stateDir, 'last-known-good'));
  for (const [name, bytes] of Object.entries(files)) {
    if (bytes !== undefined) writeFileSync(join(stateDir, `${file}${name}`), bytes);
  }
  return stateDir;
}

/** A next life on these files: what it serves at first. The source's truth must be all that is left of it. */
async function live(stateDir: string) {
  const lab = newLab();
  await lab.load(stateDir);
  lab.flush();
  const served = lab.published(serviceEntry);
  const quarantined = lab.store.holding('one', serviceEntry.id).quarantine.size;
  await lab.say('one', serviceEntry, truth);
  lab.flush();
  expect(lab.published(serviceEntry)).toEqual(truth);
  return { served, quarantined, lab };
}

/** The same, and a life after it. */
async function liveTwice(stateDir: string) {
  const life = await live(stateDir);
  await life.lab.end();
  const next = newLab();
  await next.load(stateDir);
  expect([next.held('one', serviceEntry), next.state.view.problems]).toEqual([truth, []]);
  return life;
}

/** Every tenth place of the file. */
function places(): number[] {
  return Array.from({ length: Math.ceil(current.length / 10) }, (_, i) => i * 10);
}

function flipped(bytes: Buffer, place: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[place] = (copy[place] as number) ^ (1 << (place % 8));
  return copy;
}

/** With the checksum that belongs to it now. */
function sealed(bytes: Buffer): Buffer {
  const content = bytes.subarray(0, -32);
  return Buffer.concat([content, createHash('sha256').update(content).digest()]);
}

test('unharmed, it is read, all of it', async () => {
  const { served, lab } = await liveTwice(folderWith({ '': current, '.prev': previous }));
  expect([served, lab.state.view.problems, lab.log.of('error')]).toEqual([second, [], []]);
});

describe.each([
  ['cut', (place: number) => current.subarray(0, place)],
  ['flipped', (place: number) => flipped(current, place)],
])('%s at every tenth byte', (_what, harm) => {
  test('the generation before it is served, and then the truth', async () => {
    expect(places().length).toBeGreaterThan(100);
    for (const place of places()) {
      const { served, lab } = await live(folderWith({ '': harm(place), '.prev': previous }));
      expect(served, `at ${place}`).toEqual(first);
      expect(lab.state.view.problems).toHaveLength(1);
      expect(lab.log.of('error')).toEqual([expect.stringContaining("a last-known-good file can't be read: ")]);
    }
  });

  test('where there is none before it, its source is waited for', async () => {
    for (const place of places()) {
      const { served } = await live(folderWith({ '': harm(place) }));
      expect(served, `at ${place}`).toBeUndefined();
    }
  });

  test('it can still be looked at', async () => {
    const stateDir = folderWith({ '': harm(500), '.prev': previous });
    const { lab } = await liveTwice(stateDir);
    expect(readFileSync(join(stateDir, `${file}.damaged`))).toEqual(harm(500));
    expect(lab.state.view.problems).toMatchObject([
      { file: join(stateDir, file), next: expect.stringContaining('.damaged now; the one before it is tried') },
    ]);
  });
});

test('flipped at every tenth byte, with a checksum that is right: what is served is what its source has said', async () => {
  let refused = 0;
  let quarantines = 0;
  for (const place of places().filter((one) => one < current.length - 32)) {
    const folder = folderWith({ '': sealed(flipped(current, place)), '.prev': previous });
    const { served = {}, quarantined } = await live(folder);
    if (served['a/2'] === first['a/2']) {
      refused++;
      expect(served, `at ${place}`).toEqual(first);
      continue;
    }
    // No name and no content is another one; a resource that is none any more is in quarantine. Times are not told apart.
    expect(second, `at ${place}`).toMatchObject(served);
    const lacking = Object.keys(second).length - Object.keys(served).length;
    expect(quarantined, `at ${place}`).toBe(2 + lacking);
    quarantines += lacking;
  }
  expect(refused).toBeGreaterThan(40);
  expect(quarantines).toBeGreaterThan(0);
});

describe('both generations damaged', () => {
  test('are as good as none, and one of them is kept', async () => {
    const stateDir = folderWith({
      '': current.subarray(1),
      '.prev': previous.subarray(1),
      '.damaged': Buffer.from('old'),
    });
    const { served, lab } = await liveTwice(stateDir);
    expect([served, lab.state.view.problems.length]).toEqual([undefined, 2]);
    expect(readFileSync(join(stateDir, `${file}.damaged`))).toEqual(current.subarray(1));
    expect(stateFiles(stateDir).names.filter((name) => name.endsWith('.damaged'))).toHaveLength(1);
  });

  test('the second one alone, there being no first one', async () => {
    const stateDir = folderWith({ '.prev': previous.subarray(1) });
    expect((await liveTwice(stateDir)).served).toBeUndefined();
    expect(readFileSync(join(stateDir, `${file}.damaged`))).toEqual(previous.subarray(1));
  });
});

describe('a file', () => {
  test('that is missing, as it is between two renames, costs nothing', async () => {
    const { served, lab } = await liveTwice(folderWith({ '.prev': previous, '.tmp': current.subarray(0, 99) }));
    expect([served, lab.state.view.problems]).toEqual([first, []]);
  });

  test('of a newer format is not read, not overwritten, and said to be so', async () => {
    const newer = Buffer.from(current);
    newer.write('isthmus last-known-good 2\n', 'latin1');
    const stateDir = folderWith({ '': newer, '.prev': previous });
    const { served, lab } = await liveTwice(stateDir);
    expect(served).toEqual(first);
    expect(lab.log.of('error')).toEqual([
      expect.stringContaining('it has format 2, and this Isthmus knows format 1 only'),
    ]);
    expect(readFileSync(join(stateDir, `${file}.format-2`))).toEqual(newer);
  });

  test('of another source or kind is not taken for this one', async () => {
    const stateDir = tempFolder();
    const other = new StateLab();
    other.addOrigin('two', serviceEntry);
    await other.load(stateDir);
    await other.say('two', serviceEntry, first);
    await other.end();
    renameSync(join(stateDir, 'last-known-good/two.ServiceEntry.state'), join(stateDir, file));
    const { served, lab } = await liveTwice(stateDir);
    expect(served).toBeUndefined();
    expect(lab.log.of('error')).toEqual([expect.stringContaining(`it is the ${serviceEntry.id} of source two`)]);
  });

  test.each([
    ['a folder', (path: string) => mkdirSync(path)],
    ['a link to a device that never ends', (path: string) => symlinkSync('/dev/zero', path)],
  ])('that is %s is no file', async (_what, make) => {
    const stateDir = folderWith({});
    make(join(stateDir, file));
    const lab = newLab();
    await lab.load(stateDir);
    expect(lab.log.of('error')).toEqual([expect.stringContaining('it is no regular file')]);
    expect(lab.published(serviceEntry)).toBeUndefined();
  });

  test('with the same resource twice is damaged', async () => {
    const at = current.indexOf(Buffer.from('type.googleapis.com/istio.mcp.v1alpha1.Resource')) - 4;
    const start = current.lastIndexOf(0x72, at);
    const end = start + 5 + current.readUInt32LE(start + 1);
    const record = current.subarray(start, end);
    const counts = Buffer.from(current.toString('latin1').replace('"resources":4', '"resources":8'), 'latin1');
    const twice = Buffer.concat([counts.subarray(0, end), record, counts.subarray(end)]);
    const { served, lab } = await liveTwice(folderWith({ '': sealed(twice) }));
    expect(served).toBeUndefined();
    expect(lab.log.of('error')).toEqual([expect.stringContaining('not what their versions say')]);
  });
});

test('a file as format 1 has been from the beginning is read', async () => {
  const stateDir = folderWith({});
  copyFileSync(join(import.meta.dirname, 'fixtures/one.ServiceEntry.state'), join(stateDir, file));
  const { served, lab } = await liveTwice(stateDir);
  expect([served, lab.log.of('error')]).toEqual([second, []]);
});

test('what can’t be moved away is not overwritten where it is of a newer format', async () => {
  const newer = Buffer.from(current);
  newer.write('isthmus last-known-good 2\n', 'latin1');
  const stateDir = folderWith({ '': newer });
  mkdirSync(join(stateDir, `${file}.format-2`, 'in the way'), { recursive: true });
  const lab = newLab();
  await lab.load(stateDir);
  await lab.say('one', serviceEntry, truth);
  await lab.end();
  expect(readFileSync(join(stateDir, file))).toEqual(newer);
  expect(lab.state.view.failing?.what).toContain("is of another format and can't be moved away");
});
