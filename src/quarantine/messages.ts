import type { Fault } from '../model/change.ts';

/** Resources of one kind that are to be looked at. */
export type Batch = {
  /** {@link Kind.id}. */
  readonly kindId: string;
  /** One `istio.mcp.v1alpha1.Resource` after the other. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Where each of them ends. */
  readonly ends: Int32Array<ArrayBuffer>;
};

/** A batch for the thread. */
export type Question = Batch & {
  readonly id: number;
  /** Places in the batch that are not to be looked at: a thread has failed over them. */
  readonly skip: readonly number[];
};

/** What was found: places in the batch, from 0, and what is wrong there. */
export type Findings = {
  readonly faults: readonly (readonly [place: number, fault: Fault])[];
  /** Resources that could not be looked at, because of a mistake of ours, and what it was in the first one. */
  readonly failed: number;
  readonly failure: string | undefined;
};

/** What the thread found. */
export type Answer = Findings & { readonly id: number };
