import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { createMetrics } from '../../../src/observe/metrics.ts';
import { run } from '../../peers/support/run.ts';
import { sayAll, viewOfAll } from '../../support/all-metrics.ts';
import { findPrometheus } from '../../support/prometheus/install.ts';
import { skipWhere } from '../../support/skip-where.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const folder = join(import.meta.dirname, '../../../grafana/rules');
const [rules, tests] = ['isthmus.rules.yaml', 'isthmus.rules.test.yaml'];

let found: Awaited<ReturnType<typeof findPrometheus>>;

beforeAll(async () => {
  found = await findPrometheus();
});

test('promtool check metrics complains of nothing but the two old names', async (context) => {
  if ('absent' in found) return skipWhere(true, found.absent, context);
  const metrics = createMetrics('1.2.3');
  sayAll(metrics.reporter);
  metrics.watch(viewOfAll());
  const checked = await run(found.promtool, ['check', 'metrics'], { input: await metrics.render() });
  expect(checked?.stderr.trim().split('\n')).toEqual([
    'istio_mcp_clients_total non-counter metrics should not have "_total" suffix',
    'istio_mcp_reconnections counter metrics should have "_total" suffix',
  ]);
});

test('promtool check rules', async (context) => {
  if ('absent' in found) return skipWhere(true, found.absent, context);
  const checked = await run(found.promtool, ['check', 'rules', '--lint=all', '--lint-fatal', rules], { cwd: folder });
  expect(checked).toMatchObject({ code: 0, stderr: '' });
});

describe('promtool test rules', () => {
  test('passes', async (context) => {
    if ('absent' in found) return skipWhere(true, found.absent, context);
    expect(await run(found.promtool, ['test', 'rules', tests], { cwd: folder })).toMatchObject({ code: 0 });
  });

  test.for([
    ['> 0.8', '> 0.95'],
    ['for: 5m', 'for: 3m'],
    ['for: 15m', 'for: 30m'],
    ['offset 15m or', 'offset 1m or'],
    ['0.99', '0.9'],
    ['> 60', '> 600'],
    ['7 * 24', '1 * 24'],
  ] as const)('notices when %s is %s', async ([before, after], context) => {
    if ('absent' in found) return skipWhere(true, found.absent, context);
    const copy = tempFolder();
    cpSync(join(folder, tests), join(copy, tests));
    writeFileSync(join(copy, rules), readFileSync(join(folder, rules), 'utf8').replaceAll(before, after));
    expect(await run(found.promtool, ['test', 'rules', tests], { cwd: copy })).toMatchObject({ code: 1 });
  });
});
