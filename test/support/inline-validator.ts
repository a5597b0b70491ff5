import { faultsOf } from '../../src/quarantine/batch-faults.ts';
import type { Batch } from '../../src/quarantine/messages.ts';
import type { Validator } from '../../src/quarantine/validator.ts';

/** Checks resources by the rules of Istio where it is asked, without a thread. */
export class InlineValidator implements Validator {
  /** Resources that it has looked at. */
  checked = 0;
  /** True while nobody can look. */
  isDown = false;
  /** What it waits for before it answers. */
  gate: Promise<void> = Promise.resolve();

  async check(batch: Batch): Promise<ReturnType<typeof faultsOf> | undefined> {
    await this.gate;
    if (this.isDown) return undefined;
    this.checked += batch.ends.length;
    return faultsOf(batch);
  }

  async stop(): Promise<void> {}
}
