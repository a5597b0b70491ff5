import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { RefusalMemory } from '../../../src/legacy/refusal-memory.ts';
import { eventually } from '../../support/eventually.ts';
import { MemoryLogger } from '../../support/memory-logger.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const log = new MemoryLogger();
const fileIn = (folder: string) => join(folder, 'collections.json');
const written = (folder: string): unknown => JSON.parse(readFileSync(fileIn(folder), 'utf8'));

describe('what is remembered', () => {
  test('is known to the next process, per source', async () => {
    const folder = tempFolder();
    const memory = new RefusalMemory(folder, log);
    expect(memory.of('a', 'here')).toEqual(new Map());
    memory.remember('a', 'here', new Map([['x/y', 17]]));
    memory.remember('b', 'there', new Map([['x/z', 18]]));
    await eventually(() =>
      expect(written(folder)).toEqual({ a: { '@server': 'here', 'x/y': 17 }, b: { '@server': 'there', 'x/z': 18 } }),
    );
    const next = new RefusalMemory(folder, log);
    expect([next.of('a', 'here'), next.of('b', 'there'), next.of('c', 'here')]).toEqual([
      new Map([['x/y', 17]]),
      new Map([['x/z', 18]]),
      new Map(),
    ]);
  });

  test('says nothing of another server under the same name', async () => {
    const folder = tempFolder({ 'collections.json': '{"a":{"@server":"old:9901","x/y":17},"b":{"x/y":17}}' });
    const memory = new RefusalMemory(folder, log);
    expect([memory.of('a', 'new:9901'), memory.of('a', 'old:9901')]).toEqual([new Map(), new Map([['x/y', 17]])]);
    // An earlier Isthmus did not say whom it meant.
    expect(memory.of('b', 'any:9901')).toEqual(new Map([['x/y', 17]]));
  });

  test('replaces what was remembered of that source', async () => {
    const folder = tempFolder({ 'collections.json': '{"a":{"x/y":17},"b":{"x/y":17}}' });
    const memory = new RefusalMemory(folder, log);
    memory.remember('a', 'here', new Map([['x/z', 18]]));
    memory.remember('b', 'there', new Map());
    await eventually(() =>
      expect(written(folder)).toEqual({ a: { '@server': 'here', 'x/z': 18 }, b: { '@server': 'there' } }),
    );
  });

  test('is the last of many, and leaves no other file behind', async () => {
    const folder = tempFolder();
    const memory = new RefusalMemory(folder, log);
    for (let n = 1; n <= 20; n++) memory.remember('a', 'here', new Map([['x', n]]));
    await eventually(() => expect(written(folder)).toEqual({ a: { '@server': 'here', x: 20 } }));
    await eventually(() => expect(readdirSync(folder)).toEqual(['collections.json']));
    expect(statSync(fileIn(folder)).mode & 0o777).toBe(0o600);
  });

  test('needs no folder: it is made', async () => {
    const folder = join(tempFolder(), 'not', 'there');
    new RefusalMemory(folder, log).remember('a', 'here', new Map([['x', 1]]));
    await eventually(() => expect(written(folder)).toEqual({ a: { '@server': 'here', x: 1 } }));
  });

  test('without a folder is known to this process alone', () => {
    const memory = new RefusalMemory(undefined, log);
    memory.remember('a', 'here', new Map([['x', 1]]));
    expect(memory.of('a', 'here')).toEqual(new Map([['x', 1]]));
    expect(new RefusalMemory(undefined, log).of('a', 'here')).toEqual(new Map());
  });
});

describe('a damaged file', () => {
  test.each([
    ['is empty', ''],
    ['is cut short', '{"a":{"x"'],
    ['is a list', '[]'],
    ['is null', 'null'],
    ['is a number', '7'],
  ])('that %s is as good as none, and said in the log', async (_what, text) => {
    const folder = tempFolder({ 'collections.json': text });
    const own = new MemoryLogger();
    const memory = new RefusalMemory(folder, own);
    expect(memory.of('a', 'here')).toEqual(new Map());
    expect(own.of('warn')).toEqual(['cannot read the remembered collections; learning them again']);
    memory.remember('a', 'here', new Map([['x', 1]]));
    await eventually(() => expect(written(folder)).toEqual({ a: { '@server': 'here', x: 1 } }));
  });

  test.each([
    ['null', 'null'],
    ['text', '"x"'],
    ['a list', '["x"]'],
    ['times that are none', '{"x":"1","y":null}'],
  ])('that has %s where a source’s refusals should be loses those only', (_what, text) => {
    const folder = tempFolder({ 'collections.json': `{"a":${text},"b":{"x":1}}` });
    const memory = new RefusalMemory(folder, log);
    expect([memory.of('a', 'here'), memory.of('b', 'here')]).toEqual([new Map(), new Map([['x', 1]])]);
  });
});

describe('a folder that cannot be used', () => {
  test('as it is a file, is an error at once', () => {
    const folder = tempFolder({ state: 'a file' });
    expect(() => new RefusalMemory(join(folder, 'state'), log)).toThrow(/EEXIST|ENOTDIR/);
  });

  test('for writing is said in the log; the refusals are known to this process', async () => {
    const folder = tempFolder();
    mkdirSync(fileIn(folder));
    const own = new MemoryLogger();
    const memory = new RefusalMemory(folder, own);
    memory.remember('a', 'here', new Map([['x', 1]]));
    await eventually(() => own.of('warn').length === 2);
    expect(own.of('warn')[1]).toBe('cannot remember unsupported collections');
    expect(memory.of('a', 'here')).toEqual(new Map([['x', 1]]));
  });
});
