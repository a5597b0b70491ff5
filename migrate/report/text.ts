import { colorsOf, oneLine, wrap } from '../../src/cli/terminal.ts';
import { countSeverities, type Finding, type Severity } from '../finding.ts';
import { versionsText } from '../version.ts';
import { bySeverity, countsText, journeyText, type Report } from './report.ts';

/** Findings of one code that say to do the same; the rest of them is counted. */
const maxAlike = 5;

type Shown = { readonly finding: Finding; readonly more: readonly Finding[] };

/** For people, worst first, each line within `width`. */
export function renderText(report: Report, width: number): string {
  const shown = withoutMany(bySeverity(report.findings));
  const counts = countsText(countSeverities(report.findings));
  return [...shown.map((one) => renderFinding(one, width)), `${counts} (${journeyText(report)})`].join('\n\n');
}

function withoutMany(findings: readonly Finding[]): Shown[] {
  const groups = new Map<string, { finding: Finding; more: Finding[] }[]>();
  const shown: Shown[] = [];
  for (const finding of findings) {
    const key = `${finding.code}\n${finding.severity}\n${finding.fix}`;
    const group = groups.get(key) ?? [];
    groups.set(key, group);
    const last = group[maxAlike - 1];
    if (last !== undefined) {
      last.more.push(finding);
      continue;
    }
    const one = { finding, more: [] };
    group.push(one);
    shown.push(one);
  }
  return shown;
}

const indent = '    ';

function renderFinding({ finding, more }: Shown, width: number): string {
  const { bold, dim } = colorsOf(process.stdout);
  const { file, line, column, severity, code, message, fix, left } = finding;
  const place = `${oneLine(file)}:${line}:${column}`;
  const block = (text: string) => wrap(oneLine(text), width - indent.length).map((one) => indent + one);
  const lines = [
    `${bold(place)}  ${colour(severity, severity)}  ${dim(code)}`,
    ...block(message),
    ...left.flatMap((one) => block(`${severity === 'info' ? '' : 'if left: '}${versionsText(one)} ${one.what}`)),
    ...block(`→ ${fix}`),
    ...(more.length === 0 ? [] : block(`and ${more.length} more like it (-o json has all)`)),
  ];
  return lines.join('\n');
}

function colour(severity: Severity, text: string): string {
  const { blue, yellow, red } = colorsOf(process.stdout);
  return { info: blue, warning: yellow, error: red }[severity](text);
}
