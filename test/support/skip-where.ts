import { expect, type TestContext } from 'vitest';

/** Skips the test that runs where `condition` holds, and prints why: vitest's default reporter does not. */
export function skipWhere(condition: boolean, reason: string, { skip }: TestContext): void {
  if (!condition) return;
  process.stdout.write(`skipped: ${expect.getState().currentTestName ?? ''}: ${reason}\n`);
  skip(reason);
}
