/** The part `push`: what a push costs in Isthmus, in a byte relay, and in a bridge that decodes and encodes. */
import { cellOf, goals, type Verdict } from './support/goals.ts';
import { type Measured, measured } from './support/measured.ts';
import { type MiddleName, middleNames } from './support/middles.ts';
import { inTurn, type Part } from './support/part.ts';
import { runTrial, type Trial } from './support/push-trial.ts';
import { type Change, changes } from './support/service-entries.ts';
import { count, show, table } from './support/table.ts';

/** One row of the table: what one middle needs for one kind of push. */
type Result = {
  readonly size: number;
  /** Bytes of the source's message, and of what the client received. */
  readonly messageBytes: number;
  readonly responseBytes: number;
  readonly change: Change;
  readonly middle: MiddleName;
  readonly timeMs: Measured;
  readonly cpuMs: Measured;
  readonly peakRssMB: Measured;
};

export const push: Part = {
  note: [
    "Time: from the start of the source's write to the client's last byte. CPU: user and system time of the middle,",
    'until 400 ms after the last byte. Peak RSS: of the middle, from its start to the last of these pushes. Medians.',
    'Isthmus runs with --debounce-after=0ms; with the default, 50 ms are added to its time and nothing to its CPU time.',
  ].join('\n'),

  async run({ rounds, sizes, middles, say }) {
    const trials: Trial[] = [];
    for (const size of sizes) {
      for (let round = 0; round < rounds; round++) {
        for (const middle of inTurn(middles, round)) {
          say(`push, ${size} resources, round ${round + 1} of ${rounds}: ${middle}`);
          trials.push(await runTrial(middle, size));
        }
      }
    }
    const results = summarise(trials);
    return { results, table: render(results), verdicts: results.flatMap((result) => judge(results, result)) };
  },
};

/** Medians of the trials: one result per size, change and middle. */
function summarise(trials: readonly Trial[]): Result[] {
  const sizes = [...new Set(trials.map(({ size }) => size))];
  return sizes.flatMap((size) =>
    changes.flatMap((change) =>
      middleNames.flatMap((middle) => {
        const own = trials.filter((trial) => trial.size === size && trial.middle === middle);
        return own.length === 0 ? [] : [resultOf(own, change)];
      }),
    ),
  );
}

function resultOf(trials: readonly Trial[], change: Change): Result {
  const { size, middle, messageBytes } = trials[0] as Trial;
  const pushes = trials.flatMap((trial) => trial.pushes.filter((each) => each.change === change));
  return {
    size,
    messageBytes,
    responseBytes: Math.max(...pushes.map((each) => each.responseBytes)),
    change,
    middle,
    timeMs: measured(pushes.map((each) => each.timeMs)),
    cpuMs: measured(pushes.map((each) => each.cpuMs)),
    peakRssMB: measured(trials.map((trial) => trial.peakRssBytes[change] / 1e6)),
  };
}

/** How `of` did where it has a goal, and what it is compared with was measured. */
function judge(results: readonly Result[], of: Result): Verdict[] {
  const { size, changes: withGoal, time, cpu, rssResponses, rssBytes } = goals.push;
  if (of.middle !== 'isthmus' || of.size !== size || !withGoal.some((change) => change === of.change)) return [];
  const row = `push, ${count(of.size)}, ${of.change}`;
  const toRelay = ratio(results, of, 'relay', 'timeMs');
  const toProtobufjs = ratio(results, of, 'protobufjs', 'cpuMs');
  if (toRelay === undefined || toProtobufjs === undefined) return [];
  const rssLimit = (rssResponses * of.responseBytes + rssBytes) / 1e6;
  return [
    { row, measure: 'time', value: toRelay, limit: time, unit: "times the relay's" },
    { row, measure: 'CPU', value: toProtobufjs, limit: cpu, unit: 'times that of protobufjs' },
    { row, measure: 'peak RSS', value: of.peakRssMB.median, limit: rssLimit, unit: 'MB' },
  ];
}

/** Undefined where there is nothing to compare with. */
function ratio(
  results: readonly Result[],
  of: Result,
  middle: MiddleName,
  measure: 'timeMs' | 'cpuMs',
): number | undefined {
  const base = results.find((r) => r.middle === middle && r.size === of.size && r.change === of.change);
  return base && of[measure].median / base[measure].median;
}

function render(results: readonly Result[]): string {
  const columns = [
    '-resources',
    'changed',
    'middle',
    '-time ms',
    '-× relay',
    '-CPU ms',
    '-× protobufjs',
    '-peak RSS MB',
    '-of a push',
    'goal',
  ];
  const rows = results.map((result) => [
    count(result.size),
    result.change,
    result.middle,
    show(result.timeMs.median),
    ratio(results, result, 'relay', 'timeMs')?.toFixed(2) ?? '',
    show(result.cpuMs.median),
    ratio(results, result, 'protobufjs', 'cpuMs')?.toFixed(2) ?? '',
    show(result.peakRssMB.median),
    (result.peakRssMB.median / (result.responseBytes / 1e6)).toFixed(1),
    cellOf(judge(results, result)),
  ]);
  return table(columns, rows);
}
