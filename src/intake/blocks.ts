import { noRow, type ResourcePool } from '../model/resource.ts';
import { sealRows } from '../model/sizes.ts';
import type { Spans } from '../wire/spans.ts';
import { sealTag } from './seals.ts';
import type { Taking } from './taking.ts';

/** Made of what each row of a block is, and where its resource lies; one list serves for all. */
const sums = new Int32Array(2);

/**
 * Begins the block of resources whose first span begins at `span` in the list of them. True where all of them are as in the
 * last message, and were taken: then they are done.
 *
 * @param guesses the rows that the last message named, in its order.
 */
export function takeBlock(taking: Taking, guesses: Int32Array, span: number): boolean {
  endBlock(taking);
  const { message, bytes, held, seen, block, lastSeals, seals, order } = taking;
  const { spans } = message;
  const next = span + 2 * sealRows;
  if (lastSeals === undefined || next > spans.length) return false;
  const start = spans[span] as number;
  const end = spans[next - 1] as number;
  block.place = span / (2 * sealRows);
  block.bytes = end - start;
  sealTag(bytes.subarray(start, end), block.tag);
  block.rank = taking.named;
  block.plainBefore = taking.plain;
  const rank = lastSeals.rankOf(block);
  if (rank < 0) return false;

  const { pool } = held.resources;
  sums.fill(0);
  for (let i = rank; i < rank + sealRows; i++) {
    const row = guesses[i] ?? noRow;
    // Named already: a resource that came twice, good or bad. Without a hash: its content came in another way since.
    if (!held.resources.holds(row) || pool.seen(row) === seen || pool.raw1(row) === 0) return false;
    addRow(pool, row, spans, span + 2 * (i - rank));
  }
  if (!lastSeals.isOf(block.place, sums)) return false;
  for (let i = rank; i < rank + sealRows; i++) {
    const row = guesses[i] as number;
    pool.setSeen(row, seen);
    pool.setRank(row, taking.named);
    order[taking.named++] = row;
  }
  taking.known += sealRows;
  taking.same += sealRows;
  taking.guessed = rank + sealRows;
  seals.add(block, sums);
  block.place = -1;
  return true;
}

/**
 * Ends the block that was begun last. It is sealed where all of its resources are good, came as they are to be sent, and came
 * once: of all others something has to be said each time. Before anything behind it is looked at, which may name one of
 * them again.
 */
export function endBlock(taking: Taking): void {
  const { message, block, seals, order, held, plain, named } = taking;
  if (block.place < 0) return;
  if (plain - block.plainBefore === sealRows && named - block.rank === sealRows) {
    sums.fill(0);
    const first = 2 * sealRows * block.place;
    for (let i = 0; i < sealRows; i++) {
      addRow(held.resources.pool, order[block.rank + i] as number, message.spans, first + 2 * i);
    }
    seals.add(block, sums);
  }
  block.place = -1;
}

function addRow(pool: ResourcePool, row: number, spans: Spans, span: number): void {
  const length = (spans[span + 1] as number) - (spans[span] as number);
  sums[0] = Math.imul((sums[0] as number) + pool.raw1(row), 0x9e3779b1) ^ pool.raw2(row);
  sums[1] = Math.imul((sums[1] as number) + pool.raw3(row), 0x85ebca6b) ^ length;
}
