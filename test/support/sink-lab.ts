import type { Refusals } from '../../src/legacy/collection-probe.ts';
import { legacyTarget } from '../../src/legacy/origin.ts';
import { SinkClient, type SinkClientOptions } from '../../src/legacy/sink-client.ts';
import { defaultSourceProfile } from '../../src/legacy/source-profile.ts';
import { kindOfCollection, type Collection } from '../../src/model/kinds.ts';
import { silentLogger } from '../../src/model/logger.ts';
import { defaultBackoff } from '../../src/net/backoff.ts';
import { defaultGuard, type GuardOptions } from '../../src/store/guard.ts';
import type { Holding, SyncState } from '../../src/store/holding.ts';
import { Store } from '../../src/store/store.ts';
import { eventually } from './eventually.ts';
import { FakeClock } from './fake-clock.ts';
import { MemoryReporter } from './memory-reporter.ts';
import { contentsOf, heldBy } from './source-view.ts';

export const se = 'istio/networking/v1alpha3/serviceentries';
export const we = 'istio/networking/v1alpha3/workloadentries';
export const gw = 'istio/networking/v1alpha3/gateways';

/** The name of the one source. */
const name = 'lab';

/** A sink that dials a port of this host, with a real store behind it, on a fake clock. */
export class SinkLab {
  readonly clock = new FakeClock();
  readonly reported = new MemoryReporter();
  readonly store: Store;
  readonly client: SinkClient;
  /** Every set of refusals that was to be remembered, as collections. */
  readonly remembered: Collection[][] = [];
  /** Collections of the messages that reached the store's door, with their flag. */
  readonly accepted: { readonly collection: Collection; readonly full: boolean }[] = [];
  /** Holds messages at the store's door. */
  door: Promise<void> = Promise.resolve();

  constructor(
    port: number,
    options: Partial<SinkClientOptions> = {},
    remembered: Refusals = new Map(),
    guard: GuardOptions = defaultGuard,
  ) {
    const { clock } = this;
    const { reporter } = this.reported;
    const collections = options.collections ?? [se, we, gw];
    this.store = new Store({
      clock,
      reporter,
      debounce: { afterMs: 50, maxMs: 1000 },
      guard,
      askAgain: (_origin, since) => this.client.askAgain(since),
    });
    this.store.addOrigin(
      name,
      collections.map((collection) => kindIdOf(collection)),
    );
    const rules = { defaultNamespace: 'default', namespaceIsExplicit: false };
    const target = legacyTarget(name, collections, rules, this.store, silentLogger, (refused) =>
      this.remembered.push([...refused.keys()]),
    );
    this.client = new SinkClient(
      {
        name,
        address: { host: '127.0.0.1', port },
        collections,
        profile: defaultSourceProfile,
        maxMessageBytes: 64 << 20,
        silentCollectionMs: 30_000,
        backoff: defaultBackoff,
        clock,
        random: () => 0.5,
        log: silentLogger,
        reporter,
        ...options,
      },
      {
        ...target,
        accept: async (collection, message, full, stream) => {
          this.accepted.push({ collection, full });
          await this.door;
          await target.accept(collection, message, full, stream);
        },
      },
      remembered,
    );
  }

  /** Key → content of what is held. */
  held(collection: Collection = se): Record<string, string> {
    return contentsOf(heldBy(this.#holding(collection).resources));
  }

  /** Key → reason of what is quarantined. */
  quarantined(collection: Collection = se): Record<string, string> {
    return Object.fromEntries(Array.from(this.#holding(collection).quarantine, ([key, { reason }]) => [key, reason]));
  }

  sync(collection: Collection): SyncState {
    return this.#holding(collection).sync;
  }

  get refused(): Collection[] {
    return [...this.client.connection.refused.keys()];
  }

  /** Waits for the end of a stream; returns the error that an operator sees. */
  async failure(): Promise<string> {
    await eventually(() => this.client.connection.state === 'waiting');
    return this.client.connection.lastError ?? '';
  }

  /** The same, and lets the wait pass. */
  async retry(): Promise<void> {
    await this.failure();
    this.clock.advance(this.client.connection.retryInMs ?? 0);
  }

  /** Returns once the sink has let go of its connection; nothing is left to happen then. */
  async stop(): Promise<void> {
    this.client.stop();
    this.store.close();
    await eventually(() => this.clock.timers === 0);
  }

  #holding(collection: Collection): Holding {
    return this.store.holding(name, kindIdOf(collection));
  }
}

function kindIdOf(collection: Collection): string {
  const kind = kindOfCollection(collection);
  if (kind === undefined) throw new Error(`no kind in ${collection}`);
  return kind.id;
}
