import type { DashboardSpec } from './dashboard.ts';
import { graph, noneIsGood, oneIsGood, stat, table, units } from './panels.ts';
import { bridges, ofHolding, ofKind } from './variables.ts';

/** Is everything well, what is late, and since when. */
export const overview: DashboardSpec = {
  uid: 'isthmus-overview',
  title: 'Isthmus / Overview',
  description: 'Whether everything is well, what is late, and since when.',
  variables: ['source', 'kind'],
  rows: [
    {
      title: 'Is everything well?',
      panels: [
        stat({
          title: 'Alerts',
          description: 'Alerts that fire now. What each means, and what to do, is in docs/runbook.md.',
          unit: units.number,
          borders: [
            [null, 'green'],
            [1, 'red'],
          ],
          queries: [
            { expr: 'count(ALERTS{alertname=~"Isthmus.*",alertstate="firing"}) or vector(0)', legend: 'alerts' },
          ],
        }),
        stat({
          title: 'Sources connected',
          description: 'Share of the sources of the config to which there is a stream.',
          unit: units.share,
          borders: oneIsGood,
          queries: [{ expr: `avg(isthmus_source_connected{${bridges}})`, legend: 'connected' }],
        }),
        stat({
          title: 'Kinds complete',
          description: 'Share of the kinds that may be sent: of each, every source has spoken. The others wait.',
          unit: units.share,
          borders: oneIsGood,
          queries: [{ expr: `avg(isthmus_kind_complete{${bridges}})`, legend: 'complete' }],
        }),
        stat({
          title: 'istiods connected',
          description: 'Streams of istiods, over all replicas.',
          unit: units.number,
          borders: oneIsGood,
          queries: [{ expr: `sum(isthmus_xds_streams{${bridges}})`, legend: 'streams' }],
        }),
        stat({
          title: 'Resources served',
          description: 'Resources that each istiod is given; of several replicas the most.',
          unit: units.number,
          queries: [{ expr: `max(sum by (instance) (isthmus_snapshot_resources{${bridges}}))`, legend: 'resources' }],
        }),
        stat({
          title: 'Version',
          description: 'Versions of Isthmus that run, and how many replicas of each.',
          unit: units.number,
          queries: [{ expr: `count by (version) (isthmus_build_info{${bridges}})`, legend: '{{version}}' }],
        }),
        stat({
          title: 'Served stale',
          description:
            'Pairs of source and kind of which something old is served, as the source has not spoken since a restart.',
          unit: units.number,
          borders: noneIsGood,
          queries: [{ expr: `sum(isthmus_source_stale{${bridges}})`, legend: 'stale' }],
        }),
        stat({
          title: 'Counts as empty',
          description: 'Pairs of source and kind that were waited for in vain, and count as empty (syncTimeout).',
          unit: units.number,
          borders: noneIsGood,
          queries: [{ expr: `sum(isthmus_source_overdue{${bridges}})`, legend: 'overdue' }],
        }),
        stat({
          title: 'Held by the guard',
          description: 'Resources that stay although their source has left them out: isthmus guard says why.',
          unit: units.number,
          borders: noneIsGood,
          queries: [{ expr: `sum(isthmus_guard_held_resources{${bridges}})`, legend: 'held' }],
        }),
        stat({
          title: 'Quarantined',
          description: 'Resources that are not sent as they came: isthmus get http://… --quarantined says why.',
          unit: units.number,
          borders: noneIsGood,
          queries: [{ expr: `sum(isthmus_quarantined_resources{${bridges}}) or vector(0)`, legend: 'quarantined' }],
        }),
        stat({
          title: 'Not acknowledged for',
          description: 'Age of the oldest change that an istiod has not acknowledged.',
          unit: units.seconds,
          borders: [
            [null, 'green'],
            [10, 'orange'],
            [60, 'red'],
          ],
          queries: [{ expr: `max(isthmus_stream_unacknowledged_seconds{${bridges}})`, legend: 'oldest' }],
        }),
        stat({
          title: 'Certificates end in',
          description: 'Of what is in use, the first to end. Empty where there is no TLS.',
          unit: units.seconds,
          borders: [
            [null, 'red'],
            [604_800, 'orange'],
            [1_209_600, 'green'],
          ],
          queries: [
            { expr: `min(isthmus_certificate_expiry_timestamp_seconds{${bridges}}) - time()`, legend: 'first' },
          ],
        }),
      ],
    },
    {
      title: 'What is late?',
      panels: [
        graph({
          title: 'Propagation',
          description:
            'Time from the message of a source to the acknowledgement of each istiod: the middle one, and the slowest hundredth.',
          unit: units.seconds,
          borders: [
            [null, 'green'],
            [10, 'red'],
          ],
          queries: [
            {
              expr: `histogram_quantile(0.5, sum by (le) (rate(isthmus_propagation_seconds_bucket{${ofKind}}[$__rate_interval])))`,
              legend: 'half of them',
            },
            {
              expr: `histogram_quantile(0.99, sum by (le) (rate(isthmus_propagation_seconds_bucket{${ofKind}}[$__rate_interval])))`,
              legend: '99 %',
            },
          ],
        }),
        graph({
          title: 'Not acknowledged',
          description: 'Age of the oldest change that each istiod has not acknowledged, by its seat (/debug/streams).',
          unit: units.seconds,
          borders: [
            [null, 'green'],
            [60, 'red'],
          ],
          queries: [
            {
              expr: `max by (instance, stream) (isthmus_stream_unacknowledged_seconds{${ofKind}})`,
              legend: '{{instance}} {{stream}}',
            },
          ],
        }),
        table({
          title: 'Last word of each source',
          description: 'When each source spoke of each kind last. A source that has nothing new to say says nothing.',
          unit: units.seconds,
          queries: [
            {
              expr: `time() - max by (source, kind) (isthmus_source_last_message_timestamp_seconds{${ofHolding}})`,
              legend: '{{source}} {{kind}}',
            },
          ],
        }),
        table({
          title: 'Age of what is served',
          description: 'How long ago what istiods are given of each kind was another thing.',
          unit: units.seconds,
          queries: [
            {
              expr: `time() - max by (kind) (isthmus_snapshot_timestamp_seconds{${ofKind}})`,
              legend: '{{kind}}',
            },
          ],
        }),
      ],
    },
    {
      title: 'What happens?',
      panels: [
        graph({
          title: 'Changes',
          description: 'Resources that came, changed or went, by source.',
          unit: units.perSecond,
          queries: [
            {
              expr: `sum by (source, change) (rate(isthmus_changes_total{${ofHolding}}[$__rate_interval]))`,
              legend: '{{source}} {{change}}',
            },
          ],
        }),
        graph({
          title: 'Pushes by cause',
          description: 'Responses to istiods. A stream begins with one subscription of each kind.',
          unit: units.perSecond,
          queries: [
            {
              expr: `sum by (cause) (rate(isthmus_pushes_total{${ofKind}}[$__rate_interval]))`,
              legend: '{{cause}}',
            },
          ],
        }),
        graph({
          title: 'Resources served',
          description:
            'What istiods are given, by kind; of several replicas the most. A step down is many services gone at once.',
          unit: units.number,
          queries: [{ expr: `max by (kind) (isthmus_snapshot_resources{${ofKind}})`, legend: '{{kind}}' }],
        }),
        graph({
          title: 'Debounce',
          description: 'Publications, and changes that were published with another one that came shortly before.',
          unit: units.perSecond,
          queries: [
            {
              expr: `sum(rate(isthmus_publications_total{${bridges}}[$__rate_interval]))`,
              legend: 'publications',
            },
            {
              expr: `sum(rate(isthmus_debounce_merged_total{${bridges}}[$__rate_interval]))`,
              legend: 'merged changes',
            },
          ],
        }),
      ],
    },
  ],
};
