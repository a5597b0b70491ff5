import type { Verdict } from './goals.ts';
import type { MiddleName } from './middles.ts';

export type RunOptions = {
  /** Fresh starts of everything that is measured. */
  readonly rounds: number;
  /** Numbers of resources; only for pushes, the other parts have those of their goals. */
  readonly sizes: readonly number[];
  /** The middles of pushes. */
  readonly middles: readonly MiddleName[];
  /** Says how far it is. */
  readonly say: (text: string) => void;
};

export type Outcome = {
  /** For the file of results. */
  readonly results: readonly object[];
  readonly table: string;
  readonly verdicts: readonly Verdict[];
};

/** A part of the benchmark that can run by itself. */
export type Part = {
  /** What its table leaves unsaid. */
  readonly note: string;
  run(options: RunOptions): Promise<Outcome>;
};

/** All take turns within a round, and each round begins with another one. */
export function inTurn<T>(all: readonly T[], round: number): T[] {
  const first = round % all.length;
  return [...all.slice(first), ...all.slice(0, first)];
}
