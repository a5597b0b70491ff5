import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Reporter } from '../model/reporter.ts';

/** The present state, read at every scrape. */
export type MetricsView = {
  sources(): Iterable<{ readonly name: string; readonly connected: boolean }>;
  holdings(): Iterable<{
    readonly source: string;
    readonly kind: string;
    readonly synced: boolean;
    /** True where what was known before is served. */
    readonly stale: boolean;
    /** True where it counts as empty because its source was waited for long enough. */
    readonly overdue: boolean;
    /** Resources that are served although the config does not name their source, or collection, any more. */
    readonly retired: number;
    readonly received: number;
    readonly released: number;
    readonly effective: number;
    readonly quarantined: ReadonlyMap<string, number>;
    readonly invalid: ReadonlyMap<string, number>;
    /** Resources whose removal the guard holds. */
    readonly held: number;
  }>;
  /** Of collections that istiod 1.9 and newer has no place for. */
  dropped(): Iterable<{ readonly source: string; readonly collection: string; readonly resources: number }>;
  kinds(): Iterable<{ readonly kind: string; readonly complete: boolean; readonly resources: number }>;
  /** Bytes of the last whole state of each collection, or of a larger change since, and what is taken at most. */
  messages(): Iterable<{
    readonly source: string;
    readonly collection: string;
    readonly bytes: number;
    readonly limit: number;
  }>;
  streams(): number;
  /** Streams of legacy sinks. */
  sinks(): number;
  /** Collections that legacy sinks were answered as empty because the bridge does not carry them. */
  uncarried(): Iterable<{ readonly collection: string; readonly streams: number }>;
  /** The largest last response of each kind to the istiods of each profile, and what those can receive. */
  pushSizes(): Iterable<{
    readonly kind: string;
    readonly profile: string;
    readonly bytes: number;
    readonly limit: number;
  }>;
  /** Resources that an istiod drops, or may drop, because of their label istio.io/rev. */
  droppedByRevision(): Iterable<{ readonly kind: string; readonly reason: string; readonly resources: number }>;
  /** Undefined while nobody has counted. */
  unaddressedHosts(): number | undefined;
  /** What several sources have; reasons that do not occur may be left out. */
  conflicts(): Iterable<{ readonly kind: string; readonly reason: string; readonly count: number }>;
  /** How the last reading of the config went, when what is in force was read, and settings that need a restart. */
  config(): { readonly hasFailed: boolean; readonly readAtMs: number; readonly pending: number };
  /** Certificates and CAs that are in use. */
  certificates(): Iterable<{ readonly use: string; readonly role: 'certificate' | 'ca'; readonly endsAtMs: number }>;
  /** TLS files, by what they are for. */
  tlsFiles(): Iterable<{ readonly use: string; readonly isRefused: boolean }>;
  /** The last-known-good files; undefined where there is no state folder. */
  state(): { readonly isFailing: boolean; readonly unreadable: number; readonly unsaved: number } | undefined;
};

export type Metrics = {
  readonly reporter: Reporter;
  readonly contentType: string;
  /** Text for Prometheus. */
  render(): Promise<string>;
  /** Gauges read from here from now on. */
  watch(view: MetricsView): void;
};

/** Component label of the seven names that Istio's own MCP code had until 1.8. */
const component = 'isthmus';

/** Names of gRPC codes; the old nack metric carries the name, the failure metrics the number (pkg/mcp/monitoring). */
const codeNames = [
  'OK',
  'Canceled',
  'Unknown',
  'InvalidArgument',
  'DeadlineExceeded',
  'NotFound',
  'AlreadyExists',
  'PermissionDenied',
  'ResourceExhausted',
  'FailedPrecondition',
  'Aborted',
  'OutOfRange',
  'Unimplemented',
  'Internal',
  'Unavailable',
  'DataLoss',
  'Unauthenticated',
] as const;

/** A sink may send any number. */
const codeName = (code: number): string => codeNames[code] ?? 'Unknown';

/** All metrics of the process. The only place that knows prom-client. */
export function createMetrics(version: string): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  let view: MetricsView | undefined;

  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Counter<L>({ name, help, labelNames, registers });
  const gauge = <L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    fill: (self: Gauge<L>, view: MetricsView) => void,
  ) =>
    new Gauge<L>({
      name,
      help,
      labelNames,
      registers,
      collect() {
        this.reset();
        if (view !== undefined) fill(this, view);
      },
    });

  new Gauge({
    name: 'isthmus_build_info',
    help: 'Version of Isthmus; the value is always 1.',
    labelNames: ['version'],
    registers,
  })
    .labels(version)
    .set(1);

  // The seven old names. Dashboards of Galley and Pilot work with component="isthmus".
  gauge('istio_mcp_clients_total', 'Streams of istiods and of old Pilots that are open.', ['component'], (self, now) =>
    self.labels(component).set(now.streams() + now.sinks()),
  );
  const messageSizes = new Histogram({
    name: 'istio_mcp_message_sizes_bytes',
    help: 'Size of the Resources messages that sources sent, and that old Pilots were sent.',
    labelNames: ['component', 'collection'] as const,
    buckets: Array.from({ length: 16 }, (_, i) => 4 ** i),
    registers,
  });
  const requestAcks = counter('istio_mcp_request_acks_total', 'ACKs sent to sources, and sent by old Pilots.', [
    'component',
    'collection',
  ]);
  const requestNacks = counter('istio_mcp_request_nacks_total', 'NACKs sent to sources, and sent by old Pilots.', [
    'component',
    'collection',
    'code',
  ]);
  const sendFailures = counter('istio_mcp_send_failures_total', 'Requests to sources that could not be sent.', [
    'component',
    'code',
  ]);
  const recvFailures = counter('istio_mcp_recv_failures_total', 'Streams to sources that ended with an error.', [
    'component',
    'code',
  ]);
  const reconnections = counter(
    'istio_mcp_reconnections',
    'Streams to sources that were opened, the first ones included.',
    ['component'],
  );

  gauge('isthmus_source_connected', '1 while there is a stream to the source.', ['source'], (self, now) => {
    for (const { name, connected } of now.sources()) self.labels(name).set(connected ? 1 : 0);
  });
  const sourceStreams = counter('isthmus_source_streams_total', 'Streams to the source that were opened.', ['source']);
  const sourceEnds = counter('isthmus_source_stream_ends_total', 'Streams to the source that ended, by gRPC code.', [
    'source',
    'code',
  ]);
  const received = counter('isthmus_source_received_bytes_total', 'Bytes of Resources messages.', [
    'source',
    'collection',
  ]);
  gauge(
    'isthmus_source_message_bytes',
    'Bytes of the last whole state of the collection, or of a larger change since.',
    ['source', 'collection'],
    (self, now) => {
      for (const { source, collection, bytes } of now.messages()) self.labels(source, collection).set(bytes);
    },
  );
  gauge(
    'isthmus_source_message_limit_bytes',
    'Largest message that is taken; beyond it the source is not understood.',
    ['source', 'collection'],
    (self, now) => {
      for (const { source, collection, limit } of now.messages()) self.labels(source, collection).set(limit);
    },
  );
  gauge(
    'isthmus_source_synced',
    '1 once the source has spoken of the kind, or the kind counts as empty.',
    ['source', 'kind'],
    (self, now) => {
      for (const { source, kind, synced } of now.holdings()) self.labels(source, kind).set(synced ? 1 : 0);
    },
  );
  gauge(
    'isthmus_source_stale',
    '1 while what is served of the source and kind is old: what it said before the bridge was restarted, or left the config.',
    ['source', 'kind'],
    (self, now) => {
      for (const { source, kind, stale } of now.holdings()) self.labels(source, kind).set(stale ? 1 : 0);
    },
  );
  gauge(
    'isthmus_source_overdue',
    '1 while a kind counts as empty because its source has not spoken of it within its syncTimeout.',
    ['source', 'kind'],
    (self, now) => {
      for (const { source, kind, overdue } of now.holdings()) self.labels(source, kind).set(overdue ? 1 : 0);
    },
  );
  gauge(
    'isthmus_retired_resources',
    'Resources that are served although the config does not name their source, or collection, any more.',
    ['source', 'kind'],
    (self, now) => {
      for (const { source, kind, retired } of now.holdings()) self.labels(source, kind).set(retired);
    },
  );
  gauge(
    'isthmus_resources',
    'Resources by state: received, released, effective.',
    ['source', 'kind', 'state'],
    (self, now) => {
      for (const holding of now.holdings()) {
        for (const state of ['received', 'released', 'effective'] as const) {
          self.labels(holding.source, holding.kind, state).set(holding[state]);
        }
      }
    },
  );
  gauge(
    'isthmus_dropped_resources',
    'Resources of collections that istiod 1.9 and newer has no place for, where they are counted (countDropped).',
    ['source', 'collection'],
    (self, now) => {
      for (const { source, collection, resources } of now.dropped()) self.labels(source, collection).set(resources);
    },
  );
  gauge(
    'isthmus_quarantined_resources',
    'Resources that are not sent as received.',
    ['source', 'kind', 'reason'],
    (self, now) => {
      for (const { source, kind, quarantined } of now.holdings()) {
        for (const [reason, count] of quarantined) self.labels(source, kind, reason).set(count);
      }
    },
  );
  gauge(
    'isthmus_invalid_resources',
    'Resources that are sent as received although they break a rule of Istio, since no better form is known.',
    ['source', 'kind', 'reason'],
    (self, now) => {
      for (const { source, kind, invalid } of now.holdings()) {
        for (const [reason, count] of invalid) self.labels(source, kind, reason).set(count);
      }
    },
  );
  const quarantines = counter('isthmus_quarantines_total', 'Times that a received resource was quarantined.', [
    'source',
    'kind',
    'reason',
  ]);
  const changes = counter('isthmus_changes_total', 'Resources that changed or went.', ['source', 'kind', 'change']);
  const repairs = counter('isthmus_repairs_total', 'Things put right on the way in.', ['source', 'kind', 'repair']);
  gauge(
    'isthmus_guard_held_resources',
    'Resources that stay although the source does not name them any more: it left out many at once, or what it said could not all be read.',
    ['source', 'kind'],
    (self, now) => {
      for (const { source, kind, held } of now.holdings()) self.labels(source, kind).set(held);
    },
  );
  const holds = counter('isthmus_guard_holds_total', 'Holds of many removals at once that ended, by outcome.', [
    'source',
    'kind',
    'outcome',
  ]);
  const withheld = counter('isthmus_removals_withheld_total', 'Removals that were not believed.', ['source', 'kind']);

  gauge('isthmus_kind_complete', '1 once the kind may be sent to istiods.', ['kind'], (self, now) => {
    for (const { kind, complete } of now.kinds()) self.labels(kind).set(complete ? 1 : 0);
  });
  gauge('isthmus_snapshot_resources', 'Resources that istiods are given.', ['kind'], (self, now) => {
    for (const { kind, resources } of now.kinds()) self.labels(kind).set(resources);
  });
  gauge(
    'isthmus_conflicts',
    'Resources that several sources hold, and hosts that resources of several sources name, by what is done.',
    ['kind', 'reason'],
    (self, now) => {
      for (const { kind, reason, count } of now.conflicts()) self.labels(kind, reason).set(count);
    },
  );
  gauge('isthmus_config_reload_failed', '1 while the last reading of the config was of no use.', [], (self, now) =>
    self.set(now.config().hasFailed ? 1 : 0),
  );
  gauge(
    'isthmus_config_read_timestamp_seconds',
    'When the config that is in force was read, in seconds since 1970.',
    [],
    (self, now) => self.set(now.config().readAtMs / 1000),
  );
  gauge('isthmus_config_pending_settings', 'Settings of the config that a restart alone takes.', [], (self, now) =>
    self.set(now.config().pending),
  );
  gauge('isthmus_state_failing', '1 while the last-known-good files cannot be written.', [], (self, now) => {
    const state = now.state();
    if (state !== undefined) self.set(state.isFailing ? 1 : 0);
  });
  gauge('isthmus_state_unsaved_files', 'Last-known-good files that are behind what is known.', [], (self, now) => {
    const state = now.state();
    if (state !== undefined) self.set(state.unsaved);
  });
  gauge('isthmus_state_unreadable_files', 'Files that could not be read at the start.', [], (self, now) => {
    const state = now.state();
    if (state !== undefined) self.set(state.unreadable);
  });
  gauge(
    'isthmus_certificate_expiry_timestamp_seconds',
    'When the certificate that is in use ends, and of several CAs the last one, in seconds since 1970.',
    ['use', 'role'],
    (self, now) => {
      for (const { use, role, endsAtMs } of now.certificates()) self.labels(use, role).set(endsAtMs / 1000);
    },
  );
  gauge(
    'isthmus_tls_files_refused',
    "1 while TLS files can't be used as they are now; those before them stay in use.",
    ['use'],
    (self, now) => {
      for (const { use, isRefused } of now.tlsFiles()) self.labels(use).set(isRefused ? 1 : 0);
    },
  );
  const connectionsRefused = counter(
    'isthmus_connections_refused_total',
    'Connections that were turned away before they came to gRPC.',
    ['listener', 'reason'],
  );
  gauge('isthmus_xds_streams', 'Streams of istiods that are open.', [], (self, now) => self.set(now.streams()));
  const pushes = counter('isthmus_pushes_total', 'Responses sent to istiods.', ['kind']);
  const pushBytes = counter('isthmus_push_bytes_total', 'Bytes of responses sent to istiods.', ['kind']);
  gauge(
    'isthmus_push_size_bytes',
    'Bytes of the largest last response to an open stream, be it sent or too large to be sent.',
    ['kind', 'profile'],
    (self, now) => {
      for (const { kind, profile, bytes } of now.pushSizes()) self.labels(kind, profile).set(bytes);
    },
  );
  gauge(
    'isthmus_push_limit_bytes',
    'Largest response that those istiods can receive; what is larger is not sent.',
    ['kind', 'profile'],
    (self, now) => {
      for (const { kind, profile, limit } of now.pushSizes()) self.labels(kind, profile).set(limit);
    },
  );
  gauge(
    'isthmus_stream_dropped_by_revision',
    'Resources that an istiod drops, or may drop, because of their label istio.io/rev; of several istiods the most.',
    ['kind', 'reason'],
    (self, now) => {
      for (const { kind, reason, resources } of now.droppedByRevision()) self.labels(kind, reason).set(resources);
    },
  );
  gauge(
    'isthmus_unaddressed_hosts',
    'Hosts of ServiceEntries that ask istiod for a virtual address, as far as they were counted.',
    [],
    (self, now) => {
      const hosts = now.unaddressedHosts();
      if (hosts !== undefined) self.set(hosts);
    },
  );
  const ackSeconds = new Histogram({
    name: 'isthmus_push_ack_seconds',
    help: 'Time from a response to its acknowledgement.',
    labelNames: ['kind'] as const,
    buckets: [0.005, 0.02, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 300],
    registers,
  });
  const pushNacks = counter('isthmus_push_nacks_total', 'Responses that a peer refused.', ['kind']);
  const tooLarge = counter(
    'isthmus_push_too_large_total',
    'Responses not sent, because the peer cannot receive so much.',
    ['kind'],
  );
  const overdue = counter('isthmus_push_ack_overdue_total', 'Responses without an acknowledgement after 30 s.', [
    'kind',
  ]);
  const xdsEnds = counter('isthmus_xds_stream_ends_total', 'Streams of istiods that ended.', ['reason']);

  gauge('isthmus_legacy_streams', 'Streams of old Pilots that are open.', [], (self, now) => self.set(now.sinks()));
  gauge(
    'isthmus_legacy_uncarried_streams',
    'Streams of old Pilots that were answered as empty of a collection because the bridge does not carry it.',
    ['collection'],
    (self, now) => {
      for (const { collection, streams } of now.uncarried()) self.labels(collection).set(streams);
    },
  );
  const legacyPushes = counter('isthmus_legacy_pushes_total', 'Messages sent to old Pilots.', ['collection']);
  const legacyBytes = counter('isthmus_legacy_push_bytes_total', 'Bytes of messages sent to old Pilots.', [
    'collection',
  ]);
  const legacyNacks = counter('isthmus_legacy_push_nacks_total', 'Messages that an old Pilot refused.', ['collection']);
  const legacyEnds = counter('isthmus_legacy_stream_ends_total', 'Streams of old Pilots that ended.', ['reason']);

  const shortKind = (kindId: string) => kindId.slice(kindId.lastIndexOf('/') + 1);
  return {
    contentType: registry.contentType,
    render: () => registry.metrics(),
    watch(next) {
      view = next;
    },
    reporter: {
      sourceStreamOpened(origin) {
        reconnections.labels(component).inc();
        sourceStreams.labels(origin).inc();
      },
      sourceStreamEnded(origin, code) {
        if (code !== 0) recvFailures.labels(component, String(code)).inc();
        sourceEnds.labels(origin, String(code)).inc();
      },
      sourceSendFailed(_origin, code) {
        sendFailures.labels(component, String(code)).inc();
      },
      resourcesReceived(origin, collection, bytes) {
        messageSizes.labels(component, collection).observe(bytes);
        received.labels(origin, collection).inc(bytes);
      },
      sourceAcked(_origin, collection) {
        requestAcks.labels(component, collection).inc();
      },
      sourceNacked(_origin, collection, code) {
        requestNacks.labels(component, collection, codeName(code)).inc();
      },
      quarantined(origin, kind, reason) {
        quarantines.labels(origin, shortKind(kind), reason).inc();
      },
      changed(origin, kind, upserts, removals) {
        if (upserts > 0) changes.labels(origin, shortKind(kind), 'upsert').inc(upserts);
        if (removals > 0) changes.labels(origin, shortKind(kind), 'removal').inc(removals);
      },
      repaired(origin, kind, what, count) {
        repairs.labels(origin, shortKind(kind), what).inc(count);
      },
      removalsWithheld(origin, kind, count) {
        withheld.labels(origin, shortKind(kind)).inc(count);
      },
      holdEnded(origin, kind, outcome) {
        holds.labels(origin, shortKind(kind), outcome).inc();
      },
      pushed(kind, bytes) {
        pushes.labels(kind).inc();
        pushBytes.labels(kind).inc(bytes);
      },
      pushAcked(kind, seconds) {
        ackSeconds.labels(kind).observe(seconds);
      },
      pushNacked(kind) {
        pushNacks.labels(kind).inc();
      },
      pushTooLarge(kind) {
        tooLarge.labels(kind).inc();
      },
      ackOverdue(kind) {
        overdue.labels(kind).inc();
      },
      pushStreamEnded(reason) {
        xdsEnds.labels(reason).inc();
      },
      connectionRefused(listener, reason) {
        connectionsRefused.labels(listener, reason).inc();
      },
      outputPushed(collection, bytes) {
        messageSizes.labels(component, collection).observe(bytes);
        legacyPushes.labels(collection).inc();
        legacyBytes.labels(collection).inc(bytes);
      },
      outputAcked(collection) {
        requestAcks.labels(component, collection).inc();
      },
      outputNacked(collection, code) {
        requestNacks.labels(component, collection, codeName(code)).inc();
        legacyNacks.labels(collection).inc();
      },
      outputStreamEnded(reason) {
        legacyEnds.labels(reason).inc();
      },
    },
  };
}
