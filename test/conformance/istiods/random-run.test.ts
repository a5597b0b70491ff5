import { expect, onTestFinished, test } from 'vitest';
import { allProfiles } from '../../support/istiod/profile.ts';
import { RandomRun } from '../../support/istiod/random-run.ts';
import { seedOf } from '../../support/istiod/random.ts';

const seed = seedOf();
const steps = 1200;

test(`seven istiods end with the truth and never hold less, over ${steps} changes and faults (ISTHMUS_SEED=${seed})`, {
  timeout: 300_000,
}, async () => {
  const run = await RandomRun.start({ profiles: allProfiles, seed, steps, faultRate: 0.2 });
  onTestFinished(() => run.stop());
  const { counts, checks } = await run.run();
  expect(run.problems).toEqual([]);
  const done = Object.values(counts).reduce((sum, count) => sum + count, 0);
  expect(done).toBe(steps);
  expect(checks).toBe(8);
  for (const { istiod, disconnects } of run.seats) {
    expect(istiod.fatal).toBeUndefined();
    expect(disconnects + istiod.disconnects).toBeGreaterThan(10);
  }
});
