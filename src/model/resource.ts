/**
 * One resource, encoded once. `chunk[start, end)` is a complete `resources` entry of a DiscoveryResponse
 * (tag and length included), ready to be copied into every stream's frame.
 *
 * `chunk`, `start` and `end` may be moved by the owner when it compacts its memory, never between two
 * reads of one synchronous piece of code. `seen` belongs to the intake, `at` to the store's list. Everything else
 * never changes.
 */
export type Resource = {
  /** `namespace/name`. */
  readonly key: string;
  /** 16 characters: a hash of key, labels, annotations and body in canonical order. */
  readonly version: string;
  chunk: Buffer;
  start: number;
  end: number;
  /** Offset from `start` at which name, labels, annotations and body begin; the version text ends there. */
  readonly contentOffset: number;
  /** Number of the last message of its source that named it. */
  seen: number;
  /** Where it, or the form that it replaces, stands in the merged list; a hint: -1 or out of date where it does not. */
  at: number;
};

/** True where both carry the same name, labels, annotations and body, byte for byte in canonical order. */
export function sameContent(a: Resource, b: Resource): boolean {
  if (a.end - a.start - a.contentOffset !== b.end - b.start - b.contentOffset) return false;
  return a.chunk.compare(b.chunk, b.start + b.contentOffset, b.end, a.start + a.contentOffset, a.end) === 0;
}

/** Bytes that the resource takes in every response. */
export function sizeOf(resource: Resource): number {
  return resource.end - resource.start;
}
