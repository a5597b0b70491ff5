import type { ConflictView, HoldView, OriginView, QuarantineView, SnapshotView } from '../../src/admin/views.ts';
import { readAdminList, readAdminPage, readAdminResources } from '../../src/cli/admin-client.ts';
import { addressProblem } from '../../src/admin/findings/addresses.ts';
import { countOf, sizeText } from '../../src/model/texts.ts';
import { messageOf } from '../../src/model/errors.ts';
import { nearShare } from '../../src/model/size-level.ts';
import { readText } from './http.ts';
import { failureOf } from './replica.ts';
import type { AdminReport, Problem, SourceReport } from './report.ts';

/** What the pages of a bridge say. */
export type AdminLook = { readonly report: AdminReport; readonly problems: readonly Problem[] };

/** Names that one problem lists. */
const maxNames = 10;

/** Asks the admin pages of a bridge. Never throws: a bridge that can't be asked is said in the report. */
export async function lookAtAdmin(url: URL, timeoutMs: number): Promise<AdminLook> {
  const nothing = { url: url.href, ready: null, complete: null, sources: [], quarantined: [] };
  try {
    return await look(url, timeoutMs);
  } catch (error) {
    return { report: { ...nothing, error: failureOf(error) }, problems: [] };
  }
}

async function look(url: URL, timeoutMs: number): Promise<AdminLook> {
  const hint = 'is the bridge running, and is this its --admin-listen?';
  const status = async (path: string) => (await readText({ base: url, path, timeoutMs, hint })).status;
  const options = { timeoutMs };
  const [ready, complete, origins, snapshots, holds, quarantine, conflicts] = await Promise.all([
    status('readyz'),
    status('syncz'),
    readAdminList(url, '/debug/origins', options) as Promise<readonly OriginView[]>,
    readAdminList(url, '/debug/snapshot', options) as Promise<readonly SnapshotView[]>,
    readAdminList(url, '/debug/guard', options) as Promise<readonly HoldView[]>,
    readAdminResources(url, '/debug/quarantine', options) as Promise<readonly QuarantineView[]>,
    readConflicts(url, timeoutMs),
  ]);
  const report: AdminReport = {
    url: url.href,
    error: null,
    ready: ready === 200,
    complete: complete === 200,
    sources: origins.map(sourceOf),
    quarantined: quarantine.map(({ source, kind, resource: name, reason, message, sent }) => {
      return { source, kind, name, reason, message, sent };
    }),
  };
  const about = problemsAbout(url.href);
  const problems = [
    ...(report.ready === true ? [] : [about.passing('BRIDGE_NOT_READY', 'it does not listen yet', 'wait for /readyz')]),
    ...snapshots.flatMap((snapshot) => snapshotProblems(snapshot, about)),
    ...origins.flatMap((origin) => originProblems(origin, about)),
    ...holds.map(({ origin, kind, removals, of }) =>
      about.passing(
        'HELD',
        `the guard holds ${removals} of ${of} ${kind} of source ${origin}: it does not name them any more, and they are sent`,
        'isthmus guard shows why; isthmus guard release lets them go where the source is right',
      ),
    ),
    ...quarantineProblems(quarantine, about),
    ...conflictProblems(conflicts, about),
  ];
  return { report, problems };
}

/**
 * The gate before an istiod starts: `/syncz`, on the admin or the metrics port of a bridge.
 * @returns why it is closed; undefined where it is open.
 */
export async function whyNotComplete(url: URL, timeoutMs: number): Promise<string | undefined> {
  const hint = 'is the bridge running, and is this its --admin-listen?';
  try {
    const { status } = await readText({ base: url, path: 'syncz', timeoutMs, hint });
    if (status === 200) return undefined;
    return status === 503 ? 'the bridge is not complete yet (/syncz)' : `/syncz of ${url.href} answers ${status}`;
  } catch (error) {
    return messageOf(error);
  }
}

/** Conflicts in which something that a source has is not sent. */
async function readConflicts(url: URL, timeoutMs: number): Promise<readonly ConflictView[]> {
  type ConflictPage = {
    readonly counts?: readonly { readonly reason: string; readonly leavesOut: boolean }[];
    readonly conflicts?: readonly ConflictView[];
    readonly next?: string | null;
  };
  const all: ConflictView[] = [];
  for (let next: string | null = '/debug/conflicts?limit=5000'; next !== null; ) {
    const page = (await readAdminPage(url, next, { timeoutMs })) as ConflictPage | undefined;
    const { counts = [], conflicts = [], next: following = null }: ConflictPage = page ?? {};
    const leaving = new Set(counts.flatMap(({ reason, leavesOut }) => (leavesOut ? [reason] : [])));
    if (leaving.size === 0) return [];
    for (const conflict of conflicts) if (leaving.has(conflict.reason)) all.push(conflict);
    next = following;
  }
  return all;
}

function sourceOf({ name, address, connection, kinds }: OriginView): SourceReport {
  return {
    name,
    address,
    connection: connection.state,
    kinds: kinds.map(({ kind, sync, received, effective, quarantined, withheld, lastMessageAt }) => {
      return { kind, sync, received, effective, quarantined, held: withheld, lastMessageAt };
    }),
  };
}

type About = ReturnType<typeof problemsAbout>;

function problemsAbout(subject: string) {
  return {
    error: (code: string, what: string, next: string): Problem => {
      return { code, severity: 'error', subject, what, next, mayPass: false };
    },
    /** One that may pass by waiting. */
    passing: (code: string, what: string, next: string): Problem => {
      return { code, severity: 'error', subject, what, next, mayPass: true };
    },
    warning: (code: string, what: string, next: string): Problem => {
      return { code, severity: 'warning', subject, what, next, mayPass: false };
    },
  };
}

function snapshotProblems(snapshot: SnapshotView, about: About): Problem[] {
  const { kind, waitingFor, stale, overdue, complete } = snapshot;
  const problems: Problem[] = [];
  const addresses = addressProblem(snapshot.unaddressedHosts);
  if (addresses !== undefined) problems.push(about.warning('ADDRESSES', addresses, 'give them spec.addresses'));
  if (!complete) {
    const who = waitingFor.length > 0 ? `source ${waitingFor.join(', ')} has not spoken of it` : 'it is not read yet';
    problems.push(about.passing('INCOMPLETE', `${kind} is not sent yet: ${who}`, 'isthmus status says why'));
  }
  if (stale.length > 0) {
    const what = `${kind} of source ${stale.join(', ')} is what was known before: it has not spoken since the start`;
    problems.push(
      about.passing('STALE', what, 'see that the source runs; isthmus status says why it is not connected'),
    );
  }
  if (overdue.length > 0) {
    const what = `${kind} of source ${overdue.join(', ')} counts as empty: it did not speak within its syncTimeout`;
    problems.push(about.passing('OVERDUE', what, 'see that the source runs, and has that collection'));
  }
  return problems;
}

function originProblems(
  { name, address, maxMessage, connection, kinds, dropped }: OriginView,
  about: About,
): Problem[] {
  const problems: Problem[] = [];
  if (address !== null && connection.state !== 'connected') {
    const why = connection.lastError === null ? '' : `: ${connection.lastError}`;
    const what = `source ${name} is not connected${why}; what it has said last is served`;
    problems.push(about.passing('NOT_CONNECTED', what, 'isthmus check looks for the reason'));
  }
  for (const { kind, messageBytes } of kinds) {
    if (messageBytes === null || maxMessage === null || messageBytes < maxMessage * nearShare) continue;
    const what = `a message of ${kind} of source ${name} has ${sizeText(messageBytes)} of the ${sizeText(maxMessage)} that are taken`;
    problems.push(about.warning('MESSAGE_SIZE', what, `raise maxMessage of source ${name}`));
  }
  for (const { collection, resources, instead } of dropped) {
    if (resources === null || resources === 0) continue;
    const what = `${countOf(resources, 'resource')} of ${collection} of source ${name}: no istiod since 1.9 has a place for them`;
    problems.push(about.warning('NOT_CARRIED', what, instead));
  }
  return problems;
}

function quarantineProblems(quarantine: readonly QuarantineView[], about: About): Problem[] {
  if (quarantine.length === 0) return [];
  const names = namesOf(quarantine.map(({ kind, resource }) => `${kind} ${resource}`));
  const what = `${countOf(quarantine.length, 'resource')} of the sources can't be sent as they are: ${names}`;
  return [about.error('QUARANTINED', what, 'mend them at their source; they are listed with the reason')];
}

function conflictProblems(conflicts: readonly ConflictView[], about: About): Problem[] {
  if (conflicts.length === 0) return [];
  const names = namesOf(conflicts.map(({ kind, resource, host }) => `${kind} ${resource ?? host ?? ''}`));
  const what = `${countOf(conflicts.length, 'resource')} of several sources at once, of which one is sent: ${names}`;
  return [
    about.error('LEFT_OUT', what, 'see /debug/conflicts: take it out of one source, or choose conflicts.sameKey'),
  ];
}

function namesOf(names: readonly string[]): string {
  const unique = [...new Set(names)];
  const more = unique.length > maxNames ? `, and ${unique.length - maxNames} more` : '';
  return unique.slice(0, maxNames).join(', ') + more;
}
