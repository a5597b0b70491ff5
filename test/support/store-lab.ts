import { Intake } from '../../src/intake/intake.ts';
import type { Conflict, ConflictPolicy } from '../../src/model/conflict.ts';
import type { Kind } from '../../src/model/kinds.ts';
import { defaultGuard, type GuardOptions, type Stream } from '../../src/store/guard.ts';
import { defaultConflictPolicy } from '../../src/store/sharing.ts';
import { Store } from '../../src/store/store.ts';
import { readRows } from '../../src/wire/resource-frame.ts';
import { FakeClock } from './fake-clock.ts';
import { MemoryReporter } from './memory-reporter.ts';
import { legacyResource, messageOf } from './resources.ts';
import { contentsOf } from './source-view.ts';

/** Longer than any debounce of a {@link StoreLab}. */
export const debounced = 1000;

/** Holds nothing: for tests of what happens when much leaves at once. */
export const noGuard: GuardOptions = { ...defaultGuard, holdMs: 0 };

/** A store that is fed by sources through real intakes, on a fake clock. */
export class StoreLab {
  readonly clock = new FakeClock();
  readonly reported = new MemoryReporter();
  readonly store: Store;
  /** Kinds of each notification, sorted. */
  readonly news: string[][] = [];
  readonly #intakes = new Map<string, Intake>();

  constructor(guard: GuardOptions = defaultGuard, conflicts: ConflictPolicy = defaultConflictPolicy) {
    this.store = new Store({
      clock: this.clock,
      reporter: this.reported.reporter,
      debounce: { afterMs: 50, maxMs: debounced },
      guard,
      askAgain: (origin, since) => this.askAgain(origin, since),
      conflicts,
    });
    this.store.onChange((kinds) => this.news.push([...kinds].toSorted()));
  }

  /** What becomes of the question whether a source means it. */
  askAgain(_origin: string, _since: number): void {}

  addOrigin(origin: string, ...kinds: readonly Kind[]): void {
    const rules = { defaultNamespace: 'default', namespaceIsExplicit: false };
    for (const kind of kinds) this.#intakes.set(`${origin} ${kind.id}`, new Intake(kind, rules));
    this.store.addOrigin(
      origin,
      kinds.map(({ id }) => id),
    );
  }

  /** Delivers one message of `origin`. */
  async deliver(
    origin: string,
    kind: Kind,
    resources: readonly Uint8Array[],
    options: Parameters<typeof messageOf>[1] & { readonly stream?: Stream } = {},
  ): Promise<void> {
    const intake = this.#intakes.get(`${origin} ${kind.id}`);
    if (intake === undefined) throw new Error(`origin ${origin} has no ${kind.id}`);
    const holding = this.store.holding(origin, kind.id);
    await this.store.inTurn(origin, kind.id, async () => {
      const change = await intake.take(messageOf(resources, options), holding);
      await this.store.apply(origin, kind.id, change, options.stream);
    });
  }

  /** Delivers a full message with these names and contents. */
  async say(origin: string, kind: Kind, contents: Readonly<Record<string, string>>): Promise<void> {
    await this.deliver(
      origin,
      kind,
      Object.entries(contents).map(([name, content]) => legacyResource(name, content, kind.body)),
    );
  }

  /** Lets every pending debounce end; returns the kinds of the notifications that came, and forgets them. */
  flush(): string[][] {
    this.clock.advance(debounced);
    return this.news.splice(0);
  }

  /** Key → content of what is published; undefined where nothing is. */
  published(kind: Kind): Record<string, string> | undefined {
    const snapshot = this.store.snapshot(kind.id);
    return snapshot === undefined ? undefined : contentsOf(readRows(snapshot.pool, snapshot.rows));
  }

  /** What several origins have, in the order in which it began. */
  get conflicts(): Conflict[] {
    return this.store.conflicts.page(0, Number.POSITIVE_INFINITY);
  }
}
