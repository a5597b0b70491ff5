import type { Fault } from '../model/change.ts';
import { messageOf } from '../model/errors.ts';
import type { Batch, Findings } from './messages.ts';
import { faultOf } from './verdict.ts';

/** How a batch is looked at. */
type Looking = {
  /** Places that are left out. @default none */
  readonly skip?: readonly number[];
  /** Told of each place before it is looked at. */
  readonly onPlace?: (place: number) => void;
  /** @default {@link faultOf} */
  readonly look?: typeof faultOf;
};

/** Looks at each resource of a batch. A mistake of ours in one of them costs no other one. */
export function faultsOf(
  { kindId, bytes, ends }: Batch,
  { skip = [], onPlace = () => {}, look = faultOf }: Looking = {},
): Findings {
  const faults: [number, Fault][] = [];
  let failed = 0;
  let failure: string | undefined;
  let start = 0;
  for (const [place, end] of ends.entries()) {
    const resource = bytes.subarray(start, end);
    start = end;
    if (skip.includes(place)) continue;
    onPlace(place);
    try {
      const fault = look(kindId, resource);
      if (fault !== undefined) faults.push([place, fault]);
    } catch (error) {
      failed++;
      failure ??= messageOf(error);
    }
  }
  return { faults, failed, failure };
}
