/** The part `blocked`: for how long Isthmus lets nothing else run while it takes a message. */
import { join } from 'node:path';
import { Child } from './support/child.ts';
import { cellOf, goals, type Verdict } from './support/goals.ts';
import type { Longest } from './support/loop-watch.ts';
import { type Measured, measured } from './support/measured.ts';
import type { Part } from './support/part.ts';
import { changes, ServiceEntries } from './support/service-entries.ts';
import { count, show, table } from './support/table.ts';
import type { WatcherCommands } from './support/watcher.ts';

const { size, ms: limit } = goals.blocked;

/** Messages of each kind in a round, but for the first one. All count: operators have no warm-up. */
const messages = 3;

/** Resources that one message lacks. */
const removed = 1000;

/** `first`: the first full message. `removed`: resources are gone. The others: see service-entries. */
const cases = ['first', ...changes, 'removed'] as const;
type Case = (typeof cases)[number];

/** Of each round the longest piece of work. */
type Result = {
  readonly size: number;
  readonly change: Case;
  readonly longestMs: Measured;
  /** How much of that was garbage collection. */
  readonly gcMs: Measured;
  /** The longest one where no garbage collection is counted. */
  readonly withoutGcMs: Measured;
};

export const blocked: Part = {
  note: [
    `The longest time in which the event loop did not come round while ${messages} messages of a kind were taken, one`,
    'after another, without sockets. Medians of the rounds; worst: of all. The goal is for all of it, collection included.',
  ].join('\n'),

  async run({ rounds, say }) {
    const all: { change: Case; longest: Longest }[] = [];
    for (let round = 0; round < rounds; round++) {
      say(`blocked, round ${round + 1} of ${rounds}`);
      await runRound((change, longest) => all.push({ change, longest }));
    }
    const results = cases.map((change): Result => {
      const own = all.filter((each) => each.change === change).map(({ longest }) => longest);
      return {
        size,
        change,
        longestMs: measured(own.map(({ ms }) => ms)),
        gcMs: measured(own.map(({ gcMs }) => gcMs)),
        withoutGcMs: measured(own.map(({ withoutGcMs }) => withoutGcMs)),
      };
    });
    const rows = results.map((result) => [
      count(size),
      result.change === 'removed' ? `${count(removed)} removed` : result.change,
      show(result.longestMs.median),
      show(result.gcMs.median),
      show(result.withoutGcMs.median),
      show(Math.max(...result.longestMs.samples)),
      cellOf([judge(result)]),
    ]);
    const columns = ['-resources', 'changed', '-longest ms', '-of it GC', '-without GC', '-worst ms', 'goal'];
    return { results, table: table(columns, rows), verdicts: results.map(judge) };
  },
};

function judge({ change, longestMs }: Result): Verdict {
  const row = `blocked, ${count(size)}, ${change}`;
  return { row, measure: 'longest piece of work', value: longestMs.median, limit, unit: 'ms' };
}

/** One fresh process takes all kinds of messages; they are made here, so that it does nothing else. */
async function runRound(sample: (change: Case, longest: Longest) => void): Promise<void> {
  const entries = new ServiceEntries(size);
  const child = new Child<WatcherCommands>('watcher', join(import.meta.dirname, 'support/watcher.js'), []);
  let held = size;
  let nonce = 0;
  const take = async () => {
    const { longest, response } = await child.ask('take', entries.message(String(++nonce)));
    if (response.resources !== held) throw new Error(`${response.resources} resources are held instead of ${held}`);
    return longest;
  };
  const takeAll = async (prepare: () => void) => {
    const taken: Longest[] = [];
    for (let i = 0; i < messages; i++) {
      prepare();
      taken.push(await take());
    }
    return taken;
  };
  try {
    sample('first', await take());
    for (const change of changes) sample(change, worstOf(await takeAll(() => entries.change(change))));
    const removals = await takeAll(() => {
      entries.remove(removed);
      held -= removed;
    });
    sample('removed', worstOf(removals));
  } finally {
    await child.stop();
  }
}

function worstOf(all: readonly Longest[]): Longest {
  const longest = all.reduce((worst, each) => (each.ms > worst.ms ? each : worst));
  return { ...longest, withoutGcMs: Math.max(...all.map(({ withoutGcMs }) => withoutGcMs)) };
}
