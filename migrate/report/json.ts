import { countSeverities } from '../finding.ts';
import { versionsText } from '../version.ts';
import type { Report } from './report.ts';

/**
 * For programs. `left` says what happens if a finding is left: `from` and `to` are minor versions such as `1.9`, both
 * included; `to` is null for all newer ones.
 */
export function renderJson({ inputs, from, target, findings }: Report): string {
  const report = {
    inputs,
    fromVersion: from?.text ?? null,
    toVersion: target?.text ?? null,
    summary: countSeverities(findings),
    findings: findings.map(({ left, ...finding }) => ({
      ...finding,
      left: left.map((consequence) => ({
        from: `1.${consequence.from}`,
        to: consequence.to === undefined ? null : `1.${consequence.to}`,
        versions: versionsText(consequence),
        what: consequence.what,
      })),
    })),
  };
  return JSON.stringify(report, undefined, 2);
}
