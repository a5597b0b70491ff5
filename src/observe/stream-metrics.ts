import type { Reporter } from '../model/reporter.ts';
import { values } from './label-values.ts';
import type { MetricMaker } from './metric-maker.ts';

/** Of each istiod that is connected. They go with its stream: what counts begins anew with the next one. */
export function streamMetrics(maker: MetricMaker): Partial<Reporter> {
  const of = { stream: values.stream, kind: values.askedKind };
  maker.gauge(
    'isthmus_stream_info',
    'The istiods that are connected; the value is always 1. /debug/streams says who has which seat.',
    { stream: values.stream, profile: values.profile, istio: values.istiodVersions },
    (self, now) => {
      for (const { seat, profile, version } of now.seatInfos()) self.labels(seat, profile, version).set(1);
    },
  );
  const counter = (
    name: string,
    help: string,
    of_: 'pushes' | 'acks' | 'nacks' | 'bytes' | 'waitedMs',
    scale = 1,
  ): void =>
    maker.counterOf(name, help, of, (self, now) => {
      for (const one of now.seats()) self.labels(one.seat, one.kind).inc(one[of_] * scale);
    });
  counter('isthmus_stream_pushes_total', 'Responses sent on the stream.', 'pushes');
  counter('isthmus_stream_push_bytes_total', 'Bytes of responses sent on the stream.', 'bytes');
  counter('isthmus_stream_acks_total', 'Responses that were acknowledged on the stream.', 'acks');
  counter('isthmus_stream_nacks_total', 'Responses that were refused on the stream.', 'nacks');
  counter(
    'isthmus_stream_queue_seconds_total',
    'Time that responses waited together from when they were due until they left.',
    'waitedMs',
    1 / 1000,
  );
  maker.gauge(
    'isthmus_stream_unacknowledged_seconds',
    'Age of the oldest change that the istiod has not acknowledged; 0 where it has all.',
    of,
    (self, now) => {
      for (const { seat, kind, behindMs } of now.seats()) self.labels(seat, kind).set(behindMs / 1000);
    },
  );
  // All of it is read where it is kept.
  return {};
}
