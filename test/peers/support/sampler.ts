import type { Istiod } from './istiod.ts';

const betweenSamplesMs = 10;

export type Samples = {
  /** Looks at configz while the gRPC port was open. */
  readonly counted: number;
  /** Looks while it was closed, or while the process was being replaced. */
  readonly notCounted: number;
  /** What was missing: one line for each run of counted samples that lacked the same. */
  readonly lacking: readonly string[];
};

/** Looks at istiod's configz over and over, and notes whenever something that has to be there is not. */
export class ConfigzSampler {
  readonly #istiod: Istiod;
  readonly #required: Set<string>;
  readonly #lacking: { readonly first: number; last: number; readonly missing: string }[] = [];
  readonly #worker: Promise<void>;
  #counted = 0;
  #notCounted = 0;
  #stopped = false;

  /** @param required keys that have to be in every counted sample */
  constructor(istiod: Istiod, required: Iterable<string>) {
    this.#istiod = istiod;
    this.#required = new Set(required);
    this.#worker = this.#work();
  }

  get counted(): number {
    return this.#counted;
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
    return { counted: this.#counted, notCounted: this.#notCounted, lacking };
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
    const held = open ? await this.#istiod.configz().catch(() => undefined) : undefined;
    // Another process may have answered than the one whose port was open.
    if (held === undefined || starts !== this.#istiod.starts) {
      this.#notCounted += 1;
      return;
    }
    this.#counted += 1;
    const missing = required.filter((key) => !held.has(key) && this.#required.has(key)).join(', ');
    if (missing === '') return;
    const run = this.#lacking.at(-1);
    if (run?.last === this.#counted - 1 && run.missing === missing) run.last = this.#counted;
    else this.#lacking.push({ first: this.#counted, last: this.#counted, missing });
  }
}
