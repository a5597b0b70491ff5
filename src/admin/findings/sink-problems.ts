import type { OriginView } from '../views.ts';
import type { SinkStreamView } from '../../legacy/source-listener.ts';
import { pilotMessageBytes } from '../../model/pilot-limits.ts';
import { numberText, sizeText } from '../../model/texts.ts';

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
    return holders.map(({ name, resources }) => `${name} has ${numberText(resources ?? 0)} resources in it`).join(', ');
  const silent = counts.filter(({ resources }) => resources === null).map(({ name }) => name);
  return `${silent.join(', ') || 'a source'} has not said yet whether it has something in it`;
}
