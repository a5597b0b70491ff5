import type { Resource } from './resource.ts';

/** Why a resource that a source sent is not sent on. A closed set: it is a metric label. */
export type QuarantineReason =
  | 'malformed'
  | 'no_metadata'
  | 'bad_name'
  | 'bare_mesh_wide_name'
  | 'no_body'
  | 'wrong_kind'
  | 'too_large';

/** A resource that was received and is not sent in this form. */
export type Quarantined = {
  /** `namespace/name`; where there is no usable name, a stand-in such as `#17` (its place in the message). */
  readonly key: string;
  readonly reason: QuarantineReason;
  /** For people: what is wrong and what to do. */
  readonly message: string;
};

/**
 * What one message of one origin says about one collection, after intake.
 * `full`: everything not named is gone. Otherwise only `removals` go.
 */
export type Change = {
  readonly upserts: readonly Resource[];
  /** Keys that are present and equal to what is held already. Only filled for a full change. */
  readonly unchanged: readonly Resource[];
  readonly quarantined: readonly Quarantined[];
  readonly removals: readonly string[];
  readonly full: boolean;
};
