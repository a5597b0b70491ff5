/** The part `streams`: what a push to many istiods costs, against a process that writes ready buffers to as many. */
import { cellOf, goals, type Verdict } from './support/goals.ts';
import { type Measured, measured } from './support/measured.ts';
import { inTurn, type Part } from './support/part.ts';
import { runStreamsTrial, type StreamsTrial, type Writer } from './support/streams-trial.ts';
import { count, show, table } from './support/table.ts';

const { size, streams: streamCount, ratio: limit } = goals.streams;

type Result = {
  readonly size: number;
  readonly streams: number;
  readonly responseBytes: number;
  readonly writer: Writer;
  readonly timeMs: Measured;
  readonly cpuMs: Measured;
};

export const streams: Part = {
  note: [
    "Time: from the start of the source's write until the last of all clients has its last byte. CPU: of the middle,",
    'until 400 ms after that. Ready: receives the same message, and writes a buffer of the same length to each stream.',
  ].join('\n'),

  async run({ rounds, say }) {
    const trials: StreamsTrial[] = [];
    let responseBytes: number | undefined;
    for (let round = 0; round < rounds; round++) {
      // Isthmus begins: the other one has to know the length.
      for (const writer of inTurn<Writer>(['isthmus', 'ready'], round)) {
        say(`streams, round ${round + 1} of ${rounds}: ${writer}`);
        const trial = await runStreamsTrial(writer, size, streamCount, responseBytes ?? 0);
        responseBytes ??= trial.responseBytes;
        trials.push(trial);
      }
    }
    const ready = resultOf(trials, 'ready');
    const isthmus = resultOf(trials, 'isthmus');
    const verdicts = judge(isthmus, ready);
    const rows = [cells(ready, ready, ''), cells(isthmus, ready, cellOf(verdicts))];
    const columns = ['-resources', '-streams', 'middle', '-time ms', '-× ready', '-CPU ms', '-× ready', 'goal'];
    return { results: [ready, isthmus], table: table(columns, rows), verdicts };
  },
};

function resultOf(trials: readonly StreamsTrial[], writer: Writer): Result {
  const own = trials.filter((trial) => trial.writer === writer);
  const pushes = own.flatMap((trial) => trial.pushes);
  return {
    size,
    streams: streamCount,
    responseBytes: own[0]?.responseBytes ?? 0,
    writer,
    timeMs: measured(pushes.map(({ timeMs }) => timeMs)),
    cpuMs: measured(pushes.map(({ cpuMs }) => cpuMs)),
  };
}

function judge(isthmus: Result, ready: Result): Verdict[] {
  const row = `streams, ${streamCount} at ${count(size)}`;
  const unit = 'times that of ready buffers';
  return [
    { row, measure: 'time', value: isthmus.timeMs.median / ready.timeMs.median, limit, unit },
    { row, measure: 'CPU', value: isthmus.cpuMs.median / ready.cpuMs.median, limit, unit },
  ];
}

function cells(result: Result, base: Result, goal: string): string[] {
  const { timeMs, cpuMs } = result;
  return [
    count(result.size),
    count(result.streams),
    result.writer,
    show(timeMs.median),
    (timeMs.median / base.timeMs.median).toFixed(2),
    show(cpuMs.median),
    (cpuMs.median / base.cpuMs.median).toFixed(2),
    goal,
  ];
}
