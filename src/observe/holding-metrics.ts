import { shortName } from '../model/kinds.ts';
import type { Reporter } from '../model/reporter.ts';
import { values } from './label-values.ts';
import type { MetricMaker } from './metric-maker.ts';

/** Of what is held of each source and kind, and of what became of it on the way in. */
export function holdingMetrics(maker: MetricMaker): Partial<Reporter> {
  const of = { source: values.source, kind: values.kind };
  const states = values.state;
  maker.gauge(
    'isthmus_source_synced',
    '1 once the source has spoken of the kind, or the kind counts as empty.',
    of,
    (self, now) => {
      for (const { source, kind, synced } of now.holdings()) self.labels(source, kind).set(synced ? 1 : 0);
    },
  );
  maker.gauge(
    'isthmus_source_stale',
    '1 while what is served of the source and kind is old: what it said before the bridge was restarted, or left the config.',
    of,
    (self, now) => {
      for (const { source, kind, stale } of now.holdings()) self.labels(source, kind).set(stale ? 1 : 0);
    },
  );
  maker.gauge(
    'isthmus_source_overdue',
    '1 while a kind counts as empty because its source has not spoken of it within its syncTimeout.',
    of,
    (self, now) => {
      for (const { source, kind, overdue } of now.holdings()) self.labels(source, kind).set(overdue ? 1 : 0);
    },
  );
  maker.gauge(
    'isthmus_source_last_message_timestamp_seconds',
    'When the source has spoken of the kind last, in seconds since 1970.',
    of,
    (self, now) => {
      for (const { source, kind, lastMessageAtMs } of now.holdings()) {
        if (lastMessageAtMs !== undefined) self.labels(source, kind).set(lastMessageAtMs / 1000);
      }
    },
  );
  maker.gauge(
    'isthmus_source_last_change_timestamp_seconds',
    'When what is sent of the source and kind was another thing last, in seconds since 1970.',
    of,
    (self, now) => {
      for (const { source, kind, lastChangeAtMs } of now.holdings()) {
        if (lastChangeAtMs !== undefined) self.labels(source, kind).set(lastChangeAtMs / 1000);
      }
    },
  );
  maker.gauge(
    'isthmus_retired_resources',
    'Resources that are served although the config does not name their source, or collection, any more.',
    of,
    (self, now) => {
      for (const { source, kind, retired } of now.holdings()) self.labels(source, kind).set(retired);
    },
  );
  maker.gauge(
    'isthmus_resources',
    'Resources by state: received, released, effective.',
    { ...of, state: states },
    (self, now) => {
      for (const holding of now.holdings()) {
        for (const state of states) self.labels(holding.source, holding.kind, state).set(holding[state]);
      }
    },
  );
  maker.gauge('isthmus_source_resources_bytes', 'Bytes of the effective resources, as sent.', of, (self, now) => {
    for (const { source, kind, bytes } of now.holdings()) self.labels(source, kind).set(bytes);
  });
  maker.gauge(
    'isthmus_quarantined_resources',
    'Resources that are not sent as received.',
    { ...of, reason: values.quarantineReason },
    (self, now) => {
      for (const { source, kind, quarantined } of now.holdings()) {
        for (const [reason, count] of quarantined) self.labels(source, kind, reason).set(count);
      }
    },
  );
  maker.gauge(
    'isthmus_invalid_resources',
    'Resources that are sent as received although they break a rule of Istio, since no better form is known.',
    { ...of, reason: values.quarantineReason },
    (self, now) => {
      for (const { source, kind, invalid } of now.holdings()) {
        for (const [reason, count] of invalid) self.labels(source, kind, reason).set(count);
      }
    },
  );
  const quarantines = maker.counter('isthmus_quarantines_total', 'Times that a received resource was quarantined.', {
    ...of,
    reason: values.quarantineReason,
  });
  const changes = maker.counter('isthmus_changes_total', 'Resources that changed or went.', {
    ...of,
    change: values.change,
  });
  const repairs = maker.counter('isthmus_repairs_total', 'Things put right on the way in.', {
    ...of,
    repair: values.repair,
  });
  maker.gauge(
    'isthmus_guard_held_resources',
    'Resources that stay although the source does not name them any more: it left out many at once, or what it said could not all be read.',
    of,
    (self, now) => {
      for (const { source, kind, held } of now.holdings()) self.labels(source, kind).set(held);
    },
  );
  const holds = maker.counter('isthmus_guard_holds_total', 'Holds of many removals at once that ended, by outcome.', {
    ...of,
    outcome: values.outcome,
  });
  const withheld = maker.counter('isthmus_removals_withheld_total', 'Removals that were not believed.', of);
  return {
    quarantined(origin, kind, reason) {
      quarantines.labels(origin, shortName(kind), reason).inc();
    },
    changed(origin, kind, upserts, removals) {
      if (upserts > 0) changes.labels(origin, shortName(kind), 'upsert').inc(upserts);
      if (removals > 0) changes.labels(origin, shortName(kind), 'removal').inc(removals);
    },
    repaired(origin, kind, what, count) {
      repairs.labels(origin, shortName(kind), what).inc(count);
    },
    removalsWithheld(origin, kind, count) {
      withheld.labels(origin, shortName(kind)).inc(count);
    },
    holdEnded(origin, kind, outcome) {
      holds.labels(origin, shortName(kind), outcome).inc();
    },
  };
}
