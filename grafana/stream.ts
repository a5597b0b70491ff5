import type { DashboardSpec } from './dashboard.ts';
import { graph, noneIsGood, table, units } from './panels.ts';
import { bridges, ofKind, ofStream } from './variables.ts';

const label = '{{instance}} {{stream}} {{kind}}';

/** Each connected istiod: what it was sent, what it has acknowledged, how far it is behind. */
export const stream: DashboardSpec = {
  uid: 'isthmus-stream',
  title: 'Isthmus / istiod stream',
  description: 'Each connected istiod, by its seat: what it was sent, what it has acknowledged, how far it is behind.',
  variables: ['stream', 'kind'],
  rows: [
    {
      title: 'Each istiod',
      panels: [
        table({
          title: 'Who is connected',
          description:
            'Seats, and the versions of Istio that each may be. /debug/streams of the replica says which istiod has which.',
          unit: units.number,
          queries: [{ expr: `isthmus_stream_info{${bridges},stream=~"$stream"}`, legend: '{{stream}}' }],
        }),
        graph({
          title: 'Not acknowledged',
          description: 'Age of the oldest change that the istiod has not acknowledged; 0 where it has all.',
          unit: units.seconds,
          borders: [
            [null, 'green'],
            [60, 'red'],
          ],
          queries: [{ expr: `isthmus_stream_unacknowledged_seconds{${ofStream}}`, legend: label }],
        }),
        graph({
          title: 'Responses',
          description: 'Sent on the stream.',
          unit: units.perSecond,
          queries: [{ expr: `rate(isthmus_stream_pushes_total{${ofStream}}[$__rate_interval])`, legend: label }],
        }),
        graph({
          title: 'Acknowledged, and refused',
          description: 'An istiod that refuses says why in its log and in /debug/streams.',
          unit: units.perSecond,
          queries: [
            { expr: `rate(isthmus_stream_acks_total{${ofStream}}[$__rate_interval])`, legend: `${label} ACK` },
            { expr: `rate(isthmus_stream_nacks_total{${ofStream}}[$__rate_interval])`, legend: `${label} NACK` },
          ],
        }),
        graph({
          title: 'Bytes',
          description: 'Of responses. A change sends the whole kind again.',
          unit: units.bytesPerSecond,
          queries: [{ expr: `rate(isthmus_stream_push_bytes_total{${ofStream}}[$__rate_interval])`, legend: label }],
        }),
        graph({
          title: 'Wait in the queue',
          description:
            'Mean time from when a response was due to when it left: the gap between two bursts, and answers that were waited for.',
          unit: units.seconds,
          borders: [
            [null, 'green'],
            [5, 'orange'],
          ],
          queries: [
            {
              expr: `rate(isthmus_stream_queue_seconds_total{${ofStream}}[$__rate_interval]) / rate(isthmus_stream_pushes_total{${ofStream}}[$__rate_interval])`,
              legend: label,
            },
          ],
        }),
      ],
    },
    {
      title: 'All of them',
      panels: [
        graph({
          title: 'Streams',
          description: 'Streams that are open. Each is ended after about 10 minutes, and begun anew within a second.',
          unit: units.number,
          queries: [{ expr: `isthmus_xds_streams{${bridges}}`, legend: '{{instance}}' }],
        }),
        graph({
          title: 'Ends of streams',
          description: 'By reason. recycled: by us, for their age. peer: by istiod.',
          unit: units.perSecond,
          queries: [
            {
              expr: `sum by (reason) (rate(isthmus_xds_stream_ends_total{${bridges}}[$__rate_interval]))`,
              legend: '{{reason}}',
            },
          ],
        }),
        graph({
          title: 'From the message of a source to the acknowledgement',
          description: 'The middle one, and the slowest hundredth, by kind.',
          unit: units.seconds,
          borders: [
            [null, 'green'],
            [10, 'red'],
          ],
          queries: [
            {
              expr: `histogram_quantile(0.5, sum by (kind, le) (rate(isthmus_propagation_seconds_bucket{${ofKind}}[$__rate_interval])))`,
              legend: '{{kind}} half of them',
            },
            {
              expr: `histogram_quantile(0.99, sum by (kind, le) (rate(isthmus_propagation_seconds_bucket{${ofKind}}[$__rate_interval])))`,
              legend: '{{kind}} 99 %',
            },
          ],
        }),
        graph({
          title: 'Of that: in the queue, and until istiod has answered',
          description: 'The slowest hundredth of each, by kind.',
          unit: units.seconds,
          queries: [
            {
              expr: `histogram_quantile(0.99, sum by (kind, le) (rate(isthmus_push_queue_seconds_bucket{${ofKind}}[$__rate_interval])))`,
              legend: '{{kind}} queue',
            },
            {
              expr: `histogram_quantile(0.99, sum by (kind, le) (rate(isthmus_push_ack_seconds_bucket{${ofKind}}[$__rate_interval])))`,
              legend: '{{kind}} istiod',
            },
          ],
        }),
        graph({
          title: 'Bytes sent',
          description: 'To all istiods, by kind.',
          unit: units.bytesPerSecond,
          queries: [
            {
              expr: `sum by (kind) (rate(isthmus_push_bytes_total{${ofKind}}[$__rate_interval]))`,
              legend: '{{kind}}',
            },
          ],
        }),
        graph({
          title: 'Refused, late, too large',
          description:
            'Responses that were refused, not acknowledged within 30 s, or not sent because the istiod cannot receive so much.',
          unit: units.perSecond,
          borders: noneIsGood,
          queries: [
            {
              expr: `sum by (kind) (rate(isthmus_push_nacks_total{${ofKind}}[$__rate_interval]))`,
              legend: '{{kind}} refused',
            },
            {
              expr: `sum by (kind) (rate(isthmus_push_ack_overdue_total{${ofKind}}[$__rate_interval]))`,
              legend: '{{kind}} late',
            },
            {
              expr: `sum by (kind) (rate(isthmus_push_too_large_total{${ofKind}}[$__rate_interval]))`,
              legend: '{{kind}} too large',
            },
          ],
        }),
      ],
    },
  ],
};
