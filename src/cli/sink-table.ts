import { sizeText } from '../model/texts.ts';
import type { SinkStreamView } from '../legacy/source-listener.ts';
import { table } from './terminal.ts';

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
