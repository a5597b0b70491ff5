import type { Reporter } from '../model/reporter.ts';
import { codeName, codeNumber, values } from './label-values.ts';
import type { MetricMaker } from './metric-maker.ts';

/** Of the streams to sources, and of what comes over them. */
export function sourceMetrics(maker: MetricMaker): Partial<Reporter> {
  const { source } = values;
  const ofCollection = { source, collection: values.collection };
  maker.gauge('isthmus_source_connected', '1 while there is a stream to the source.', { source }, (self, now) => {
    for (const { name, connected } of now.sources()) self.labels(name).set(connected ? 1 : 0);
  });
  const streams = maker.counter(
    'isthmus_source_streams_total',
    'Streams to the source that were opened; all but the first one are reconnects.',
    { source },
  );
  const ends = maker.counter('isthmus_source_stream_ends_total', 'Streams to the source that ended, by gRPC code.', {
    source,
    code: values.codeNumber,
  });
  const received = maker.counter('isthmus_source_received_bytes_total', 'Bytes of Resources messages.', ofCollection);
  const acks = maker.counter('isthmus_source_acks_total', 'Messages of the source that were acknowledged.', {
    ...ofCollection,
  });
  const nacks = maker.counter(
    'isthmus_source_nacks_total',
    'Messages of the source that were refused, by gRPC code: nobody had asked for their collection.',
    { source, collection: values.answeredCollection, code: values.codeName },
  );
  maker.gauge(
    'isthmus_source_message_bytes',
    'Bytes of the last whole state of the collection, or of a larger change since.',
    ofCollection,
    (self, now) => {
      for (const { source: name, collection, bytes } of now.messages()) self.labels(name, collection).set(bytes);
    },
  );
  maker.gauge(
    'isthmus_source_message_limit_bytes',
    'Largest message that is taken; beyond it the source is not understood.',
    ofCollection,
    (self, now) => {
      for (const { source: name, collection, limit } of now.messages()) self.labels(name, collection).set(limit);
    },
  );
  maker.gauge(
    'isthmus_dropped_resources',
    'Resources of collections that istiod 1.9 and newer has no place for, where they are counted (countDropped).',
    { source, collection: values.droppedCollection },
    (self, now) => {
      for (const { source: name, collection, resources } of now.dropped()) self.labels(name, collection).set(resources);
    },
  );
  return {
    sourceStreamOpened(origin) {
      streams.labels(origin).inc();
    },
    sourceStreamEnded(origin, code) {
      ends.labels(origin, codeNumber(code)).inc();
    },
    resourcesReceived(origin, collection, bytes) {
      received.labels(origin, collection).inc(bytes);
    },
    sourceAcked(origin, collection) {
      acks.labels(origin, collection).inc();
    },
    sourceNacked(origin, collection, code) {
      nacks.labels(origin, collection, codeName(code)).inc();
    },
  };
}
