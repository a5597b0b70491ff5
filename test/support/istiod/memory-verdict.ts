import { readFileSync } from 'node:fs';

/** Memory of a process at one moment of a run. */
export type Sample = { readonly atMs: number; readonly bytes: number };

/** After so much of a run, and so long at most, it has to have all that it needs. */
const warmUp = { share: 0.2, atMostMs: 10 * 60_000 };

/** How much memory may grow over the rest, against its mean. */
export const tolerance = 0.1;

export type MemoryVerdict = {
  readonly warmUpMs: number;
  /** Length of what was looked at. */
  readonly windowMs: number;
  readonly meanBytes: number;
  /** By least squares over all samples of the window. */
  readonly slopeBytesPerHour: number;
  /** Slope × window, against the mean; at most {@link tolerance}. */
  readonly growth: number;
  readonly isSteady: boolean;
};

/**
 * Whether memory is steady: the slope of the line through the samples after the warm-up, times the length of that
 * window, is at most a tenth of their mean.
 */
export function judgeMemory(samples: readonly Sample[]): MemoryVerdict {
  const endMs = samples.at(-1)?.atMs ?? 0;
  const warmUpMs = Math.min(warmUp.share * endMs, warmUp.atMostMs);
  const window = samples.filter(({ atMs }) => atMs >= warmUpMs);
  if (window.length < 10) throw new Error(`${window.length} samples are too few to judge by`);
  const mean = (of: (sample: Sample) => number): number =>
    window.reduce((sum, one) => sum + of(one), 0) / window.length;
  const meanMs = mean(({ atMs }) => atMs);
  const meanBytes = mean(({ bytes }) => bytes);
  const covariance = mean(({ atMs, bytes }) => (atMs - meanMs) * (bytes - meanBytes));
  const slope = covariance / mean(({ atMs }) => (atMs - meanMs) ** 2);
  const windowMs = endMs - warmUpMs;
  const growth = (slope * windowMs) / meanBytes;
  return {
    warmUpMs,
    windowMs,
    meanBytes,
    slopeBytesPerHour: slope * 3_600_000,
    growth,
    isSteady: growth <= tolerance,
  };
}

/** Resident memory of a process. @throws where the system has no /proc. */
export function residentBytes(pid: number): number {
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  if (found === null) throw new Error(`process ${pid} has no resident memory`);
  return Number(found[1]) * 1024;
}
