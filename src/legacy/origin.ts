import { Intake } from '../intake/intake.ts';
import type { Change } from '../model/change.ts';
import type { NameRules } from '../intake/name.ts';
import { type Collection, type Kind, kindOfCollection } from '../model/kinds.ts';
import type { Logger } from '../model/logger.ts';
import type { Store } from '../store/store.ts';
import type { ResourcesView } from '../wire/legacy-messages.ts';
import { IntakeLog } from './intake-log.ts';
import type { Refusals } from './collection-probe.ts';
import type { SinkTarget } from './source-feed.ts';

/** Takes out of a change what is worse than what is held: quarantine/ does. */
export type Judge = (origin: string, kindId: string, change: Change) => Promise<Change>;

/**
 * Brings what a legacy source says into the store: one intake per collection, one message at a time.
 *
 * @param origin a name that was added to the store, with the kinds of `collections`.
 * @param judge looks at each change before it is applied. Default: nobody does.
 */
export function legacyTarget(
  origin: string,
  collections: readonly Collection[],
  rules: NameRules,
  store: Store,
  log: Logger,
  remember: (refused: Refusals) => void,
  judge?: Judge,
): SinkTarget {
  const intakes = new Map<Collection, { kind: Kind; intake: Intake; intakeLog: IntakeLog }>();
  for (const collection of collections) {
    const kind = kindOfCollection(collection);
    if (kind !== undefined) {
      const intakeLog = new IntakeLog(log, origin, collection);
      intakes.set(collection, { kind, intake: new Intake(kind, rules, judge === undefined), intakeLog });
    }
  }
  return {
    async accept(collection, message, full, stream) {
      const entry = intakes.get(collection);
      if (entry === undefined) return;
      const holding = store.holding(origin, entry.kind.id);
      const change = await store.inTurn(origin, entry.kind.id, async () => {
        const read = await entry.intake.take(intakeMessage(message, full), holding);
        const judged = judge === undefined ? read : await judge(origin, entry.kind.id, read);
        await store.apply(origin, entry.kind.id, judged, stream);
        return judged;
      });
      entry.intakeLog.tell(change, holding.quarantine);
      const { upserts, overwritten, missing, received } = change;
      log.debug(
        { source: origin, collection, full, received, upserts: upserts.length + overwritten, missing: missing.length },
        'resources received',
      );
    },
    markEmpty(collection, why) {
      const entry = intakes.get(collection);
      if (entry !== undefined) store.setEmpty(origin, entry.kind.id, why);
    },
    remember,
  };
}

function intakeMessage({ bytes, spans, removedResources }: ResourcesView, full: boolean) {
  return { bytes, spans, removed: removedResources, full };
}
