import type { FaultRunReport } from './fault-run.ts';

/** What the page is about, besides what the run has counted. */
export type FaultRunFrame = {
  readonly seed: number;
  readonly durationMs: number;
  /** Undefined where the run came to its end. */
  readonly failure: string | undefined;
};

const row = (...cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`;
const rule = (columns: number): string => row(...Array.from({ length: columns }, () => '---'));
const sum = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((a, b) => a + b, 0);
const sorted = (counts: Readonly<Record<string, number>>): string[] =>
  Object.entries(counts)
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .map(([what, times]) => row(what, times));

/** Whether nothing went wrong. */
export function hasPassed({ samples, strange }: FaultRunReport, failure: string | undefined): boolean {
  const looks = [...samples.values()];
  return failure === undefined && strange.length === 0 && looks.every(({ lacking }) => lacking.length === 0);
}

/** The page docs/long-runs/faults.md. */
export function faultsPage(report: FaultRunReport, { seed, durationMs, failure }: FaultRunFrame): string {
  const { changes, faults, samples, checks, strange, unsaved, unsavedLooks, heldAgain } = report;
  return [
    '# Faults',
    '',
    "`npm run test:long` writes this page. Istio's own legacy MCP library (`pkg/mcp` 1.8-dev), Isthmus with its guard and a",
    'state folder, istiod 1.24.0 and istiod 1.16.5 ran as processes of their own. The source changed at random, connections',
    'were cut, and each process was killed (`kill -9`) and started again on its ports. Both istiods were looked at',
    '(`/debug/configz`) all along, as fast as they answer.',
    '',
    `**Verdict: ${hasPassed(report, failure) ? 'passed' : 'FAILED'}.**`,
    ...(failure === undefined ? [] : ['', `It ended early: ${failure.split('\n')[0] ?? ''}`]),
    '',
    row('what', 'figure'),
    rule(2),
    row('duration', `${(durationMs / 60_000).toFixed(1)} min`),
    row('seed (`ISTHMUS_SEED` repeats it)', seed),
    row('changes of the source', sum(changes)),
    row('faults', sum(faults)),
    row('times that both istiods were compared with the source, and were equal', checks),
    row('contents seen that the source never had', strange.length),
    row('services that no file had yet when Isthmus was killed', unsaved),
    row('looks that lacked any of those, until the source had spoken again', unsavedLooks),
    row('removals that the guard of a restarted Isthmus held, by its old file, and that were released', heldAgain),
    '',
    'A look counts while the gRPC port of istiod is open. It has to find every service that it, or a look before, has found',
    'and that the source has had ever since, over all kills and restarts. What no file had yet when Isthmus was',
    'killed is left out until the source has spoken again: a killed process may lose what came in its last seconds (ADR 5).',
    '',
    row('istiod', 'looks', 'not counted', 'longest time between two', 'lacked something'),
    rule(5),
    ...Array.from(samples, ([name, { counted, notCounted, longestGapMs, lacking }]) =>
      row(name, counted, notCounted, `${longestGapMs.toFixed(0)} ms`, lacking.length === 0 ? 'never' : lacking.length),
    ),
    '',
    '## Changes',
    '',
    row('change', 'times'),
    rule(2),
    ...sorted(changes),
    '',
    '## Faults',
    '',
    row('fault', 'times'),
    rule(2),
    ...sorted(faults),
    '',
  ].join('\n');
}
