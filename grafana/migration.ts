import type { DashboardSpec } from './dashboard.ts';
import { graph, noneIsGood, stat, units } from './panels.ts';
import { bridges, ofKind } from './variables.ts';

/** The legacy side beside the xDS side, and what differs. */
export const migration: DashboardSpec = {
  uid: 'isthmus-migration',
  title: 'Isthmus / Migration',
  description:
    'The legacy side beside the xDS side: what came in, what goes out, what differs and why, by version of istiod.',
  variables: ['kind'],
  rows: [
    {
      title: 'Both sides',
      panels: [
        graph({
          title: 'Received from legacy servers',
          description: 'Resources that sources say they have, by kind; good and bad ones.',
          unit: units.number,
          queries: [
            {
              expr: `max by (kind) (sum by (instance, kind) (isthmus_resources{${ofKind},state="received"}))`,
              legend: '{{kind}}',
            },
          ],
        }),
        graph({
          title: 'Given to istiods',
          description:
            'Resources that istiods are given, by kind. Beside the panel on the left, the two should look alike.',
          unit: units.number,
          queries: [{ expr: `max by (kind) (isthmus_snapshot_resources{${ofKind}})`, legend: '{{kind}}' }],
        }),
        graph({
          title: 'Messages acknowledged by us',
          description: 'Messages of legacy servers, by collection.',
          unit: units.perSecond,
          queries: [
            {
              expr: `sum by (collection) (rate(isthmus_source_acks_total{${bridges}}[$__rate_interval]))`,
              legend: '{{collection}}',
            },
          ],
        }),
        graph({
          title: 'Responses acknowledged by istiods',
          description:
            'By kind. An acknowledgement proves nothing, as istiod acknowledges what it throws away: isthmus diff compares its own view.',
          unit: units.perSecond,
          queries: [
            {
              expr: `sum by (kind) (rate(isthmus_push_ack_seconds_count{${ofKind}}[$__rate_interval]))`,
              legend: '{{kind}}',
            },
          ],
        }),
      ],
    },
    {
      title: 'What differs, and why',
      panels: [
        graph({
          title: 'Received, and not given',
          description:
            'Difference of the two sides, by kind: what is quarantined without a good form, what several sources have, and what waits. Below 0: what the guard holds.',
          unit: units.number,
          borders: noneIsGood,
          queries: [
            {
              expr: `sum by (instance, kind) (isthmus_resources{${ofKind},state="received"}) - sum by (instance, kind) (isthmus_snapshot_resources{${ofKind}})`,
              legend: '{{instance}} {{kind}}',
            },
          ],
        }),
        graph({
          title: 'Released, and not effective',
          description:
            'Resources that the guard lets through and that are not served: they are quarantined, and no good form is known.',
          unit: units.number,
          borders: noneIsGood,
          queries: [
            {
              expr: `sum by (instance, kind) (isthmus_resources{${ofKind},state="released"}) - sum by (instance, kind) (isthmus_resources{${ofKind},state="effective"})`,
              legend: '{{instance}} {{kind}}',
            },
          ],
        }),
        graph({
          title: 'Quarantined by reason',
          description: 'Resources that are not sent as they came.',
          unit: units.number,
          borders: noneIsGood,
          queries: [
            {
              expr: `sum by (kind, reason) (isthmus_quarantined_resources{${ofKind}})`,
              legend: '{{kind}} {{reason}}',
            },
          ],
        }),
        graph({
          title: 'Invalid, and sent',
          description:
            'Resources that break a rule of Istio, and are sent since no better form is known: istiod from 1.14 on drops them.',
          unit: units.number,
          borders: noneIsGood,
          queries: [
            { expr: `sum by (kind, reason) (isthmus_invalid_resources{${ofKind}})`, legend: '{{kind}} {{reason}}' },
          ],
        }),
        graph({
          title: 'Several sources',
          description: 'Resources and hosts that several sources have, by what is done.',
          unit: units.number,
          borders: noneIsGood,
          queries: [{ expr: `max by (kind, reason) (isthmus_conflicts{${ofKind}})`, legend: '{{kind}} {{reason}}' }],
        }),
        graph({
          title: 'No place in istiod 1.9 and newer',
          description: 'Resources of collections that nothing carries any more, where they are counted (countDropped).',
          unit: units.number,
          borders: noneIsGood,
          queries: [
            {
              expr: `max by (source, collection) (isthmus_dropped_resources{${bridges}})`,
              legend: '{{source}} {{collection}}',
            },
          ],
        }),
        graph({
          title: 'Dropped by the label istio.io/rev',
          description:
            'Resources that an istiod drops, or may drop, because of its revision; of several istiods the most.',
          unit: units.number,
          borders: noneIsGood,
          queries: [
            {
              expr: `max by (kind, reason) (isthmus_stream_dropped_by_revision{${ofKind}})`,
              legend: '{{kind}} {{reason}}',
            },
          ],
        }),
        graph({
          title: 'Retired',
          description:
            'Resources that are served although the config does not name their source, or collection, any more.',
          unit: units.number,
          borders: noneIsGood,
          queries: [
            { expr: `max by (source, kind) (isthmus_retired_resources{${ofKind}})`, legend: '{{source}} {{kind}}' },
          ],
        }),
        stat({
          title: 'Hosts without an address',
          description: 'Hosts of ServiceEntries that ask istiod for a virtual address, as far as they were counted.',
          unit: units.number,
          queries: [{ expr: `max(isthmus_unaddressed_hosts{${bridges}})`, legend: 'hosts' }],
        }),
      ],
    },
    {
      title: 'By version of istiod',
      panels: [
        graph({
          title: 'istiods by version',
          description: 'Connected istiods by the versions of Istio that they may be, as far as they show.',
          unit: units.number,
          queries: [{ expr: `count by (istio) (isthmus_stream_info{${bridges}})`, legend: '{{istio}}' }],
        }),
        graph({
          title: 'Size of responses, of what can be received',
          description: 'Istiods up to 1.11 receive 4 MiB; what is larger is not sent to them.',
          unit: units.share,
          borders: [
            [null, 'green'],
            [0.8, 'orange'],
            [1, 'red'],
          ],
          queries: [
            {
              expr: `max by (kind, profile) (isthmus_push_size_bytes{${ofKind}} / isthmus_push_limit_bytes{${ofKind}})`,
              legend: '{{kind}} {{profile}}',
            },
          ],
        }),
      ],
    },
    {
      title: 'Old Pilots beside them',
      panels: [
        graph({
          title: 'Old Pilots',
          description: 'Streams of Pilots up to 1.8 that are served over legacy MCP (--legacy-listen).',
          unit: units.number,
          queries: [{ expr: `sum(isthmus_legacy_streams{${bridges}})`, legend: 'streams' }],
        }),
        graph({
          title: 'Messages to old Pilots',
          description: 'Sent, and refused, by collection.',
          unit: units.perSecond,
          queries: [
            {
              expr: `sum by (collection) (rate(isthmus_legacy_pushes_total{${bridges}}[$__rate_interval]))`,
              legend: 'sent {{collection}}',
            },
            {
              expr: `sum by (collection) (rate(isthmus_legacy_push_nacks_total{${bridges}}[$__rate_interval]))`,
              legend: 'refused {{collection}}',
            },
          ],
        }),
        graph({
          title: 'Bytes to old Pilots',
          description: 'By collection.',
          unit: units.bytesPerSecond,
          queries: [
            {
              expr: `sum by (collection) (rate(isthmus_legacy_push_bytes_total{${bridges}}[$__rate_interval]))`,
              legend: '{{collection}}',
            },
          ],
        }),
        graph({
          title: 'Asked for, and not carried',
          description:
            'Streams of old Pilots that were answered as empty of a collection because the bridge does not carry it.',
          unit: units.number,
          borders: noneIsGood,
          queries: [
            {
              expr: `max by (collection) (isthmus_legacy_uncarried_streams{${bridges}})`,
              legend: '{{collection}}',
            },
          ],
        }),
        graph({
          title: 'Ends of streams of old Pilots',
          description: 'By reason.',
          unit: units.perSecond,
          queries: [
            {
              expr: `sum by (reason) (rate(isthmus_legacy_stream_ends_total{${bridges}}[$__rate_interval]))`,
              legend: '{{reason}}',
            },
          ],
        }),
      ],
    },
  ],
};
