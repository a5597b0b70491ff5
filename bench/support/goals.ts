/** What Isthmus has to reach: every limit of the benchmark, and nothing else. `--check` holds it to them. */
export const goals = {
  push: {
    size: 100_000,
    changes: ['all', 'one'],
    /** Times the relay's. */
    time: 1.5,
    /** Times that of the protobufjs bridge. */
    cpu: 0.35,
    /** Peak RSS: so many responses, as the client receives one, and so many bytes. */
    rssResponses: 8,
    rssBytes: 100e6,
  },
  /** Time and CPU, times those of ready buffers. */
  streams: { size: 10_000, streams: 64, ratio: 1.3 },
  /** Time with many resources held, times that with few. */
  steps: { few: 1000, many: 100_000, ratio: 2 },
  /**
   * Guard, quarantine and last-known-good: CPU time of the main thread up to the last byte of a push with a hundred changes,
   * times that without them; time from the start of the process to the first push out of its files, times that of
   * one out of its source.
   */
  protection: { size: 100_000, cpu: 1.15, load: 1 },
  /** Milliseconds of the longest piece of work, garbage collection included. */
  blocked: { size: 100_000, ms: 50 },
  /** The same of each page of the admin port, garbage collection not included: it is that of pages asked for again and again. */
  pages: { size: 100_000, ms: 50 },
  /** CPU time of a push with metrics, a scrape and an open status page, times that of one without any of them. */
  watch: { size: 100_000, ratio: 1.05 },
} as const;

/** One number that has a goal. */
export type Verdict = {
  /** What was measured, short enough for a cell of a table. */
  readonly measure: string;
  /** Where: a row of the table. */
  readonly row: string;
  readonly value: number;
  /** The largest value that is good. */
  readonly limit: number;
  /** Of both. */
  readonly unit: string;
};

/** Not a number is no value that is good. */
export const isMet = ({ value, limit }: Verdict): boolean => value <= limit;

/** The cell of a table that says how a row did; empty where it has no goal. */
export function cellOf(verdicts: readonly Verdict[]): string {
  if (verdicts.length === 0) return '';
  const missed = verdicts.filter((verdict) => !isMet(verdict));
  return missed.length === 0 ? 'met' : `missed: ${missed.map(({ measure }) => measure).join(', ')}`;
}

export function sentence({ row, measure, value, limit, unit }: Verdict): string {
  return `${row}: ${measure} is ${round(value)} ${unit}, the goal is at most ${round(limit)}`;
}

function round(value: number): number {
  return value < 10 ? Math.round(value * 100) / 100 : Math.round(value * 10) / 10;
}
