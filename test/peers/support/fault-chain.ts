import { Isthmus } from './isthmus.ts';
import { Istiod } from './istiod.ts';
import type { Lab } from './lab.ts';
import type { Manifest } from './manifest.ts';
import type { Binaries } from './peers.ts';
import { serviceEntries, ServiceSource } from './service-source.ts';

export const faultPeers = ['istiod', 'istiod-1.16.5'] as const;

export type FaultChainOptions = {
  /** How many sources, in order of precedence. @default 1 */
  readonly sources?: number;
  /** How long the guard holds removals. @default "5m", as without a setting */
  readonly guardHold?: string;
  /** Environment of Isthmus. */
  readonly env?: Readonly<Record<string, string>>;
};

/** Scripted sources of services, one Isthmus with its guard and a state folder, and two istiods that it feeds. */
export class FaultChain {
  readonly sources: readonly ServiceSource[];
  readonly isthmus: Isthmus;
  /** 1.24.0 and 1.16.5. */
  readonly istiods: readonly Istiod[];

  private constructor(sources: readonly ServiceSource[], isthmus: Isthmus, istiods: readonly Istiod[]) {
    this.sources = sources;
    this.isthmus = isthmus;
    this.istiods = istiods;
  }

  /** The sources listen; Isthmus and the istiods are not started yet. */
  static async create(
    lab: Lab,
    binaries: Binaries<(typeof faultPeers)[number]>,
    { sources: count = 1, guardHold = '5m', env = {} }: FaultChainOptions = {},
  ): Promise<FaultChain> {
    const sources: ServiceSource[] = [];
    for (let i = 0; i < count; i++) sources.push(await ServiceSource.create(lab));
    const [first, ...others] = sources as [ServiceSource, ...ServiceSource[]];
    const isthmus = await Isthmus.create(lab, {
      sourcePort: first.port,
      others: Object.fromEntries(others.map(({ port }, at) => [`origin-${at + 2}`, port])),
      source: { collections: [serviceEntries] },
      stateDir: lab.folder('isthmus-state'),
      guardHold,
      env,
    });
    const address = `xds://127.0.0.1:${isthmus.xdsPort}` as const;
    return new FaultChain(sources, isthmus, [
      await Istiod.create(lab, binaries.istiod, address, 'istiod-1.24.0'),
      await Istiod.create(lab, binaries['istiod-1.16.5'], address, 'istiod-1.16.5'),
    ]);
  }

  /** Starts what is not started; resolves when proxies can connect to both istiods. */
  async start(): Promise<void> {
    await this.isthmus.start();
    await Promise.all(this.istiods.map((istiod) => istiod.start()));
  }

  /** The first source. */
  get source(): ServiceSource {
    return this.sources[0] as ServiceSource;
  }

  /** What all sources together have; of one key, the first source's copy. */
  manifests(): ReadonlyMap<string, Manifest> {
    return new Map(this.sources.toReversed().flatMap((source) => [...source.manifests()]));
  }

  /** How many holds have ended so. */
  holdsEnded(outcome: 'recovered' | 'confirmed_by_source' | 'released_by_operator'): Promise<number> {
    return this.isthmus.metric('isthmus_guard_holds_total', { outcome });
  }
}
