import type { DashboardSpec } from './dashboard.ts';
import { graph, noneIsGood, table, units } from './panels.ts';
import { bridges } from './variables.ts';

/** The process: what it needs, and its files. */
export const runtime: DashboardSpec = {
  uid: 'isthmus-runtime',
  title: 'Isthmus / Runtime',
  description: 'The process: CPU, memory, event loop; its config, its files, its certificates, and who was not let in.',
  variables: [],
  rows: [
    {
      title: 'Process',
      panels: [
        graph({
          title: 'CPU',
          description: 'Cores in use.',
          unit: units.number,
          queries: [{ expr: `rate(process_cpu_seconds_total{${bridges}}[$__rate_interval])`, legend: '{{instance}}' }],
        }),
        graph({
          title: 'Memory',
          description:
            'resident: of the process. heap: objects. external: the bytes of resources and messages, for the most part.',
          unit: units.bytes,
          queries: [
            { expr: `process_resident_memory_bytes{${bridges}}`, legend: '{{instance}} resident' },
            { expr: `nodejs_heap_size_used_bytes{${bridges}}`, legend: '{{instance}} heap' },
            { expr: `nodejs_external_memory_bytes{${bridges}}`, legend: '{{instance}} external' },
          ],
        }),
        graph({
          title: 'Event-loop lag',
          description:
            'How long work that is due waits for other work: half of it, the slowest hundredth, and the longest since the scrape before.',
          unit: units.seconds,
          borders: [
            [null, 'green'],
            [0.25, 'orange'],
            [1, 'red'],
          ],
          queries: [
            { expr: `nodejs_eventloop_lag_p50_seconds{${bridges}}`, legend: '{{instance}} half of it' },
            { expr: `nodejs_eventloop_lag_p99_seconds{${bridges}}`, legend: '{{instance}} 99 %' },
            { expr: `nodejs_eventloop_lag_max_seconds{${bridges}}`, legend: '{{instance}} longest' },
          ],
        }),
        graph({
          title: 'Garbage collection',
          description: 'Share of the time, by kind of collection.',
          unit: units.share,
          queries: [
            {
              expr: `rate(nodejs_gc_duration_seconds_sum{${bridges}}[$__rate_interval])`,
              legend: '{{instance}} {{kind}}',
            },
          ],
        }),
        graph({
          title: 'Open files',
          description: 'Sockets among them, beside what the system allows.',
          unit: units.number,
          queries: [
            { expr: `process_open_fds{${bridges}}`, legend: '{{instance}} open' },
            { expr: `process_max_fds{${bridges}}`, legend: '{{instance}} allowed' },
          ],
        }),
        graph({
          title: 'Uptime',
          description: 'Since the process was started.',
          unit: units.seconds,
          queries: [{ expr: `time() - process_start_time_seconds{${bridges}}`, legend: '{{instance}}' }],
        }),
        graph({
          title: 'What Node waits for',
          description: 'Sockets, servers and timers, by their names in Node. What grows without end is a leak.',
          unit: units.number,
          queries: [{ expr: `nodejs_active_resources{${bridges}}`, legend: '{{instance}} {{type}}' }],
        }),
        table({
          title: 'Versions',
          description: 'Of Node, and of Isthmus, for each replica.',
          unit: units.number,
          queries: [
            { expr: `nodejs_version_info{${bridges}}`, legend: '{{instance}} Node {{version}}' },
            { expr: `isthmus_build_info{${bridges}}`, legend: '{{instance}} Isthmus {{version}}' },
          ],
        }),
      ],
    },
    {
      title: 'Config and files',
      panels: [
        graph({
          title: 'Config',
          description:
            'refused: 1 while the last reading of the config was of no use. restart: settings that a restart alone takes.',
          unit: units.number,
          borders: noneIsGood,
          queries: [
            { expr: `isthmus_config_reload_failed{${bridges}}`, legend: '{{instance}} refused' },
            { expr: `isthmus_config_pending_settings{${bridges}}`, legend: '{{instance}} restart' },
          ],
        }),
        graph({
          title: 'Age of the config in force',
          description: 'Since it was read.',
          unit: units.seconds,
          queries: [{ expr: `time() - isthmus_config_read_timestamp_seconds{${bridges}}`, legend: '{{instance}}' }],
        }),
        graph({
          title: 'Last-known-good files',
          description:
            'failing: 1 while they cannot be written. behind: files that lack something; for some seconds that is usual. unreadable: at the start.',
          unit: units.number,
          queries: [
            { expr: `isthmus_state_failing{${bridges}}`, legend: '{{instance}} failing' },
            { expr: `isthmus_state_unsaved_files{${bridges}}`, legend: '{{instance}} behind' },
            { expr: `isthmus_state_unreadable_files{${bridges}}`, legend: '{{instance}} unreadable' },
          ],
        }),
        graph({
          title: 'Certificates end in',
          description: 'By what they are for. Empty where there is no TLS.',
          unit: units.seconds,
          borders: [
            [null, 'red'],
            [604_800, 'green'],
          ],
          queries: [
            {
              expr: `isthmus_certificate_expiry_timestamp_seconds{${bridges}} - time()`,
              legend: '{{instance}} {{use}} {{role}}',
            },
          ],
        }),
        graph({
          title: 'TLS files refused',
          description: '1 while they cannot be used as they are now; those before them stay in use.',
          unit: units.number,
          borders: noneIsGood,
          queries: [{ expr: `isthmus_tls_files_refused{${bridges}}`, legend: '{{instance}} {{use}}' }],
        }),
        graph({
          title: 'Connections turned away',
          description: 'Before they came to gRPC, by listener and reason.',
          unit: units.perSecond,
          queries: [
            {
              expr: `sum by (listener, reason) (rate(isthmus_connections_refused_total{${bridges}}[$__rate_interval]))`,
              legend: '{{listener}} {{reason}}',
            },
          ],
        }),
      ],
    },
  ],
};
