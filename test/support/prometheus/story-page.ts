import { readRules } from '../alert-rules.ts';
import type { Firing } from './alert-times.ts';
import { askedQueries } from './quiet-queries.ts';

/** What came of a story that was told as in life. */
export type StoryOutcome = {
  readonly prometheus: string;
  readonly seconds: number;
  readonly firings: readonly Firing[];
  readonly quiet: readonly string[];
  /** Undefined where it came to its end. */
  readonly failure: string | undefined;
};

const row = (...cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`;
const minutes = (seconds: number): string => `${(seconds / 60).toFixed(1)} min`;

const alerts = () =>
  readRules().groups.flatMap(({ rules }) =>
    rules.flatMap(({ alert, for: lasts = '0m' }) => (alert === undefined ? [] : [{ alert, lasts }])),
  );

/** Whether each alert fired, where it should and nowhere else, and all that is asked for was there. */
export function isAsTold({ firings, quiet, failure }: StoryOutcome): boolean {
  const isThere = ({ alert }: { readonly alert: string }) => firings.some((one) => one.alert === alert);
  const isFine = firings.every(({ isExpected }) => isExpected) && alerts().every(isThere);
  return failure === undefined && quiet.length === 0 && isFine;
}

/** The page docs/long-runs/story.md. */
export function storyPage(outcome: StoryOutcome): string {
  const { prometheus, seconds, firings, quiet, failure } = outcome;
  const rows = alerts().map(({ alert, lasts }) => {
    const own = firings.filter((one) => one.alert === alert);
    const [first, last] = [own[0]?.from, Math.max(...own.map(({ to }) => to))];
    const when = first === undefined ? ['never', '–'] : [minutes(first), minutes(last)];
    return row(alert, lasts, ...when, own.every(({ isExpected }) => isExpected) ? 'no' : '**yes**');
  });
  return [
    '# The story of alerts and dashboards',
    '',
    '`npm run test:long` writes this page. A Prometheus scraped a running bridge every 5 s, with the rules of',
    '[grafana/rules](../../grafana/README.md) as they are shipped: every wait (`for`), window and threshold. The bridge had three',
    'sources and three istiods (one of 1.11), which were scripts on real sockets. Nobody is there; all begin; much changes; a source',
    'is lost and the bridge restarted, so that what it served is stale; meanwhile another source comes near the limits, says nothing',
    '(which is held) and recovers, and names what is bad; a certificate ends and is torn; files cannot be written; a config is refused;',
    'istiods are slow, hang, and are lost. Then all is well.',
    '',
    `**Verdict: ${isAsTold(outcome) ? 'passed' : 'FAILED'}.**`,
    ...(failure === undefined ? [] : ['', `It ended early: ${failure.split('\n')[0] ?? ''}`]),
    '',
    row('what', 'figure'),
    row('---', '---'),
    row('duration', minutes(seconds)),
    row('Prometheus', prometheus),
    row('queries of panels, and recorded names', askedQueries()),
    row('of them that never had data', quiet.join(', ') || 'none'),
    '',
    'Each alert, when it fired first and was over last, in minutes from the beginning, and whether it fired outside of the steps that are',
    'about it, for any source, kind or istiod:',
    '',
    row('alert', '`for`', 'fired', 'over', 'anywhere else'),
    row('---', '---', '---', '---', '---'),
    ...rows,
    '',
    'None of them is left to the quick form of the same story in `npm test`, which divides waits by 120 and windows by 50, and lowers two',
    'thresholds: 60 s without an acknowledgement to 8 s, and 10 s of propagation to 2.5 s.',
    '',
  ].join('\n');
}
