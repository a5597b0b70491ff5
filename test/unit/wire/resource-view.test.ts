import { expect, test } from 'vitest';
import {
  encodeResourceMessage,
  resourceBytes,
  viewResource,
  viewResourceBytes,
} from '../../../src/wire/resource-view.ts';
import { MalformedError } from '../../../src/wire/scan.ts';
import { bytesOf, encoded, serviceEntry } from './encoded.ts';
import { entry, field, fieldsOf, number } from './fields.ts';

const view = {
  name: 'a/b',
  version: 'v1',
  labels: { a: '1', empty: '' },
  annotations: { note: 'ünïcode: 目录' },
  bodyType: serviceEntry,
  body: Buffer.from([1, 2, 3]),
};

test.each([
  '2026-11-23T06:46:19.159Z',
  '1970-01-01T00:00:00.000Z',
  '1969-12-31T23:59:59.999Z',
  '0001-01-01T00:00:00.000Z',
])('what a legacy server would send is read back, with create_time %s', (createTime) => {
  const bytes = encodeResourceMessage({ ...view, createTime: new Date(createTime) });
  expect(viewResourceBytes(bytes)).toEqual({ ...view, createTime });
});

test('what is absent is empty, and create_time undefined', () => {
  const absent = { name: '', version: '', createTime: undefined, labels: {}, annotations: {}, bodyType: '' };
  expect(viewResourceBytes(Buffer.alloc(0))).toEqual({ ...absent, body: Buffer.alloc(0) });
  expect(viewResourceBytes(encodeResourceMessage(view)).createTime).toBeUndefined();
});

test('create_time that no Date can say is undefined', () => {
  const bytes = field(1, field(1, 'a/b'), field(2, number(1, 2n ** 60n)));
  expect(viewResourceBytes(bytes)).toMatchObject({ name: 'a/b', createTime: undefined });
});

test('the type of the body is what stands behind the last slash', () => {
  for (const [url, name] of [
    ['type.googleapis.com/x.Y', 'x.Y'],
    ['example.com/with/path/x.Y', 'x.Y'],
    ['x.Y', 'x.Y'],
    ['', ''],
  ] as const) {
    expect(viewResourceBytes(field(2, field(1, url))).bodyType).toBe(name);
  }
});

test('labels with the names of object members are labels like others', () => {
  const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'];
  const { labels } = viewResourceBytes(field(1, ...names.map((name) => entry(4, name, name))));
  expect(new Map(Object.entries(labels))).toEqual(new Map(names.map((name) => [name, name])));
});

test('the resource inside an encoded one is a view of its bytes, of any length', () => {
  for (const size of [0, 1, 40, 80, 100, 200, 16_000, 16_300, 16_384]) {
    const resource = encoded(
      encodeResourceMessage({ ...view, annotations: { a: 'x'.repeat(size) }, body: Buffer.alloc(0) }),
    );
    const bytes = resourceBytes(resource);
    expect(bytes.buffer).toBe(resource.chunk.buffer);
    expect(fieldsOf(bytes).map((f) => f.id)).toEqual([1, 2]);
    expect(bytesOf(resource).subarray(-bytes.length)).toEqual(bytes);
    expect(viewResource(resource)).toMatchObject({ name: 'a/b', version: resource.version });
  }
});

test('bytes that are no resource are refused', () => {
  expect(() => viewResourceBytes(Buffer.from([0x0a, 9]))).toThrow(MalformedError);
});
