import { isSameStream } from './config/changes.ts';
import { profileOf } from './config/habits.ts';
import { removalOf, type SourceConfig } from './config/schema.ts';
import type { Refusals } from './legacy/collection-probe.ts';
import { AwaitedSource } from './legacy/awaited-source.ts';
import { DroppedCount } from './legacy/dropped-count.ts';
import { type Judge, legacyTarget } from './legacy/origin.ts';
import type { RefusalMemory } from './legacy/refusal-memory.ts';
import { SinkClient } from './legacy/sink-client.ts';
import type { Expected } from './legacy/sink-server.ts';
import type { FeedOptions, SinkTarget, SourceClient } from './legacy/source-feed.ts';
import { SourceGuess } from './legacy/source-guess.ts';
import type { Clock, Timer } from './model/clock.ts';
import { droppedCollections } from './model/dropped.ts';
import { type Collection, kindOfCollection, kindOfId } from './model/kinds.ts';
import type { Logger } from './model/logger.ts';
import type { Reporter } from './model/reporter.ts';
import { formatHostPort } from './net/address.ts';
import { defaultBackoff } from './net/backoff.ts';
import type { Keepalive } from './net/keepalive.ts';
import { probeProtocol } from './net/protocol-hint.ts';
import { ClientTls } from './net/tls-client.ts';
import { Identity } from './net/tls-identity.ts';
import type { Store } from './store/store.ts';

/** Between two looks at whether sources have spoken. */
const lookMs = 20;

export type SourcesOptions = {
  readonly store: Store;
  readonly memory: RefusalMemory;
  readonly clock: Clock;
  readonly random: () => number;
  readonly keepalive: Keepalive;
  readonly log: Logger;
  /** Of their certificates. */
  readonly tlsLog: Logger;
  readonly reporter: Reporter;
  /** Looks at each change before it is applied. @default nobody does */
  readonly judge?: Judge | undefined;
};

/** A source that the config names, and the stream to it. */
type Running = {
  config: SourceConfig;
  readonly client: SourceClient;
  readonly dropped: DroppedCount;
  /** What TLS is spoken with where we dial; undefined where none is. */
  readonly identity: Identity | undefined;
  /** Undefined where the config says which server it is. */
  readonly guess: SourceGuess | undefined;
  /** When it was dialled first, or might first have dialled us, by the clock; undefined before. */
  startedAt: number | undefined;
  timer: Timer | undefined;
  /** Ends the stream; nothing more comes from it. */
  readonly stop: () => void;
};

/** What is seen of a source. */
export type SourceParts = Pick<Running, 'config' | 'client' | 'dropped' | 'identity' | 'guess'>;

/** Resources by the name of their kind. */
type Counts = Record<string, number>;

/**
 * The sources that the config names: who is dialled, and what becomes of what a source has said once the config names it
 * no more. That stays ("retired") until the config confirms that it is to go: a name with a typing mistake deletes nothing.
 */
export class Sources {
  readonly #options: SourcesOptions;
  readonly #running = new Map<string, Running>();
  #isStarted = false;
  #isStopped = false;

  constructor(options: SourcesOptions, configs: readonly SourceConfig[]) {
    this.#options = options;
    for (const config of configs) this.#add(config);
  }

  /** In the order of the config. */
  get running(): ReadonlyMap<string, SourceParts> {
    return this.#running;
  }

  /** Those that dial us, in the order of the config. */
  *expected(): Generator<Expected> {
    for (const { config, client } of this.#running.values()) {
      if (config.match !== undefined && client instanceof AwaitedSource) yield { match: config.match, source: client };
    }
  }

  /** Dials those that are to be dialled; from now on, the others may come. */
  start(): void {
    this.#isStarted = true;
    for (const running of this.#running.values()) this.#start(running);
  }

  /**
   * Settles once each source of which something older is held has spoken of it, or can't be reached, or `withinMs` are
   * over. What an earlier process saved may lack what istiods have been given since.
   */
  heard(withinMs: number): Promise<void> {
    const { clock } = this.#options;
    const giveUpAt = clock.now() + withinMs;
    return new Promise((resolve) => {
      const look = () => {
        if (this.#isStopped || clock.now() >= giveUpAt || !this.#isAnswerDue()) resolve();
        else clock.after(lookMs, look);
      };
      look();
    });
  }

  /** True while a source may still say at once what has changed since it was last known. */
  #isAnswerDue(): boolean {
    for (const [name, { client }] of this.#running) {
      if (client.connection.state === 'waiting') continue;
      for (const { sync, resources, retiredSince } of this.#options.store.origins.get(name)?.values() ?? []) {
        if (sync === 'stale' && resources.size > 0 && retiredSince === undefined) return true;
      }
    }
    return false;
  }

  stop(): void {
    this.#isStopped = true;
    for (const { stop } of this.#running.values()) stop();
  }

  /**
   * Makes these the sources: dials new ones, dials those anew whose stream depends on what is another now, and leaves the
   * others alone. What is held stays, but for what `confirmed` (`confirmRemoval` of the config) says.
   */
  async apply(configs: readonly SourceConfig[], confirmed: readonly string[]): Promise<void> {
    const { store } = this.#options;
    const before = new Map(this.#running);
    this.#running.clear();
    for (const config of configs) {
      const known = before.get(config.name);
      if (known !== undefined && isSameStream(known.config, config)) {
        before.delete(config.name);
        known.config = config;
        this.#running.set(config.name, known);
        this.#watchSync(known);
        continue;
      }
      known?.stop();
      // Before anything leaves: what a new source may hold is not complete until it has spoken.
      this.#add(config);
    }
    for (const { stop } of before.values()) stop();
    await this.settle(confirmed);
    await store.setPrecedence(configs.map(({ name }) => name));
    if (this.#isStarted) this.start();
  }

  /** Decides what becomes of what is held, and nobody feeds any more: it leaves where that is confirmed, else it stays. */
  async settle(confirmed: readonly string[]): Promise<void> {
    const { store, log } = this.#options;
    const used = new Set<string>();
    for (const [name, holdings] of store.origins) {
      const left: Counts = {};
      const kept: Counts = {};
      const confirmations: string[] = [];
      for (const [kindId, { retiredSince }] of holdings) {
        if (this.#feeds(name, kindId)) continue;
        const { kind = kindId, collection } = kindOfId(kindId) ?? {};
        const confirmation = confirmed.find((text) => isMeant(text, name, collection));
        if (confirmation !== undefined) {
          used.add(confirmation);
          left[kind] = await store.removeOrigin(name, kindId);
        } else if (retiredSince === undefined) {
          const stay = await store.retire(name, kindId);
          if (stay === 0) continue;
          kept[kind] = stay;
          confirmations.push(this.#running.has(name) ? `${name}/${collection}` : name);
        }
      }
      if (Object.keys(left).length > 0) {
        log.warn({ source: name, resources: left }, 'a source was taken out of the config: its resources have left');
      }
      if (confirmations.length > 0) logRetired(log, name, kept, confirmations);
    }
    for (const text of confirmed) {
      if (used.has(text)) continue;
      log.info({ confirmRemoval: text }, 'nothing is held of what is confirmed to go: the line may leave the config');
    }
  }

  #feeds(name: string, kindId: string): boolean {
    const collection = kindOfId(kindId)?.collection;
    return collection !== undefined && this.#running.get(name)?.config.collections.includes(collection) === true;
  }

  #add(config: SourceConfig): void {
    const { store, memory, clock, log, tlsLog, reporter, judge } = this.#options;
    const { name, collections } = config;
    store.addOrigin(
      name,
      collections.flatMap((collection) => kindOfCollection(collection)?.id ?? []),
    );
    const profile = profileOf(config);
    const guess = config.profile === 'auto' ? new SourceGuess(log, name, profile) : undefined;
    const rules = {
      defaultNamespace: config.defaultNamespace ?? 'default',
      namespaceIsExplicit: config.defaultNamespace !== undefined,
      slashes: config.slashes,
      repairs: config.repairs,
      empty: config.empty,
      guess,
    };
    const remember = (refused: Refusals) => memory.remember(name, serverOf(config), refused);
    const target = legacyTarget(name, collections, rules, store, log, remember, judge);
    const dropped = new DroppedCount(name, log);
    let isOver = false;
    const identity = identityOf(config, clock, tlsLog);
    const client = this.#clientOf(
      config,
      identity,
      {
        name,
        collections,
        alsoAsked: config.countDropped ? droppedNames : [],
        profile,
        maxMessageBytes: config.maxMessage,
        silentCollectionMs: config.silentCollection,
        clock,
        log,
        reporter,
      },
      {
        async accept(collection, message, full, stream, cameAt) {
          if (!droppedNames.includes(collection)) return target.accept(collection, message, full, stream, cameAt);
          if (full) dropped.take(collection, message);
        },
        markEmpty(collection, why) {
          if (!isOver) target.markEmpty(collection, why);
        },
        remember(refused) {
          if (!isOver) target.remember(refused);
        },
      },
    );
    const running: Running = {
      config,
      client,
      dropped,
      identity,
      guess,
      startedAt: undefined,
      timer: undefined,
      stop() {
        isOver = true;
        running.timer?.cancel();
        client.stop();
        identity?.stop();
      },
    };
    this.#running.set(name, running);
  }

  #clientOf(
    config: SourceConfig,
    identity: Identity | undefined,
    options: FeedOptions,
    target: SinkTarget,
  ): SourceClient {
    const { memory, random, clock } = this.#options;
    const { name, address, tls: settings, keepalive: timeMs } = config;
    const refused = memory.of(name, serverOf(config));
    if (address === undefined) return new AwaitedSource(options, target, refused);
    const tls = identity && new ClientTls({ identity, ...settings, date: () => clock.date() });
    const keepalive = { ...this.#options.keepalive, ...(timeMs === undefined ? {} : { timeMs }) };
    const dialling = { address, tls, backoff: defaultBackoff, keepalive, lookAtPort: probeProtocol, random };
    return new SinkClient({ ...options, ...dialling }, target, refused);
  }

  #start(running: Running): void {
    if (this.#isStopped || running.startedAt !== undefined) return;
    running.startedAt = this.#options.clock.now();
    void running.identity?.start();
    if (running.config.tls?.insecureSkipVerify === true) logUnverified(running.config, this.#options.log);
    running.client.start();
    this.#watchSync(running);
  }

  /** Waits for a source no longer than the operator wants. */
  #watchSync(running: Running): void {
    const { clock } = this.#options;
    const { syncTimeout } = running.config;
    running.timer?.cancel();
    running.timer = undefined;
    if (syncTimeout === undefined || running.startedAt === undefined) return;
    const left = running.startedAt + syncTimeout - clock.now();
    running.timer = clock.after(Math.max(0, left), () => void this.#stopWaiting(running.config));
  }

  /** What is being read at the moment is waited for: the source has spoken. */
  async #stopWaiting({ name, collections, syncTimeout }: SourceConfig): Promise<void> {
    const { store, log } = this.#options;
    const look = async (collection: Collection) => {
      const kindId = kindOfCollection(collection)?.id ?? '';
      if (store.origins.get(name)?.has(kindId) !== true) return [];
      return store.inTurn(name, kindId, async () => {
        if (store.origins.get(name)?.get(kindId)?.sync !== 'waiting') return [];
        store.setEmpty(name, kindId, 'overdue');
        return [collection];
      });
    };
    const overdue = (await Promise.all(collections.map(look))).flat();
    if (overdue.length === 0) return;
    const hint = 'istiods delete what they had of it: see why the source says nothing, or wait longer (syncTimeout)';
    const what = 'a source has not spoken within its syncTimeout: collections count as empty until it does';
    log.error({ source: name, collections: overdue, syncTimeoutMs: syncTimeout, hint }, what);
  }
}

/** Who is meant by what is remembered of a source. */
function serverOf({ address, match }: SourceConfig): string {
  return address === undefined ? `match ${JSON.stringify(match)}` : formatHostPort(address);
}

const droppedNames = droppedCollections.map(({ collection }) => collection);

function identityOf({ name, tls }: SourceConfig, clock: Clock, log: Logger): Identity | undefined {
  if (tls === undefined) return undefined;
  const { ca, cert, key } = tls;
  return new Identity({ use: `source/${name}`, files: { ca, cert, key }, clock, log });
}

function logUnverified({ name }: SourceConfig, log: Logger): void {
  const hint =
    'whoever answers at its address may change all services: give its CA (tls.ca) in place of insecureSkipVerify';
  log.warn({ source: name, hint }, 'INSECURE: the certificate of a source is not verified (tls.insecureSkipVerify)');
}

/** Tells the operator that something stays, and what to do. @param confirmations what `confirmRemoval` would have to say. */
function logRetired(log: Logger, name: string, resources: Counts, confirmations: readonly string[]): void {
  const line = `confirmRemoval: [${[...new Set(confirmations)].join(', ')}]`;
  const hint = `put it back into the config; or, where they are to go, add ${line} and send SIGHUP`;
  const what =
    'the config does not name a source, or some of its collections, any more: what it has said stays, and grows old';
  log.warn({ source: name, resources, hint }, what);
}

/** True where a `confirmRemoval` means this collection of a source. */
function isMeant(text: string, name: string, collection: string | undefined): boolean {
  const removal = removalOf(text);
  return removal.name === name && (removal.collection ?? collection) === collection;
}
