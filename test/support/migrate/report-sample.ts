import type { Finding } from '../../../migrate/finding.ts';
import type { Report } from '../../../migrate/report/report.ts';
import { parseVersion } from '../../../migrate/version.ts';

const finding = (more: Partial<Finding>): Finding => ({
  code: 'ADDRESS_LEGACY',
  severity: 'error',
  file: 'mesh/istio.yaml',
  line: 3,
  column: 12,
  message: '"nacos:18848" has no scheme',
  fix: 'write xds://HOST:PORT',
  left: [{ from: 9, what: 'passes over it' }],
  ...more,
});

/** A report with one finding of each kind, and names and texts that mean something to a terminal, Markdown, HTML and URIs. */
export const sampleReport: Report = {
  inputs: ['mesh', 'a|b.yaml'],
  from: parseVersion('1.8.6'),
  target: undefined,
  findings: [
    finding({ code: 'TARGET_UNKNOWN', severity: 'info', line: 1, column: 1, message: 'not known', left: [] }),
    finding({}),
    finding({
      code: 'TLS_IGNORED',
      severity: 'warning',
      file: 'a `b` #%.yaml',
      message: 'mode \u001B[31m<b>*SIMPLE*</b>\n| is ignored',
      left: [
        { from: 9, to: 25, what: 'ignores it' },
        { from: 9, to: 9, what: 'more' },
      ],
    }),
  ],
};

/** As many findings of one code as somebody with a hundred rules of Mixer has. */
export const longReport: Report = {
  ...sampleReport,
  findings: Array.from({ length: 100 }, (_, index) =>
    finding({ code: 'COLLECTION_DROPPED', severity: 'warning', line: index + 1, message: `rule r${index}` }),
  ),
};
