import { quarantineReasons } from '../../src/model/change.ts';
import { pushCauses } from '../../src/model/news.ts';
import type { Reporter } from '../../src/model/reporter.ts';
import { turnedAwayReasons } from '../../src/model/turned-away.ts';
import type { MetricsView } from '../../src/observe/metrics-view.ts';

const se = 'istio/networking/v1alpha3/serviceentries';
const serviceEntryId = 'networking.istio.io/ServiceEntry';

/** Says everything once that can be said. */
export function sayAll(reporter: Reporter): void {
  reporter.sourceStreamOpened('galley');
  reporter.sourceStreamEnded('galley', 0);
  reporter.sourceStreamEnded('galley', 14);
  reporter.sourceSendFailed('galley', 14);
  reporter.resourcesReceived('galley', se, 1000);
  reporter.sourceAcked('galley', se);
  reporter.sourceNacked('galley', 'other', 12);
  reporter.sourceNacked('galley', se, 3);
  for (const reason of quarantineReasons) reporter.quarantined('galley', serviceEntryId, reason);
  reporter.changed('galley', serviceEntryId, 2, 1);
  for (const what of ['bare_name', 'create_time', 'duplicate'] as const)
    reporter.repaired('galley', serviceEntryId, what, 4);
  reporter.removalsWithheld('galley', serviceEntryId, 5);
  for (const outcome of ['released_by_operator', 'confirmed_by_source', 'recovered'] as const)
    reporter.holdEnded('galley', serviceEntryId, outcome);
  reporter.published(3);
  for (const cause of pushCauses) reporter.pushed('ServiceEntry', 100, cause, 0.2);
  reporter.pushAcked('ServiceEntry', 0.01);
  reporter.propagated('ServiceEntry', 0.3);
  reporter.pushNacked('ServiceEntry');
  reporter.pushTooLarge('ServiceEntry');
  reporter.ackOverdue('ServiceEntry');
  for (const why of ['peer', 'recycled', 'send_timeout', 'ack_timeout', 'refused', 'shutdown', 'failed'] as const) {
    reporter.pushStreamEnded(why);
    reporter.outputStreamEnded(why);
  }
  for (const reason of turnedAwayReasons) reporter.connectionRefused('xds', reason);
  reporter.outputPushed(se, 500);
  reporter.outputAcked(se);
  reporter.outputNacked(se, 3);
  reporter.outputNacked(se, 4711);
}

/** A present state in which there is something of everything; `parts` take the place of what is in it. */
export function viewOfAll(parts: Partial<Record<keyof MetricsView, unknown>> = {}): MetricsView {
  const holding = {
    source: 'galley',
    kind: 'ServiceEntry',
    synced: true,
    stale: false,
    overdue: true,
    retired: 6,
    received: 5,
    released: 4,
    effective: 3,
    bytes: 300,
    lastMessageAtMs: 2500,
    lastChangeAtMs: 1500,
    quarantined: new Map([['bad_name', 2]]),
    invalid: new Map([['invalid_hosts', 3]]),
    held: 7,
  };
  const all = {
    sources: () => [{ name: 'galley', connected: true }],
    holdings: () => [holding],
    dropped: () => [{ source: 'galley', collection: 'istio/rbac/v1alpha1/serviceroles', resources: 8 }],
    kinds: () => [{ kind: 'ServiceEntry', complete: true, resources: 3, publishedAtMs: 3500 }],
    messages: () => [{ source: 'galley', collection: se, bytes: 900, limit: 1000 }],
    streams: () => 2,
    seats: () => [
      { seat: '1', kind: 'other', pushes: 5, acks: 3, nacks: 1, bytes: 700, waitedMs: 1500, behindMs: 2500 },
    ],
    seatInfos: () => [{ seat: '1', profile: '1.12-and-newer', version: '1.18 to 1.23' }],
    sinks: () => 3,
    uncarried: () => [{ collection: 'istio/rbac/v1alpha1/serviceroles', streams: 2 }],
    pushSizes: () => [{ kind: 'ServiceEntry', profile: 'up-to-1.11', bytes: 5000, limit: 4000 }],
    droppedByRevision: () => [{ kind: 'ServiceEntry', reason: 'no_revision', resources: 6 }],
    unaddressedHosts: () => 8,
    conflicts: () => [{ kind: 'ServiceEntry', reason: 'precedence', count: 6 }],
    config: () => ({ hasFailed: false, readAtMs: 1500, pending: 0 }),
    certificates: () => [{ use: 'xds', role: 'ca', endsAtMs: 1500 }],
    tlsFiles: () => [{ use: 'source/galley', isRefused: true }],
    state: () => ({ isFailing: false, unreadable: 0, unsaved: 1 }),
  };
  return { ...all, ...parts } as MetricsView;
}
