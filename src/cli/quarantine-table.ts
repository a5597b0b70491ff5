import type { QuarantineView } from '../admin/views.ts';
import { sentText } from '../admin/findings/quarantine-problems.ts';
import { table } from './terminal.ts';

/** What is quarantined, or sent although it is not valid, for people. */
export function quarantineTable(quarantine: readonly QuarantineView[]): string {
  return table(
    ['QUARANTINED', 'KIND', 'SOURCE', 'SINCE', 'SENT', 'REASON', 'WHY'],
    quarantine.map(({ resource, kind, source, since, sent, reason, message }) => [
      resource,
      kind,
      source,
      since,
      sentText(sent),
      reason,
      message,
    ]),
  );
}
