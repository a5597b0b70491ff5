import type { DashboardSpec } from './dashboard.ts';
import { graph, units } from './panels.ts';
import { bridges } from './variables.ts';

const ours = `${bridges},component="isthmus"`;

/** The row "Mesh Configuration Protocol" of Galley's dashboard, on the names that Isthmus has kept. */
export const oldMcp: DashboardSpec = {
  uid: 'isthmus-old-mcp',
  title: 'Isthmus / Mesh Configuration Protocol',
  description: 'The row of Galley\'s dashboard, as it was: the same names, with component="isthmus".',
  variables: [],
  rows: [
    {
      title: 'Mesh Configuration Protocol',
      panels: [
        graph({
          title: 'Connected Clients',
          description: 'Streams of istiods and of old Pilots.',
          unit: units.number,
          queries: [{ expr: `sum(istio_mcp_clients_total{${ours}})`, legend: 'clients' }],
        }),
        graph({
          title: 'Request ACKs',
          description: 'Per minute: those that were sent to sources, and those of old Pilots.',
          unit: units.number,
          queries: [
            {
              expr: `sum by (collection) (irate(istio_mcp_request_acks_total{${ours}}[$__rate_interval]) * 60)`,
              legend: '{{collection}}',
            },
          ],
        }),
        graph({
          title: 'Request NACKs',
          description: 'Per minute: those that were sent to sources, and those of old Pilots.',
          unit: units.number,
          queries: [
            {
              expr: `rate(istio_mcp_request_nacks_total{${ours}}[$__rate_interval]) * 60`,
              legend: '{{collection}} {{code}}',
            },
          ],
        }),
        graph({
          title: 'Message sizes',
          description:
            'Messages of at most so many bytes in 5 minutes: those that sources sent, and those to old Pilots.',
          unit: units.number,
          queries: [
            {
              expr: `sum by (le) (increase(istio_mcp_message_sizes_bytes_bucket{${ours}}[5m]))`,
              legend: '{{le}}',
            },
          ],
        }),
        graph({
          title: 'Failures',
          description:
            'Per minute: streams to sources that ended with an error, and requests that could not be sent, by code of gRPC.',
          unit: units.number,
          queries: [
            {
              expr: `sum by (code) (rate(istio_mcp_recv_failures_total{${ours}}[$__rate_interval]) * 60)`,
              legend: 'receive {{code}}',
            },
            {
              expr: `sum by (code) (rate(istio_mcp_send_failures_total{${ours}}[$__rate_interval]) * 60)`,
              legend: 'send {{code}}',
            },
          ],
        }),
        graph({
          title: 'Reconnections',
          description: 'Streams to sources that were opened, the first ones included.',
          unit: units.number,
          queries: [{ expr: `sum(istio_mcp_reconnections{${ours}})`, legend: 'streams' }],
        }),
      ],
    },
  ],
};
