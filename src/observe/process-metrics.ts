import type { Reporter } from '../model/reporter.ts';
import { values } from './label-values.ts';
import type { MetricMaker } from './metric-maker.ts';

/** Of the process: what it is, its config, its files, its certificates, who was not let in. */
export function processMetrics(maker: MetricMaker, version: string): Partial<Reporter> {
  maker.processDefaults();
  maker.info(
    'isthmus_build_info',
    'Version of Isthmus; the value is always 1.',
    { version: values.version },
    { version },
  );
  maker.gauge(
    'isthmus_config_reload_failed',
    '1 while the last reading of the config was of no use.',
    {},
    (self, now) => self.set(now.config().hasFailed ? 1 : 0),
  );
  maker.gauge(
    'isthmus_config_read_timestamp_seconds',
    'When the config that is in force was read, in seconds since 1970.',
    {},
    (self, now) => self.set(now.config().readAtMs / 1000),
  );
  maker.gauge(
    'isthmus_config_pending_settings',
    'Settings of the config that a restart alone takes.',
    {},
    (self, now) => self.set(now.config().pending),
  );
  maker.gauge('isthmus_state_failing', '1 while the last-known-good files cannot be written.', {}, (self, now) => {
    const state = now.state();
    if (state !== undefined) self.set(state.isFailing ? 1 : 0);
  });
  maker.gauge(
    'isthmus_state_unsaved_files',
    'Last-known-good files that are behind what is known.',
    {},
    (self, now) => {
      const state = now.state();
      if (state !== undefined) self.set(state.unsaved);
    },
  );
  maker.gauge('isthmus_state_unreadable_files', 'Files that could not be read at the start.', {}, (self, now) => {
    const state = now.state();
    if (state !== undefined) self.set(state.unreadable);
  });
  maker.gauge(
    'isthmus_certificate_expiry_timestamp_seconds',
    'When the certificate that is in use ends, and of several CAs the last one, in seconds since 1970.',
    { use: values.use, role: values.role },
    (self, now) => {
      for (const { use, role, endsAtMs } of now.certificates()) self.labels(use, role).set(endsAtMs / 1000);
    },
  );
  maker.gauge(
    'isthmus_tls_files_refused',
    "1 while TLS files can't be used as they are now; those before them stay in use.",
    { use: values.use },
    (self, now) => {
      for (const { use, isRefused } of now.tlsFiles()) self.labels(use).set(isRefused ? 1 : 0);
    },
  );
  const refused = maker.counter(
    'isthmus_connections_refused_total',
    'Connections that were turned away before they came to gRPC.',
    { listener: values.listener, reason: values.turnedAway },
  );
  return {
    connectionRefused(listener, reason) {
      refused.labels(listener, reason).inc();
    },
  };
}
