import type { Reporter } from '../model/reporter.ts';
import { values } from './label-values.ts';
import type { MetricMaker } from './metric-maker.ts';

/** Of what all sources together give to istiods. */
export function snapshotMetrics(maker: MetricMaker): Partial<Reporter> {
  const { kind } = values;
  maker.gauge('isthmus_kind_complete', '1 once the kind may be sent to istiods.', { kind }, (self, now) => {
    for (const { kind: name, complete } of now.kinds()) self.labels(name).set(complete ? 1 : 0);
  });
  maker.gauge('isthmus_snapshot_resources', 'Resources that istiods are given.', { kind }, (self, now) => {
    for (const { kind: name, resources } of now.kinds()) self.labels(name).set(resources);
  });
  maker.gauge(
    'isthmus_snapshot_timestamp_seconds',
    'When what istiods are given of the kind became what it is, in seconds since 1970.',
    { kind },
    (self, now) => {
      for (const { kind: name, publishedAtMs } of now.kinds()) {
        if (publishedAtMs !== undefined) self.labels(name).set(publishedAtMs / 1000);
      }
    },
  );
  maker.gauge(
    'isthmus_conflicts',
    'Resources that several sources hold, and hosts that resources of several sources name, by what is done.',
    { kind, reason: values.conflict },
    (self, now) => {
      for (const { kind: name, reason, count } of now.conflicts()) self.labels(name, reason).set(count);
    },
  );
  maker.gauge(
    'isthmus_unaddressed_hosts',
    'Hosts of ServiceEntries that ask istiod for a virtual address, as far as they were counted.',
    {},
    (self, now) => {
      const hosts = now.unaddressedHosts();
      if (hosts !== undefined) self.set(hosts);
    },
  );
  const publications = maker.counter(
    'isthmus_publications_total',
    'Times that what changed was made ready for istiods, after the debounce.',
    {},
  );
  const merged = maker.counter(
    'isthmus_debounce_merged_total',
    'Changes that came while another one waited for the end of the debounce, and were published with it.',
    {},
  );
  return {
    published(changes) {
      publications.inc();
      merged.inc(Math.max(0, changes - 1));
    },
  };
}
