import type {
  ConflictPage,
  OriginView,
  QuarantineView,
  ReloadReport,
  SnapshotView,
  StateReport,
  TlsView,
} from '../admin/views.ts';
import type { Config } from '../config/schema.ts';
import { systemClock } from '../model/clock.ts';
import { silentLogger } from '../model/logger.ts';
import { kindOfTypeUrl } from '../model/kinds.ts';
import { nearShare } from '../model/size-level.ts';
import { packageVersion } from '../model/package.ts';
import type { HostPort } from '../net/address.ts';
import type { StreamView } from '../xds/ads-server.ts';
import { readAdminList, readAdminPage, readAdminResources } from './admin-client.ts';
import { droppedProblems, overdueProblem, reloadProblems, retiredProblem } from '../admin/findings/config-problem.ts';
import { about, type Finding } from './check-findings.ts';
import { countOf, sizeText } from '../model/texts.ts';
import { type KindSize, type Readers, sizeFindings } from './check-limits.ts';
import { nextOfHold } from '../admin/findings/holds.ts';
import { originProblem } from '../admin/findings/origin-problem.ts';
import { revisionProblems } from '../admin/findings/revision-problems.ts';
import { staleProblem } from '../admin/findings/state-problem.ts';
import { tlsProblems } from '../admin/findings/tls-problem.ts';

/** What a bridge says of itself. */
export type BridgeState = {
  readonly origins: readonly OriginView[];
  readonly snapshot: readonly SnapshotView[];
  readonly streams: readonly StreamView[];
  readonly quarantine: readonly QuarantineView[];
  /** What several sources have, counted; nothing of bridges that do not say. */
  readonly conflicts: ConflictPage['counts'];
  /** Null where it has no state folder. */
  readonly state: StateReport | null;
  /** What came of reading the config again; undefined in bridges that do not say. */
  readonly reload: ReloadReport | undefined;
  /** What TLS is spoken with; undefined in bridges that do not say. */
  readonly tls: readonly TlsView[] | undefined;
  /** Origin → largest message taken from it, in bytes. */
  readonly maxMessage: ReadonlyMap<string, number>;
};

/** A bridge that answers, and what it listens on. */
export type RunningBridge = { readonly base: URL; readonly version: string; readonly listeners: readonly HostPort[] };

/** The longest that a collection may stay silent when a source is asked directly. */
const silentMs = 3000;

/** How often it is looked whether a source that is asked directly has said all. */
const lookMs = 50;

/**
 * Who answers at an admin address.
 * @param timeoutMs for each page.
 * @returns undefined where it is no bridge.
 * @throws IsthmusError where nobody answers.
 */
export async function findBridge(base: URL, timeoutMs?: number): Promise<RunningBridge | undefined> {
  const options = { timeoutMs };
  const index = (await readAdminPage(base, '/debug/', options)) as { version?: unknown; routes?: object } | undefined;
  if (typeof index?.version !== 'string' || index.routes === undefined) return undefined;
  const config = (await readAdminPage(base, '/debug/config', options)) as Pick<Config, 'xds' | 'admin' | 'metrics'> &
    Partial<Pick<Config, 'sink' | 'legacy'>>;
  const answered = { host: base.hostname.replaceAll(/[[\]]/g, ''), port: Number(base.port) };
  const { xds, admin, metrics, sink, legacy } = config;
  const listeners = [answered, xds.listen, admin.listen, metrics.listen, sink?.listen, legacy?.listen];
  return { base, version: index.version, listeners: listeners.flatMap((one) => one ?? []) };
}

/** @throws IsthmusError where it does not answer. */
export async function readBridge(base: URL, timeoutMs?: number): Promise<BridgeState> {
  const options = { timeoutMs };
  const read = async <T>(path: string) => (await readAdminList(base, path, options)) as T[];
  const [origins, snapshot, streams, quarantine, conflicts, state, config] = await Promise.all([
    read<OriginView>('/debug/origins'),
    read<SnapshotView>('/debug/snapshot'),
    read<StreamView>('/debug/streams'),
    readAdminResources(base, '/debug/quarantine', options).then((all) => all as QuarantineView[]),
    readAdminPage(base, '/debug/conflicts?limit=1', options).then(
      (page) => (page as ConflictPage | undefined)?.counts ?? [],
    ),
    readAdminPage(base, '/debug/state', options).then((page) => (page ?? null) as StateReport | null),
    readAdminPage(base, '/debug/config', options) as Promise<
      Pick<Config, 'sources'> & { reload?: ReloadReport; tls?: TlsView[] }
    >,
  ]);
  const maxMessage = new Map(config.sources.map((source) => [source.name, source.maxMessage]));
  return {
    origins,
    snapshot,
    streams,
    quarantine,
    conflicts,
    state,
    reload: config.reload,
    tls: config.tls,
    maxMessage,
  };
}

/**
 * Asks the sources of a config themselves, as the bridge would: runs one on free ports of this host until every
 * source has said all that it will say, or failed, or `timeoutMs` are over; and then another, for what istiod has no
 * place for, which costs a source a stream for each collection that it does not know. A second client to a live server.
 */
export async function askDirectly(config: Config, timeoutMs: number): Promise<BridgeState> {
  const state = await ask(config, timeoutMs, hasSaidAll);
  const failed = new Set(
    state.origins.flatMap(({ name, connection }) => (connection.state === 'waiting' ? [name] : [])),
  );
  const sources = config.sources.filter(({ name }) => !failed.has(name));
  if (sources.length === 0) return state;
  const counting = { ...config, sources: sources.map((source) => ({ ...source, countDropped: true })) };
  const { origins } = await ask(counting, timeoutMs, hasSaidDropped);
  const droppedBy = new Map(origins.map(({ name, dropped }) => [name, dropped]));
  return {
    ...state,
    origins: state.origins.map((origin) => ({ ...origin, dropped: droppedBy.get(origin.name) ?? [] })),
  };
}

async function ask(config: Config, timeoutMs: number, hasSaid: (origin: OriginView) => boolean): Promise<BridgeState> {
  const [{ App }, { createMetrics }] = await Promise.all([import('../app.ts'), import('../observe/metrics.ts')]);
  const anyPort = { host: '127.0.0.1', port: 0 };
  const version = packageVersion();
  const app = new App({
    config: {
      ...config,
      sources: config.sources.map((source) => ({
        ...source,
        silentCollection: Math.min(source.silentCollection, silentMs),
      })),
      xds: { ...config.xds, listen: anyPort, tls: undefined },
      admin: { listen: anyPort },
      metrics: { listen: undefined },
      sink: { listen: undefined, allowedPeers: [] },
      legacy: { listen: undefined },
      // What a source has said is in the snapshot by the next look.
      debounce: { after: 1, max: 1 },
      // It learns nothing that the bridge itself should remember.
      stateDir: undefined,
      // A look at resources one by one is the running bridge's: here it would come too late.
      quarantine: { invalid: 'ignore' },
      shutdownGrace: 100,
    },
    logOf: () => silentLogger,
    metrics: createMetrics(version),
    version,
  });
  try {
    const base = new URL(`http://127.0.0.1:${(await app.start()).admin}`);
    const giveUpAt = systemClock.now() + timeoutMs;
    for (;;) {
      const { origins } = await readBridge(base);
      await new Promise((resolve) => setTimeout(resolve, lookMs));
      if (origins.every(hasSaid) || systemClock.now() > giveUpAt) return await readBridge(base);
    }
  } finally {
    await app.stop();
  }
}

function hasSaidAll({ connection, kinds }: OriginView): boolean {
  return connection.state === 'waiting' || kinds.every(({ sync }) => sync !== 'waiting');
}

function hasSaidDropped({ connection, dropped }: OriginView): boolean {
  return connection.state === 'waiting' || dropped.every(({ resources, isRefused }) => resources !== null || isRefused);
}

/** What is to be said of a bridge's sources. */
export function originFindings(state: BridgeState, subjectOf: (origin: OriginView) => string): Finding[] {
  return state.origins.flatMap((origin) => {
    const subject = subjectOf(origin);
    return [...connectionFindings(origin, subject), ...holdingFindings(origin, subject, state)];
  });
}

/** Sizes of the kinds, how the istiods take them, and whether what is known is saved. */
export function servedFindings(bridge: BridgeState, subject: string, readers: Readers): Finding[] {
  const { snapshot, streams, conflicts, state, reload, tls } = bridge;
  const next = 'mend the config and send SIGHUP, or restart the bridge';
  return [
    ...sizeFindings(subject, servedSizes(snapshot, streams, readers), readers),
    ...streamFindings(streams, subject),
    ...revisionFindings(streams, subject),
    ...conflictFindings(conflicts, subject),
    ...savedFindings(state, subject),
    ...tlsProblems(tls ?? [], Date.now()).map((one) => about(subject).warning('TLS_PROBLEM', one.what, one.next)),
    ...reloadProblems(reload).map((what) => about(subject).warning('CONFIG_NOT_IN_FORCE', what, next)),
  ];
}

/** What is sent to istiods up to 1.11 has no versions, and so is smaller: where there are such, what they were sent counts. */
function servedSizes(
  snapshot: readonly SnapshotView[],
  streams: readonly StreamView[],
  readers: Readers,
): readonly KindSize[] {
  if (readers !== 'old') return snapshot;
  const sent = new Map<string, number>();
  for (const { typeUrl, bytes } of streams.flatMap(({ profile, types }) => (profile === 'up-to-1.11' ? types : []))) {
    const kind = kindOfTypeUrl(typeUrl)?.kind ?? '';
    sent.set(kind, Math.max(sent.get(kind) ?? 0, bytes ?? 0));
  }
  return snapshot.map((size) => ({ ...size, bytes: sent.get(size.kind) || size.bytes }));
}

function revisionFindings(streams: readonly StreamView[], subject: string): Finding[] {
  const { info, warning } = about(subject);
  return revisionProblems(streams).map(({ code, what, next, data }) =>
    next === undefined ? info(code, what, data) : warning(code, what, next, data),
  );
}

function conflictFindings(counts: ConflictPage['counts'], subject: string): Finding[] {
  const { info, warning } = about(subject);
  return counts.map(({ kind, reason, count, done, leavesOut }) => {
    const what = `several sources have the same: ${count} ${kind} (${reason}): ${done}`;
    const next = 'see which one is meant, in isthmus status or /debug/conflicts; conflicts.sameKey says what is done';
    return leavesOut ? warning('LEFT_OUT', what, next) : info('SHARED', what);
  });
}

function savedFindings(state: StateReport | null, subject: string): Finding[] {
  if (state === null) return [];
  const { warning, error } = about(subject);
  const { folder, failing, problems } = state;
  const findings = problems.map(({ file, what, next }) =>
    warning('STATE_UNREADABLE', `${file} could not be read at the start: ${what}`, `${next}; look at the disk`),
  );
  if (failing !== null) {
    const what = `nothing can be saved in ${folder} since ${failing.since}: ${failing.what}`;
    findings.push(error('STATE_NOT_SAVED', what, failing.hint));
  }
  return findings;
}

function connectionFindings(origin: OriginView, subject: string): Finding[] {
  const { connection } = origin;
  const { ok, info, error } = about(subject);
  const findings: Finding[] = [];
  if (origin.address === null) return findings;
  if (connection.state === 'connected') findings.push(ok('SOURCE_CONNECTED', 'its stream of legacy MCP is open'));
  else {
    const isAwaited = connection.state === 'awaited';
    const mend = isAwaited
      ? 'look at its log, and where it is told to dial'
      : 'mend the source, or its address in the config';
    const next = `what it said before stays in force; ${mend}`;
    findings.push(error('SOURCE_NOT_CONNECTED', `there is no stream of legacy MCP: ${originProblem(origin)}`, next));
  }
  const refused = Object.keys(connection.unsupportedCollections);
  if (refused.length > 0) {
    const what = `it does not know ${shortNames(refused).join(', ')}; they count as empty`;
    findings.push(info('COLLECTIONS_REFUSED', what, { collections: refused }));
  }
  return findings;
}

function holdingFindings(origin: OriginView, subject: string, state: BridgeState): Finding[] {
  const { ok, warning, error } = about(subject);
  const { name, connection, kinds } = origin;
  const findings: Finding[] = [];
  const spoken = kinds.filter(({ sync }) => sync === 'synced');
  if (spoken.length > 0) {
    const full = spoken.filter(({ effective }) => effective > 0).map(({ kind, effective }) => `${kind} ${effective}`);
    const empty = spoken.length - full.length;
    const nothing = empty === 0 ? [] : [`nothing of ${countOf(empty, full.length === 0 ? 'kind' : 'other kind')}`];
    const data = { kinds: Object.fromEntries(spoken.map(({ kind, effective }) => [kind, effective])) };
    findings.push(ok('COLLECTIONS_SERVED', `it has ${[...full, ...nothing].join(', ')}`, data));
  }
  const retired = retiredProblem(origin);
  if (retired !== undefined) findings.push(warning('SOURCE_RETIRED', retired.what, retired.next));
  for (const lost of droppedProblems(origin)) findings.push(warning('COLLECTIONS_DROPPED', lost.what, lost.next));
  for (const what of overdueProblem(origin)) {
    findings.push(error('COLLECTIONS_OVERDUE', what, 'see why the source says nothing, or give it more time'));
  }
  for (const what of staleProblem(origin)) {
    findings.push(warning('COLLECTIONS_STALE', what, 'see why the source is not connected, or says nothing'));
  }
  const waiting = kinds.filter(({ sync }) => sync === 'waiting').map(({ kind }) => kind);
  if (waiting.length > 0 && connection.state === 'connected') {
    const what = `it has said nothing of ${waiting.join(', ')}: istiod is not given any of it, from no source`;
    const next = 'see the log of the source; if it never has them, leave them out of its collections in the config';
    findings.push(error('COLLECTIONS_SILENT', what, next, { kinds: waiting }));
  }
  for (const { kind, hold } of kinds) {
    if (!hold) continue;
    const { reason, removals, of, until } = hold;
    const release = `if they are meant to go: isthmus guard release --origin ${name} --collection ${kind}`;
    if (reason === 'unreadable_names') {
      const what = `${countOf(removals, 'removal')} of ${kind} not believed yet, because the same message had unreadable resources`;
      findings.push(warning('REMOVALS_WITHHELD', what, `mend what is quarantined at the source; ${release}`));
    } else if (reason === 'before_restart') {
      const what = `${countOf(removals, 'removal')} of ${kind} held back since before the restart of the bridge`;
      findings.push(
        warning('REMOVALS_HELD', what, 'they are judged anew when the source speaks', { kind, removals, of }),
      );
    } else {
      const what = `it took away ${removals} of ${of} ${kind} at once, and they stay: it ${nextOfHold(hold)}`;
      findings.push(warning('REMOVALS_HELD', what, release, { kind, removals, of, until }));
    }
  }
  const own = state.quarantine.filter(({ source }) => source === name);
  const bad = own.filter(({ sent }) => sent !== 'as_received');
  const next = 'mend them at the source; isthmus get --quarantined lists all of a running bridge';
  if (bad.length > 0) {
    const what = `${countOf(bad.length, 'resource')} quarantined, for example ${exampleOf(bad)}`;
    findings.push(warning('QUARANTINED', what, next, { resources: bad.slice(0, 1000) }));
  }
  const invalid = own.filter(({ sent }) => sent === 'as_received');
  if (invalid.length > 0) {
    const what = `${countOf(invalid.length, 'resource')} sent as received, though istiod refuses them, for example ${exampleOf(invalid)}`;
    findings.push(warning('INVALID', what, next, { resources: invalid.slice(0, 1000) }));
  }
  return [...findings, ...messageFindings(origin, subject, state)];
}

function exampleOf([first]: readonly QuarantineView[]): string {
  if (first === undefined) return '';
  const { kind, resource, message } = first;
  // A stand-in for a name says nothing; the message does.
  return `${resource.startsWith('#') ? kind : `${kind} ${resource}`}: ${message}`;
}

/** A whole state is one message: it may outgrow what is taken. */
function messageFindings({ name, kinds }: OriginView, subject: string, state: BridgeState): Finding[] {
  const { warning } = about(subject);
  const limit = state.maxMessage.get(name) ?? Number.POSITIVE_INFINITY;
  return kinds.flatMap(({ kind, messageBytes: bytes }) => {
    if (bytes === null || bytes < limit * nearShare) return [];
    const what = `a message with all its ${kind} has ${sizeText(bytes)}; maxMessage is ${sizeText(limit)}`;
    const next = 'raise maxMessage of this source before it grows';
    return [warning('NEARLY_TOO_LARGE', what, next, { kind, bytes, limit })];
  });
}

function streamFindings(streams: readonly StreamView[], subject: string): Finding[] {
  const { ok, info, error } = about(subject);
  const findings: Finding[] = [];
  if (streams.length === 0) findings.push(info('ISTIODS', 'no istiod is connected'));
  else {
    const profiles = [...new Set(streams.map(({ profile }) => profile))].join(', ');
    findings.push(ok('ISTIODS', `${countOf(streams.length, 'istiod')} connected (${profiles})`));
  }
  for (const { peer, types } of streams) {
    for (const { typeUrl, nack, tooLarge, bytes, maxBytes } of types) {
      if (nack !== null) {
        const next = 'see the log of that istiod; it keeps what it had';
        findings.push(error('ISTIOD_REFUSED', `${peer} refused ${typeUrl}: ${nack}`, next));
      }
      if (tooLarge) {
        const what = `${typeUrl} is too large for ${peer}, and is not sent to it: it keeps what it had`;
        findings.push(error('TOO_LARGE', what, 'upgrade that istiod to 1.12 or newer', { typeUrl, bytes, maxBytes }));
      }
    }
  }
  return findings;
}

/** `istio/networking/v1alpha3/gateways` is `gateways` to people. */
function shortNames(collections: readonly string[]): string[] {
  return collections.map((name) => name.slice(name.lastIndexOf('/') + 1));
}
