import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Churn } from '../support/istiod/churn.ts';
import { churnPage } from '../support/istiod/churn-report.ts';
import { seedOf } from '../support/istiod/random.ts';
import type { IstiodVersion } from '../support/istiod/types.ts';

const page = join(import.meta.dirname, '../../docs/long-runs/churn.md');
const versions: readonly IstiodVersion[] = ['1.11', '1.12', '1.18', '1.30'];

/** Minutes; fewer for a trial. */
const minutes = Number(process.env['ISTHMUS_CHURN_MINUTES'] ?? 60);
const seed = seedOf();

/**
 * As docs/performance.md advises for a process that runs for months (mallopt(3)): large buffers go back to the system
 * when they are freed. `ISTHMUS_CHURN_MALLOC=default` leaves malloc as it is.
 */
const env =
  process.env['ISTHMUS_CHURN_MALLOC'] === 'default'
    ? {}
    : { MALLOC_ARENA_MAX: '2', MALLOC_MMAP_THRESHOLD_: '32768', MALLOC_TRIM_THRESHOLD_: '131072' };

/** A stalled reader of 75 s, the wait of 60 s after it, and some more: no istiod hears nothing for longer. */
const longestSilenceMs = 240_000;

test(`${minutes} minutes of 100 changes a second on 10,000 resources (ISTHMUS_SEED=${seed})`, async () => {
  const churn = await Churn.start({ durationMs: minutes * 60_000, seed, versions, env });
  onTestFinished(() => churn.stop());
  const report = await churn.run();
  mkdirSync(dirname(page), { recursive: true });
  writeFileSync(page, churnPage(report));

  expect(churn.seats.flatMap(({ problems }) => problems)).toEqual([]);
  expect(churn.seats.flatMap((seat) => seat.differences(churn.source.history))).toEqual([]);
  expect(report.istiods.map(({ hasTruth }) => hasTruth)).toEqual(versions.map(() => true));
  for (const { version, longestSilenceMs: silence } of report.istiods) {
    expect(silence, `istiod ${version} heard nothing for so long`).toBeLessThan(longestSilenceMs);
  }
  // The last tick may have been a long one.
  expect(report.changes).toBeGreaterThan(0.95 * minutes * 60 * 100);
  expect(report.memory.isSteady, JSON.stringify(report.memory)).toBe(true);
});
