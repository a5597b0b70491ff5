import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checksPage } from '../../support/migrate/checks-page.ts';

const file = join(import.meta.dirname, '../../../docs/migration-checks.md');

test('docs/migration-checks.md says what the checks say; UPDATE_GOLDEN=1 writes it', () => {
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(file, checksPage());
  expect(readFileSync(file, 'utf8')).toBe(checksPage());
});
