import type { Argv } from 'yargs';
import { findingsOf } from '../admin/findings/findings.ts';
import { holdsOf } from '../admin/findings/holds.ts';
import { valuesText } from '../admin/findings/revision-problems.ts';
import { shortName } from '../model/kinds.ts';
import { sizeText } from '../model/texts.ts';
import type { DialledSource } from '../admin/findings/tls-problem.ts';
import type {
  ConflictPage,
  OriginView,
  QuarantineView,
  ReloadReport,
  SnapshotView,
  StateReport,
  TlsView,
} from '../admin/views.ts';
import { exitCode } from '../model/errors.ts';
import type { SinkStreamView } from '../legacy/source-listener.ts';
import type { StreamView } from '../xds/ads-server.ts';
import { readAdminList, readAdminPage, readAdminResources } from './admin-client.ts';
import { profileTables } from './profile-tables.ts';
import { quarantineTable } from './quarantine-table.ts';
import { adminOption, adminUrlOf, outputOption } from './arguments.ts';
import { examples } from './examples.ts';
import { sinkTable } from './sink-table.ts';
import { conflictTables } from './conflict-tables.ts';
import { holdsTable } from './guard.ts';
import { oneLine, print, table } from './terminal.ts';

export function builder(yargs: Argv) {
  return yargs
    .usage('$0 status [URL] [options]\n\nExits with 1 where something is not as it should be.')
    .positional('url', adminOption)
    .option('output', outputOption)
    .epilogue(examples(['isthmus status', 'the bridge on this host']));
}

/** Conflicts that are listed; all are counted. */
const shownConflicts = 20;

/** What a bridge without that page is taken to have. */
const noConflicts: Status['conflicts'] = { counts: [], conflicts: [] };

type Flags = Awaited<ReturnType<typeof builder>['argv']>;

/** What a running bridge says, and what is not as it should be. */
export type Status = {
  readonly origins: OriginView[];
  readonly snapshot: SnapshotView[];
  readonly streams: StreamView[];
  /** Old Pilots; none where the bridge has no page of them. */
  readonly sinks: SinkStreamView[];
  readonly quarantine: QuarantineView[];
  /** How many things several sources have, and the first of them. */
  readonly conflicts: Pick<ConflictPage, 'counts' | 'conflicts'>;
  /** Null where the bridge has no state folder. */
  readonly state: StateReport | null;
  /** What came of reading the config again. */
  readonly reload: ReloadReport | null;
  /** What TLS is spoken with; empty where none is. */
  readonly tls: TlsView[];
  /** What is not as it should be, one sentence each. */
  readonly findings: string[];
};

/** What is read of the page of the config; older bridges say less. */
type ConfigPage = {
  readonly reload?: ReloadReport;
  readonly tls?: TlsView[];
  readonly sources?: DialledSource[];
};

/** @returns 1 where there are findings. */
export async function handler({ url, output }: Flags): Promise<number> {
  const base = adminUrlOf(url, 'URL');
  const read = async <T>(path: string) => (await readAdminList(base, path)) as T[];
  const [origins, snapshot, streams, sinks, quarantine, conflicts, state, config] = await Promise.all([
    read<OriginView>('/debug/origins'),
    read<SnapshotView>('/debug/snapshot'),
    read<StreamView>('/debug/streams'),
    readAdminPage(base, '/debug/sinks').then((page) => (page ?? []) as SinkStreamView[]),
    readAdminResources(base, '/debug/quarantine').then((all) => all as QuarantineView[]),
    readAdminPage(base, `/debug/conflicts?limit=${shownConflicts}`).then(
      (page) => (page ?? noConflicts) as ConflictPage,
    ),
    readAdminPage(base, '/debug/state').then((page) => (page ?? null) as StateReport | null),
    readAdminPage(base, '/debug/config') as Promise<ConfigPage>,
  ]);
  const status = statusOf({ origins, snapshot, streams, sinks, quarantine, conflicts, state }, config);
  if (output === 'json') print(JSON.stringify(status, undefined, 2));
  else if (output === 'yaml') print((await import('yaml')).stringify(status).trimEnd());
  else print(render(status));
  return status.findings.length > 0 ? exitCode.findings : exitCode.ok;
}

/** What the pages of a bridge come to. */
export function statusOf(pages: Omit<Status, 'reload' | 'tls' | 'findings'>, config: ConfigPage): Status {
  const { reload = null, tls = [], sources = [] } = config;
  const invalid = pages.quarantine.filter(({ sent }) => sent === 'as_received').length;
  const quarantined = { held: pages.quarantine.length - invalid, invalid };
  const seen = { ...pages, reload, tls };
  return { ...seen, findings: findingsOf({ ...seen, quarantined, sources }, Date.now()) };
}

/** The type that comes nearest to what the peer can receive. */
function fullestText({ types }: StreamView): string {
  const shares = types.map(({ typeUrl, bytes, maxBytes }) => ({ typeUrl, bytes, share: (bytes ?? 0) / maxBytes }));
  const [fullest] = shares.toSorted((a, b) => b.share - a.share);
  if (fullest === undefined || fullest.bytes === null) return '-';
  const kind = shortName(fullest.typeUrl);
  return `${kind} ${sizeText(fullest.bytes)} (${Math.round(100 * fullest.share)} %)`;
}

/** For people. */
export function render({ origins, snapshot, streams, sinks, quarantine, conflicts, tls, findings }: Status): string {
  const parts = [
    table(
      ['SOURCE', 'ADDRESS', 'STATE', 'SINCE', 'STREAMS', 'VERSION', 'UNSUPPORTED COLLECTIONS'],
      origins.map(({ name, address, connection }) => [
        name,
        address ?? '-',
        connection.state,
        connection.since,
        String(connection.streams),
        connection.version ?? '-',
        Object.keys(connection.unsupportedCollections).join(', ') || '-',
      ]),
    ),
    table(
      ['SOURCE', 'KIND', 'SYNC', 'RECEIVED', 'RELEASED', 'EFFECTIVE', 'QUARANTINED'],
      origins.flatMap(({ name, kinds }) =>
        kinds.map((one) => [
          name,
          one.kind,
          one.retiredSince === null ? one.sync : `${one.sync}, retired`,
          String(one.received),
          String(one.released),
          String(one.effective),
          String(one.quarantined),
        ]),
      ),
    ),
    table(
      ['KIND', 'COMPLETE', 'RESOURCES', 'BYTES', 'VERSION', 'WAITING FOR'],
      snapshot.map((one) => [
        one.kind,
        one.complete ? 'yes' : 'no',
        String(one.resources),
        String(one.bytes),
        one.version ?? '-',
        one.waitingFor.join(', ') || '-',
      ]),
    ),
    streams.length === 0
      ? 'no istiod is connected'
      : table(
          ['ISTIOD', 'PEER', 'PROFILE', 'VERSION', 'REVISION', 'SINCE', 'LARGEST', 'TYPES', 'ACKNOWLEDGED'],
          streams.map((stream) => [
            stream.node || '-',
            stream.peer,
            stream.profile,
            stream.version,
            stream.revision === null ? 'unknown' : stream.revision || 'none',
            stream.since,
            fullestText(stream),
            String(stream.types.length),
            String(
              stream.types.filter(
                ({ sentVersion, ackedVersion }) => sentVersion !== null && sentVersion === ackedVersion,
              ).length,
            ),
          ]),
        ),
  ];
  if (sinks.length > 0) parts.push(sinkTable(sinks));
  const labelled = streams.flatMap(({ peer, labelled: all }) => all.map((one) => ({ peer, ...one })));
  if (labelled.length > 0) {
    parts.push(
      table(
        ['LABELLED istio.io/rev', 'KIND', 'BY', 'RESOURCES', 'VALUES', 'WHY'],
        labelled.map(({ peer, kind, fate, resources, labels, why }) => [
          fate,
          kind,
          peer,
          String(resources),
          valuesText(labels),
          why,
        ]),
      ),
    );
  }
  if (tls.length > 0) {
    parts.push(
      table(
        ['TLS', 'CERTIFICATE', 'ENDS', 'CAS'],
        tls.map(({ use, certificate, authorities, isUnusable }) => [
          use,
          isUnusable ? 'unusable' : certificate?.names.join(', ') || certificate?.subject || '-',
          certificate?.validTo ?? '-',
          authorities.map(({ subject, validTo }) => `${subject} (until ${validTo})`).join(', ') || '-',
        ]),
      ),
    );
  }
  parts.push(...profileTables(origins));
  const holds = holdsOf(origins);
  if (holds.length > 0) parts.push(holdsTable(holds));
  if (quarantine.length > 0) {
    parts.push(quarantineTable(quarantine));
  }
  if (conflicts.counts.length > 0) parts.push(...conflictTables(conflicts));
  parts.push(findings.length === 0 ? 'all is well' : findings.map((text) => oneLine(`! ${text}`)).join('\n'));
  return parts.join('\n\n');
}
