import { onTestFinished } from 'vitest';
import type { ConfigInput } from '../../../src/config/schema.ts';
import type { Clock } from '../../../src/model/clock.ts';
import { systemClock } from '../../../src/model/clock.ts';
import { Bridge } from '../bridge.ts';
import { ChangingSource } from './changing-source.ts';
import { Istiod, type IstiodOptions } from './istiod.ts';
import { profiles } from './profile.ts';
import { Random } from './random.ts';
import type { SourceObject } from './source-object.ts';
import type { IstiodVersion } from './types.ts';
import { hostsOf } from './wire.ts';

/** Every version that there is a profile of, oldest first. */
export const versions = Object.keys(profiles) as readonly IstiodVersion[];

/** Up to 1.11: other rules for versions, sizes and streams. */
export const upTo111: readonly IstiodVersion[] = ['1.9', '1.11'];

/** An istiod that lives as long as the test. Its waits are as long as they are on average. */
export async function startIstiod(
  version: IstiodVersion,
  port: number,
  options: Partial<IstiodOptions> = {},
): Promise<Istiod> {
  const istiod = await Istiod.start({ profile: profiles[version], port, random: () => 0.5, ...options });
  onTestFinished(() => istiod.stop());
  return istiod;
}

/** Key → host of the ServiceEntries that an istiod has. */
export function servicesOf(istiod: Istiod): Record<string, string> {
  const configs = istiod.store.list(istiod.typeOf('ServiceEntry'));
  return Object.fromEntries(Array.from(configs, ([key, { body }]) => [key, hostsOf(body).join()]));
}

/** A good object of a source. */
export function object(name: string, content: string, more: Partial<SourceObject> = {}): SourceObject {
  return { kind: 'ServiceEntry', name, content, labels: {}, annotations: {}, hasTime: true, ...more };
}

/** A legacy source and the bridge that serves it; both on free ports, for as long as the test lasts. */
export class IstiodLab {
  readonly source: ChangingSource;
  readonly clock: Clock;
  readonly #settings: ConfigInput;
  #bridge: Bridge;

  private constructor(source: ChangingSource, bridge: Bridge, clock: Clock, settings: ConfigInput) {
    this.source = source;
    this.#bridge = bridge;
    this.clock = clock;
    this.#settings = settings;
  }

  /** @param objects what the source has at first. */
  static async start(
    objects: readonly SourceObject[],
    { clock = systemClock, settings = {} }: { clock?: Clock; settings?: ConfigInput } = {},
  ): Promise<IstiodLab> {
    const source = await ChangingSource.listen(new Random(1), 0.5);
    onTestFinished(() => source.kill());
    for (const one of objects) source.put(one);
    const all = { sources: [{ name: 'legacy', address: `mcp://127.0.0.1:${source.port}` }], ...settings };
    return new IstiodLab(source, await Bridge.of(all, { clock, random: () => 0.5 }), clock, all);
  }

  /** Where it serves istiods. */
  get port(): number {
    return this.#bridge.ports.xds;
  }

  get bridge(): Bridge {
    return this.#bridge;
  }

  istiod(version: IstiodVersion, options: Partial<IstiodOptions> = {}): Promise<Istiod> {
    return startIstiod(version, this.port, { clock: this.clock, ...options });
  }

  /** One istiod of each version. */
  istiods(from: readonly IstiodVersion[] = versions): Promise<Istiod[]> {
    return Promise.all(from.map((version) => this.istiod(version)));
  }

  /** The source has this too, or instead. */
  say(...objects: readonly SourceObject[]): void {
    for (const one of objects) this.source.put(one);
    this.source.flush();
  }

  /** Ends the bridge; the port stays the same. */
  async stopBridge(): Promise<void> {
    await this.#bridge.app.stop();
  }

  /** Starts another one in its place. */
  async restartBridge(): Promise<void> {
    const { port } = this;
    await this.stopBridge();
    const settings = { ...this.#settings, xds: { ...this.#settings.xds, listen: `127.0.0.1:${port}` } };
    this.#bridge = await Bridge.of(settings, { clock: this.clock, random: () => 0.5 });
  }
}
