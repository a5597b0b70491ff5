import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { logKeys } from '../../../src/model/log-keys.ts';
import { logComponents, logLevels } from '../../../src/model/logger.ts';

const root = join(import.meta.dirname, '../../..');
const page = readFileSync(join(root, 'docs/logs.md'), 'utf8');

/** Cells of the rows of the table below a title. */
function rowsOf(title: string): string[][] {
  const [, section = ''] = page.split(`\n## ${title}\n`);
  const [table = ''] = section.split('\n## ');
  const rows = table.split('\n').filter((line) => line.startsWith('|'));
  return rows.slice(2).map((line) => line.slice(2, -2).split(' | '));
}

const code = (text: string | undefined) => (text ?? '').replaceAll('`', '');

test('docs/logs.md has every component, and what it is about', () => {
  const shown = Object.fromEntries(rowsOf('Components').map(([component, about]) => [code(component), about]));
  expect(shown).toEqual(logComponents);
});

test('it has every key that a line may have, and no other', () => {
  const shown = Object.fromEntries(rowsOf('Keys').map(([key, meaning]) => [code(key), meaning]));
  expect(shown).toEqual(logKeys);
});

test('each event that it names is in the code, of a component, a level and keys that there are', () => {
  const src = join(root, 'src');
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  const text = files.map((name) => readFileSync(join(src, name), 'utf8')).join('\n');
  const events = rowsOf('Events');
  expect(events.length).toBeGreaterThan(20);
  for (const [component, level = '', msg = '', keys] of events) {
    expect(Object.keys(logComponents)).toContain(code(component));
    expect(logLevels).toContain(level);
    expect([msg, text.includes(msg)]).toEqual([msg, true]);
    const named = code(keys)
      .split(', ')
      .filter((key) => key !== '');
    expect(named.filter((key) => !Object.hasOwn(logKeys, key))).toEqual([]);
  }
});
