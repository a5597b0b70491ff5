/** `error`: the migration fails, or something is lost. `warning`: it may. `info`: what one should know. */
export type Severity = 'error' | 'warning' | 'info';

/** Worst first. */
export const severities: readonly Severity[] = ['error', 'warning', 'info'];

/** A place in a file, counted from 1. Columns count UTF-16 code units, as editors do. */
export type Place = { readonly file: string; readonly line: number; readonly column: number };

/** What some versions of Istio do where nothing is changed. Minor versions of Istio 1, both included; `to` open = all newer. */
export type Consequence = { readonly from: number; readonly to?: number; readonly what: string };

/** Something that a migration has to know of. */
export type Finding = Place & {
  /** Stable: scripts may rely on it. docs/migration-checks.md has all. */
  readonly code: string;
  readonly severity: Severity;
  /** What is wrong, with what. */
  readonly message: string;
  /** What to do about it. */
  readonly fix: string;
  /** What happens if it is left, oldest versions first; only of the target version where that is known. */
  readonly left: readonly Consequence[];
};

/** By file and place, then the worst first. */
export function sortFindings(findings: readonly Finding[]): Finding[] {
  return findings.toSorted(
    (a, b) =>
      compareText(a.file, b.file) ||
      a.line - b.line ||
      a.column - b.column ||
      severities.indexOf(a.severity) - severities.indexOf(b.severity) ||
      compareText(a.code, b.code) ||
      compareText(a.message, b.message),
  );
}

const compareText = (a: string, b: string): number => (a < b ? -1 : Number(a > b));

/** How many findings there are of each severity. */
export function countSeverities(findings: readonly Finding[]): Record<Severity, number> {
  const counts = { error: 0, warning: 0, info: 0 };
  for (const { severity } of findings) counts[severity]++;
  return counts;
}
