import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { missedPage } from '../../support/validation/missed.ts';

const path = join(import.meta.dirname, '../../../docs/validation-missed.md');

test('docs/validation-missed.md has every case that an istiod refuses and our rules do not find', () => {
  const page = missedPage();
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(path, page);
  expect(readFileSync(path, 'utf8')).toBe(page);
  expect(page).toContain('| ServiceEntry | DYNAMIC_DNS | 1.16.5, 1.24.0 |');
});
