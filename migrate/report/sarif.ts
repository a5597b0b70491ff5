import { isAbsolute, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { packageVersion } from '../../src/model/package.ts';
import { allChecks } from '../checks/all.ts';
import { readingCodes } from '../checks/reading.ts';
import type { Finding, Severity } from '../finding.ts';
import { versionsText } from '../version.ts';
import type { Report } from './report.ts';

/** Names of SARIF for severities. */
const levels: Readonly<Record<Severity, 'error' | 'warning' | 'note'>> = {
  error: 'error',
  warning: 'warning',
  info: 'note',
};

const rules = [
  ...readingCodes.map(({ code, severity, finds, fix }) => ({ code, severity, finds, fix })),
  ...allChecks.map(({ code, severities: [severity], finds, fix }) => ({ code, severity, finds, fix })),
];

/** SARIF 2.1.0, which code hosts and editors show beside the lines. Source: OASIS sarif-v2.1.0-os. */
export function renderSarif({ findings }: Report): string {
  const log = {
    $schema: 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'isthmus migrate analyze',
            semanticVersion: packageVersion(),
            rules: rules.map(({ code, severity, finds, fix }) => ({
              id: code,
              shortDescription: { text: plain(finds) },
              help: { text: plain(fix) },
              defaultConfiguration: { level: levels[severity] },
            })),
          },
        },
        columnKind: 'utf16CodeUnits',
        results: findings.map((finding) => result(finding)),
      },
    ],
  };
  return JSON.stringify(log, undefined, 2);
}

function result({ code, severity, file, line, column, message, fix, left }: Finding) {
  const consequences = left.map((one) => `${severity === 'info' ? '' : 'If left, '}${versionsText(one)} ${one.what}.`);
  return {
    ruleId: code,
    ruleIndex: rules.findIndex((rule) => rule.code === code),
    level: levels[severity],
    message: { text: [`${message}.`, ...consequences, `To do: ${fix}.`].join('\n') },
    locations: [
      {
        physicalLocation: {
          artifactLocation: { uri: uriOf(file) },
          region: { startLine: line, startColumn: column },
        },
      },
    ],
  };
}

/** Relative where the file was named so: SARIF is read at the root of a repository. */
function uriOf(file: string): string {
  if (isAbsolute(file)) return pathToFileURL(file).href;
  const path = file
    .split(sep)
    .join('/')
    .replace(/^(\.\/)+/, '');
  return path
    .split('/')
    .map((part) => encodeURIComponent(part))
    .join('/');
}

/** Descriptions are Markdown in the docs, and plain text here. */
const plain = (text: string): string => text.replaceAll('`', '');
