import { type Finding, severities, type Severity } from '../finding.ts';
import type { Version } from '../version.ts';

/** What an analysis has to say. */
export type Report = {
  /** As they were named on the command line. */
  readonly inputs: readonly string[];
  readonly from: Version | undefined;
  readonly target: Version | undefined;
  /** By file and place. */
  readonly findings: readonly Finding[];
};

/** The forms of a report. */
export const outputs = ['text', 'json', 'markdown', 'sarif'] as const;

export type Output = (typeof outputs)[number];

/** Worst first; within a severity they stay in their order. */
export function bySeverity(findings: readonly Finding[]): Finding[] {
  return findings.toSorted((a, b) => severities.indexOf(a.severity) - severities.indexOf(b.severity));
}

const nouns: Readonly<Record<Severity, string>> = { error: 'error', warning: 'warning', info: 'remark' };

/** `2 errors, 1 warning`; severities without a finding are left out. */
export function countsText(counts: Readonly<Record<Severity, number>>): string {
  const parts = severities.flatMap((severity) => {
    const count = counts[severity];
    return count === 0 ? [] : [`${count} ${nouns[severity]}${count === 1 ? '' : 's'}`];
  });
  return parts.length === 0 ? 'nothing to say' : parts.join(', ');
}

/** `from 1.5.10 to 1.24`, with what is not known said so. */
export function journeyText({ from, target }: Report): string {
  return `from ${from?.text ?? 'an unknown version'} to ${target?.text ?? 'any version'}`;
}
