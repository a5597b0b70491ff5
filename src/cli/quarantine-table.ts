import type { QuarantineView } from '../admin/views.ts';
import { table } from './terminal.ts';

const sentTexts: Readonly<Record<string, string>> = {
  last_good: 'its last good form',
  nothing: 'nothing',
  as_received: 'as it came',
  other_source: 'the form of another source',
};

/** What is quarantined, or sent although it is not valid, for people. */
export function quarantineTable(quarantine: readonly QuarantineView[]): string {
  return table(
    ['QUARANTINED', 'KIND', 'SOURCE', 'SINCE', 'SENT', 'REASON', 'WHY'],
    quarantine.map(({ resource, kind, source, since, sent, reason, message }) => [
      resource,
      kind,
      source,
      since,
      sentTexts[sent] ?? sent,
      reason,
      message,
    ]),
  );
}
