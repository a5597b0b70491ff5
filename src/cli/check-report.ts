import { stringify } from 'yaml';
import { countFindings, type Finding, type Severity } from './check-findings.ts';
import { countOf } from '../model/texts.ts';
import { colorsOf, oneLine, wrap } from './terminal.ts';

/** The findings for people: by subject, in the order in which the subjects came, each line within `width`. */
export function renderFindings(findings: readonly Finding[], width: number): string {
  const groups = new Map<string, Finding[]>();
  for (const finding of findings) groups.set(finding.subject, [...(groups.get(finding.subject) ?? []), finding]);
  const { bold } = colorsOf(process.stdout);
  const parts = Array.from(groups, ([subject, group]) =>
    [bold(oneLine(subject)), ...withoutRepeats(group).map((finding) => renderFinding(finding, width))].join('\n'),
  );
  return [...parts, verdictOf(findings)].join('\n\n');
}

/** Advice that the next finding repeats is left to that one. */
function withoutRepeats(group: readonly Finding[]): Finding[] {
  return group.map(({ next, ...finding }, index) => ({
    ...finding,
    ...(next === undefined || next === group[index + 1]?.next ? {} : { next }),
  }));
}

/** The findings for programs. */
export function exportFindings(findings: readonly Finding[], output: 'json' | 'yaml'): string {
  const report = { summary: countFindings(findings), findings };
  return output === 'json' ? JSON.stringify(report, undefined, 2) : stringify(report, { lineWidth: 0 }).trimEnd();
}

const labelWidth = 'warning'.length;

function renderFinding({ severity, code, what, next }: Finding, width: number): string {
  const indent = ' '.repeat(labelWidth + 4);
  const isBad = severity === 'warning' || severity === 'error';
  const lines = wrap(oneLine(isBad ? `${what} [${code}]` : what), width - indent.length);
  const more = next === undefined ? [] : wrap(oneLine(`→ ${next}`), width - indent.length);
  const label = colour(severity, severity.padEnd(labelWidth));
  return [`  ${label}  ${lines[0]}`, ...[...lines.slice(1), ...more].map((line) => indent + line)].join('\n');
}

function colour(severity: Severity, text: string): string {
  const { green, yellow, red, dim } = colorsOf(process.stdout);
  return { ok: green, info: dim, warning: yellow, error: red }[severity](text);
}

function verdictOf(findings: readonly Finding[]): string {
  const { warning, error } = countFindings(findings);
  if (warning + error === 0) {
    const isOpen = findings.some(({ code }) => code === 'SERVICE_UNKNOWN');
    return isOpen ? 'nothing wrong was found, and not all was looked at' : 'all is well';
  }
  return [[error, 'error'] as const, [warning, 'warning'] as const]
    .flatMap(([count, noun]) => (count === 0 ? [] : [countOf(count, noun)]))
    .join(', ');
}
