import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { violationCodes } from '../../../src/model/change.ts';
import { validationCases } from '../../support/validation/all.ts';

const page = readFileSync(join(import.meta.dirname, '../../../docs/validation.md'), 'utf8');

/** Cells of the rows of the table under that title. */
function rowsUnder(title: string): string[][] {
  const [, section = ''] = page.split(`\n## ${title}\n`);
  const lines = (section.split('\n## ')[0] ?? '').split('\n').filter((line) => line.startsWith('|'));
  return lines.slice(2).map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  );
}

const codesIn = (text: string): string[] => Array.from(text.matchAll(/`(\w+)`/g), ([, code]) => code ?? '');

test('docs/validation.md has a row for each code, and each code has a case', () => {
  const named = rowsUnder('Codes').map(([code = '']) => codesIn(code).join());
  expect(named).toEqual([...violationCodes].sort());
  expect([...new Set(validationCases.flatMap(({ finds }) => finds))].sort()).toEqual(named);
});

test('docs/validation.md names for each kind the codes that its cases find, besides annotations', () => {
  const named = rowsUnder('Kinds').map(([kind = '', codes = '']) => [kind, codesIn(codes)]);
  const kinds = [...new Set(validationCases.map(({ kind }) => kind))];
  const found = kinds.map((kind) => {
    const cases = validationCases.filter((one) => one.kind === kind);
    const codes = cases.flatMap(({ finds }) => finds).filter((code) => code !== 'annotations');
    return [kind, [...new Set(codes)].sort()];
  });
  expect(Object.fromEntries(named)).toEqual(Object.fromEntries(found));
});
