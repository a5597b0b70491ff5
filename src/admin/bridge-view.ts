import type { ReloadView } from '../config/reload.ts';
import { profileOf } from '../config/habits.ts';
import { type Config, type SourceConfig, sourceUrl } from '../config/schema.ts';
import type { DroppedCount } from '../legacy/dropped-count.ts';
import type { SourceClient } from '../legacy/source-feed.ts';
import { differences, type SourceGuess } from '../legacy/source-guess.ts';
import type { SinkStreamView } from '../legacy/source-listener.ts';
import type { CensusView, KindCensus } from '../model/census.ts';
import { type Conflict, conflictActions, leavesOut } from '../model/conflict.ts';
import { droppedCollections } from '../model/dropped.ts';
import { type Kind, kindOf, kindOfCollection, kindOfId, kinds, serviceEntryId, shortName } from '../model/kinds.ts';
import { noSeat } from '../model/seats.ts';
import type { Certificate } from '../net/tls-certificate.ts';
import { lastToEnd } from '../net/tls-files.ts';
import type { IdentityView } from '../net/tls-identity.ts';
import type { LogRing } from '../observe/log-ring.ts';
import type { Journal } from '../observe/journal.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { HoldingNumbers, MetricsView } from '../observe/metrics-view.ts';
import { resourceToObject } from '../schema/object.ts';
import type { LastKnownGood } from '../state/last-known-good.ts';
import type { Holding, QuarantineEntry, SyncState } from '../store/holding.ts';
import { lowerBound } from '../store/merge.ts';
import type { Store } from '../store/store.ts';
import { keyOf, readRow, readRows } from '../wire/resource-frame.ts';
import { viewResource } from '../wire/resource-view.ts';
import type { PushView, StreamView } from '../xds/ads-server.ts';
import { changeDetail, changePage } from './changes.ts';
import { quarantineOf, quarantinePage } from './quarantine-page.ts';
import { search, sourcesOf } from './search.ts';
import { droppedByRevision, pushSizes, seatSums } from './stream-sums.ts';
import {
  type BridgeView,
  type ConflictView,
  type HoldingView,
  type HoldView,
  type OriginView,
  type ProfileView,
  type QuarantineCount,
  type ReleasedView,
  type ReleaseHolds,
  refusalsView,
  type ReloadReport,
  type SnapshotView,
  type StateReport,
  type TlsView,
} from './views.ts';

/** A source of the config. */
type SourceView = {
  readonly config: SourceConfig;
  readonly client: SourceClient;
  readonly dropped: DroppedCount;
  readonly guess: SourceGuess | undefined;
};

/** The parts of a running bridge that its pages and metrics read. */
export type BridgeParts = {
  readonly version: string;
  readonly config: () => Config;
  readonly reload: () => ReloadView;
  readonly store: Store;
  readonly sources: ReadonlyMap<string, SourceView>;
  readonly streams: () => StreamView[];
  readonly pushes: (stream: number) => PushView[] | undefined;
  readonly journal: Journal;
  readonly sinks: () => SinkStreamView[];
  readonly census: CensusView;
  /** What TLS is spoken with. */
  readonly identities: () => IdentityView[];
  readonly isReady: () => boolean;
  readonly metrics: Metrics;
  readonly recentLog?: LogRing | undefined;
  /** Undefined where there is no state folder. */
  readonly state?: LastKnownGood | undefined;
};

/** Reads the parts, at the moment of each question. */
export function createBridgeView(parts: BridgeParts): {
  view: BridgeView;
  metricsView: MetricsView;
  release: ReleaseHolds;
} {
  const { store, sources, metrics, census } = parts;
  const held = oncePerTurn(() => [...holdingNumbers(store)]);
  const view: BridgeView = {
    version: parts.version,
    ready: parts.isReady,
    origins: () => Array.from(store.origins, ([name, holdings]) => originView(name, sources.get(name), holdings)),
    snapshots: () => expectedKinds(store).map((kind) => snapshotView(kind, store, census)),
    resources(name, after, limit) {
      const kind = kindByName(name);
      const snapshot = kind && store.snapshot(kind.id);
      if (snapshot === undefined) return undefined;
      const { pool, rows } = snapshot;
      const from = lowerBound(pool, rows, after, 0);
      const first = from < rows.length && keyOf(pool, rows[from] as number) === after ? from + 1 : from;
      const page = Array.from(readRows(pool, rows.subarray(first, first + limit)), ({ key, version, start, end }) => ({
        key,
        version,
        bytes: end - start,
      }));
      return { rows: page, more: first + limit < rows.length };
    },
    resource(name, key) {
      const kind = kindByName(name);
      const snapshot = kind && store.snapshot(kind.id);
      if (snapshot === undefined) return undefined;
      const { pool, rows } = snapshot;
      const row = rows[lowerBound(pool, rows, key, 0)];
      if (row === undefined || keyOf(pool, row) !== key) return undefined;
      return resourceToObject(viewResource(readRow(pool, row))).object;
    },
    known(name, key) {
      const kind = kindByName(name);
      if (kind === undefined) return { sources: [], quarantined: [] };
      return { sources: sourcesOf(store, kind, key), quarantined: quarantineOf(store, kind.id, key) };
    },
    search: (text, limit) => search(store, text, limit),
    refresh: async () => {
      await census.refresh();
    },
    streams: parts.streams,
    pushes: parts.pushes,
    sinks: parts.sinks,
    quarantine: (after, limit) => quarantinePage(store, after, limit),
    quarantineCounts: () => quarantineCounts(held()),
    conflicts(after, limit) {
      const { conflicts } = store;
      const page = conflicts.page(after, limit + 1);
      return {
        counts: Array.from(conflicts.counts(), ({ kind, reason, count }) => {
          return { kind: shortName(kind), reason, count, done: conflictActions[reason], leavesOut: leavesOut(reason) };
        }),
        conflicts: page.slice(0, limit).map(conflictView),
        last: page.length > limit ? page[limit - 1]?.number : undefined,
      };
    },
    changes({ source: origin, kind: name, name: text }, limit, after) {
      const kind = name === undefined ? undefined : (kindByName(name)?.id ?? name);
      return changePage(parts.journal.page({ origin, kind, name: text }, limit, after));
    },
    async change(id) {
      const entry = parts.journal.get(id);
      return entry === undefined ? undefined : changeDetail(entry);
    },
    state: () => (parts.state === undefined ? null : stateView(parts.state)),
    holds: () => [...holds(store)],
    config: () => ({ ...parts.config(), reload: reloadView(parts.reload()), tls: parts.identities().map(tlsView) }),
    log: (limit) => parts.recentLog?.last(limit) ?? [],
    metrics: async () => ({ text: await metrics.render(), contentType: metrics.contentType }),
  };

  const streams = oncePerTurn(parts.streams);
  const metricsView: MetricsView = {
    *sources() {
      for (const [name, { client }] of sources) yield { name, connected: client.connection.state === 'connected' };
    },
    *dropped() {
      for (const [source, { dropped }] of sources) {
        for (const { collection, resources } of dropped.all) yield { source, collection, resources };
      }
    },
    // Reasons are counted once for all who ask.
    holdings: held,
    *kinds() {
      for (const { id, kind } of expectedKinds(store)) {
        const resources = store.snapshot(id)?.rows.length ?? 0;
        const publishedAtMs = store.publishedAt(id)?.getTime();
        yield { kind, complete: store.complete(id), resources, publishedAtMs };
      }
    },
    *messages() {
      for (const [source, { config, client }] of sources) {
        for (const collection of config.collections) {
          const bytes = client.messageBytes(collection);
          if (bytes !== undefined) yield { source, collection, bytes, limit: config.maxMessage };
        }
      }
    },
    streams: () => streams().length,
    seats: () => seatSums(streams()),
    *seatInfos() {
      for (const { seat = noSeat, profile, version } of streams()) {
        if (seat !== noSeat) yield { seat, profile, version };
      }
    },
    sinks: () => parts.sinks().length,
    *uncarried() {
      const asked = parts.sinks().flatMap(({ collections }) => collections.filter(({ carried }) => !carried));
      for (const { collection } of droppedCollections) {
        const count = asked.filter((one) => one.collection === collection).length;
        if (count > 0) yield { collection, streams: count };
      }
    },
    pushSizes: () => pushSizes(streams()),
    droppedByRevision: () => droppedByRevision(streams()),
    unaddressedHosts: () => census.of(serviceEntryId)?.unaddressedHosts,
    *conflicts() {
      for (const { kind, reason, count } of store.conflicts.counts()) yield { kind: shortName(kind), reason, count };
    },
    config() {
      const { readAt, failed, pending } = parts.reload();
      return { hasFailed: failed !== undefined, readAtMs: readAt.getTime(), pending: pending.length };
    },
    *certificates() {
      for (const { use, certificate, authorities } of parts.identities()) {
        const ca = lastToEnd(authorities);
        if (certificate !== undefined) yield { use, role: 'certificate', endsAtMs: certificate.validTo.getTime() };
        if (ca !== undefined) yield { use, role: 'ca', endsAtMs: ca.validTo.getTime() };
      }
    },
    *tlsFiles() {
      for (const { use, refused } of parts.identities()) yield { use, isRefused: refused !== undefined };
    },
    state() {
      if (parts.state === undefined) return undefined;
      const { failing, problems, files } = parts.state.view;
      return {
        isFailing: failing !== undefined,
        unreadable: problems.length,
        unsaved: files.filter(({ isDue }) => isDue).length,
      };
    },
  };
  const release: ReleaseHolds = async ({ origin, kind }) => {
    if (origin !== undefined && !store.origins.has(origin)) return undefined;
    const kindId = kind === undefined ? undefined : (kindOfCollection(kind) ?? kindByName(kind))?.id;
    if (kind !== undefined && (kindId === undefined || !store.isExpected(kindId))) return undefined;
    const released: ReleasedView[] = [];
    for (const [source, holdings] of store.origins) {
      for (const [id, { withheld }] of holdings) {
        if (withheld.size === 0 || (origin ?? source) !== source || (kindId ?? id) !== id) continue;
        const removed = await store.release(source, id);
        if (removed === undefined) continue;
        released.push({ origin: source, kind: shortName(id), collection: kindOfId(id)?.collection ?? null, removed });
      }
    }
    return released;
  };
  return { view, metricsView, release };
}

/** What metrics say of each source and kind. */
function* holdingNumbers(store: Store): Generator<HoldingNumbers> {
  for (const [source, holdings] of store.origins) {
    for (const [kindId, holding] of holdings) {
      yield {
        source,
        kind: shortName(kindId),
        synced: !['waiting', 'stale', 'overdue'].includes(holding.sync),
        stale: holding.sync === 'stale',
        overdue: holding.sync === 'overdue',
        retired: holding.retiredSince === undefined ? 0 : holding.resources.size,
        received: holding.received,
        released: holding.released,
        effective: holding.resources.size,
        bytes: holding.bytes,
        lastMessageAtMs: holding.lastMessageAt?.getTime(),
        lastChangeAtMs: holding.lastChangeAt?.getTime(),
        quarantined: quarantinedByReason(holding),
        invalid: countByReason(holding.refused),
        held: holding.withheld.size,
      };
    }
  }
}

function quarantineCounts(all: readonly HoldingNumbers[]): QuarantineCount[] {
  return all.flatMap(({ source, kind, quarantined, invalid }) => {
    const reasons = [...new Set([...quarantined.keys(), ...invalid.keys()])].toSorted();
    return reasons.map((reason) => {
      const [held, sent] = [quarantined.get(reason) ?? 0, invalid.get(reason) ?? 0];
      return { source, kind, reason, held, invalid: sent };
    });
  });
}

/** Looks once for all who ask in one turn: a scrape asks for the same again and again. */
function oncePerTurn<T>(look: () => T): () => T {
  let seen: { readonly value: T } | undefined;
  return () => {
    if (seen === undefined) {
      seen = { value: look() };
      setImmediate(() => {
        seen = undefined;
      });
    }
    return seen.value;
  };
}

/** The kinds that some source may hold. */
function expectedKinds(store: Store): Kind[] {
  return kinds.filter(({ id }) => store.isExpected(id));
}

/** Kind names are unique among what istiod asks for. */
function kindByName(name: string): Kind | undefined {
  return name.includes('/')
    ? kindOf(...(name.split('/') as [string, string]))
    : kinds.find(({ kind }) => kind === name);
}

function originView(name: string, source: SourceView | undefined, holdings: ReadonlyMap<string, Holding>): OriginView {
  return {
    name,
    address: source === undefined ? null : addressOf(source),
    maxMessage: source?.config.maxMessage ?? null,
    connection: source === undefined ? noConnection(holdings) : connectionView(source.client),
    profile: source === undefined ? null : profileView(source),
    kinds: Array.from(holdings, ([kindId, holding]) => ({
      kind: shortName(kindId),
      collection: kindOfId(kindId)?.collection ?? null,
      sync: holding.sync,
      retiredSince: holding.retiredSince?.toISOString() ?? null,
      received: holding.received,
      released: holding.released,
      effective: holding.resources.size,
      quarantined: holding.quarantine.size,
      invalid: holding.refused.size,
      withheld: holding.withheld.size,
      hold: holdView(holding),
      messages: holding.messages,
      lastMessageAt: holding.lastMessageAt?.toISOString() ?? null,
      lastChangeAt: holding.lastChangeAt?.toISOString() ?? null,
      repairs: repairsView(holding),
      messageBytes: source?.client.messageBytes(kindOfId(kindId)?.collection ?? '') ?? null,
    })),
    dropped: source?.config.countDropped === true ? droppedView(source) : [],
  };
}

function addressOf({ config: { address, tls }, client: { connection } }: SourceView): string {
  if (address !== undefined) return sourceUrl({ address, tls });
  return connection.state === 'connected' ? `dials in, from ${connection.peer}` : 'dials in';
}

function profileView({ config, guess }: SourceView): ProfileView {
  const { profile, because = [] } = guess?.guess ?? {};
  const notInForce = profile === undefined ? [] : differences(profileOf(config), profile);
  return { configured: config.profile, looksLike: profile ?? null, because, notInForce };
}

function repairsView({ repairs }: Holding): Record<string, number> {
  if (repairs === undefined) return {};
  const { bareNames, createTimes, duplicates, escapedNames = 0, bodies = {} } = repairs;
  const counts: Record<string, number> = {
    bare_name: bareNames,
    create_time: createTimes,
    duplicate: duplicates,
    escaped_name: escapedNames,
    ...bodies,
  };
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
}

function droppedView({ client, dropped }: SourceView): OriginView['dropped'] {
  const { refused } = client.connection;
  return droppedCollections.map(({ collection, instead }) => {
    const { resources = null, names = [] } = dropped.all.find((one) => one.collection === collection) ?? {};
    return { collection, resources, names, isRefused: refused.has(collection), instead };
  });
}

function connectionView({ connection }: SourceClient): OriginView['connection'] {
  const {
    state,
    since,
    streams,
    lastError = null,
    retryInMs = null,
    refused,
    peer = null,
    version = null,
  } = connection;
  // What nobody needs is no problem where it is not there.
  const needed = Array.from(refused).filter(([collection]) => kindOfCollection(collection) !== undefined);
  const unsupportedCollections = refusalsView(new Map(needed));
  return { state, since: since.toISOString(), streams, lastError, retryInMs, peer, version, unsupportedCollections };
}

/** Of a source that the config does not name any more. */
function noConnection(holdings: ReadonlyMap<string, Holding>): OriginView['connection'] {
  const [since = new Date(0)] = Array.from(holdings.values()).flatMap(({ retiredSince }) => retiredSince ?? []);
  const nothing = {
    streams: 0,
    lastError: null,
    retryInMs: null,
    peer: null,
    version: null,
    unsupportedCollections: {},
  };
  return { state: 'retired', since: since.toISOString(), ...nothing };
}

function reloadView({ file, readAt, failed, pending }: ReloadView): ReloadReport {
  return {
    file: file ?? null,
    readAt: readAt.toISOString(),
    failed: failed === undefined ? null : { ...failed, at: failed.at.toISOString() },
    needsRestart: pending,
  };
}

function tlsView({ use, files, certificate, authorities, refused, isUnusable }: IdentityView): TlsView {
  return {
    use,
    files: { cert: files.cert ?? null, key: files.key ?? null, ca: files.ca ?? null },
    certificate: certificate === undefined ? null : certificateView(certificate),
    authorities: authorities.map(certificateView),
    refused: refused === undefined ? null : { ...refused, since: refused.since.toISOString() },
    isUnusable,
  };
}

function certificateView({ validFrom, validTo, ...certificate }: Certificate): TlsView['authorities'][number] {
  return { ...certificate, validFrom: validFrom.toISOString(), validTo: validTo.toISOString() };
}

function snapshotView({ id, kind }: Kind, store: Store, census: CensusView): SnapshotView {
  const snapshot = store.snapshot(id);
  const originsWith = (sync: SyncState) =>
    Array.from(store.origins).flatMap(([name, holdings]) => (holdings.get(id)?.sync === sync ? [name] : []));
  const counted = census.of(id);
  return {
    kind,
    complete: snapshot !== undefined,
    waitingFor: originsWith('waiting'),
    stale: originsWith('stale'),
    overdue: originsWith('overdue'),
    version: snapshot?.version ?? null,
    resources: snapshot?.rows.length ?? 0,
    bytes: snapshot?.bytes ?? 0,
    labels: counted === undefined ? null : countsOf(counted.labels),
    unaddressedHosts: counted?.unaddressedHosts ?? null,
  };
}

function countsOf(labels: KindCensus['labels']): Record<string, number> {
  return Object.fromEntries(Array.from(labels, ([label, { count }]) => [label, count]));
}

function conflictView({ kind, same, name, origins, resources, reason, since }: Conflict): ConflictView {
  return {
    kind: shortName(kind),
    resource: same === 'key' ? name : null,
    host: same === 'host' ? name : null,
    sources: origins,
    namedBy: resources.map(({ origin, key }) => ({ source: origin, resource: key })),
    reason,
    done: conflictActions[reason],
    since: new Date(since).toISOString(),
  };
}

function stateView({ view: { folder, failing, problems, unused, files } }: LastKnownGood): StateReport {
  return {
    folder,
    failing: failing === undefined ? null : { ...failing, since: failing.since.toISOString() },
    problems,
    unused,
    files: files.map(({ savedAt, bytes, ...file }) => ({
      ...file,
      savedAt: savedAt?.toISOString() ?? null,
      bytes: bytes ?? null,
    })),
  };
}

function* holds(store: Store): Generator<HoldView> {
  for (const [origin, holdings] of store.origins) {
    for (const [kindId, holding] of holdings) {
      const hold = holdView(holding);
      const collection = kindOfId(kindId)?.collection ?? null;
      if (hold !== null) yield { origin, kind: shortName(kindId), collection, ...hold };
    }
  }
}

function holdView({ hold, guard, withheld, resources, sync }: Holding): HoldingView['hold'] {
  if (withheld.size === 0) return null;
  if (hold === undefined) {
    const nothing = { since: null, until: null, state: 'held' };
    const reason = sync === 'stale' ? 'before_restart' : 'unreadable_names';
    return { reason, removals: withheld.size, of: resources.size, ...nothing };
  }
  const { reason, of, since, askedAt } = hold;
  const times = { since: since.toISOString(), until: askedAt.toISOString() };
  return { reason, removals: withheld.size, of, ...times, state: guard.state ?? 'held' };
}

/** Of a quarantine, which is another map whenever it is another one: it may be long, and is asked for at every scrape. */
const countedOfQuarantine = new WeakMap<ReadonlyMap<string, QuarantineEntry>, ReadonlyMap<string, number>>();

function quarantinedByReason({ quarantine }: Holding): ReadonlyMap<string, number> {
  const counts = countedOfQuarantine.get(quarantine) ?? countByReason(quarantine);
  countedOfQuarantine.set(quarantine, counts);
  return counts;
}

function countByReason(entries: ReadonlyMap<string, QuarantineEntry>): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { reason } of entries.values()) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return counts;
}
