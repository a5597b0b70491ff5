import type { Reporter } from '../model/reporter.ts';
import { values } from './label-values.ts';
import type { MetricMaker } from './metric-maker.ts';

/** From what the debounce alone takes to what an operator is woken up for, in seconds. */
const propagationBuckets = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];

const queueBuckets = [0.001, 0.01, 0.05, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/** Of MCP-over-xDS, over all istiods and for each of them. */
export function pushMetrics(maker: MetricMaker): Partial<Reporter> {
  const kind = values.askedKind;
  const ofProfile = { kind, profile: values.profile };
  maker.gauge('isthmus_xds_streams', 'Streams of istiods that are open.', {}, (self, now) => self.set(now.streams()));
  const pushes = maker.counter('isthmus_pushes_total', 'Responses sent to istiods, by what they were sent for.', {
    kind,
    cause: values.cause,
  });
  const pushBytes = maker.counter('isthmus_push_bytes_total', 'Bytes of responses sent to istiods.', { kind });
  maker.gauge(
    'isthmus_push_size_bytes',
    'Bytes of the largest last response to an open stream, be it sent or too large to be sent.',
    ofProfile,
    (self, now) => {
      for (const { kind: name, profile, bytes } of now.pushSizes()) self.labels(name, profile).set(bytes);
    },
  );
  maker.gauge(
    'isthmus_push_limit_bytes',
    'Largest response that those istiods can receive; what is larger is not sent.',
    ofProfile,
    (self, now) => {
      for (const { kind: name, profile, limit } of now.pushSizes()) self.labels(name, profile).set(limit);
    },
  );
  maker.gauge(
    'isthmus_stream_dropped_by_revision',
    'Resources that an istiod drops, or may drop, because of their label istio.io/rev; of several istiods the most.',
    { kind, reason: values.labelReason },
    (self, now) => {
      for (const { kind: name, reason, resources } of now.droppedByRevision()) self.labels(name, reason).set(resources);
    },
  );
  const propagation = maker.histogram(
    'isthmus_propagation_seconds',
    'Time from a message of a source to the acknowledgement of each istiod; of changes that were sent together, that of the oldest.',
    { kind },
    propagationBuckets,
  );
  const queue = maker.histogram(
    'isthmus_push_queue_seconds',
    'Time from when a response was due to when it left: the gap between two bursts, and answers that were waited for.',
    { kind },
    queueBuckets,
  );
  const ack = maker.histogram(
    'isthmus_push_ack_seconds',
    'Time from a response to its acknowledgement.',
    { kind },
    [0.005, 0.02, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 300],
  );
  const nacks = maker.counter('isthmus_push_nacks_total', 'Responses that a peer refused.', { kind });
  const tooLarge = maker.counter(
    'isthmus_push_too_large_total',
    'Responses not sent, because the peer cannot receive so much.',
    { kind },
  );
  const overdue = maker.counter('isthmus_push_ack_overdue_total', 'Responses without an acknowledgement after 30 s.', {
    kind,
  });
  const ends = maker.counter('isthmus_xds_stream_ends_total', 'Streams of istiods that ended.', {
    reason: values.streamEnd,
  });
  return {
    pushed(name, bytes, cause, waitedSeconds) {
      pushes.labels(name, cause).inc();
      pushBytes.labels(name).inc(bytes);
      queue.labels(name).observe(waitedSeconds);
    },
    pushAcked(name, seconds) {
      ack.labels(name).observe(seconds);
    },
    propagated(name, seconds) {
      propagation.labels(name).observe(seconds);
    },
    pushNacked(name) {
      nacks.labels(name).inc();
    },
    pushTooLarge(name) {
      tooLarge.labels(name).inc();
    },
    ackOverdue(name) {
      overdue.labels(name).inc();
    },
    pushStreamEnded(reason) {
      ends.labels(reason).inc();
    },
  };
}
