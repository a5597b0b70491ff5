import type { SinkStreamView } from '../../legacy/source-listener.ts';
import { nearShare } from '../../model/size-level.ts';
import type { StreamView } from '../../xds/ads-server.ts';
import type { ConflictPage, OriginView, ReloadReport, SnapshotView, StateReport, TlsView } from '../views.ts';
import { addressProblem } from './addresses.ts';
import { droppedProblems, overdueProblem, reloadProblems, retiredProblem } from './config-problem.ts';
import { holdsOf, nextOfHold } from './holds.ts';
import { originProblem } from './origin-problem.ts';
import { profileProblems } from './profile-problems.ts';
import { type QuarantineCounts, quarantineProblems } from './quarantine-problems.ts';
import { revisionProblems } from './revision-problems.ts';
import { sinkProblems } from './sink-problems.ts';
import { staleProblem, stateProblems } from './state-problem.ts';
import { numberText, sizeText } from '../../model/texts.ts';
import { type DialledSource, tlsProblems, unverifiedProblems } from './tls-problem.ts';

/** What is looked at: the pages of a bridge. */
export type Seen = {
  readonly origins: readonly OriginView[];
  readonly snapshot: readonly SnapshotView[];
  readonly streams: readonly StreamView[];
  /** Old Pilots. */
  readonly sinks: readonly SinkStreamView[];
  readonly quarantined: QuarantineCounts;
  readonly conflicts: Pick<ConflictPage, 'counts'>;
  /** Null where the bridge has no state folder. */
  readonly state: StateReport | null;
  /** What came of reading the config again. */
  readonly reload: ReloadReport | null;
  /** What TLS is spoken with. */
  readonly tls: readonly TlsView[];
  /** As the config has them. */
  readonly sources: readonly DialledSource[];
};

/** What is not as it should be with a bridge and its neighbours, one sentence each. @param now milliseconds since 1970. */
export function findingsOf(seen: Seen, now: number): string[] {
  const { origins, snapshot, streams, sinks, quarantined, conflicts, state, reload, tls, sources } = seen;
  const findings = reloadProblems(reload);
  for (const origin of origins) {
    const { name, address, maxMessage, connection } = origin;
    if (address !== null && connection.state !== 'connected') {
      findings.push(`source ${name} is not connected: ${originProblem(origin)}`);
    }
    const retired = retiredProblem(origin);
    if (retired !== undefined) findings.push(`${retired.what}; ${retired.next}`);
    findings.push(...staleProblem(origin), ...overdueProblem(origin));
    findings.push(...droppedProblems(origin).map(({ what, next }) => `${what}; ${next}`));
    for (const { kind, messageBytes } of origin.kinds) {
      if (messageBytes === null || maxMessage === null || messageBytes < maxMessage * nearShare) continue;
      findings.push(`messages of ${kind} of ${name} are nearly too large: ${shareText(messageBytes, maxMessage)}`);
    }
  }
  for (const hold of holdsOf(origins)) {
    const { origin, kind, removals, of } = hold;
    const end = hold.until === null ? '' : `; the source ${nextOfHold(hold)}`;
    findings.push(
      `${numberText(removals)} of ${numberText(of)} ${kind} of ${origin} stay although it removed them${end}; see isthmus guard`,
    );
  }
  findings.push(...profileProblems(origins), ...stateProblems(state));
  findings.push(...tlsProblems(tls, now).map(({ what, next }) => `${what}; ${next}`));
  const waiting = snapshot.filter(({ complete }) => !complete);
  if (waiting.length > 0) {
    const waitedFor = [...new Set(waiting.flatMap(({ waitingFor }) => waitingFor))];
    const names = waitedFor.join(', ') || 'the last-known-good files, and what the sources say first';
    findings.push(`not sent yet: ${waiting.map(({ kind }) => kind).join(', ')}; waiting for ${names}`);
  }
  findings.push(...quarantineProblems(quarantined));
  for (const { kind, count, done, leavesOut } of conflicts.counts) {
    if (leavesOut) findings.push(`several sources hold ${numberText(count)} ${kind}: ${done}; see /debug/conflicts`);
  }
  for (const { peer, types } of streams) {
    for (const { typeUrl, nack, tooLarge, bytes, maxBytes } of types) {
      if (nack !== null) findings.push(`${peer} refused ${typeUrl}: ${nack}`);
      if (bytes === null || bytes < maxBytes * nearShare) continue;
      const size = shareText(bytes, maxBytes);
      if (tooLarge) findings.push(`${typeUrl} is too large for ${peer}, which keeps what it had: ${size}`);
      else findings.push(`${typeUrl} is nearly too large for ${peer}: ${size}`);
    }
  }
  findings.push(...sinkProblems(sinks, origins));
  findings.push(...snapshot.flatMap(({ unaddressedHosts }) => addressProblem(unaddressedHosts) ?? []));
  for (const { what, next } of revisionProblems(streams)) if (next !== undefined) findings.push(what);
  findings.push(...unverifiedProblems(sources).map(({ what, next }) => `${what}; ${next}`));
  return findings;
}

/** `3.4 MiB of 4.0 MiB`. */
function shareText(bytes: number, limit: number): string {
  return `${sizeText(bytes)} of ${sizeText(limit)}`;
}
