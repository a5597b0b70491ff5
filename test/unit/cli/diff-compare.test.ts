import { describe, expect, test } from 'vitest';
import { compareItems, diffJson, type Item, type ItemView } from '../../../src/cli/diff-compare.ts';

describe('two values', () => {
  test.each<[unknown, unknown, object[]]>([
    [{ a: 1 }, { a: 1 }, []],
    [{ a: 1 }, { a: 2 }, [{ path: 'spec.a', a: 1, b: 2 }]],
    [{ a: 1 }, {}, [{ path: 'spec.a', a: 1 }]],
    [{}, { a: null }, [{ path: 'spec.a', b: null }]],
    [{ a: { b: 1, c: 2 } }, { a: { c: 3, b: 1 } }, [{ path: 'spec.a.c', a: 2, b: 3 }]],
    [{ 'app.kubernetes.io/name': 'a' }, {}, [{ path: 'spec["app.kubernetes.io/name"]', a: 'a' }]],
    [{ a: [1] }, { a: { 0: 1 } }, [{ path: 'spec.a', a: [1], b: { 0: 1 } }]],
    [1, 'a', [{ path: 'spec', a: 1, b: 'a' }]],
  ])('%j and %j', (a, b, expected) => {
    expect(diffJson(a, b, ['spec'])).toEqual(expected);
  });

  test('what is put into a list, or taken out, does not make all behind it differ', () => {
    expect(diffJson([1, 2, 4], [1, 2, 3, 4])).toEqual([{ path: '[2]', b: 3 }]);
    expect(diffJson([1, 2, 3, 4], [1, 4])).toEqual([
      { path: '[1]', a: 2 },
      { path: '[2]', a: 3 },
    ]);
    expect(diffJson([1, 1], [1])).toEqual([{ path: '[1]', a: 1 }]);
    expect(diffJson([], [1])).toEqual([{ path: '[0]', b: 1 }]);
  });

  test('an object in a list is compared field by field', () => {
    expect(diffJson([{ x: 1, y: 1 }, 5], [{ x: 1, y: 2 }, 5])).toEqual([{ path: '[0].y', a: 1, b: 2 }]);
  });
});

const view: ItemView = {
  labels: {},
  annotations: {},
  createTime: undefined,
  spec: undefined,
  body: undefined,
  isPartial: false,
};

let reads = 0;

function item(key: string, content: string, parts: Partial<ItemView> & { version?: string } = {}): Item {
  const { version, ...rest } = parts;
  return {
    key,
    content,
    version,
    bytes: 10,
    view: async () => {
      reads++;
      return { ...view, ...rest };
    },
  };
}

async function pair(a: Item, b: Item, strict = false) {
  const { differences, equal } = await compareItems('ServiceEntry', [a], [b], strict);
  return { equal, differs: differences.map((one) => one.differs), fields: differences.flatMap((one) => one.fields) };
}

describe('two resources', () => {
  test('of one content are equal, whatever their versions are, and neither is read', async () => {
    reads = 0;
    expect(await pair(item('a/b', 'x', { version: '1' }), item('a/b', 'x', { version: '2' }))).toMatchObject({
      equal: 1,
    });
    expect(reads).toBe(0);
  });

  test('strictly, differ in version and create time', async () => {
    const a = item('a/b', 'x', { version: '1', createTime: '2020-01-01T00:00:00Z' });
    const b = item('a/b', 'x', { version: '2', createTime: '2021-01-01T00:00:00Z' });
    expect(await pair(a, b, true)).toEqual({
      equal: 0,
      differs: [['version', 'createTime']],
      fields: [
        { path: 'version', a: '1', b: '2' },
        { path: 'metadata.creationTimestamp', a: '2020-01-01T00:00:00Z', b: '2021-01-01T00:00:00Z' },
      ],
    });
    expect(await pair(a, item('a/b', 'x'), true)).toMatchObject({ equal: 1 });
  });

  test('differ in what is said', async () => {
    const a = item('a/b', 'x', { labels: { l: '1' }, annotations: { n: '1' }, spec: { hosts: ['a'] } });
    const b = item('a/b', 'y', { labels: {}, annotations: { n: '2' }, spec: { hosts: ['b'] } });
    expect(await pair(a, b)).toEqual({
      equal: 0,
      differs: [['labels', 'annotations', 'spec']],
      fields: [
        { path: 'metadata.labels.l', a: '1' },
        { path: 'metadata.annotations.n', a: '1', b: '2' },
        { path: 'spec.hosts[0]', a: 'a', b: 'b' },
      ],
    });
  });

  test('that say the same in other bytes are equal', async () => {
    const spec = { hosts: ['a'] };
    expect(await pair(item('a/b', 'x', { spec }), item('a/b', 'y', { spec }))).toMatchObject({ equal: 1 });
  });

  test('that differ in fields nobody can read do differ', async () => {
    const spec = { hosts: ['a'] };
    const a = item('a/b', 'x', { spec, isPartial: true });
    expect(await pair(a, item('a/b', 'y', { spec, isPartial: true }))).toMatchObject({ equal: 0, differs: [['body']] });
  });

  test('of a kind that can’t be read are compared by their bytes, or by their version', async () => {
    const a = item('a/b', 'x', { body: Buffer.from('ab') });
    expect(await pair(a, item('a/b', 'y', { body: Buffer.from('abc') }))).toEqual({
      equal: 0,
      differs: [['body']],
      fields: [{ path: 'spec', a: '(2 bytes)', b: '(3 bytes)' }],
    });
    expect(await pair(a, item('a/b', 'y', { labels: undefined, annotations: undefined }))).toMatchObject({
      equal: 0,
      differs: [['body']],
    });
    const labelled = item('a/b', 'y', { body: Buffer.from('ab'), labels: { l: '1' } });
    expect(await pair(a, labelled)).toMatchObject({ differs: [['labels']] });
  });
});

test('what one side lacks is said, in the order of names', async () => {
  const { differences, equal } = await compareItems(
    'ServiceEntry',
    [item('c/c', 'x'), item('a/a', 'x'), item('b/b', 'x')],
    [item('d/d', 'x'), item('b/b', 'x')],
    false,
  );
  expect(equal).toBe(1);
  expect(differences.map((one) => `${one.in} ${one.name}`)).toEqual(['A a/a', 'A c/c', 'B d/d']);
});

test('a failure to read is a failure, and no difference', async () => {
  const broken: Item = { ...item('a/b', 'y'), view: () => Promise.reject(new Error('gone')) };
  await expect(compareItems('ServiceEntry', [item('a/b', 'x')], [broken], false)).rejects.toThrow('gone');
});
