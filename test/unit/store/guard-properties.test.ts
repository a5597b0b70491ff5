import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { answerMs, defaultGuard, type HoldReason, type Stream } from '../../../src/store/guard.ts';
import type { HoldEvent } from '../../../src/store/store.ts';
import { legacyResource, serviceEntry } from '../../support/resources.ts';
import { StoreLab } from '../../support/store-lab.ts';
import { propertyTimeoutMs, runs } from '../state-model/runs.ts';

const { holdMs, minRemoved, maxRemovalPercent } = defaultGuard;

const many = 60;
const all: readonly string[] = Array.from({ length: many }, (_, i) => `shop/${String(i).padStart(2, '0')}`);

/** What a source has: everything, nothing, a share of it, or all but a few. */
const state = fc.oneof(
  { weight: 3, arbitrary: fc.constant(all) },
  { weight: 3, arbitrary: fc.constant<readonly string[]>([]) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: many }).map((count) => all.slice(0, count)) },
  { weight: 3, arbitrary: fc.subarray([...all]) },
  { weight: 2, arbitrary: fc.subarray([...all], { minLength: many - 3 }) },
);

const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ type: fc.constant('has' as const), names: state }) },
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constant('removes' as const), names: fc.subarray([...all], { maxLength: 40 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('removes' as const),
      names: fc.subarray([...all], { minLength: 1, maxLength: 1 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('restarts' as const), names: state }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('speaks and goes away' as const),
      names: state,
      ms: fc.constantFrom(0, 10_000, answerMs - 1, answerMs),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('is mute' as const), isMute: fc.boolean() }) },
  { weight: 2, arbitrary: fc.constant({ type: 'goes away' as const }) },
  { weight: 1, arbitrary: fc.constant({ type: 'is released' as const }) },
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant('time passes' as const),
      ms: fc.constantFrom(1000, 10_000, answerMs - 1, answerMs, 100_000, holdMs - 1, holdMs, 700_000),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** A store with one source, and what that has by its own words. */
class Source {
  readonly lab = new StoreLab();
  readonly holds: HoldEvent[] = [];
  /** Keys that the source has. */
  truth: ReadonlySet<string> = new Set();
  questions = 0;
  stream: Stream & { isLive: boolean } = { startedAt: 0, isLive: false };
  /** When the source said last of each key that it has it, on whatever stream. */
  readonly #namedAt = new Map<string, number>();
  /** Since when the source has said on the present stream, all the time, that it has none of a key. */
  readonly #deniedSince = new Map<string, number>();

  constructor() {
    this.lab.addOrigin('only', serviceEntry);
    this.lab.store.onHold((event) => this.holds.push(event));
    this.lab.askAgain = (_origin, since) => {
      this.questions++;
      // The sink dials anew.
      if (!this.stream.isLive || this.stream.startedAt >= since) return;
      this.connect();
      if (!this.isMute) this.answer = this.has([...this.truth]);
    };
  }

  /** True where the source says nothing on a new stream until it has news. */
  isMute = false;
  /** What it says to a question. */
  answer: Promise<void> = Promise.resolve();

  get effective(): Set<string> {
    return new Set(this.#holding.resources.keys());
  }

  get #holding() {
    return this.lab.store.holding('only', serviceEntry.id);
  }

  connect(): void {
    this.stream.isLive = false;
    this.stream = { startedAt: this.now, isLive: true };
    this.#deniedSince.clear();
  }

  get now(): number {
    return this.lab.clock.now();
  }

  async has(names: readonly string[]): Promise<void> {
    this.#says(new Set(names));
    const resources = names.map((name) => legacyResource(name));
    await this.lab.deliver('only', serviceEntry, resources, { full: true, stream: this.stream });
  }

  async removes(names: readonly string[]): Promise<void> {
    this.#says(new Set([...this.truth].filter((name) => !names.includes(name))));
    await this.lab.deliver('only', serviceEntry, [], { full: false, removed: names, stream: this.stream });
  }

  #says(truth: ReadonlySet<string>): void {
    this.truth = truth;
    for (const key of all) {
      if (truth.has(key)) {
        this.#namedAt.set(key, this.now);
        this.#deniedSince.delete(key);
      } else if (!this.#deniedSince.has(key)) this.#deniedSince.set(key, this.now);
    }
  }

  /** Lets time pass, and looks at each moment what has left without a message. */
  async pass(ms: number): Promise<void> {
    const end = this.now + ms;
    let before = this.effective;
    while (this.now < end) {
      await this.lab.clock.run(Math.min(5000, end - this.now));
      await this.answer;
      const { size } = this.#holding.resources;
      if (size === before.size) continue;
      const after = this.effective;
      const left = [...before].filter((key) => !after.has(key));
      before = after;
      if (left.length > 0) expect(this.stream.isLive, 'the source is there').toBe(true);
      for (const key of left) {
        expect(this.truth.has(key), key).toBe(false);
        expect(this.now - (this.#deniedSince.get(key) ?? this.now), `${key} has been denied`).toBeGreaterThanOrEqual(
          answerMs,
        );
      }
    }
  }

  /** Of what is held, everything the source has is there; what else there is, is withheld. */
  check(): void {
    const { withheld, resources } = this.#holding;
    expect([...this.truth].filter((key) => !resources.has(key))).toEqual([]);
    expect(new Set([...this.effective].filter((key) => !this.truth.has(key)))).toEqual(withheld);
  }
}

async function run(source: Source, steps: readonly Step[]): Promise<void> {
  source.connect();
  await source.has(all);
  for (const one of steps) {
    const before = source.effective;
    switch (one.type) {
      case 'has':
        if (!source.stream.isLive) continue;
        await source.has(one.names);
        break;
      case 'removes':
        if (!source.stream.isLive) continue;
        await source.removes(one.names);
        break;
      case 'restarts':
        source.connect();
        await source.has(one.names);
        break;
      case 'speaks and goes away':
        source.connect();
        await source.has(one.names);
        await source.pass(one.ms);
        source.stream.isLive = false;
        await source.pass(answerMs);
        break;
      case 'is mute':
        source.isMute = one.isMute;
        break;
      case 'goes away':
        source.stream.isLive = false;
        break;
      case 'is released':
        await source.lab.store.release('only', serviceEntry.id);
        expect(source.effective).toEqual(source.truth);
        break;
      case 'time passes':
        await source.pass(one.ms);
    }
    if (one.type === 'has' || one.type === 'removes' || one.type === 'restarts') {
      const left = [...before].filter((key) => !source.effective.has(key)).length;
      if (left > 1) {
        expect(source.effective.size, 'not to nothing at once').toBeGreaterThan(0);
        const isAll = [...source.effective].every((key) => before.has(key));
        // Where others came, the highest count counts, and not the last one.
        const of = isAll ? before.size : many;
        const isMuch = left > minRemoved && left * 100 > maxRemovalPercent * of;
        expect(isMuch, `${left} of ${of} left at once`).toBe(false);
      }
    }
    source.check();
  }
}

test(
  'no message takes much away at once, and what leaves later was released, or denied by the source for 30 s on a stream that lives',
  async () => {
    const outcomes = new Set<string | undefined>();
    const reasons = new Set<HoldReason>();
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25, size: 'max' }), async (steps) => {
        const source = new Source();
        await run(source, steps);
        for (const { outcome, hold } of source.holds) {
          outcomes.add(outcome);
          reasons.add(hold.reason);
        }
        // Holds begin and end by turns.
        expect(source.holds.map(({ outcome }) => outcome === undefined)).toEqual(
          source.holds.map((_, i) => i % 2 === 0),
        );
        source.lab.store.close();
      }),
      runs(60),
    );
    expect([outcomes.size, reasons.size], 'the runs have seen all that there is').toEqual([4, 2]);
  },
  propertyTimeoutMs,
);

test(
  'a source that stays and says the same is believed in the end: what is effective is what it has',
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 8, size: 'max' }), state, async (steps, names) => {
        const source = new Source();
        await run(source, steps);
        source.isMute = false;
        source.connect();
        await source.has(names);
        await source.pass(holdMs + answerMs + 1000);
        expect(source.effective).toEqual(new Set(names));
        source.lab.store.close();
      }),
      runs(40),
    );
  },
  propertyTimeoutMs,
);

test(
  'whatever was held, a source that has everything again has lost nothing',
  async () => {
    const glitch = fc.record({ names: state, restarts: fc.boolean(), ms: fc.constantFrom(0, 1000, 10_000, 29_000) });
    await fc.assert(
      fc.asyncProperty(fc.array(glitch, { minLength: 1, maxLength: 12 }), fc.nat(2 * holdMs), async (glitches, ms) => {
        const source = new Source();
        source.connect();
        await source.has(all);
        await source.pass(ms);
        for (const { names, restarts, ms: lasts } of glitches) {
          if (restarts) source.connect();
          // A few at most may leave at once: the others are what this is about.
          const kept = names.length >= many - 1 ? all : names.slice(0, many - minRemoved - 11);
          await source.has(kept);
          await source.pass(lasts);
          await source.has(all);
        }
        expect(source.effective).toEqual(new Set(all));
        expect(source.lab.reported.of('changed').every(([, , , removals]) => removals === 0)).toBe(true);
        source.lab.store.close();
      }),
      runs(40),
    );
  },
  propertyTimeoutMs,
);

test(
  'one by one, in whatever order, message and rhythm, all leave',
  async () => {
    const removal = fc.record({
      full: fc.boolean(),
      restarts: fc.boolean(),
      ms: fc.constantFrom(0, 1, 50, 1000, 60_000),
    });
    const order = fc.shuffledSubarray([...all], { minLength: 2 });
    await fc.assert(
      fc.asyncProperty(order, fc.infiniteStream(removal), async (names, removals) => {
        const source = new Source();
        source.connect();
        await source.has(names);
        for (const [i, name] of names.entries()) {
          const { full, restarts, ms } = removals.next().value as { full: boolean; restarts: boolean; ms: number };
          if (restarts) source.connect();
          if (full || restarts) await source.has(names.slice(i + 1));
          else await source.removes([name]);
          expect(source.effective).toEqual(new Set(names.slice(i + 1)));
          await source.lab.clock.run(ms);
        }
        expect(source.holds).toEqual([]);
        source.lab.store.close();
      }),
      runs(30),
    );
  },
  propertyTimeoutMs,
);
