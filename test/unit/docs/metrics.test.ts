import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { metricsPage } from '../../support/metrics-page.ts';

const file = join(import.meta.dirname, '../../../docs/metrics.md');

test('docs/metrics.md says what the code exports; UPDATE_GOLDEN=1 writes it', async () => {
  const page = await metricsPage();
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(file, page);
  expect(readFileSync(file, 'utf8')).toBe(page);
});
