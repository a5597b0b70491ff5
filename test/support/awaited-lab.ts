import { onTestFinished } from 'vitest';
import { AwaitedSource, type AwaitedSourceOptions } from '../../src/legacy/awaited-source.ts';
import type { Refusals } from '../../src/legacy/collection-probe.ts';
import { legacyTarget } from '../../src/legacy/origin.ts';
import { SinkServer, type SinkServerOptions } from '../../src/legacy/sink-server.ts';
import type { SourceMatch } from '../../src/legacy/source-match.ts';
import { defaultSourceProfile } from '../../src/legacy/source-profile.ts';
import { type Collection, kindOfCollection } from '../../src/model/kinds.ts';
import { defaultGuard, type GuardOptions } from '../../src/store/guard.ts';
import type { Holding, SyncState } from '../../src/store/holding.ts';
import { Store } from '../../src/store/store.ts';
import { eventually } from './eventually.ts';
import { DiallingSource } from './dialling-source.ts';
import { FakeClock } from './fake-clock.ts';
import { MemoryLogger } from './memory-logger.ts';
import { MemoryReporter } from './memory-reporter.ts';
import { gw, se, we } from './sink-lab.ts';
import { contentsOf, heldBy } from './source-view.ts';

/** A source that may dial in. */
export type ExpectedSource = {
  /** @default every peer of this host */
  readonly match?: SourceMatch;
  readonly options?: Partial<AwaitedSourceOptions>;
  readonly remembered?: Refusals;
};

/** A listening sink on 127.0.0.1, with a real store behind it, on a fake clock; as long as the test lasts. */
export class AwaitedLab {
  readonly clock = new FakeClock();
  readonly reported = new MemoryReporter();
  readonly log = new MemoryLogger();
  readonly store: Store;
  readonly server: SinkServer;
  readonly sources = new Map<string, AwaitedSource>();
  /** Collections of the messages that reached the store's door, with their flag. */
  readonly accepted: { readonly source: string; readonly collection: Collection; readonly full: boolean }[] = [];
  /** Every set of refusals that was to be remembered, as collections. */
  readonly remembered: Collection[][] = [];
  /** Holds messages at the store's door. */
  door: Promise<void> = Promise.resolve();
  port = 0;
  readonly #matches = new Map<string, SourceMatch>();

  private constructor(options: Partial<SinkServerOptions>, guard: GuardOptions) {
    const { clock, log } = this;
    this.store = new Store({
      clock,
      reporter: this.reported.reporter,
      debounce: { afterMs: 50, maxMs: 1000 },
      guard,
      askAgain: (origin, since) => this.source(origin).askAgain(since),
    });
    this.server = new SinkServer({ clock, log, ...options }, () =>
      Array.from(this.sources, ([name, source]) => ({ match: this.#matches.get(name) ?? {}, source })),
    );
  }

  /** @param sources in the order of the config. */
  static async listen(
    sources: Readonly<Record<string, ExpectedSource>> = { lab: {} },
    options: Partial<SinkServerOptions> = {},
    guard: GuardOptions = defaultGuard,
  ): Promise<AwaitedLab> {
    const lab = new AwaitedLab(options, guard);
    for (const [name, expected] of Object.entries(sources)) lab.#add(name, expected);
    lab.port = await lab.server.listen({ host: '127.0.0.1', port: 0 });
    onTestFinished(() => lab.stop());
    return lab;
  }

  source(name = 'lab'): AwaitedSource {
    const source = this.sources.get(name);
    if (source === undefined) throw new Error(`no source ${name}`);
    return source;
  }

  /** A stream on a connection of its own, once it was asked for everything. */
  async dial(headers: Readonly<Record<string, string>> = {}, collections = 3) {
    return DiallingSource.connect(this.port).open(headers).begin(collections);
  }

  /** Key → content of what is held. */
  held(collection: Collection = se, name = 'lab'): Record<string, string> {
    return contentsOf(heldBy(this.#holding(collection, name).resources));
  }

  sync(collection: Collection, name = 'lab'): SyncState {
    return this.#holding(collection, name).sync;
  }

  refused(name = 'lab'): Collection[] {
    return [...this.source(name).connection.refused.keys()];
  }

  /** Waits until a source is not connected; returns the error that an operator sees. */
  async failure(name = 'lab'): Promise<string> {
    await eventually(() => this.source(name).connection.state === 'awaited');
    return this.source(name).connection.lastError ?? '';
  }

  /** Returns once nothing is left to happen. */
  async stop(): Promise<void> {
    for (const source of this.sources.values()) source.stop();
    this.store.close();
    await this.server.stop(0);
    await eventually(() => this.clock.timers === 0);
  }

  #add(name: string, { match = { address: '127.0.0.0/8' }, options = {}, remembered }: ExpectedSource): void {
    const { clock, log } = this;
    const { reporter } = this.reported;
    const collections = options.collections ?? [se, we, gw];
    this.store.addOrigin(name, collections.map(kindIdOf));
    const rules = { defaultNamespace: 'default', namespaceIsExplicit: false };
    const target = legacyTarget(name, collections, rules, this.store, log, (refused) =>
      this.remembered.push([...refused.keys()]),
    );
    const source = new AwaitedSource(
      {
        name,
        collections,
        profile: defaultSourceProfile,
        maxMessageBytes: 64 << 20,
        silentCollectionMs: 30_000,
        clock,
        log,
        reporter,
        ...options,
      },
      {
        ...target,
        accept: async (collection, message, full, stream) => {
          this.accepted.push({ source: name, collection, full });
          await this.door;
          await target.accept(collection, message, full, stream);
        },
      },
      remembered,
    );
    this.#matches.set(name, match);
    this.sources.set(name, source);
    source.start();
  }

  #holding(collection: Collection, name: string): Holding {
    return this.store.holding(name, kindIdOf(collection));
  }
}

function kindIdOf(collection: Collection): string {
  const kind = kindOfCollection(collection);
  if (kind === undefined) throw new Error(`no kind in ${collection}`);
  return kind.id;
}
