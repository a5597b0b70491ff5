import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import yargs from 'yargs';
import { configOptions } from '../../../src/cli/config-flags.ts';
import { configJsonSchema } from '../../../src/config/json-schema.ts';

type Schema = { readonly properties?: Readonly<Record<string, Schema>>; readonly default?: string };

const page = readFileSync(join(import.meta.dirname, '../../../docs/listeners.md'), 'utf8');

/** Cells of the table, without the marks of code. */
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) => line.slice(2, -2).replaceAll('`', '').split(' | '));

/** Each listener that the config knows: its setting, its flag, and where it is unless one says otherwise. */
const listeners = Object.entries((configJsonSchema() as Schema).properties ?? {}).flatMap(([group, { properties }]) => {
  const listen = properties?.['listen'];
  if (listen === undefined) return [];
  return { setting: `${group}.listen`, flag: `--${group}-listen`, address: listen.default ?? 'off' };
});

test('docs/listeners.md has every listener, with its flag and its default, and says all of each', () => {
  expect(listeners.length).toBeGreaterThanOrEqual(5);
  const shown = rows.map(([setting, flag, address]) => ({ setting, flag, address }));
  expect(new Set(shown)).toEqual(new Set(listeners));
  expect(rows).toHaveLength(listeners.length);
  for (const cells of rows) {
    expect(cells).toHaveLength(7);
    expect(cells.filter((cell) => cell.trim() === '')).toEqual([]);
  }
});

test('the help of each of their flags says who may reach it', async () => {
  const help = await configOptions(yargs([])).wrap(null).getHelp();
  for (const { flag } of listeners) {
    const line = help.split('\n').find((one) => one.includes(`${flag} `));
    expect(line).toMatch(/; for \S.+ \[default: /);
  }
});
