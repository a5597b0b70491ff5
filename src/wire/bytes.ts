/** Bytes from which a native copy, with the view of the source that it needs, costs less than a loop. */
const longCopy = 1024;

/** A place to copy from or to; both are the same bytes. */
export type Viewed = Uint8Array & { readonly view: DataView };

/** The same bytes, for reading and writing four at a time. */
function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** The same memory as an object of its own that has its {@link viewOf}. */
export function viewed(bytes: Buffer): Buffer & Viewed;
export function viewed(bytes: Uint8Array): Viewed;
export function viewed(bytes: Uint8Array): Viewed {
  return Object.assign(bytes.subarray(), { view: viewOf(bytes) });
}

/** Copies `from[start, end)` to `to` at `at`; returns the position behind it. */
export function copyBytes(from: Viewed, start: number, end: number, to: Viewed, at: number): number {
  if (end - start >= longCopy) {
    to.set(from.subarray(start, end), at);
    return at + end - start;
  }
  const source = from.view;
  const target = to.view;
  let i = start;
  let next = at;
  for (const last = end - 4; i <= last; i += 4, next += 4) target.setInt32(next, source.getInt32(i));
  for (; i < end; i++) target.setUint8(next++, source.getUint8(i));
  return next;
}

/** True where `bytes[start, end)` are exactly `expected`. */
export function isSame(bytes: Viewed, start: number, end: number, expected: Viewed): boolean {
  return end - start === expected.length && isSameAt(bytes, start, end, expected, 0);
}

/** True where `bytes[start, end)` stand in `other` at `at` too. */
export function isSameAt(bytes: Viewed, start: number, end: number, other: Viewed, at: number): boolean {
  const a = bytes.view;
  const b = other.view;
  const shift = at - start;
  let i = start;
  for (const last = end - 4; i <= last; i += 4) if (a.getInt32(i) !== b.getInt32(i + shift)) return false;
  for (; i < end; i++) if (a.getUint8(i) !== b.getUint8(i + shift)) return false;
  return true;
}
