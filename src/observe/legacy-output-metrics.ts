import type { Reporter } from '../model/reporter.ts';
import { values } from './label-values.ts';
import type { MetricMaker } from './metric-maker.ts';

/** Of old Pilots that the bridge serves. */
export function legacyOutputMetrics(maker: MetricMaker): Partial<Reporter> {
  const { collection } = values;
  maker.gauge('isthmus_legacy_streams', 'Streams of old Pilots that are open.', {}, (self, now) =>
    self.set(now.sinks()),
  );
  maker.gauge(
    'isthmus_legacy_uncarried_streams',
    'Streams of old Pilots that were answered as empty of a collection because the bridge does not carry it.',
    { collection: values.droppedCollection },
    (self, now) => {
      for (const { collection: name, streams } of now.uncarried()) self.labels(name).set(streams);
    },
  );
  const pushes = maker.counter('isthmus_legacy_pushes_total', 'Messages sent to old Pilots.', { collection });
  const bytes = maker.counter('isthmus_legacy_push_bytes_total', 'Bytes of messages sent to old Pilots.', {
    collection,
  });
  const nacks = maker.counter('isthmus_legacy_push_nacks_total', 'Messages that an old Pilot refused.', { collection });
  const ends = maker.counter('isthmus_legacy_stream_ends_total', 'Streams of old Pilots that ended.', {
    reason: values.streamEnd,
  });
  return {
    outputPushed(name, size) {
      pushes.labels(name).inc();
      bytes.labels(name).inc(size);
    },
    outputNacked(name) {
      nacks.labels(name).inc();
    },
    outputStreamEnded(reason) {
      ends.labels(reason).inc();
    },
  };
}
