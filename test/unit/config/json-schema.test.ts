import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { configJsonSchema } from '../../../src/config/json-schema.ts';

const root = join(import.meta.dirname, '../../..');
const file = join(root, 'docs/config.schema.json');

type Schema = {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: unknown;
  readonly pattern?: string;
  readonly enum?: readonly unknown[];
};

/** Every setting as `path: schema`. */
function settings(schema: Schema, path = ''): [string, Schema][] {
  const inner = Object.entries((schema.items ?? schema).properties ?? {});
  return inner.flatMap(([name, one]): [string, Schema][] => [[path + name, one], ...settings(one, `${path}${name}.`)]);
}

const all = new Map(settings(configJsonSchema()));

test('the file for editors is what the schema says; UPDATE_GOLDEN=1 writes it', () => {
  const text = `${JSON.stringify(configJsonSchema(), undefined, 2)}\n`;
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(file, text);
  expect(readFileSync(file, 'utf8')).toBe(text);
});

test('every setting is described', () => {
  expect(all.size).toBeGreaterThan(20);
  expect([...all].filter(([, { description }]) => !description?.endsWith('.')).map(([path]) => path)).toEqual([]);
});

test('unknown settings are mistakes in an editor too', () => {
  const mappings = [...all.values()].filter(({ properties }) => properties !== undefined);
  expect(mappings.length).toBeGreaterThan(5);
  expect(mappings.map(({ additionalProperties }) => additionalProperties)).toEqual(mappings.map(() => false));
});

test('what Isthmus refuses, an editor marks', () => {
  const patternOf = (path: string) => new RegExp(all.get(path)?.pattern ?? 'nothing', 'u');
  expect('250ms').toMatch(patternOf('xds.minGap'));
  expect('5 minutes').not.toMatch(patternOf('xds.minGap'));
  expect('127.0.0.1:15410').toMatch(patternOf('xds.listen'));
  expect('localhost').not.toMatch(patternOf('xds.listen'));
  expect('mcp://galley:9901').toMatch(patternOf('sources.address'));
  expect('galley:9901').not.toMatch(patternOf('sources.address'));
  expect(all.get('sources.collections')?.items?.enum).toContain('istio/networking/v1alpha3/serviceentries');
});

test('README shows every setting, and none that is not there', () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  const example = readme.split('```').find((block) => block.includes('# yaml-language-server')) ?? '';
  const lines = example.split('\n').slice(2);
  const shown = lines.flatMap((line) => {
    // Settings that are commented out stay; remarks, which stand to the right of a wide gap, go.
    const [setting = ''] = line.replace(/^ *(# |- )?/, '').split(/ {3}/);
    return Array.from(setting.matchAll(/\b(\w+):( |$)/g), ([, name]) => name);
  });
  const names = Array.from(all.keys(), (path) => path.slice(path.lastIndexOf('.') + 1));
  expect(new Set(shown)).toEqual(new Set(names));
});
