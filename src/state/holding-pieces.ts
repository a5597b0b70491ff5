import { saveBlockBytes } from '../model/sizes.ts';
import type { Holding } from '../store/holding.ts';
import { HoldingWalk } from '../store/holding-walk.ts';
import { copyBytes, type Viewed, viewed } from '../wire/bytes.ts';
import { type Header, recordHead, StateEncoder } from './state-format.ts';

/**
 * What is held, as the pieces of a last-known-good file. Messages may be put in between two of them: every key that is
 * held all the time is in there, in one of the forms that it had meanwhile. Each piece is gone when the next is asked for.
 */
export function* holdingPieces(holding: Holding, header: Header): Generator<Buffer> {
  const { pool } = holding.resources;
  const encoder = new StateEncoder();
  // A map of quarantined resources is never changed, only replaced; the set of withheld keys is.
  const { quarantine } = holding;
  const withheld = [...holding.withheld];
  const walk = new HoldingWalk(holding);
  try {
    yield encoder.header(header);
    let block = newBlock(saveBlockBytes);
    let spare = newBlock(saveBlockBytes);
    let used = recordHead;
    let count = 0;
    for (let row = walk.next(); row !== undefined; row = walk.next()) {
      const size = pool.bytes(row);
      if (used + size > block.length) {
        // What comes between may be other forms, of another length, of all but this one: so it is copied first.
        const next = recordHead + size <= spare.length ? spare : newBlock(recordHead + size);
        copyBytes(pool.chunk(row), pool.start(row), pool.end(row), next, recordHead);
        if (count > 0) yield encoder.resources(block.subarray(0, used), count);
        [block, spare] = [next, block];
        used = recordHead + size;
        count = 1;
        continue;
      }
      used = copyBytes(pool.chunk(row), pool.start(row), pool.end(row), block, used);
      count++;
    }
    if (count > 0) yield encoder.resources(block.subarray(0, used), count);
  } finally {
    walk.end();
  }
  yield* encoder.quarantine(quarantine.values());
  yield* encoder.withheld(withheld);
  yield encoder.end();
}

function newBlock(size: number): Buffer & Viewed {
  return viewed(Buffer.allocUnsafeSlow(size));
}
