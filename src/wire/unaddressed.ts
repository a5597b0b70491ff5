import type { ResourcePool } from '../model/resource.ts';
import { bodyRange } from './resource-frame.ts';
import { cursor, readLength, readVarint, skip } from './scan.ts';

const wildcard = '*'.charCodeAt(0);

/**
 * Hosts of an encoded ServiceEntry for which istiod allocates a virtual address: those that are no wildcards, where it
 * has no `addresses` and a `resolution` other than NONE (pilot serviceentry/controller.go autoAllocateIPs, 1.16 and 1.24).
 */
export function unaddressedHosts(pool: ResourcePool, row: number): number {
  const chunk = pool.chunk(row);
  const [start, end] = bodyRange(pool, row);
  let hosts = 0;
  let isResolved = false;
  for (let at = start; at < end; ) {
    let tag = chunk[at] as number;
    const length = chunk[at + 1] as number;
    // Ports and endpoints with a tag and a length of one byte each, as nearly all are.
    if ((tag === 0x1a || tag === 0x32) && length < 0x80) {
      at += 2 + length;
      continue;
    }
    tag = readVarint(chunk, at, end);
    const fieldStart = cursor;
    at = skip(chunk, tag & 7, fieldStart, end);
    if (tag === 0x0a) {
      if (readLength(chunk, fieldStart, end) > 0 && chunk[cursor] !== wildcard) hosts++;
    } else if (tag === 0x12) return 0;
    else if (tag === 0x28) isResolved = readVarint(chunk, fieldStart, end) !== 0;
  }
  return isResolved ? hosts : 0;
}
