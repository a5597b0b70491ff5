/** Memory of many resources. */
export type Chunk = Buffer & {
  /** The same bytes, for reading and writing four at a time. */
  readonly view: DataView;
  /** Bytes of it that are in use. */
  liveBytes: number;
};

/**
 * One resource, encoded once. `chunk[start, end)` is a complete `resources` entry of a DiscoveryResponse
 * (tag and length included), ready to be copied into every stream's frame.
 *
 * Another form of the same length takes its place in these bytes, and in this object: version and bytes always belong
 * together, but only for as long as one synchronous piece of code looks at them.
 *
 * `chunk`, `start` and `end` may be moved by the owner when it orders its memory, never between two reads of one
 * synchronous piece of code. `slot` belongs to the table, `seen` and `rank` to the intake, `at` and `isListed` to the
 * store's list.
 */
export type Resource = {
  /** `namespace/name`. */
  readonly key: string;
  /** 16 characters: a hash of key, labels, annotations and body in canonical order. */
  readonly version: string;
  /** The same 96 bits as signed numbers. */
  v1: number;
  v2: number;
  v3: number;
  chunk: Chunk;
  start: number;
  end: number;
  /** Its place in the table that holds it; -1 where none does. */
  slot: number;
  /** Number of the last message of its source that named it. */
  seen: number;
  /** Its place among those that this message named. */
  rank: number;
  /** Where it, or the form that it replaces, stands in the merged list; a hint: -1 or out of date where it does not. */
  at: number;
  /** True while it is in the merged list. */
  isListed: boolean;
};

/** Bytes that the resource takes in every response. */
export function sizeOf(resource: Resource): number {
  return resource.end - resource.start;
}
