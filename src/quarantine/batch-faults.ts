import type { Fault } from '../model/change.ts';
import { messageOf } from '../model/errors.ts';
import type { Answer, Batch } from './messages.ts';
import { faultOf } from './verdict.ts';

/** Looks at each resource of a batch. A mistake of ours in one of them costs no other one. */
export function faultsOf({ kindId, bytes, ends }: Batch): Omit<Answer, 'id'> {
  const faults: [number, Fault][] = [];
  let failed = 0;
  let failure: string | undefined;
  let start = 0;
  for (const [place, end] of ends.entries()) {
    try {
      const fault = faultOf(kindId, bytes.subarray(start, end));
      if (fault !== undefined) faults.push([place, fault]);
    } catch (error) {
      failed++;
      failure ??= messageOf(error);
    }
    start = end;
  }
  return { faults, failed, failure };
}
