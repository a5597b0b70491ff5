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

/** Start and end of each entry of the run of map entries that is being looked at. */
type Run = number[];

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
  let runTag = 0;
  let run: Run | undefined;
  let previous = -1;
  while (at < end) {
    const fieldStart = at;
    const tag = readVarint(bytes, at, end);
    const wireType = tag & 7;
    const field = tag >>> 3;
    if (field === 0) throw new MalformedError('field number 0');
    if (wireType !== 2) {
      at = skip(bytes, wireType, cursor, end);
      continue;
    }
    const length = readLength(bytes, cursor, end);
    const valueStart = cursor;
    at = valueStart + length;
    const rule = shape[field];
    if (rule === undefined) continue;
    if (!rule.map) {
      if (rule.shape !== undefined) canonicalise(bytes, valueStart, at, rule.shape, depth + 1);
      continue;
    }
    if (!checkEntry(bytes, valueStart, at, rule, depth)) {
      if (run !== undefined) sortRun(bytes, run);
      run = undefined;
      continue;
    }
    if (tag !== runTag || previous !== fieldStart) {
      if (run !== undefined) sortRun(bytes, run);
      run = undefined;
      runTag = tag;
    }
    previous = at;
    run ??= [];
    run.push(fieldStart, at);
  }
  if (run !== undefined) sortRun(bytes, run);
}

/**
 * A map entry must be a message itself; the values of a Struct hold maps of their own.
 *
 * True where it can be sorted: its key comes first, once, and in its shortest form, as every encoder writes it. Then
 * equal keys are equal bytes. Any other entry stays where it is, and no other one is moved past it: the last one of
 * equal keys wins for every reader.
 */
function checkEntry(bytes: Buffer, start: number, end: number, rule: Rule, depth: number): boolean {
  if (rule.shape !== undefined) {
    canonicalise(bytes, start, end, { 2: { map: false, shape: rule.shape } }, depth + 1);
  }
  let sortable = false;
  let at = start;
  while (at < end) {
    const fieldStart = at;
    const tag = readVarint(bytes, at, end);
    const field = tag >>> 3;
    if (field === 0) throw new MalformedError('field number 0');
    const valueStart = cursor;
    at = skip(bytes, tag & 7, valueStart, end);
    if (field !== 1) continue;
    sortable = fieldStart === start && bytes[start] === (rule.numberKeys ? 0x08 : 0x0a);
    if (!sortable) continue;
    const numberOrLength = readVarint(bytes, valueStart, end);
    sortable = cursor - valueStart === varintSize(numberOrLength) && numberOrLength < 2 ** 32;
  }
  return sortable;
}

/** End of the key, which {@link checkEntry} found at the start of the content. */
function keyEnd(bytes: Buffer, contentStart: number, end: number): number {
  return skip(bytes, (bytes[contentStart] as number) & 7, contentStart + 1, end);
}

/** Start of the content of the length-delimited field at `fieldStart`. */
function contentOf(bytes: Buffer, fieldStart: number, end: number): number {
  readVarint(bytes, fieldStart, end);
  readVarint(bytes, cursor, end);
  return cursor;
}

function compareEntries(bytes: Buffer, aStart: number, aEnd: number, bStart: number, bEnd: number): number {
  const a = contentOf(bytes, aStart, aEnd);
  const b = contentOf(bytes, bStart, bEnd);
  return bytes.compare(bytes, b, keyEnd(bytes, b, bEnd), a, keyEnd(bytes, a, aEnd));
}

function sortRun(bytes: Buffer, run: Run): void {
  if (run.length === 2) return;
  let sorted = true;
  for (let i = 2; i < run.length && sorted; i += 2) {
    sorted = compareEntries(bytes, at(run, i - 2), at(run, i - 1), at(run, i), at(run, i + 1)) <= 0;
  }
  if (sorted) return;
  const order = Array.from({ length: run.length / 2 }, (_, i) => i * 2);
  order.sort((a, b) => compareEntries(bytes, at(run, a), at(run, a + 1), at(run, b), at(run, b + 1)));
  const start = at(run, 0);
  const copy = Buffer.from(bytes.subarray(start, at(run, run.length - 1)));
  let to = start;
  for (const i of order) {
    to += copy.copy(bytes, to, at(run, i) - start, at(run, i + 1) - start);
  }
}

const at = (run: Run, index: number): number => run[index] as number;
