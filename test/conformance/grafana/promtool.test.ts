import { beforeAll, expect, test } from 'vitest';
import { createMetrics } from '../../../src/observe/metrics.ts';
import { run } from '../../peers/support/run.ts';
import { sayAll, viewOfAll } from '../../support/all-metrics.ts';
import { findPrometheus } from '../../support/prometheus/install.ts';
import { skipWhere } from '../../support/skip-where.ts';

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
