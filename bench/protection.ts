/** The part `protection`: what guard, quarantine and last-known-good cost, and how quickly a restart serves. */
import { cellOf, goals, type Verdict } from './support/goals.ts';
import { type Measured, measured } from './support/measured.ts';
import type { Part } from './support/part.ts';
import { type ProtectionTrial, runProtectionTrial, type Variant, variants } from './support/protection-trial.ts';
import { count, show, table } from './support/table.ts';

const { size, cpu: cpuLimit, load: loadLimit } = goals.protection;

/** What one variant needs for a push with a hundred changes. */
type PushResult = {
  readonly size: number;
  readonly variant: Variant;
  readonly timeMs: Measured;
  /** Of the main thread, up to the last byte. */
  readonly cpuMs: Measured;
  readonly threadMs: Measured;
  /** Of the whole process until the next push, means of the rounds. */
  readonly cpuMsOfAll: Measured;
};

type StartResult = { readonly size: number; readonly from: 'source' | 'files'; readonly timeMs: Measured };

export const protection: Part = {
  note: [
    'push: a full message with 100 changes; CPU is that of the main thread, from the source’s write to the client’s last',
    'byte; thread: that of quarantine meanwhile; all: of the whole process until the next push, a second later: the files',
    'are written every five seconds. start: from the start of the process to the last byte of the first push.',
  ].join('\n'),

  async run({ rounds, say }) {
    const trials: ProtectionTrial[] = [];
    for (let round = 0; round < rounds; round++) {
      say(`protection, round ${round + 1} of ${rounds}`);
      trials.push(await runProtectionTrial(size, round));
    }
    const pushes = variants.map((variant) => pushOf(trials, variant));
    const [off, on] = pushes as [PushResult, PushResult];
    const starts: StartResult[] = [
      { size, from: 'source', timeMs: measured(trials.map(({ syncMs }) => syncMs)) },
      { size, from: 'files', timeMs: measured(trials.map(({ loadMs }) => loadMs)) },
    ];
    const [source, files] = starts as [StartResult, StartResult];
    const cpu: Verdict = {
      row: `protection, ${count(size)}, push`,
      measure: 'CPU',
      value: on.cpuMs.median / off.cpuMs.median,
      limit: cpuLimit,
      unit: 'times that without',
    };
    const load: Verdict = {
      row: `protection, ${count(size)}, start`,
      measure: 'time',
      value: files.timeMs.median / source.timeMs.median,
      limit: loadLimit,
      unit: 'times that out of the source',
    };
    const rows = [
      pushCells('push, off', off, off, ''),
      pushCells('push, on', on, off, cellOf([cpu])),
      startCells('start, out of the source', source, source, ''),
      startCells('start, out of the files', files, source, cellOf([load])),
    ];
    const columns = ['-resources', 'what', '-time ms', '-×', '-CPU ms', '-×', '-thread ms', '-all ms', 'goal'];
    return { results: [...pushes, ...starts], table: table(columns, rows), verdicts: [cpu, load] };
  },
};

function pushOf(trials: readonly ProtectionTrial[], variant: Variant): PushResult {
  const own = trials.flatMap(({ pushes }) => pushes.filter((push) => push.variant === variant));
  return {
    size,
    variant,
    timeMs: measured(own.map(({ timeMs }) => timeMs)),
    cpuMs: measured(own.map(({ cpuMs }) => cpuMs)),
    threadMs: measured(own.map(({ threadMs }) => threadMs)),
    cpuMsOfAll: measured(trials.map(({ cpuMsOfAll }) => cpuMsOfAll[variant])),
  };
}

function pushCells(what: string, result: PushResult, base: PushResult, goal: string): string[] {
  const { timeMs, cpuMs, threadMs, cpuMsOfAll } = result;
  return [
    count(size),
    what,
    show(timeMs.median),
    (timeMs.median / base.timeMs.median).toFixed(2),
    show(cpuMs.median),
    (cpuMs.median / base.cpuMs.median).toFixed(2),
    show(threadMs.median),
    show(cpuMsOfAll.median),
    goal,
  ];
}

function startCells(what: string, { timeMs }: StartResult, base: StartResult, goal: string): string[] {
  const ratio = (timeMs.median / base.timeMs.median).toFixed(2);
  return [count(size), what, show(timeMs.median), ratio, '', '', '', '', goal];
}
