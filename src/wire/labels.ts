import type { ResourcePool } from '../model/resource.ts';
import { isSame, type Viewed } from './bytes.ts';
import { nameRange } from './resource-frame.ts';
import { cursor, readLength, readVarint, skip } from './scan.ts';

/** Tag of an entry of `metadata.labels`; they stand right behind the name (the layout of encodeResource). */
const labelsTag = 0x22;

/**
 * The value of a label of an encoded resource; undefined where it has none. Of entries with the same key the last one
 * counts, as for every reader.
 *
 * @param name its key, as bytes.
 */
export function labelOf(pool: ResourcePool, row: number, name: Viewed): string | undefined {
  const chunk = pool.chunk(row);
  const end = pool.end(row);
  let found: string | undefined;
  let at = nameRange(pool, row)[1];
  while (at < end && readVarint(chunk, at, end) === labelsTag) {
    const length = readLength(chunk, cursor, end);
    const start = cursor;
    at = start + length;
    if (!isPlainOther(chunk, start, at, name.length)) found = valueOf(chunk, start, at, name) ?? found;
  }
  return found;
}

/** True for a key of another length and a value, both short and once, as nearly all entries are: it needs no look at them. */
function isPlainOther(bytes: Uint8Array, start: number, end: number, nameLength: number): boolean {
  const keyLength = bytes[start + 1] as number;
  if (bytes[start] !== 0x0a || keyLength >= 0x80 || keyLength === nameLength) return false;
  const valueTag = start + 2 + keyLength;
  if (valueTag === end) return true;
  const valueLength = bytes[valueTag + 1] as number;
  return bytes[valueTag] === 0x12 && valueLength < 0x80 && valueTag + 2 + valueLength === end;
}

/** The value of the entry of a map at `bytes[start, end)`; undefined where its key is another one than `name`. */
function valueOf(bytes: Buffer & Viewed, start: number, end: number, name: Viewed): string | undefined {
  let isNamed = false;
  let valueStart = 0;
  let valueEnd = 0;
  for (let at = start; at < end; ) {
    const tag = readVarint(bytes, at, end);
    const fieldStart = cursor;
    at = skip(bytes, tag & 7, fieldStart, end);
    if (tag !== 0x0a && tag !== 0x12) continue;
    readLength(bytes, fieldStart, end);
    if (tag === 0x0a) isNamed = isSame(bytes, cursor, at, name);
    else {
      valueStart = cursor;
      valueEnd = at;
    }
  }
  return isNamed ? bytes.toString('utf8', valueStart, valueEnd) : undefined;
}
