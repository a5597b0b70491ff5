import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { defaultLimits, readInputs } from '../../../../migrate/scan/files.ts';
import { stdinOf } from '../../../support/migrate/check-cases.ts';
import { tempFolder } from '../../../support/temp-folder.ts';

const none = stdinOf('');

/** Paths below the folder. */
async function read(folder: string, limits = {}) {
  const { files, unread } = await readInputs([folder], none, { ...defaultLimits, ...limits });
  return {
    files: files.map(({ file }) => file.slice(folder.length + 1)),
    unread: unread.map(({ file, code, reason }) => [
      file.slice(folder.length + 1),
      code,
      reason.replaceAll(folder, 'FOLDER'),
    ]),
  };
}

test('a folder is walked in the order of names; other files and hidden folders are left out', async () => {
  const folder = tempFolder({
    'b.yml': '',
    'a/z.json': '',
    'a/b/c.yaml': '',
    'c.yaml': '',
    'x.txt': '',
    '.git/d.yaml': '',
  });
  expect(await read(folder)).toEqual({ files: ['a/b/c.yaml', 'a/z.json', 'b.yml', 'c.yaml'], unread: [] });
});

test('links to files are read, as Kubernetes mounts them; links to folders are not followed, one to nowhere is told', async () => {
  const folder = tempFolder({ '..data/mesh.yaml': 'a: b\n' });
  symlinkSync('..data/mesh.yaml', join(folder, 'mesh.yaml'));
  symlinkSync('.', join(folder, 'loop'));
  symlinkSync('nowhere', join(folder, 'gone.yaml'));
  expect(await read(folder)).toEqual({
    files: ['mesh.yaml'],
    unread: [['gone.yaml', 'FILE_UNREAD', 'does not exist']],
  });
});

test('a file that is no text costs itself only', async () => {
  const folder = tempFolder({ 'a.yaml': 'a: b\n', 'c.yaml': '' });
  writeFileSync(join(folder, 'b.yaml'), Buffer.from([0x61, 0xff, 0xfe]));
  expect(await read(folder)).toEqual({
    files: ['a.yaml', 'c.yaml'],
    unread: [['b.yaml', 'FILE_UNREAD', 'is no text in UTF-8']],
  });
});

test('limits of size, count and depth are told, and where they were hit', async () => {
  const folder = tempFolder({
    'a.yaml': '12345678',
    'b.yaml': '1234',
    'c.yaml': '1234',
    'd.yaml': '1',
    'e/f/g.yaml': '',
  });
  expect((await read(folder, { maxFileBytes: 7 })).unread).toEqual([
    ['a.yaml', 'LIMIT_REACHED', 'is larger than 7 bytes'],
  ]);
  expect(await read(folder, { maxFiles: 2 })).toEqual({
    files: ['a.yaml', 'b.yaml'],
    unread: [['c.yaml', 'LIMIT_REACHED', 'there are more than 2 files; what follows in FOLDER was not read']],
  });
  expect(await read(folder, { maxBytes: 13 })).toEqual({
    files: ['a.yaml', 'b.yaml'],
    unread: [
      ['c.yaml', 'LIMIT_REACHED', 'all files together have more than 13 bytes; what follows in FOLDER was not read'],
    ],
  });
  expect((await read(folder, { maxDepth: 1 })).unread).toEqual([
    ['e/f', 'LIMIT_REACHED', 'lies deeper than 1 folders'],
  ]);
});

test('a file is read whatever its name, standard input by -, and both once', async () => {
  const folder = tempFolder({ 'mesh.txt': 'a: b\n' });
  const file = join(folder, 'mesh.txt');
  const { files } = await readInputs([file, '-', file, '-'], stdinOf('\uFEFFc: d\n'));
  expect(files).toEqual([
    { file, text: 'a: b\n' },
    { file: '<stdin>', text: 'c: d\n' },
  ]);
});

test('what was named itself and cannot be read is a mistake of the command line', async () => {
  const folder = tempFolder({ 'large.yaml': '12345678' });
  const gone = join(folder, 'gone.yaml');
  const limits = { ...defaultLimits, maxFileBytes: 7 };
  await expect(readInputs([gone], none)).rejects.toMatchObject({ code: 'USAGE', message: `${gone}: does not exist` });
  await expect(readInputs([join(folder, 'large.yaml')], none, limits)).rejects.toMatchObject({ code: 'USAGE' });
  await expect(readInputs(['-'], stdinOf('12345678'), limits)).rejects.toMatchObject({
    code: 'USAGE',
    message: '<stdin>: is larger than 7 bytes',
  });
  mkdirSync(join(folder, 'empty'));
  expect(await readInputs([join(folder, 'empty')], none)).toEqual({ files: [], unread: [] });
});
