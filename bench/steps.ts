/** The part `steps`: what one changed resource costs up to the send, with few and with many resources held. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Child } from './support/child.ts';
import { cellOf, goals, type Verdict } from './support/goals.ts';
import { type Measured, measured, median } from './support/measured.ts';
import { inTurn, type Part } from './support/part.ts';
import { ServiceEntries } from './support/service-entries.ts';
import type { StepperCommands } from './support/stepper.ts';
import { count, show, table } from './support/table.ts';

const { few, many, ratio: limit } = goals.steps;
const lengths = ['same', 'other'] as const;
type Length = (typeof lengths)[number];

/** Messages that are taken one after another, before it is the turn of the other process. */
const batchSize = 20;
const warmupBatches = 10;
const batches = 10;

/** What the first message leads to later has happened by then. */
const settleMs = 500;

type Result = {
  readonly size: number;
  readonly length: Length;
  /** The samples are medians of a batch each. */
  readonly timeMs: Measured;
};

export const steps: Part = {
  note: [
    'From the bytes of an incremental message with one changed resource to a response that is ready to be copied:',
    `decode, intake, store, snapshot, frame, tail. Medians of ${batches} batches of ${batchSize} messages per round.`,
  ].join('\n'),

  async run({ rounds, say }) {
    const samples = new Map<string, number[]>();
    for (let round = 0; round < rounds; round++) {
      say(`steps, round ${round + 1} of ${rounds}`);
      await runRound(round, (size, length, ms) => {
        const id = `${size} ${length}`;
        samples.set(id, [...(samples.get(id) ?? []), ms]);
      });
    }
    const resultOf = (size: number, length: Length): Result => {
      return { size, length, timeMs: measured(samples.get(`${size} ${length}`) ?? [], 4) };
    };
    const verdicts: Verdict[] = [];
    const rows: string[][] = [];
    const results: Result[] = [];
    for (const length of lengths) {
      const base = resultOf(few, length);
      const large = resultOf(many, length);
      const verdict = judge(length, base, large);
      results.push(base, large);
      verdicts.push(verdict);
      rows.push([count(few), length, show(base.timeMs.median), '1.00', '']);
      rows.push([count(many), length, show(large.timeMs.median), verdict.value.toFixed(2), cellOf([verdict])]);
    }
    return { results, table: table(['-resources', 'length', '-time ms', '-×', 'goal'], rows), verdicts };
  },
};

function judge(length: Length, base: Result, large: Result): Verdict {
  return {
    row: `steps, ${count(many)}, ${length} length`,
    measure: 'time',
    value: large.timeMs.median / base.timeMs.median,
    limit,
    unit: `times that at ${count(few)}`,
  };
}

/** Two fresh processes, one with few and one with many, in turn. */
async function runRound(round: number, sample: (size: number, length: Length, ms: number) => void): Promise<void> {
  const peers = [few, many].map((size) => {
    const child = new Child<StepperCommands>(`stepper ${size}`, join(import.meta.dirname, 'support/stepper.js'), []);
    return { size, child, entries: new ServiceEntries(size) };
  });
  try {
    for (const { child, entries } of peers) await child.ask('take', [entries.message('1')]);
    await sleep(settleMs);
    for (let batch = -warmupBatches; batch < batches; batch++) {
      for (const length of inTurn(lengths, Math.abs(batch))) {
        for (const { size, child, entries } of inTurn(peers, round + Math.abs(batch))) {
          const messages = Array.from({ length: batchSize }, () => entries.incremental('2', length));
          const { times, response } = await child.ask('take', messages);
          if (response.resources !== size) throw new Error(`${response.resources} of ${size} resources are left`);
          if (batch >= 0) sample(size, length, median(times));
        }
      }
    }
  } finally {
    await Promise.all(peers.map(({ child }) => child.stop()));
  }
}
