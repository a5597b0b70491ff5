import type { ConflictPage } from '../admin/views.ts';
import { table } from './terminal.ts';

/** What several sources have, for people: the counts, and the first of them. */
export function conflictTables({ counts, conflicts }: Pick<ConflictPage, 'counts' | 'conflicts'>): string[] {
  return [
    table(
      ['SEVERAL SOURCES HAVE', 'KIND', 'REASON', 'WHAT IS DONE'],
      counts.map(({ kind, reason, count, done }) => [String(count), kind, reason, done]),
    ),
    table(
      ['RESOURCE OR HOST', 'KIND', 'SOURCES', 'SINCE', 'REASON'],
      conflicts.map(({ resource, host, kind, sources, since, reason }) => [
        resource ?? host ?? '',
        kind,
        sources.join(', '),
        since,
        reason,
      ]),
    ),
  ];
}
