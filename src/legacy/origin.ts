import { Intake, type IntakeRules } from '../intake/intake.ts';
import type { Change } from '../model/change.ts';
import { type Collection, type Kind, kindOfCollection } from '../model/kinds.ts';
import type { Logger } from '../model/logger.ts';
import type { Stream } from '../store/guard.ts';
import type { Store } from '../store/store.ts';
import type { ResourcesView } from '../wire/legacy-messages.ts';
import { IntakeLog } from './intake-log.ts';
import type { Refusals } from './collection-probe.ts';
import type { SinkTarget } from './source-feed.ts';
import type { SourceGuess } from './source-guess.ts';
import type { SourceProfile } from './source-profile.ts';

/** Takes out of a change what is worse than what is held: quarantine/ does. */
export type Judge = (origin: string, kindId: string, change: Change) => Promise<Change>;

/** How what a source says is taken. */
export type SourceRules = IntakeRules & {
  /** When an empty message is believed. @default `believed` */
  readonly empty?: SourceProfile['empty'];
  /** Looks at the first messages, where the config does not say which server it is. */
  readonly guess?: SourceGuess | undefined;
};

/** One collection of an origin. */
type Entry = {
  readonly kind: Kind;
  readonly intake: Intake;
  readonly intakeLog: IntakeLog;
  /** That on which the last message came. */
  stream: Stream | undefined;
};

/**
 * Brings what a legacy source says into the store: one intake per collection, one message at a time.
 *
 * @param origin a name that was added to the store, with the kinds of `collections`.
 * @param judge looks at each change before it is applied. Default: nobody does.
 */
export function legacyTarget(
  origin: string,
  collections: readonly Collection[],
  rules: SourceRules,
  store: Store,
  log: Logger,
  remember: (refused: Refusals) => void,
  judge?: Judge,
): SinkTarget {
  const intakes = new Map<Collection, Entry>();
  for (const collection of collections) {
    const kind = kindOfCollection(collection);
    if (kind !== undefined) {
      const intakeLog = new IntakeLog(log, origin, collection);
      const intake = new Intake(kind, rules, judge === undefined);
      intakes.set(collection, { kind, intake, intakeLog, stream: undefined });
    }
  }
  return {
    async accept(collection, message, full, stream, cameAt) {
      const entry = intakes.get(collection);
      if (entry === undefined) return;
      rules.guess?.look(message);
      const holding = store.holding(origin, entry.kind.id);
      const isFirst = stream === undefined || entry.stream !== stream;
      entry.stream = stream;
      const isDoubtful = full && message.spans.length === 0 && isDoubted(rules, isFirst);
      const change = await store.inTurn(origin, entry.kind.id, async () => {
        const read = await entry.intake.take(intakeMessage(message, full), holding);
        const judged = judge === undefined ? read : await judge(origin, entry.kind.id, read);
        await store.apply(origin, entry.kind.id, isDoubtful ? { ...judged, isDoubtful } : judged, stream, cameAt);
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

/** @param isFirst whether it is the first message of its collection on a stream. */
function isDoubted({ empty = 'believed', guess }: SourceRules, isFirst: boolean): boolean {
  const form = guess?.empty ?? empty;
  return form === 'held' || (form === 'heldAtFirst' && isFirst);
}

function intakeMessage({ bytes, spans, removedResources }: ResourcesView, full: boolean) {
  return { bytes, spans, removed: removedResources, full };
}
