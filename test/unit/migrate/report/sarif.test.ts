import { expect, test } from 'vitest';
import { allChecks } from '../../../../migrate/checks/all.ts';
import { readingCodes } from '../../../../migrate/checks/reading.ts';
import { renderSarif } from '../../../../migrate/report/sarif.ts';
import { sampleReport } from '../../../support/migrate/report-sample.ts';
import { sarifLog } from '../../../support/migrate/sarif-schema.ts';

const sarifOf = (report: typeof sampleReport) => sarifLog.parse(JSON.parse(renderSarif(report)));

test('it is SARIF 2.1.0, with a rule for every code', () => {
  const [run] = sarifOf(sampleReport).runs;
  const codes = [...readingCodes, ...allChecks].map(({ code }) => code);
  expect(run?.tool.driver.rules.map(({ id }) => id)).toEqual(codes);
  expect(run?.results.map(({ ruleId, level }) => [ruleId, level])).toEqual([
    ['TARGET_UNKNOWN', 'note'],
    ['ADDRESS_LEGACY', 'error'],
    ['TLS_IGNORED', 'warning'],
  ]);
  expect(run?.results[1]).toMatchObject({
    message: {
      text: '"nacos:18848" has no scheme.\nIf left, 1.9 and newer passes over it.\nTo do: write xds://HOST:PORT.',
    },
    locations: [{ physicalLocation: { region: { startLine: 3, startColumn: 12 } } }],
  });
});

test('files are relative URIs where they were named so, whatever is in their names', () => {
  const names = ['./mesh/a b#%?.yaml', '../up.yaml', '/etc/istio/mesh', '<stdin>', 'c:d.yaml', 'ä.yaml'];
  const findings = sampleReport.findings.slice(0, 1).flatMap((finding) => names.map((file) => ({ ...finding, file })));
  const [run] = sarifOf({ ...sampleReport, findings }).runs;
  expect(run?.results.map(({ locations: [at] }) => at?.physicalLocation.artifactLocation.uri)).toEqual([
    'mesh/a%20b%23%25%3F.yaml',
    '../up.yaml',
    'file:///etc/istio/mesh',
    '%3Cstdin%3E',
    'c%3Ad.yaml',
    '%C3%A4.yaml',
  ]);
});

test('nothing to say is a log without results', () => {
  expect(sarifOf({ ...sampleReport, findings: [] }).runs[0]?.results).toEqual([]);
});
