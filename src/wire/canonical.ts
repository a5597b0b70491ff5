import { cursor, MalformedError, readLength, readVarint, skip, varintSize } from './scan.ts';

/**
 * Where a message type holds maps: field number → a map (with the shape of its values, if those hold
 * maps too) or a nested message. Fields that lead to no map are left out.
 */
export type Shape = { readonly [field: number]: Rule };

type Rule = {
  readonly map: boolean;
  readonly shape: Shape | undefined;
  /** The keys of the map are unsigned numbers; otherwise they are text. */
  readonly numberKeys?: true;
};

/** Nesting that a body may have; Istio's deepest is an EnvoyFilter's Struct. Bounds recursion on hostile input. */
const maxDepth = 100;

/**
 * Brings `bytes[start, end)` into canonical order, in place: entries of each map sorted by key. Go writes
 * maps in random order, so without this the same object would look changed at every message.
 * Only permutes, so the length stays; equal keys keep their order (the last one wins for every reader).
 *
 * @throws MalformedError where the bytes are no protobuf message. The bytes may be partly sorted then.
 */
export function canonicalise(bytes: Buffer, start: number, end: number, shape: Shape, depth = 0): void {
  if (depth > maxDepth) throw new MalformedError(`nested deeper than ${maxDepth}`);
  let at = start;
  // The run of entries of one map that is being looked at: where it lies, and the key of its last entry.
  let runTag = 0;
  let runStart = -1;
  let runEnd = -1;
  let sorted = true;
  let lastKeyStart = 0;
  let lastKeyEnd = 0;
  while (at < end) {
    const fieldStart = at;
    let tag = bytes[at] as number;
    let length = at + 1 < end ? (bytes[at + 1] as number) : 0x80;
    let valueStart = at + 2;
    // A tag and a length of one byte each, as nearly all are, need no call.
    if (tag >= 0x80 || length >= 0x80 || (tag & 7) !== 2 || length > end - valueStart) {
      tag = readVarint(bytes, at, end);
      if (tag >>> 3 === 0) throw new MalformedError('field number 0');
      if ((tag & 7) !== 2) {
        at = skip(bytes, tag & 7, cursor, end);
        continue;
      }
      length = readLength(bytes, cursor, end);
      valueStart = cursor;
    }
    const field = tag >>> 3;
    if (field === 0) throw new MalformedError('field number 0');
    at = valueStart + length;
    const rule = shape[field];
    if (rule === undefined) continue;
    if (!rule.map) {
      if (rule.shape !== undefined) canonicalise(bytes, valueStart, at, rule.shape, depth + 1);
      continue;
    }
    const keyEnd = sortableKey(bytes, valueStart, at, rule, depth);
    const goesOn = keyEnd >= 0 && tag === runTag && runEnd === fieldStart;
    if (!goesOn) {
      if (!sorted) sortRun(bytes, runStart, runEnd);
      sorted = true;
      runStart = fieldStart;
      runTag = keyEnd < 0 ? 0 : tag;
    } else if (sorted) {
      sorted = compareRanges(bytes, lastKeyStart, lastKeyEnd, valueStart, keyEnd) <= 0;
    }
    runEnd = at;
    lastKeyStart = valueStart;
    lastKeyEnd = keyEnd;
  }
  if (!sorted) sortRun(bytes, runStart, runEnd);
}

/**
 * Checks one map entry, which must be a message itself; the values of a Struct hold maps of their own.
 *
 * Returns the end of its key where it can be sorted: its key comes first, once, and in its shortest form, as every
 * encoder writes it. Then equal keys are equal bytes. Any other entry (-1) stays where it is, and no other one is
 * moved past it: the last one of equal keys wins for every reader.
 */
function sortableKey(bytes: Buffer, start: number, end: number, rule: Rule, depth: number): number {
  if (rule.shape !== undefined) {
    canonicalise(bytes, start, end, { 2: { map: false, shape: rule.shape } }, depth + 1);
  } else if (!rule.numberKeys) {
    const keyEnd = endOfPlainKey(bytes, start, end);
    if (keyEnd >= 0) return keyEnd;
  }
  let sortable = -1;
  let at = start;
  while (at < end) {
    const fieldStart = at;
    const tag = readVarint(bytes, at, end);
    const field = tag >>> 3;
    if (field === 0) throw new MalformedError('field number 0');
    const valueStart = cursor;
    at = skip(bytes, tag & 7, valueStart, end);
    if (field !== 1) continue;
    sortable = -1;
    if (fieldStart !== start || bytes[start] !== (rule.numberKeys ? 0x08 : 0x0a)) continue;
    const numberOrLength = readVarint(bytes, valueStart, end);
    if (cursor - valueStart === varintSize(numberOrLength) && numberOrLength < 2 ** 32) sortable = at;
  }
  return sortable;
}

/** The end of the key of nearly every entry there is: a short text, and then a short text, a number or nothing. Else -1. */
function endOfPlainKey(bytes: Buffer, start: number, end: number): number {
  if (end - start < 2 || bytes[start] !== 0x0a) return -1;
  const keyLength = bytes[start + 1] as number;
  const keyEnd = start + 2 + keyLength;
  if (keyLength >= 0x80 || keyEnd > end) return -1;
  if (keyEnd === end) return keyEnd;
  const valueStart = keyEnd + 1;
  if (bytes[keyEnd] === 0x12) {
    const valueLength = bytes[valueStart] as number;
    return valueLength < 0x80 && valueStart + 1 + valueLength === end ? keyEnd : -1;
  }
  if (bytes[keyEnd] !== 0x10 || end - valueStart > 5) return -1;
  let last = valueStart;
  while (last < end && (bytes[last] as number) >= 0x80) last++;
  return last === end - 1 ? keyEnd : -1;
}

/** Order of the bytes, and of two that begin the same the shorter first. */
function compareRanges(bytes: Buffer, aStart: number, aEnd: number, bStart: number, bEnd: number): number {
  const length = Math.min(aEnd - aStart, bEnd - bStart);
  for (let i = 0; i < length; i++) {
    const difference = (bytes[aStart + i] as number) - (bytes[bStart + i] as number);
    if (difference !== 0) return difference;
  }
  return aEnd - aStart - (bEnd - bStart);
}

/** One entry of a run: the whole field, and its key with tag and length. */
type Entry = { readonly start: number; readonly end: number; readonly keyStart: number; readonly keyEnd: number };

/** Sorts the entries that lie in `bytes[start, end)`, all of which {@link sortableKey} has taken for sortable. */
function sortRun(bytes: Buffer, start: number, end: number): void {
  const entries: Entry[] = [];
  for (let at = start; at < end; ) {
    readVarint(bytes, at, end);
    const length = readLength(bytes, cursor, end);
    const keyStart = cursor;
    const keyEnd = skip(bytes, (bytes[keyStart] as number) & 7, keyStart + 1, end);
    entries.push({ start: at, end: keyStart + length, keyStart, keyEnd });
    at = keyStart + length;
  }
  entries.sort((a, b) => compareRanges(bytes, a.keyStart, a.keyEnd, b.keyStart, b.keyEnd));
  const copy = Buffer.from(bytes.subarray(start, end));
  let to = start;
  for (const entry of entries) to += copy.copy(bytes, to, entry.start - start, entry.end - start);
}
