/** The part `watch`: what it costs that people can see what happens. */
import { cellOf, goals, type Verdict } from './support/goals.ts';
import { type Measured, measured } from './support/measured.ts';
import type { Part } from './support/part.ts';
import { count, show, table } from './support/table.ts';
import {
  runWatchTrial,
  type WatchedChange,
  watchedChanges,
  type WatchedPush,
  type Watching,
  watchings,
} from './support/watch-trial.ts';

const { size, ratio: limit } = goals.watch;

type WatchResult = {
  readonly size: number;
  readonly change: WatchedChange;
  readonly watching: Watching;
  readonly timeMs: Measured;
  readonly cpuMs: Measured;
};

export const watch: Part = {
  note: [
    'on: metrics are counted, and during each push they are scraped once and the overview of the status page is brought up to',
    'date once, over connections that stay open: Prometheus and the page do so every few seconds at most. off: none of it. CPU is',
    'that of the whole process, until 400 ms after the last byte.',
  ].join('\n'),

  async run({ rounds, say }) {
    const pushes: WatchedPush[] = [];
    for (let round = 0; round < rounds; round++) {
      say(`watch, round ${round + 1} of ${rounds}`);
      pushes.push(...(await runWatchTrial(size, round)));
    }
    const results: WatchResult[] = [];
    const verdicts: Verdict[] = [];
    const rows: string[][] = [];
    for (const change of watchedChanges) {
      const [off, on] = watchings.map((watching) => resultOf(pushes, change, watching)) as [WatchResult, WatchResult];
      const verdict: Verdict = {
        row: `watch, ${count(size)}, ${change}`,
        measure: 'CPU',
        value: on.cpuMs.median / off.cpuMs.median,
        limit,
        unit: 'times that of a bridge that nobody watches',
      };
      results.push(off, on);
      verdicts.push(verdict);
      rows.push(cells(off, off, ''), cells(on, off, cellOf([verdict])));
    }
    const columns = ['-resources', 'changed', 'watched', '-time ms', '-×', '-CPU ms', '-×', 'goal'];
    return { results, table: table(columns, rows), verdicts };
  },
};

function resultOf(pushes: readonly WatchedPush[], change: WatchedChange, watching: Watching): WatchResult {
  const own = pushes.filter((push) => push.change === change && push.watching === watching);
  return {
    size,
    change,
    watching,
    timeMs: measured(own.map(({ timeMs }) => timeMs)),
    cpuMs: measured(own.map(({ cpuMs }) => cpuMs)),
  };
}

function cells({ change, watching, timeMs, cpuMs }: WatchResult, base: WatchResult, goal: string): string[] {
  return [
    count(size),
    change,
    watching,
    show(timeMs.median),
    (timeMs.median / base.timeMs.median).toFixed(2),
    show(cpuMs.median),
    (cpuMs.median / base.cpuMs.median).toFixed(2),
    goal,
  ];
}
