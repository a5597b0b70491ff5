import { kindOfId } from '../model/kinds.ts';
import type { Logger } from '../model/logger.ts';
import type { HoldOutcome } from '../model/reporter.ts';
import type { HoldEvent } from './store.ts';

const outcomes: Readonly<Record<HoldOutcome, string>> = {
  released_by_operator: 'held removals were released by the operator: the resources are gone',
  confirmed_by_source: 'the source says again that it has removed what was held: the resources are gone',
  recovered: 'the source has everything again that was held: nothing was lost',
};

/** Tells the operator of the begin of a hold, with what to do, and of its end. */
export function logHold(log: Logger, { origin, kind, hold, removed, outcome }: HoldEvent): void {
  const collection = kindOfId(kind)?.collection;
  const who = { source: origin, collection, reason: hold.reason };
  if (outcome !== undefined) {
    log.info({ ...who, since: hold.since.toISOString(), removed, outcome }, outcomes[outcome]);
    return;
  }
  const { size } = hold.keys;
  const hint =
    'nothing of it is removed until the source says the same when it is asked again; if they are meant to go: ' +
    `isthmus guard release --origin ${origin} --collection ${collection}`;
  const fields = { ...who, removals: size, of: hold.of, askedAgainAt: hold.askedAt.toISOString(), hint };
  log.warn(fields, `removals are held: a message takes away ${size} of ${hold.of} resources at once`);
}
