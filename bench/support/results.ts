import { execFileSync } from 'node:child_process';
import { cpus } from 'node:os';
import { packageRoot } from '../../src/model/package.ts';
import { type MiddleName, middleNames } from './middles.ts';
import { type Change, changes } from './service-entries.ts';
import type { Trial } from './trial.ts';

/** Samples and the one number that stands for them. */
type Measured = { readonly median: number; readonly samples: readonly number[] };

/** One row of the table: what one middle needs for one kind of push. */
export type Result = {
  readonly size: number;
  readonly messageBytes: number;
  readonly change: Change;
  readonly middle: MiddleName;
  readonly timeMs: Measured;
  readonly cpuMs: Measured;
  /** Of the process, so the same for both changes. */
  readonly peakRssMiB: Measured;
};

/** Where and of what the numbers are. */
type Machine = {
  readonly cpu: string;
  readonly cores: number;
  readonly platform: string;
  readonly node: string;
  readonly date: string;
  readonly commit: string | undefined;
};

export function describeMachine(): Machine {
  const all = cpus();
  return {
    cpu: all[0]?.model.trim() ?? 'unknown CPU',
    cores: all.length,
    platform: `${process.platform}-${process.arch}`,
    node: process.version,
    date: new Date().toISOString().slice(0, 10),
    commit: commit(),
  };
}

/** Undefined outside of a git clone; `+` says that files differ from the commit. */
function commit(): string | undefined {
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: packageRoot(), encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    const changed = git('status', '--porcelain', '--', 'src', 'bench', 'proto', 'package-lock.json');
    return git('rev-parse', '--short', 'HEAD') + (changed === '' ? '' : '+');
  } catch {
    return undefined;
  }
}

/** Medians of the trials: one result per size, change and middle. */
export function summarise(trials: readonly Trial[]): Result[] {
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
  const pushes = trials.flatMap((trial) => trial.pushes.filter((push) => push.change === change));
  return {
    size,
    messageBytes,
    change,
    middle,
    timeMs: measured(pushes.map((push) => push.timeMs)),
    cpuMs: measured(pushes.map((push) => push.cpuMs)),
    peakRssMiB: measured(trials.map((trial) => trial.peakRssBytes / 2 ** 20)),
  };
}

function measured(samples: readonly number[]): Measured {
  const rounded = samples.map((value) => Math.round(value * 100) / 100);
  const sorted = rounded.toSorted((a, b) => a - b);
  const half = sorted.length >>> 1;
  const upper = sorted[half] as number;
  const median = sorted.length % 2 === 1 ? upper : (upper + (sorted[half - 1] as number)) / 2;
  return { median: Math.round(median * 100) / 100, samples: rounded };
}
