import type { MemoryVerdict, Sample } from './memory-verdict.ts';
import { tolerance } from './memory-verdict.ts';

/** A moment of a churn. */
export type ChurnSample = Sample & {
  /** What V8 has committed for the main thread's heap. */
  readonly heapBytes: number;
  /** What JavaScript objects hold outside of it: buffers, mostly. */
  readonly externalBytes: number;
  readonly changes: number;
  readonly responses: number;
};

/** What a churn counted, in all and now and then. */
export type ChurnReport = {
  readonly durationMs: number;
  readonly seed: number;
  readonly env: Readonly<Record<string, string>>;
  readonly resources: number;
  readonly changes: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly samples: readonly ChurnSample[];
  readonly memory: MemoryVerdict;
  readonly istiods: readonly {
    readonly version: string;
    readonly disconnects: number;
    readonly restarts: number;
    readonly responses: number;
    readonly longestSilenceMs: number;
    readonly problems: number;
    readonly hasTruth: boolean;
  }[];
  readonly source: { readonly streams: number; readonly messages: number };
};

const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);
const minutes = (ms: number): string => (ms / 60_000).toFixed(1).replace(/\.0$/, '');
const row = (...cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`;

/** Rows of the memory table at most: five minutes each in a run of an hour. */
const mostRows = 12;

/** The page docs/long-runs/churn.md. */
export function churnPage(report: ChurnReport): string {
  const { memory, faults, istiods, source } = report;
  const passed = memory.isSteady && istiods.every(({ problems, hasTruth }) => problems === 0 && hasTruth);
  const faultCount = Object.values(faults).reduce((sum, count) => sum + count, 0);
  return [
    '# Churn',
    '',
    `\`npm run test:long\` writes this page. Isthmus ran as a process of its own between a legacy source of`,
    `${report.resources.toLocaleString('en')} resources that changes 100 times a second, and four istiod models on real`,
    'sockets (`test/support/istiod`), while connections broke, the source restarted, and readers stalled.',
    '',
    `**Verdict: ${passed ? 'passed' : 'FAILED'}.**`,
    '',
    row('what', 'figure'),
    row('---', '---'),
    row('duration', `${minutes(report.durationMs)} min`),
    row('seed', report.seed),
    row('environment', environment(report)),
    row('changes of the source', report.changes.toLocaleString('en')),
    row('messages of the source', source.messages.toLocaleString('en')),
    row('streams of the source', source.streams),
    row('faults', faultCount),
    row('resident memory after the warm-up, mean', `${mib(memory.meanBytes)} MiB`),
    row('its slope', `${mib(memory.slopeBytesPerHour)} MiB/h`),
    row('its growth over the window', `${(100 * memory.growth).toFixed(1)} % of the mean`),
    '',
    `Steady means: the slope of the least-squares line through all samples (one each 5 s) after a warm-up of`,
    `${minutes(memory.warmUpMs)} min, times the ${minutes(memory.windowMs)} min that were looked at, is at most`,
    `${100 * tolerance} % of their mean. It ${memory.isSteady ? 'is' : 'is NOT'}.`,
    '',
    '## istiods',
    '',
    row(
      'istiod',
      'disconnects',
      'restarts',
      'responses',
      'longest silence',
      'less or other than the source',
      'ends with the truth',
    ),
    row(...Array.from({ length: 7 }, () => '---')),
    ...istiods.map((one) =>
      row(
        one.version,
        one.disconnects,
        one.restarts,
        one.responses,
        `${(one.longestSilenceMs / 1000).toFixed(0)} s`,
        one.problems,
        one.hasTruth ? 'yes' : 'NO',
      ),
    ),
    '',
    'An istiod 1.11 is restarted after 8 disconnects: the 11th would be its last, whoever it talks to.',
    '',
    '## Memory',
    '',
    row(
      'minutes',
      'mean MiB',
      'least',
      'most',
      'heap',
      'outside of it',
      'the rest',
      'changes so far',
      'responses so far',
    ),
    row(...Array.from({ length: 9 }, () => '---')),
    ...memoryRows(report),
    '',
    '## Faults',
    '',
    row('fault', 'times'),
    row('---', '---'),
    ...Object.entries(faults)
      .toSorted(([one], [other]) => (one < other ? -1 : 1))
      .map(([fault, times]) => row(fault, times)),
    '',
  ].join('\n');
}

function environment({ env }: ChurnReport): string {
  const settings = Object.entries(env).map(([name, value]) => `\`${name}=${value}\``);
  return settings.length === 0 ? 'nothing set' : settings.join(' ');
}

function memoryRows({ durationMs, samples }: ChurnReport): string[] {
  const stepMs = durationMs / mostRows;
  return Array.from({ length: mostRows }, (_, i) => {
    const those = samples.filter(({ atMs }) => atMs >= i * stepMs && atMs < (i + 1) * stepMs);
    const last = those.at(-1);
    const span = `${minutes(i * stepMs)}–${minutes((i + 1) * stepMs)}`;
    if (last === undefined) return row(span, ...Array.from({ length: 8 }, () => '–'));
    const bytes = those.map((sample) => sample.bytes);
    const mean = (of: (sample: ChurnSample) => number): string =>
      mib(those.reduce((sum, one) => sum + of(one), 0) / those.length);
    return row(
      span,
      mean((one) => one.bytes),
      mib(Math.min(...bytes)),
      mib(Math.max(...bytes)),
      mean((one) => one.heapBytes),
      mean((one) => one.externalBytes),
      mean((one) => one.bytes - one.heapBytes - one.externalBytes),
      last.changes.toLocaleString('en'),
      last.responses.toLocaleString('en'),
    );
  });
}
