import { oneLine } from '../../src/cli/terminal.ts';
import { countSeverities, type Finding, severities, type Severity } from '../finding.ts';
import { versionsText } from '../version.ts';
import { countsText, journeyText, type Report } from './report.ts';

const titles: Readonly<Record<Severity, string>> = { error: 'Errors', warning: 'Warnings', info: 'Remarks' };

/** For a ticket or a pull request: a list to tick off, worst first. */
export function renderMarkdown(report: Report): string {
  const { findings, inputs } = report;
  const sections = severities.flatMap((severity) => {
    const some = findings.filter((finding) => finding.severity === severity);
    return some.length === 0 ? [] : [`## ${titles[severity]}`, some.map((finding) => item(finding)).join('\n')];
  });
  return [
    '# Migration to MCP-over-xDS',
    `${inputs.map((input) => code(input)).join(', ')}, ${escape(journeyText(report))}: ${countsText(countSeverities(findings))}.`,
    ...sections,
  ].join('\n\n');
}

function item({ severity, code: name, file, line, column, message, fix, left }: Finding): string {
  const box = severity === 'info' ? '-' : '- [ ]';
  const lines = [
    `${box} **${escape(message)}** ${code(`${file}:${line}:${column}`)} (${name})`,
    ...left.map((one) => `  - ${severity === 'info' ? '' : 'If left, '}${versionsText(one)} ${escape(one.what)}.`),
    `  - To do: ${escape(fix)}.`,
  ];
  return lines.join('\n');
}

/** Text from elsewhere without a meaning in Markdown or HTML. */
function escape(text: string): string {
  return oneLine(text).replaceAll(/[\\`*_[\]<>|~#&]/g, (sign) => (sign === '<' ? '&lt;' : `\\${sign}`));
}

/** A code span, whatever is in it. */
function code(text: string): string {
  const plain = oneLine(text);
  const longest = Math.max(0, ...Array.from(plain.matchAll(/`+/g), ([ticks]) => ticks.length));
  const ticks = '`'.repeat(longest + 1);
  return longest === 0 ? `${ticks}${plain}${ticks}` : `${ticks} ${plain} ${ticks}`;
}
