import type { Resource } from './resource.ts';

/**
 * Everything that one kind has to say, at one moment, from all origins. Immutable; two snapshots with the
 * same version hold the same resources, on every replica.
 */
export type Snapshot = {
  /** {@link Kind.id}. */
  readonly kind: string;
  /** A sum over the versions of the resources; does not depend on their order or their sources' order. */
  readonly version: string;
  /** Sorted by key, each key once. */
  readonly resources: readonly Resource[];
};
