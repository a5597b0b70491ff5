import { adminRoutes, healthRoutes, type HttpListener, listenHttp } from './admin/server.ts';
import { createBridgeView } from './admin/bridge-view.ts';
import { mayWriteBy } from './admin/write-access.ts';
import { WriteToken } from './admin/write-token.ts';
import { inForceAfter } from './config/changes.ts';
import { Reload } from './config/reload.ts';
import { type Config, levelsOf, sourceUrl } from './config/schema.ts';
import type { Judge } from './legacy/origin.ts';
import { StoreOffers } from './legacy/output.ts';
import { RefusalMemory } from './legacy/refusal-memory.ts';
import { SinkServer } from './legacy/sink-server.ts';
import { SourceListener } from './legacy/source-listener.ts';
import { type CountedSource, mayHold } from './legacy/uncarried.ts';
import { type Clock, systemClock } from './model/clock.ts';
import { IsthmusError, messageOf } from './model/errors.ts';
import { LogLevels } from './model/log-levels.ts';
import type { Logger, LogOf } from './model/logger.ts';
import { formatHostPort, isLoopback } from './net/address.ts';
import { AllowedPeers } from './net/allowed-peers.ts';
import { type Keepalive, towardsIstiods, towardsSources } from './net/keepalive.ts';
import { Identity, type IdentityView } from './net/tls-identity.ts';
import type { ServerTls } from './net/tls-server.ts';
import { Journal } from './observe/journal.ts';
import type { LogRing } from './observe/log-ring.ts';
import type { Metrics } from './observe/metrics.ts';
import { defaultPump } from './push/pump.ts';
import { Quarantine } from './quarantine/quarantine.ts';
import { type Validator, ValidatorThread } from './quarantine/validator.ts';
import { Sources } from './sources.ts';
import { LastKnownGood } from './state/last-known-good.ts';
import { Census } from './store/census.ts';
import { logConflicts } from './store/conflict-log.ts';
import type { GuardOptions } from './store/guard.ts';
import { logHold } from './store/hold-log.ts';
import { Store, type StoreOptions } from './store/store.ts';
import { AdsServer } from './xds/ads-server.ts';
import { RevisionWatch } from './xds/revision-watch.ts';

/** Ports that were bound; they differ from the configured ones where those were 0. */
export type BoundPorts = {
  readonly xds: number;
  readonly admin: number;
  readonly metrics: number | undefined;
  readonly sink: number | undefined;
  readonly legacy: number | undefined;
};

export type AppOptions = {
  readonly config: Config;
  readonly logOf: LogOf;
  /** What is logged now. @default nothing can be changed */
  readonly logLevels?: LogLevels | undefined;
  readonly metrics: Metrics;
  readonly version: string;
  readonly clock?: Clock;
  readonly random?: () => number;
  /** @default a thread */
  readonly validator?: Validator;
  /** The config file, and what reads it again; without them there is nothing to read. */
  readonly configFile?: string | undefined;
  readonly readConfig?: (() => Promise<Config>) | undefined;
  /** The last lines of the log. @default none are kept */
  readonly recentLog?: LogRing | undefined;
  /** false keeps nothing of what changes: for the bench, which measures what that costs. @default true */
  readonly journal?: boolean;
  /** HTTP/2 pings. @default {@link towardsSources}, {@link towardsIstiods} */
  readonly keepalive?: { readonly sources?: Keepalive; readonly istiods?: Keepalive };
};

/** The bridge: every part built from the config, with their order of start and stop. */
export class App {
  readonly #options: AppOptions;
  readonly #log: Logger;
  readonly #store: Store;
  readonly #journal = new Journal();
  readonly #sources: Sources;
  readonly #sinkServer: SinkServer;
  /** Undefined where nothing is checked by the rules of Istio. */
  readonly #quarantine: Quarantine | undefined;
  readonly #state: LastKnownGood | undefined;
  readonly #ads: AdsServer;
  /** Undefined where no old Pilot is served. */
  readonly #output: SourceListener | undefined;
  readonly #census: Census;
  readonly #revisions: RevisionWatch;
  readonly #reload: Reload;
  readonly #http: HttpListener[] = [];
  /** What the xDS listener speaks TLS with; undefined where it speaks none. */
  readonly #xdsIdentity: Identity | undefined;
  /** The same of the listener for sources. */
  readonly #sinkIdentity: Identity | undefined;
  /** What is in force. */
  #config: Config;
  #ready = false;

  /** @throws IsthmusError STATE_UNWRITABLE */
  constructor(options: AppOptions) {
    this.#options = options;
    this.#config = options.config;
    const { config, logOf, metrics, version, clock = systemClock, random = Math.random, keepalive = {} } = options;
    const log = logOf('bridge');
    this.#log = log;
    const { reporter } = metrics;
    const { stateDir } = config;
    this.#store = new Store({
      clock,
      reporter,
      ...storeSettings(config),
      askAgain: (origin, since) => this.#sources.running.get(origin)?.client.askAgain(since),
      isOpen: stateDir === undefined,
      conflicts: { ...config.conflicts, refusedGivesWay: config.quarantine.invalid === 'keepLastGood' },
    });
    if (options.journal !== false) this.#store.onEffects((effects) => this.#journal.add(effects, clock.date()));
    this.#store.onHold((event) => logHold(logOf('guard'), event));
    this.#store.onConflicts((news) => logConflicts(logOf('conflicts'), news));
    const { invalid } = config.quarantine;
    let judge: Judge | undefined;
    if (invalid !== 'ignore') {
      const { validator = new ValidatorThread({ clock, log: logOf('quarantine') }) } = options;
      const quarantine = new Quarantine({ store: this.#store, validator, clock, log: logOf('quarantine') });
      if (invalid === 'keepLastGood') judge = (...change) => quarantine.judge(...change);
      this.#quarantine = quarantine;
    }
    this.#sources = new Sources(
      {
        store: this.#store,
        memory: openMemory(stateDir, logOf('state')),
        clock,
        random,
        keepalive: keepalive.sources ?? towardsSources,
        log: logOf('sources'),
        tlsLog: logOf('tls'),
        reporter,
        judge,
      },
      config.sources,
    );
    const { xds, sink } = config;
    this.#xdsIdentity = identityOf('xds', xds.tls, clock, logOf('tls'));
    this.#sinkIdentity = sink.listen === undefined ? undefined : identityOf('sink', sink.tls, clock, logOf('tls'));
    this.#sinkServer = new SinkServer(
      {
        clock,
        log: logOf('sink'),
        reporter,
        keepalive: keepalive.istiods ?? towardsIstiods,
        tls: serverTls(this.#sinkIdentity, sink.tls),
        allowedPeers: allowedOf(sink.allowedPeers),
      },
      () => this.#sources.expected(),
    );
    this.#state =
      stateDir === undefined
        ? undefined
        : new LastKnownGood({ stateDir, store: this.#store, clock, log: logOf('state'), version });
    const census = new Census(this.#store, clock);
    this.#census = census;
    this.#revisions = new RevisionWatch({ clock, log: logOf('xds'), census, streams: () => this.#ads.streams });
    this.#store.onChange(() => this.#revisions.poke());
    this.#ads = new AdsServer(
      {
        clock,
        reporter,
        log: logOf('xds'),
        pump: { ...defaultPump, minGapMs: config.xds.minGap },
        recycleMs: config.xds.recycle === 0 ? undefined : config.xds.recycle,
        istiodVersion: config.istiod.version,
        istiodRevision: config.istiod.revision,
        census,
        onStream: () => this.#revisions.poke(),
        keepalive: keepalive.istiods ?? towardsIstiods,
        tls: serverTls(this.#xdsIdentity, xds.tls),
        allowedPeers: allowedOf(xds.allowedPeers),
        random,
      },
      this.#store,
    );
    if (config.legacy.listen !== undefined) {
      const offers = new StoreOffers(this.#store, (collection) => mayHold(this.#countedSources(), collection));
      const output = new SourceListener(offers, {
        clock,
        reporter,
        log: logOf('legacy-output'),
        minGapMs: config.xds.minGap,
        flag: '--legacy-listen',
        headers: { 'config.source.version': `isthmus-${version}` },
        ...outputRates,
        // What sources say of collections that are not carried is not in the store.
        lookEveryMs: 1000,
        onIdle: () => offers.clear(),
      });
      this.#store.onChange(() => output.changed());
      this.#output = output;
    }
    const { configFile, readConfig } = options;
    this.#reload = new Reload({
      file: configFile,
      read: readConfig,
      inForce: () => this.#config,
      apply: (wanted) => this.#apply(wanted),
      clock,
      log: logOf('config'),
    });
  }

  /**
   * Listens first: istiod exits when nobody does. What may leave, the store's completeness decides. Sources are dialled
   * once what was known before is there, so that what they say is compared with it.
   * @throws IsthmusError LISTEN_FAILED; nothing stays open then.
   */
  async start(): Promise<BoundPorts> {
    const { config, logOf, metrics, version } = this.#options;
    const log = this.#log;
    const { view, metricsView, release } = createBridgeView({
      version,
      config: () => this.#config,
      reload: () => this.#reload.view,
      store: this.#store,
      sources: this.#sources.running,
      streams: () => this.#ads.streams,
      pushes: (stream) => this.#ads.pushesOf(stream),
      journal: this.#journal,
      sinks: () => this.#output?.streams ?? [],
      census: this.#census,
      identities: () => this.#identities(),
      isReady: () => this.#ready,
      metrics,
      recentLog: this.#options.recentLog,
      state: this.#state,
    });
    metrics.watch(metricsView);
    try {
      const { tokenFile } = config.admin;
      const adminLog = logOf('admin');
      const token = tokenFile === undefined ? undefined : new WriteToken(tokenFile, adminLog);
      void token?.look();
      const writes = {
        release,
        logLevels: this.#options.logLevels ?? new LogLevels(levelsOf(config)),
        mayWrite: mayWriteBy(token, this.#options.clock ?? systemClock, adminLog),
        log: adminLog,
      };
      const admin = await listenHttp(adminRoutes(view, writes), config.admin.listen, '--admin-listen', adminLog);
      this.#http.push(admin);
      let metricsPort: number | undefined;
      const { listen: metricsListen } = config.metrics;
      if (metricsListen !== undefined) {
        const listener = await listenHttp(healthRoutes(view), metricsListen, '--metrics-listen', adminLog);
        this.#http.push(listener);
        metricsPort = listener.port;
      }
      let sink: number | undefined;
      await Promise.all([this.#xdsIdentity?.start(), this.#sinkIdentity?.start()]);
      if (config.sink.listen !== undefined) sink = await this.#sinkServer.listen(config.sink.listen);
      const xds = await this.#ads.listen(config.xds.listen);
      const { listen: legacyListen } = config.legacy;
      const legacy = legacyListen && (await this.#output?.listen(legacyListen));
      this.#ready = true;
      this.#warn();
      log.info(
        {
          xds: formatHostPort({ ...config.xds.listen, port: xds }),
          admin: formatHostPort({ ...config.admin.listen, port: admin.port }),
          ...(metricsListen && metricsPort ? { metrics: formatHostPort({ ...metricsListen, port: metricsPort }) } : {}),
          ...(config.sink.listen && sink ? { sink: formatHostPort({ ...config.sink.listen, port: sink }) } : {}),
          ...(legacyListen && { legacy: formatHostPort({ ...legacyListen, port: legacy ?? 0 }) }),
          sources: config.sources.map(({ name, address, tls }) =>
            address === undefined ? `${name} dials in` : `${name}=${sourceUrl({ address, tls })}`,
          ),
        },
        'Isthmus is listening',
      );
      if (this.#state !== undefined) {
        await this.#state.load();
        await this.#sources.settle(config.confirmRemoval);
        if (config.quarantine.invalid === 'keepLastGood') await this.#quarantine?.judgeShared();
      }
      // It may have been stopped meanwhile.
      if (this.#ready) {
        this.#state?.start();
        this.#quarantine?.start();
        this.#sources.start();
        void this.#openOnceHeard();
      }
      return { xds, admin: admin.port, metrics: metricsPort, sink, legacy };
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Without a state folder the store is open from the first moment. */
  async #openOnceHeard(): Promise<void> {
    await this.#sources.heard(hearWithinMs);
    if (this.#ready) this.#store.open();
  }

  /**
   * Reads the config again and takes from it what a running bridge can. What comes while it does so is one more reading
   * afterwards. Never rejects: what is wrong is in the log, on the pages, and in the metrics, and nothing is changed then.
   */
  reload(): Promise<void> {
    return this.#reload.request();
  }

  /** Stops listening, ends the streams, and returns when all is closed or the grace is over. */
  async stop(): Promise<void> {
    this.#ready = false;
    this.#xdsIdentity?.stop();
    this.#sinkIdentity?.stop();
    this.#reload.stop();
    this.#sources.stop();
    const quarantineStopped = this.#quarantine?.stop();
    this.#revisions.close();
    this.#store.close();
    const { shutdownGrace } = this.#config;
    const outputStopped = this.#output?.stop(shutdownGrace);
    await Promise.all([
      this.#ads.stop(shutdownGrace),
      this.#sinkServer.stop(shutdownGrace),
      outputStopped,
      this.#state?.stop(shutdownGrace),
      quarantineStopped,
    ]);
    await Promise.all(this.#http.splice(0).map((listener) => listener.close()));
  }

  #identities(): IdentityView[] {
    const ofSources = Array.from(this.#sources.running.values(), ({ identity }) => identity);
    return [this.#xdsIdentity, this.#sinkIdentity, ...ofSources].flatMap((identity) => identity?.view ?? []);
  }

  *#countedSources(): Generator<CountedSource> {
    for (const { config, client, dropped } of this.#sources.running.values()) {
      yield { isCounted: config.countDropped, refused: client.connection.refused, counts: dropped.all };
    }
  }

  async #apply(wanted: Config): Promise<void> {
    const { level: before } = this.#config.log;
    this.#config = inForceAfter(this.#config, wanted);
    const { log, sources, confirmRemoval } = this.#config;
    if (log.level !== before) this.#options.logLevels?.replace(levelsOf(this.#config));
    this.#store.configure(storeSettings(this.#config));
    await this.#sources.apply(sources, confirmRemoval);
    if (sources.length === 0) this.#log.warn({}, noSources);
  }

  #warn(): void {
    const { config } = this.#options;
    const log = this.#log;
    if (config.sources.length === 0) {
      log.warn({}, noSources);
    }
    if (config.stateDir === undefined) {
      log.warn(
        { hint: 'set --state-dir' },
        'no state directory: a restart while a source is down leaves istiod without what that source has',
      );
    }
    if (!isLoopback(config.xds.listen.host) && config.xds.tls === undefined) {
      const hint =
        'keep it in the pod of istiod, or behind a NetworkPolicy, or use xds.tls, xds.allowedPeers (docs/tls.md)';
      log.warn({ listen: formatHostPort(config.xds.listen), hint }, 'xDS is served without TLS to other hosts');
    }
    const { listen } = config.sink;
    if (listen !== undefined && !isLoopback(listen.host) && config.sink.tls?.clientCa === undefined) {
      const hint =
        'headers and addresses are no proof of who dials in: keep the port behind a NetworkPolicy, or set sink.tls (docs/tls.md)';
      log.warn({ listen: formatHostPort(listen), hint }, 'sources of other hosts may dial in without a certificate');
    }
    if (listen !== undefined && config.sources.every(({ match }) => match === undefined)) {
      const hint = 'add one to the config: sources: [{ name: NAME, match: { address: IP } }]';
      log.warn({ listen: formatHostPort(listen), hint }, 'no source has a match: whoever dials in is refused');
    }
    const { listen: legacyListen } = config.legacy;
    if (legacyListen !== undefined && !isLoopback(legacyListen.host)) {
      const hint = 'keep it behind a NetworkPolicy that lets in nobody but the old Pilots';
      log.warn({ listen: formatHostPort(legacyListen), hint }, 'legacy MCP is served without TLS to other hosts');
    }
    if (!isLoopback(config.admin.listen.host)) {
      log.warn(
        { listen: formatHostPort(config.admin.listen) },
        'the admin pages can be read from outside of this host',
      );
    }
  }
}

type ListenerTls = Config['xds']['tls'];

function identityOf(use: string, tls: ListenerTls, clock: Clock, log: Logger): Identity | undefined {
  return tls && new Identity({ use, files: { cert: tls.cert, key: tls.key, ca: tls.clientCa }, clock, log });
}

function serverTls(identity: Identity | undefined, tls: ListenerTls): ServerTls | undefined {
  return identity && { identity, allowedIdentities: tls?.allowedIdentities };
}

function allowedOf(networks: readonly string[]): AllowedPeers | undefined {
  return networks.length === 0 ? undefined : new AllowedPeers(networks);
}

/**
 * So long a bridge that knows something older waits for what its sources say, in milliseconds: to send it at once would
 * take from running istiods what has come since. istiods that start meanwhile wait too.
 */
const hearWithinMs = 5000;

/**
 * Of the legacy output. Galley allowed as many at once (1.2 to 1.6), and then one a second of both; a sink answers every
 * message, and would so hold back what changes. A Pilot of 1.6 to 1.8 whose stream fails is back at once, for ever.
 */
const outputRates = { requests: { burst: 100, perSecond: 20 }, streams: { burst: 20, perSecond: 1 } };

const noSources = 'no sources: istiod is given empty answers for everything; add --source NAME=mcp://HOST:PORT';

function storeSettings({ debounce, guard: { hold: holdMs, ...limits } }: Config): Pick<StoreOptions, 'debounce'> & {
  readonly guard: GuardOptions;
} {
  return { debounce: { afterMs: debounce.after, maxMs: debounce.max }, guard: { ...limits, holdMs } };
}

function openMemory(stateDir: string | undefined, log: Logger): RefusalMemory {
  try {
    return new RefusalMemory(stateDir, log);
  } catch (error) {
    const hint = 'choose a folder that this user may write to, with --state-dir';
    throw new IsthmusError('STATE_UNWRITABLE', stateDir ?? '', messageOf(error), { hint, cause: error });
  }
}
