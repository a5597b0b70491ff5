import type { Istiod } from './istiod.ts';
import { ConfigzSampler, type Samples } from './sampler.ts';
import { patienceMs, until } from './until.ts';

/** Looks at several istiods at once, each as fast as it answers. */
export class Watch {
  readonly #samplers: ReadonlyMap<string, ConfigzSampler>;

  /** @param required keys that none of them may lack */
  constructor(istiods: readonly Istiod[], required: Iterable<string>) {
    const keys = [...required];
    this.#samplers = new Map(istiods.map((istiod) => [istiod.name, new ConfigzSampler(istiod, keys)]));
  }

  /** To be called when all of them have the keys. */
  require(keys: Iterable<string>): void {
    for (const key of keys) for (const sampler of this.#samplers.values()) sampler.require(key);
  }

  /** To be called before the source removes the keys. */
  release(keys: Iterable<string>): void {
    for (const key of keys) for (const sampler of this.#samplers.values()) sampler.release(key);
  }

  /** Resolves once each istiod was looked at so many times more, from beginning to end. */
  async looks(count: number, timeoutMs = patienceMs): Promise<void> {
    const goals = Array.from(this.#samplers.values(), (sampler) => ({ sampler, goal: sampler.counted + count + 1 }));
    await until(`${count} more looks`, () => goals.every(({ sampler, goal }) => sampler.counted >= goal), {
      timeoutMs,
    });
  }

  /** Resolves once each istiod was looked at so many times in all. */
  async counted(count: number, timeoutMs = patienceMs): Promise<void> {
    const samplers = [...this.#samplers.values()];
    await until(`${count} looks`, () => samplers.every((sampler) => sampler.counted >= count), { timeoutMs });
  }

  /** What was seen, by name of the istiod. */
  async stop(): Promise<ReadonlyMap<string, Samples>> {
    const all = Array.from(this.#samplers, async ([name, sampler]) => [name, await sampler.stop()] as const);
    return new Map(await Promise.all(all));
  }
}
