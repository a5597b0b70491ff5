import { PerformanceObserver } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';

/** The longest times, in milliseconds, in which the event loop did not come round. */
export type Longest = {
  readonly ms: number;
  /** How much of it was garbage collection on the main thread. */
  readonly gcMs: number;
  /** The longest one, with no garbage collection counted; may be another one. */
  readonly withoutGcMs: number;
};

type Span = { readonly from: number; readonly to: number };

/** Shorter ones are none that matter. */
const shortMs = 1;

/** Node hands entries about collections over a little later. */
const entriesMs = 20;

/**
 * Watches the event loop until the function that it returns is called. Once per turn of the loop, which is when sockets
 * are served too, it looks at the clock: what lies between two looks held everybody up.
 */
export function watchLoop(): () => Promise<Longest> {
  const collections: Span[] = [];
  const note = (entries: readonly { readonly startTime: number; readonly duration: number }[]) => {
    for (const { startTime, duration } of entries) collections.push({ from: startTime, to: startTime + duration });
  };
  const observer = new PerformanceObserver((list) => note(list.getEntries()));
  observer.observe({ entryTypes: ['gc'] });

  const gaps: Span[] = [];
  let isOn = true;
  let last = performance.now();
  const look = () => {
    const now = performance.now();
    if (now - last >= shortMs) gaps.push({ from: last, to: now });
    last = now;
    if (isOn) setImmediate(look);
  };
  setImmediate(look);

  return async () => {
    isOn = false;
    await sleep(entriesMs);
    note(observer.takeRecords());
    observer.disconnect();
    return longestOf(gaps, collections);
  };
}

function longestOf(gaps: readonly Span[], collections: readonly Span[]): Longest {
  let longest: Longest = { ms: 0, gcMs: 0, withoutGcMs: 0 };
  for (const gap of gaps) {
    const ms = gap.to - gap.from;
    const gcMs = collections.reduce((sum, { from, to }) => {
      return sum + Math.max(0, Math.min(to, gap.to) - Math.max(from, gap.from));
    }, 0);
    const withoutGcMs = Math.max(longest.withoutGcMs, ms - gcMs);
    longest = ms > longest.ms ? { ms, gcMs, withoutGcMs } : { ...longest, withoutGcMs };
  }
  return longest;
}
