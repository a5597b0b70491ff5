import type { OriginView } from '../admin/views.ts';
import type { SinkStreamView } from '../legacy/source-listener.ts';
import { pilotMessageBytes } from '../legacy/source-stream.ts';
import { sizeText } from './check-limits.ts';
import { table } from './terminal.ts';

/** What is not as it should be with old Pilots, one sentence each. */
export function sinkProblems(sinks: readonly SinkStreamView[], origins: readonly OriginView[]): string[] {
  return sinks.flatMap(({ peer, collections }) =>
    collections.flatMap(({ collection, carried, sentVersion, nack, awaitingAck, bytes }) => {
      if (nack !== null) return [`${peer} refused ${collection}: ${nack}`];
      if (awaitingAck && bytes !== null && bytes > pilotMessageBytes) {
        const next = 'start it with a larger --mcpMaxMsgSize';
        return [
          `${peer} has not taken ${collection} yet, which is more than a Pilot takes by default: ${sizeText(bytes)}; ${next}`,
        ];
      }
      if (carried || sentVersion !== null) return [];
      const why = `the bridge does not carry it, and ${holdersText(collection, origins)}`;
      return [`${peer} waits for ${collection}: ${why}; see docs/legacy-output.md`];
    }),
  );
}

function holdersText(collection: string, origins: readonly OriginView[]): string {
  const counts = origins.flatMap(({ name, dropped }) =>
    dropped.filter((one) => one.collection === collection && !one.isRefused).map((one) => ({ name, ...one })),
  );
  const holders = counts.filter(({ resources }) => resources !== null && resources > 0);
  if (holders.length > 0)
    return holders.map(({ name, resources }) => `${name} has ${resources} resources in it`).join(', ');
  const silent = counts.filter(({ resources }) => resources === null).map(({ name }) => name);
  return `${silent.join(', ') || 'a source'} has not said yet whether it has something in it`;
}

/** Old Pilots, and which collections they were answered as empty because the bridge does not carry them. */
export function sinkTable(sinks: readonly SinkStreamView[]): string {
  return table(
    ['OLD PILOT', 'AGENT', 'SINCE', 'LARGEST', 'COLLECTIONS', 'ACKNOWLEDGED', 'ANSWERED AS EMPTY, NOT CARRIED'],
    sinks.map(({ peer, node, agent, since, collections }) => [
      node === '' ? peer : `${peer} ${node}`,
      agent ?? '-',
      since,
      largestText(collections),
      String(collections.length),
      String(
        collections.filter(({ sentVersion, ackedVersion }) => sentVersion !== null && sentVersion === ackedVersion)
          .length,
      ),
      collections
        .filter(({ carried, sentVersion }) => !carried && sentVersion !== null)
        .map(({ collection }) => collection)
        .join(', ') || '-',
    ]),
  );
}

function largestText(collections: SinkStreamView['collections']): string {
  const [largest] = collections.toSorted((a, b) => (b.bytes ?? 0) - (a.bytes ?? 0));
  if (largest === undefined || largest.bytes === null) return '-';
  return `${largest.collection.slice(largest.collection.lastIndexOf('/') + 1)} ${sizeText(largest.bytes)}`;
}
