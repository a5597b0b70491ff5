import type { Reporter } from '../model/reporter.ts';
import { codeName, codeNumber, component, values } from './label-values.ts';
import type { MetricMaker } from './metric-maker.ts';

/**
 * The seven names that Istio's own MCP code had until 1.8, for alerts and dashboards that there are. Two of them break the
 * rules for names (`istio_mcp_clients_total` is a gauge, `istio_mcp_reconnections` a counter), and keep them all the same.
 * The label `error` is gone: it held whole error texts.
 */
export function oldNames(maker: MetricMaker): Partial<Reporter> {
  const of = { component: values.component };
  const ofCollection = { ...of, collection: values.answeredCollection };
  maker.gauge('istio_mcp_clients_total', 'Streams of istiods and of old Pilots that are open.', of, (self, now) =>
    self.labels(component).set(now.streams() + now.sinks()),
  );
  const sizes = maker.histogram(
    'istio_mcp_message_sizes_bytes',
    'Size of the Resources messages that sources sent, and that old Pilots were sent.',
    ofCollection,
    Array.from({ length: 16 }, (_, i) => 4 ** i),
  );
  const acks = maker.counter(
    'istio_mcp_request_acks_total',
    'ACKs sent to sources, and sent by old Pilots.',
    ofCollection,
  );
  const nacks = maker.counter('istio_mcp_request_nacks_total', 'NACKs sent to sources, and sent by old Pilots.', {
    ...ofCollection,
    code: values.codeName,
  });
  const ofCode = { ...of, code: values.codeNumber };
  const sendFailures = maker.counter(
    'istio_mcp_send_failures_total',
    'Requests to sources that could not be sent.',
    ofCode,
  );
  const recvFailures = maker.counter(
    'istio_mcp_recv_failures_total',
    'Streams to sources that ended with an error.',
    ofCode,
  );
  const reconnections = maker.counter(
    'istio_mcp_reconnections',
    'Streams to sources that were opened, the first ones included.',
    of,
  );
  return {
    sourceStreamOpened() {
      reconnections.labels(component).inc();
    },
    sourceStreamEnded(_origin, code) {
      if (code !== 0) recvFailures.labels(component, codeNumber(code)).inc();
    },
    sourceSendFailed(_origin, code) {
      sendFailures.labels(component, codeNumber(code)).inc();
    },
    resourcesReceived(_origin, collection, bytes) {
      sizes.labels(component, collection).observe(bytes);
    },
    sourceAcked(_origin, collection) {
      acks.labels(component, collection).inc();
    },
    sourceNacked(_origin, collection, code) {
      nacks.labels(component, collection, codeName(code)).inc();
    },
    outputPushed(collection, bytes) {
      sizes.labels(component, collection).observe(bytes);
    },
    outputAcked(collection) {
      acks.labels(component, collection).inc();
    },
    outputNacked(collection, code) {
      nacks.labels(component, collection, codeName(code)).inc();
    },
  };
}
