import type { ResourcePool } from './resource.ts';

/**
 * Everything that one kind has to say, at one moment, from all origins. Two snapshots with the same version hold the
 * same resources, on every replica. That holds until something else gets its turn: what is read of a snapshot is read
 * at once, and asked for anew the next time.
 */
export type Snapshot = {
  /** {@link Kind.id}. */
  readonly kind: string;
  /** A sum over the versions of the resources; does not depend on their order or their sources' order. */
  readonly version: string;
  /** The same, for comparing within this process: nobody outside can make two contents of one identity. */
  readonly identity: string;
  /** Where the rows are. */
  readonly pool: ResourcePool;
  /**
   * Sorted by key, each key once. The same array as before where only other forms of what was there took their places;
   * another one where any of the others lies somewhere else in memory.
   */
  readonly rows: Int32Array;
  /** For each `blockRows` rows (model/sizes): another number whenever one of them is another row. */
  readonly stamps: Int32Array;
  /** Of all resources, as they stand in a response. */
  readonly bytes: number;
};

/** The merged list, for the only origin that has a word in it: what is there becomes another form at once. */
export type Listed = {
  /** To be called before a row of the list is overwritten, and after it: the version counts what is there. */
  readonly remove: (row: number) => void;
  readonly add: (row: number) => void;
  /** Puts another row of the same key in the place of `old`. False, and nothing done, where that is not in the list. */
  readonly replace: (old: number, row: number) => boolean;
};
