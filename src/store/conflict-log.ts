import { type Conflict, conflictActions, leavesOut } from '../model/conflict.ts';
import type { LogFields, Logger } from '../model/logger.ts';
import type { ConflictNews } from './conflicts.ts';

/** More at once are counted, not listed. */
const maxLines = 20;

const begins = {
  key: 'several sources hold the same resource',
  host: 'resources of several sources name the same host',
} as const;

const ends = {
  key: 'a resource is not held by several sources any more',
  host: 'a host is not named by resources of several sources any more',
} as const;

/** Tells the operator what several sources have, when it begins and when it ends. */
export function logConflicts(log: Logger, { begun, ended }: ConflictNews): void {
  if (begun.length > maxLines) logMany(log, begun, 'have begun');
  else for (const conflict of begun) logOne(log, conflict);
  if (ended.length > maxLines) logMany(log, ended, 'have ended');
  else for (const conflict of ended) log.info(fieldsOf(conflict), ends[conflict.same]);
}

function logOne(log: Logger, conflict: Conflict): void {
  const { same, origins, reason } = conflict;
  const fields = { ...fieldsOf(conflict), done: conflictActions[reason] };
  if (!leavesOut(reason)) {
    log.info(fields, begins[same]);
    return;
  }
  const hint =
    reason === 'invalid'
      ? 'mend the form that breaks a rule of Istio: isthmus get --quarantined says which source has it'
      : `keep it in one source, or put the one that is to count first in the config; now that is ${origins[0]}`;
  log.warn({ ...fields, hint }, begins[same]);
}

/** Sources and counts, no names of resources. */
function logMany(log: Logger, conflicts: readonly Conflict[], what: string): void {
  const reasons: Record<string, number> = {};
  for (const { reason } of conflicts) reasons[reason] = (reasons[reason] ?? 0) + 1;
  const sources = [...new Set(conflicts.flatMap(({ origins }) => origins))];
  const fields = { conflicts: conflicts.length, reasons, sources, hint: 'see /debug/conflicts, or isthmus status' };
  const text = `${conflicts.length} conflicts between sources ${what}`;
  if (what === 'have begun' && conflicts.some(({ reason }) => leavesOut(reason))) log.warn(fields, text);
  else log.info(fields, text);
}

function fieldsOf({ kind, same, name, reason, origins, resources, since }: Conflict): LogFields {
  const what = same === 'key' ? { resource: name } : { host: name, resources: resources.map(({ key }) => key) };
  return { kind, ...what, reason, sources: origins, since: new Date(since).toISOString() };
}
