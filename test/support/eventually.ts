import { until } from './until.ts';

/** Waits until `check` throws nothing and does not return false: for expectations and conditions without a result. */
export async function eventually(check: () => unknown): Promise<void> {
  await until(check.toString(), () => check() !== false);
}
