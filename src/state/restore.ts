import { Intake, StrangeEntryError } from '../intake/intake.ts';
import type { IntakeMessage } from '../intake/message.ts';
import type { Change } from '../model/change.ts';
import type { Kind } from '../model/kinds.ts';
import type { Holding } from '../store/holding.ts';
import type { Store } from '../store/store.ts';
import { discard } from '../wire/arena.ts';
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
  const { header } = saved;
  if (header.source !== origin || header.kind !== kind.id) {
    throw new UnreadableStateError(`it is the ${header.kind} of source ${header.source}`);
  }
  const holding = store.holding(origin, kind.id);
  const { bytes, resources, entries } = saved;
  const message = { bytes, spans: resources, entries, removed: [], full: true };
  const change = await takeAsSaved(new Intake(kind, fullNames), message, holding);
  const { pool } = holding.resources;
  // As if no message had named them: the source's own are counted from 1 again.
  for (const row of change.upserts) pool.setSeen(row, 0);
  const { quarantine, withheld } = saved;
  const lastMessageAt = header.lastMessageAt === undefined ? undefined : new Date(header.lastMessageAt);
  await store.restore(origin, kind.id, change, { quarantine, withheld, lastMessageAt });
}

async function takeAsSaved(intake: Intake, message: IntakeMessage, holding: Holding): Promise<Change> {
  try {
    const change = await intake.take(message, holding);
    const { bareNames, createTimes, duplicates } = change.repairs;
    if (bareNames + createTimes + duplicates === 0) return change;
    for (const row of change.upserts) discard(holding.resources.pool, row, holding.arena);
  } catch (error) {
    if (!(error instanceof StrangeEntryError)) throw error;
  }
  throw new UnreadableStateError('it holds resources that are not what their versions say');
}
