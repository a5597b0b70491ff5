import { valueText, type Path } from '../problem.ts';
import { parseDuration } from '../well-known.ts';
import type { Report } from './violation.ts';

const nanosPerMs = 1_000_000n;
/** What Go's time.Duration holds, 292 years; Go makes its largest value of what is beyond. */
const maxNanos = 2n ** 63n - 1n;

/** A double in JSON: what is not finite is text. */
export type Double = number | string;

/**
 * Reports a duration below 1 ms, or with a part below it. One that can't be read, or is longer than 292 years, is
 * left to others. Source: pkg/config/validation ValidateDuration, 1.14 to 1.31.
 */
export function checkDuration(report: Report, at: Path, duration: unknown): void {
  const parsed = typeof duration === 'string' ? parseDuration(duration) : undefined;
  if (parsed === undefined) return;
  const nanos = parsed.seconds * 1_000_000_000n + BigInt(parsed.nanos);
  if (nanos > maxNanos) return;
  if (nanos < nanosPerMs) {
    report('durations', at, `${valueText(duration)} is shorter than 1 ms`, 'write 1ms or more, as in "0.250s"');
  } else if (nanos % nanosPerMs !== 0n) {
    report('durations', at, `${valueText(duration)} has a part below 1 ms`, 'write whole milliseconds');
  }
}

/** Reports a number below 0. */
export function checkNotNegative(report: Report, at: Path, value = 0): void {
  if (value < 0) report('numbers', at, `${value} is below 0`, 'write 0 or more');
}

/** Reports a percentage outside of 0 to 100. */
export function checkPercent(report: Report, at: Path, value: Double = 0): void {
  if (Number(value) < 0 || Number(value) > 100) {
    report('numbers', at, `${value} is no percentage`, 'write a number from 0 to 100');
  }
}
