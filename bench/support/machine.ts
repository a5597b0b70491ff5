import { execFileSync } from 'node:child_process';
import { cpus } from 'node:os';
import { packageRoot } from '../../src/model/package.ts';

/** Where and of what the numbers are. */
export type Machine = {
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
    const changed = git(
      'status',
      '--porcelain',
      '--',
      'src',
      'bench/*.ts',
      'bench/support',
      'proto',
      'package-lock.json',
    );
    return git('rev-parse', '--short', 'HEAD') + (changed === '' ? '' : '+');
  } catch {
    return undefined;
  }
}

export function machineLine(machine: Machine): string {
  const { cpu, cores, platform, node, date, commit: of } = machine;
  return `${cpu}, ${cores} cores, ${platform}, Node ${node}, ${date}${of === undefined ? '' : `, ${of}`}`;
}
