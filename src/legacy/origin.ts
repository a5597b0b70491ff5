import { Intake } from '../intake/intake.ts';
import type { NameRules } from '../intake/name.ts';
import { type Collection, type Kind, kindOfCollection } from '../model/kinds.ts';
import type { Logger } from '../model/logger.ts';
import type { Store } from '../store/store.ts';
import type { ResourcesView } from '../wire/legacy-messages.ts';
import type { Refusals } from './collection-probe.ts';
import type { SinkTarget } from './sink-client.ts';

/**
 * Brings what a legacy source says into the store: one intake per collection, one message at a time.
 *
 * @param origin a name that was added to the store, with the kinds of `collections`.
 */
export function legacyTarget(
  origin: string,
  collections: readonly Collection[],
  rules: NameRules,
  store: Store,
  log: Logger,
  remember: (refused: Refusals) => void,
): SinkTarget {
  const intakes = new Map<Collection, { kind: Kind; intake: Intake }>();
  for (const collection of collections) {
    const kind = kindOfCollection(collection);
    if (kind !== undefined) intakes.set(collection, { kind, intake: new Intake(kind, rules) });
  }
  return {
    async accept(collection, message, full) {
      const entry = intakes.get(collection);
      if (entry === undefined) return;
      const change = await entry.intake.take(intakeMessage(message, full), store.holding(origin, entry.kind.id));
      for (const { key, reason, message: why } of change.quarantined.slice(0, 20)) {
        log.warn({ source: origin, collection, resource: key, reason }, `a resource is quarantined: ${why}`);
      }
      store.apply(origin, entry.kind.id, change);
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
