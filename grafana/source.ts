import type { DashboardSpec } from './dashboard.ts';
import { graph, noneIsGood, oneIsGood, units } from './panels.ts';
import { ofCollection, ofHolding, ofSource } from './variables.ts';

/** One legacy server: its stream, what it says, what became of that. */
export const source: DashboardSpec = {
  uid: 'isthmus-source',
  title: 'Isthmus / Source',
  description: 'A legacy server: its stream, what it says, and what became of that.',
  variables: ['source', 'kind', 'collection'],
  rows: [
    {
      title: 'Stream',
      panels: [
        graph({
          title: 'Connected',
          description: '1 while there is a stream to the source. What it said last is served on while there is none.',
          unit: units.number,
          borders: oneIsGood,
          queries: [{ expr: `isthmus_source_connected{${ofSource}}`, legend: '{{instance}} {{source}}' }],
        }),
        graph({
          title: 'Streams opened',
          description: 'All but the first one are reconnects.',
          unit: units.perSecond,
          queries: [
            {
              expr: `sum by (source) (rate(isthmus_source_streams_total{${ofSource}}[$__rate_interval]))`,
              legend: '{{source}}',
            },
          ],
        }),
        graph({
          title: 'Ends of streams',
          description: 'By code of gRPC: 14 is a server that cannot be reached, 3 one that does not know a collection.',
          unit: units.perSecond,
          queries: [
            {
              expr: `sum by (source, code) (rate(isthmus_source_stream_ends_total{${ofSource}}[$__rate_interval]))`,
              legend: '{{source}} {{code}}',
            },
          ],
        }),
        graph({
          title: 'Messages acknowledged, and refused',
          description: 'What was refused is of a collection that nobody has asked for.',
          unit: units.perSecond,
          queries: [
            {
              expr: `sum by (source, collection) (rate(isthmus_source_acks_total{${ofCollection}}[$__rate_interval]))`,
              legend: '{{source}} {{collection}}',
            },
            {
              expr: `sum by (source, code) (rate(isthmus_source_nacks_total{${ofSource}}[$__rate_interval]))`,
              legend: '{{source}} refused {{code}}',
            },
          ],
        }),
        graph({
          title: 'Bytes received',
          description: 'Of messages, by collection. A server that sends whole states sends all of it for each change.',
          unit: units.bytesPerSecond,
          queries: [
            {
              expr: `sum by (source, collection) (rate(isthmus_source_received_bytes_total{${ofCollection}}[$__rate_interval]))`,
              legend: '{{source}} {{collection}}',
            },
          ],
        }),
        graph({
          title: 'Size of messages, of what is taken',
          description: 'A larger message than maxMessage ends the stream.',
          unit: units.share,
          borders: [
            [null, 'green'],
            [0.8, 'orange'],
            [1, 'red'],
          ],
          queries: [
            {
              expr: `isthmus_source_message_bytes{${ofCollection}} / isthmus_source_message_limit_bytes{${ofCollection}}`,
              legend: '{{source}} {{collection}}',
            },
          ],
        }),
      ],
    },
    {
      title: 'What it has',
      panels: [
        graph({
          title: 'Resources by state',
          description: 'received: what it says. released: with what the guard holds. effective: what is served of it.',
          unit: units.number,
          queries: [
            {
              expr: `max by (source, kind, state) (isthmus_resources{${ofHolding}})`,
              legend: '{{source}} {{kind}} {{state}}',
            },
          ],
        }),
        graph({
          title: 'Bytes',
          description: 'Of the effective resources, as they stand in responses.',
          unit: units.bytes,
          queries: [
            {
              expr: `max by (source, kind) (isthmus_source_resources_bytes{${ofHolding}})`,
              legend: '{{source}} {{kind}}',
            },
          ],
        }),
        graph({
          title: 'Synced, stale, overdue',
          description:
            'synced: it has spoken. stale: what it said before a restart is served. overdue: it was waited for in vain.',
          unit: units.number,
          queries: [
            {
              expr: `min by (source, kind) (isthmus_source_synced{${ofHolding}})`,
              legend: '{{source}} {{kind}} synced',
            },
            { expr: `max by (source, kind) (isthmus_source_stale{${ofHolding}})`, legend: '{{source}} {{kind}} stale' },
            {
              expr: `max by (source, kind) (isthmus_source_overdue{${ofHolding}})`,
              legend: '{{source}} {{kind}} overdue',
            },
          ],
        }),
        graph({
          title: 'Time since its last message, and since its last change',
          description:
            'A source that has nothing new to say says nothing; one that says the same again changes nothing.',
          unit: units.seconds,
          queries: [
            {
              expr: `time() - max by (source, kind) (isthmus_source_last_message_timestamp_seconds{${ofHolding}})`,
              legend: '{{source}} {{kind}} message',
            },
            {
              expr: `time() - max by (source, kind) (isthmus_source_last_change_timestamp_seconds{${ofHolding}})`,
              legend: '{{source}} {{kind}} change',
            },
          ],
        }),
        graph({
          title: 'Changes',
          description: 'Resources that came or changed, and that went.',
          unit: units.perSecond,
          queries: [
            {
              expr: `sum by (source, kind, change) (rate(isthmus_changes_total{${ofHolding}}[$__rate_interval]))`,
              legend: '{{source}} {{kind}} {{change}}',
            },
          ],
        }),
      ],
    },
    {
      title: 'What became of it',
      panels: [
        graph({
          title: 'Held by the guard',
          description: 'Resources that stay although the source has left them out.',
          unit: units.number,
          borders: noneIsGood,
          queries: [
            {
              expr: `max by (source, kind) (isthmus_guard_held_resources{${ofHolding}})`,
              legend: '{{source}} {{kind}}',
            },
          ],
        }),
        graph({
          title: 'Removals that were not believed',
          description: 'And how holds ended: released by you, confirmed by the source, or recovered.',
          unit: units.perSecond,
          queries: [
            {
              expr: `sum by (source, kind) (rate(isthmus_removals_withheld_total{${ofHolding}}[$__rate_interval]))`,
              legend: '{{source}} {{kind}} withheld',
            },
            {
              expr: `sum by (source, kind, outcome) (rate(isthmus_guard_holds_total{${ofHolding}}[$__rate_interval]))`,
              legend: '{{source}} {{kind}} {{outcome}}',
            },
          ],
        }),
        graph({
          title: 'Quarantined by reason',
          description: 'Resources that are not sent as they came, and how often one came.',
          unit: units.number,
          borders: noneIsGood,
          queries: [
            {
              expr: `max by (source, kind, reason) (isthmus_quarantined_resources{${ofHolding}})`,
              legend: '{{source}} {{kind}} {{reason}}',
            },
            {
              expr: `sum by (source, kind, reason) (increase(isthmus_quarantines_total{${ofHolding}}[$__rate_interval]))`,
              legend: '{{source}} {{kind}} {{reason}} came',
            },
          ],
        }),
        graph({
          title: 'Put right on the way in',
          description: 'By repair. Those of bodies were turned on in the config.',
          unit: units.perSecond,
          queries: [
            {
              expr: `sum by (source, kind, repair) (rate(isthmus_repairs_total{${ofHolding}}[$__rate_interval]))`,
              legend: '{{source}} {{kind}} {{repair}}',
            },
          ],
        }),
      ],
    },
  ],
};
