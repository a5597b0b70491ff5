import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseYaml } from '../../../src/schema/yaml.ts';

test('the example services are read without a finding, and no name occurs twice', () => {
  const folder = new URL('../../../examples/services/', import.meta.url);
  const files = readdirSync(folder);
  const read = files.map((file) => parseYaml(readFileSync(new URL(file, folder), 'utf8'), file));
  expect(read.flatMap(({ findings }) => findings)).toEqual([]);
  const names = read.flatMap(({ resources }) =>
    resources.map(({ kind, namespace, name }) => `${kind.kind} ${namespace}/${name}`),
  );
  expect(new Set(names).size).toBe(names.length);
  expect(files.length).toBe(8);
  expect(names.length).toBe(9);
});
