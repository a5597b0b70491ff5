import type { ResourcePool } from '../model/resource.ts';
import { blockRows } from '../model/sizes.ts';
import { copyBytes, type Viewed, viewed } from './bytes.ts';
import { cursor, readLength, varintSize, writeVarint } from './scan.ts';
import { versionLength } from './resource-frame.ts';

/**
 * A message as pieces that are copied straight into the transport's frame. grpc-js 1.14 uses only
 * `length` and `copy(target, at)` of what a serialiser returns (compression filter and server-call's
 * serializeMessage), so joining the pieces first would be one copy of the whole push for nothing.
 * test/conformance has a test that fails should a grpc-js release want more.
 */
export class Rope {
  readonly #blocks: readonly Block[];
  readonly #tail: Viewed | undefined;
  /** Total bytes. */
  readonly length: number;
  /** Pieces that it consists of, but for a tail. */
  readonly pieces: number;

  constructor(blocks: readonly Block[], tail?: Viewed) {
    this.#blocks = blocks;
    this.#tail = tail;
    this.length = blocks.reduce((sum, block) => sum + block.length, tail?.length ?? 0);
    this.pieces = blocks.reduce((sum, { chunks }) => sum + chunks.length, 0);
  }

  /** A message of whole buffers. */
  static of(...buffers: readonly Uint8Array[]): Rope {
    const length = buffers.reduce((sum, buffer) => sum + buffer.length, 0);
    const chunks = buffers.map((buffer) => viewed(buffer));
    return new Rope([{ chunks, bounds: buffers.flatMap((buffer) => [0, buffer.length]), length }]);
  }

  get byteLength(): number {
    return this.length;
  }

  /** Copies everything into `target` from `at` on; returns the number of bytes, like Buffer's copy. */
  copy(target: Uint8Array, at = 0): number {
    const to = viewed(target);
    let next = at;
    for (const { chunks, bounds } of this.#blocks) {
      for (let i = 0; i < chunks.length; i++) {
        next = copyBytes(chunks[i] as Viewed, bounds[2 * i] as number, bounds[2 * i + 1] as number, to, next);
      }
    }
    if (this.#tail !== undefined) next = copyBytes(this.#tail, 0, this.#tail.length, to, next);
    return next - at;
  }

  /** The same bytes in one Buffer, for everyone who is not a transport. */
  toBuffer(): Buffer {
    const buffer = Buffer.allocUnsafe(this.length);
    this.copy(buffer);
    return buffer;
  }

  /** The pieces of this rope, which has no tail, and `tail` behind them. */
  with(tail: Uint8Array): Rope {
    return new Rope(this.#blocks, viewed(tail));
  }

  /** A rope of which each block is the one of this rope, or what `renew` makes for its number. */
  patched(renew: (block: number) => Block | undefined): Rope {
    return new Rope(this.#blocks.map((block, number) => renew(number) ?? block));
  }
}

/** Pieces in a row. Flat lists instead of an object for each piece: there may be a hundred thousand. */
type Block = {
  readonly chunks: readonly Viewed[];
  /** Start and end in each chunk, in pairs. */
  readonly bounds: readonly number[];
  /** Bytes of all together. */
  readonly length: number;
};

/**
 * The resources of one response, ready to send. Neighbours in memory become one piece, so a type that lies in order
 * is a few large copies.
 */
export function spliceResources(pool: ResourcePool, rows: Int32Array): Rope {
  const blocks: Block[] = [];
  for (let from = 0; from < rows.length; from += blockRows) {
    blocks.push(spliceBlock(pool, rows.subarray(from, from + blockRows)));
  }
  return new Rope(blocks);
}

/** The same, where `rope` was made of these rows before, and only blocks that `isOther` are others now. */
export function respliceResources(
  pool: ResourcePool,
  rows: Int32Array,
  rope: Rope,
  isOther: (block: number) => boolean,
): Rope {
  return rope.patched((block) => {
    const from = block * blockRows;
    return isOther(block) ? spliceBlock(pool, rows.subarray(from, from + blockRows)) : undefined;
  });
}

function spliceBlock(pool: ResourcePool, rows: Int32Array): Block {
  const chunks: Viewed[] = [];
  const bounds: number[] = [];
  let length = 0;
  let last: Viewed | undefined;
  let lastEnd = 0;
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] as number;
    const chunk = pool.chunk(row);
    const start = pool.start(row);
    const end = pool.end(row);
    length += end - start;
    if (chunk === last && start === lastEnd) bounds[bounds.length - 1] = end;
    else {
      chunks.push(chunk);
      bounds.push(start, end);
    }
    last = chunk;
    lastEnd = end;
  }
  return { chunks, bounds, length };
}

/**
 * The same resources with an empty metadata.version, for istiod up to 1.11: 1.11 refuses every update of a
 * resource that carries a version (memory/store.go), 1.9 and 1.10 ignore it.
 */
export function spliceUnversioned(pool: ResourcePool, rows: Int32Array): Rope {
  const pieces = Array.from(rows, (row) => withoutVersion(pool, row));
  return Rope.of(Buffer.concat(pieces));
}

/** Tag, length and text of the version field. */
const versionFieldBytes = 2 + versionLength;

/** The three lengths around it may take a byte less each. */
const mostVersionBytes = versionFieldBytes + 3;

/** Bytes that {@link spliceUnversioned} gives at least, without making them: at most three too few for each resource. */
export function leastUnversionedLength(pool: ResourcePool, rows: Int32Array): number {
  let length = 0;
  for (let i = 0; i < rows.length; i++) length += pool.bytes(rows[i] as number) - mostVersionBytes;
  return length;
}

/** Rewrites the four lengths around the version field. The layout is that of encodeResource. */
function withoutVersion(pool: ResourcePool, row: number): Buffer {
  const chunk = pool.chunk(row);
  const start = pool.start(row);
  const end = pool.end(row);
  const content = pool.contentStart(row);
  const anyLength = readLength(chunk, start + 1, end);
  const typeTag = cursor;
  const typeEnd = typeTag + 2 + (chunk[typeTag + 1] as number) + 1;
  const resourceLength = readLength(chunk, typeEnd, end);
  const metadataTag = cursor;
  const metadataLength = readLength(chunk, metadataTag + 1, end);
  const timeStart = cursor;
  const versionStart = content - versionFieldBytes;

  const newMetadata = metadataLength - versionFieldBytes;
  const newResource = resourceLength - versionFieldBytes - (varintSize(metadataLength) - varintSize(newMetadata));
  const newAny = anyLength - (resourceLength - newResource) - (varintSize(resourceLength) - varintSize(newResource));
  const out = Buffer.allocUnsafe(1 + varintSize(newAny) + newAny);
  out[0] = chunk[start] as number;
  let at = writeVarint(out, 1, newAny);
  at += chunk.copy(out, at, typeTag, typeEnd);
  at = writeVarint(out, at, newResource);
  out[at++] = chunk[metadataTag] as number;
  at = writeVarint(out, at, newMetadata);
  at += chunk.copy(out, at, timeStart, versionStart);
  chunk.copy(out, at, content, end);
  return out;
}
