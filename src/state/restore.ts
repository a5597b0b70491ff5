import { setImmediate as nextTurn } from 'node:timers/promises';
import { Intake } from '../intake/intake.ts';
import type { Kind } from '../model/kinds.ts';
import { placeTurn } from '../model/sizes.ts';
import type { Holding } from '../store/holding.ts';
import type { Store } from '../store/store.ts';
import { discard } from '../wire/arena.ts';
import { isEncodedAs } from '../wire/resource-frame.ts';
import { type SavedState, UnreadableStateError } from './state-format.ts';

/** Names in a file have their namespace. */
const fullNames = { defaultNamespace: 'default', namespaceIsExplicit: true };

/**
 * Puts what was saved into the store, as stale. The file is believed no more than a source is: each resource goes through
 * the same checks, and has to become the very bytes that were saved, its version included.
 *
 * @throws UnreadableStateError where it does not; then nothing was put in.
 */
export async function restore(store: Store, origin: string, kind: Kind, saved: SavedState): Promise<void> {
  const { header, bytes, resources } = saved;
  if (header.source !== origin || header.kind !== kind.id) {
    throw new UnreadableStateError(`it is the ${header.kind} of source ${header.source}`);
  }
  const holding = store.holding(origin, kind.id);
  const message = { bytes, spans: resources, removed: [], full: true };
  const change = await new Intake(kind, fullNames).take(message, holding);
  const { upserts, quarantined, repairs } = change;
  const isAsSaved = repairs.bareNames + repairs.createTimes + repairs.duplicates === 0;
  if (!isAsSaved || !(await areAsSaved(upserts, quarantined.length, holding, saved))) {
    for (const row of upserts) discard(holding.resources.pool, row, holding.arena);
    throw new UnreadableStateError('it holds resources that are not what their versions say');
  }
  const { quarantine, withheld } = saved;
  const lastMessageAt = header.lastMessageAt === undefined ? undefined : new Date(header.lastMessageAt);
  await store.restore(origin, kind.id, change, { quarantine, withheld, lastMessageAt });
}

/**
 * True where the rows, in the order in which they were read, are encoded as what was saved, but for so many of it. Makes
 * them as if no message had named them: the source's own are counted from 1 again.
 */
async function areAsSaved(rows: readonly number[], without: number, holding: Holding, saved: SavedState) {
  const { pool } = holding.resources;
  const { bytes, entries } = saved;
  const inOrder = new Int32Array(rows.length);
  for (const row of rows) inOrder[pool.rank(row)] = row;
  let next = 0;
  for (let i = 0; i < entries.length; i += 2) {
    if (i > 0 && i % (2 * placeTurn) === 0) await nextTurn();
    const row = inOrder[next];
    if (row === undefined || !isEncodedAs(pool, row, bytes, entries[i] as number, entries[i + 1] as number)) continue;
    pool.setSeen(row, 0);
    next++;
  }
  return next === rows.length && entries.length / 2 === rows.length + without;
}
