import type { Istiod } from './istiod.ts';
import type { HeldConfig } from './manifest.ts';

const betweenSamplesMs = 10;
/** Missing keys that are named one by one. */
const mostNamed = 20;

export type Samples = {
  /** Looks at configz while the gRPC port was open. */
  readonly counted: number;
  /** Looks while it was closed, or while the process was being replaced. */
  readonly notCounted: number;
  /** The longest time between two counted looks at one process, in milliseconds. */
  readonly longestGapMs: number;
  /** What was missing: one line for each run of counted samples that lacked the same. */
  readonly lacking: readonly string[];
};

/** Is shown all that a counted look has found. */
export type Inspect = (held: ReadonlyMap<string, HeldConfig>) => void;

/** Looks at istiod's configz over and over, and notes whenever something that has to be there is not. */
export class ConfigzSampler {
  readonly #istiod: Istiod;
  readonly #required: Set<string>;
  readonly #lacking: { readonly first: number; last: number; readonly missing: string }[] = [];
  readonly #inspect: Inspect | undefined;
  readonly #worker: Promise<void>;
  #counted = 0;
  #notCounted = 0;
  #last: { readonly at: number; readonly starts: number } | undefined;
  #longestGapMs = 0;
  #stopped = false;

  /**
   * @param required keys that have to be in every counted sample
   * @param inspect has a look itself. @default only keys are read, which is quicker
   */
  constructor(istiod: Istiod, required: Iterable<string>, inspect?: Inspect) {
    this.#istiod = istiod;
    this.#inspect = inspect;
    this.#required = new Set(required);
    this.#worker = this.#work();
  }

  get counted(): number {
    return this.#counted;
  }

  requires(key: string): boolean {
    return this.#required.has(key);
  }

  /** To be called when configz has shown the key. */
  require(key: string): void {
    this.#required.add(key);
  }

  /** To be called before the source removes the key. */
  release(key: string): void {
    this.#required.delete(key);
  }

  async stop(): Promise<Samples> {
    this.#stopped = true;
    await this.#worker;
    const lacking = this.#lacking.map(({ first, last, missing }) => `samples ${first} to ${last}: no ${missing}`);
    return { counted: this.#counted, notCounted: this.#notCounted, longestGapMs: this.#longestGapMs, lacking };
  }

  async #work(): Promise<void> {
    while (!this.#stopped) {
      await this.#sample();
      await new Promise((resolve) => setTimeout(resolve, betweenSamplesMs));
    }
  }

  async #sample(): Promise<void> {
    const starts = this.#istiod.starts;
    // What is required is fixed before the look: a key that is added meanwhile may not be in its answer.
    const required = [...this.#required];
    const open = await this.#istiod.serving().catch(() => false);
    const held = open ? await this.#look().catch(() => undefined) : undefined;
    // Another process may have answered than the one whose port was open.
    if (held === undefined || starts !== this.#istiod.starts) {
      this.#notCounted += 1;
      return;
    }
    this.#counted += 1;
    const at = performance.now();
    if (this.#last?.starts === starts) this.#longestGapMs = Math.max(this.#longestGapMs, at - this.#last.at);
    this.#last = { at, starts };
    const missing = required.filter((key) => !held.keys.has(key) && this.#required.has(key));
    if (missing.length > 0) this.#note(missing);
    if (held.configs !== undefined) this.#inspect?.(held.configs);
  }

  async #look(): Promise<{ readonly keys: { has(key: string): boolean }; readonly configs?: Map<string, HeldConfig> }> {
    if (this.#inspect === undefined) return { keys: await this.#istiod.configzKeys() };
    const configs = await this.#istiod.configz();
    return { keys: configs, configs };
  }

  #note(keys: readonly string[]): void {
    const more = keys.length > mostNamed ? ` and ${keys.length - mostNamed} more` : '';
    const missing = `${keys.slice(0, mostNamed).join(', ')}${more}`;
    const run = this.#lacking.at(-1);
    if (run?.last === this.#counted - 1 && run.missing === missing) run.last = this.#counted;
    else this.#lacking.push({ first: this.#counted, last: this.#counted, missing });
  }
}
