import { expect, test } from 'vitest';
import { renderJson } from '../../../../migrate/report/json.ts';
import { sampleReport } from '../../../support/migrate/report-sample.ts';

test('everything for programs, by file and place', () => {
  const report = JSON.parse(renderJson(sampleReport)) as { findings: readonly object[] };
  expect(report).toMatchObject({
    inputs: ['mesh', 'a|b.yaml'],
    fromVersion: '1.8.6',
    toVersion: null,
    summary: { error: 1, warning: 1, info: 1 },
  });
  expect(report.findings[1]).toEqual({
    code: 'ADDRESS_LEGACY',
    severity: 'error',
    file: 'mesh/istio.yaml',
    line: 3,
    column: 12,
    message: '"nacos:18848" has no scheme',
    fix: 'write xds://HOST:PORT',
    left: [{ from: '1.9', to: null, versions: '1.9 and newer', what: 'passes over it' }],
  });
  expect(report.findings[2]).toMatchObject({
    left: [
      { from: '1.9', to: '1.25' },
      { from: '1.9', to: '1.9' },
    ],
  });
});
