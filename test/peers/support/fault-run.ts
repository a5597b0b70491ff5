import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../../support/istiod/random.ts';
import type { TcpRelay } from '../../support/tcp-relay.ts';
import { checkAllHold } from '../checks.ts';
import type { Isthmus } from './isthmus.ts';
import type { Istiod } from './istiod.ts';
import type { HeldConfig, Manifest } from './manifest.ts';
import type { McpSource } from './mcp-source.ts';
import { ConfigzSampler, type Samples } from './sampler.ts';
import { service } from './service-source.ts';
import { until } from './until.ts';

/** How often each kind of change happens, against the others. */
const changes = { add: 10, change: 30, remove: 8, 'add again': 5, 'several in a row': 5 };

/** How often each fault happens, against the others. */
const faults = {
  'stream of the source cut': 6,
  'source cancels its streams': 4,
  'stream of istiod 1.24.0 cut': 4,
  'stream of istiod 1.16.5 cut': 4,
  'source killed': 4,
  'Isthmus killed': 4,
  'Isthmus killed while the source is down': 3,
  'istiod 1.24.0 killed': 3,
  'istiod 1.16.5 killed': 3,
  'a namespace deleted, and released': 2,
};

/** Of all steps, so many are faults. */
const faultRate = 0.08;
/** Steps between two comparisons of everything. */
const stepsBetween = 100;
/** Services in the namespace that changes, at least and at most. */
const [fewest, most] = [30, 48];
/** Services in the namespace that is deleted as a whole: more than half of all. */
const wholeSize = 60;

export type FaultRunParts = {
  readonly source: McpSource;
  /** Between the source and Isthmus. */
  readonly sourceRelay: TcpRelay;
  readonly isthmus: Isthmus;
  /** 1.24.0 and 1.16.5, each with what is between it and Isthmus. */
  readonly seats: readonly { readonly istiod: Istiod; readonly relay: TcpRelay }[];
  readonly random: Random;
};

/** What a run has counted. */
export type FaultRunReport = {
  readonly changes: Readonly<Record<string, number>>;
  readonly faults: Readonly<Record<string, number>>;
  /** Comparisons of everything. */
  readonly checks: number;
  /** By name of the istiod. */
  readonly samples: ReadonlyMap<string, Samples>;
  /** What an istiod had that its source never had, in words. */
  readonly strange: readonly string[];
  /** Keys that came shortly before Isthmus was killed. */
  readonly unsaved: number;
  /** Looks that lacked any of those, until the source had spoken again. */
  readonly unsavedLooks: number;
  /** Removals that an Isthmus with an old file took for too many at once; the operator has released them. */
  readonly heldAgain: number;
};

/** Looks at one istiod. It requires what a look has seen and has been true ever since. */
type Eye = { readonly istiod: Istiod; readonly relay: TcpRelay; readonly sampler: ConfigzSampler };

/** A source that changes at random between real servers that are cut off and killed at random. */
export class FaultRun {
  /** What was done, step by step, and how many looks had been counted then: to be read after a failure. */
  readonly journal: string[] = [];
  readonly #parts: FaultRunParts;
  readonly #seeds: Random;
  readonly #eyes: readonly Eye[];
  /** Key → revisions that the source has had. */
  readonly #history = new Map<string, Set<string>>();
  /** Key → the revision as which it was added (last). What is older was there before it was removed. */
  readonly #addedAs = new Map<string, number>();
  /** Keys that no file may have yet. */
  readonly #fresh = new Set<string>();
  /** The same, from a kill of Isthmus until its source has spoken again, and which eyes had seen them. */
  readonly #excused = new Map<string, readonly boolean[]>();
  readonly #removed: string[] = [];
  readonly #strange = new Set<string>();
  readonly #counts = { changes: {} as Record<string, number>, faults: {} as Record<string, number> };
  /** Of the present step: whatever the one before has come to, this one begins with the same numbers. */
  #random: Random;
  #serial = 0;
  #checks = 0;
  #unsaved = 0;
  #unsavedLooks = 0;
  #heldAgain = 0;

  /** Nothing runs yet but the relays; the source gets what it begins with. */
  static async start(parts: FaultRunParts): Promise<FaultRun> {
    const run = new FaultRun(parts);
    const { source, isthmus, seats } = parts;
    await run.#put(Array.from({ length: fewest }, () => run.#newService()));
    await run.#put(run.#wholeNamespace());
    await source.start();
    await isthmus.start();
    await Promise.all(seats.map(({ istiod }) => istiod.start()));
    await run.#agree();
    await until('Isthmus has saved what it knows', () => isthmus.saved());
    return run;
  }

  private constructor(parts: FaultRunParts) {
    this.#parts = parts;
    this.#seeds = parts.random;
    this.#random = parts.random;
    this.#eyes = parts.seats.map(({ istiod, relay }, at) => {
      const inspect = (held: ReadonlyMap<string, HeldConfig>) => this.#inspect(at, held);
      return { istiod, relay, sampler: new ConfigzSampler(istiod, [], inspect) };
    });
  }

  /** So many changes, and what else happens between them. Rejects where an istiod does not come to hold what is true. */
  async run(changeCount: number): Promise<void> {
    let changed = 0;
    for (let step = 1; changed < changeCount; step++) {
      this.#random = new Random(this.#seeds.below(2 ** 32));
      if (this.#random.chance(faultRate)) await this.#fault();
      else {
        await this.#change();
        changed++;
      }
      await sleep(this.#random.below(60));
      if (step % 10 === 0) await this.#forgetSaved();
      if (step % stepsBetween === 0) await this.#agree();
    }
    await this.#agree();
  }

  async stop(): Promise<FaultRunReport> {
    const samples = await Promise.all(
      this.#eyes.map(async ({ istiod, sampler }) => [istiod.name, await sampler.stop()] as const),
    );
    return {
      ...this.#counts,
      checks: this.#checks,
      samples: new Map(samples),
      strange: [...this.#strange],
      unsaved: this.#unsaved,
      unsavedLooks: this.#unsavedLooks,
      heldAgain: this.#heldAgain,
    };
  }

  #inspect(at: number, held: ReadonlyMap<string, HeldConfig>): void {
    const sampler = this.#eyes[at]?.sampler;
    const truth = this.#parts.source.manifests();
    for (const [key, { labels }] of held) {
      const revision = labels['revision'] ?? '';
      if (this.#history.get(key)?.has(revision) !== true) this.#strange.add(`${key} ${revision}`);
      const since = this.#addedAs.get(key) ?? Number.POSITIVE_INFINITY;
      const isTrue = truth.has(key) && Number(revision.slice(1)) >= since;
      if (isTrue && !this.#excused.has(key)) sampler?.require(key);
    }
    if ([...this.#excused].some(([key, seen]) => seen[at] === true && !held.has(key))) this.#unsavedLooks++;
  }

  #note(counts: Record<string, number>, what: string): void {
    counts[what] = (counts[what] ?? 0) + 1;
    this.#tell(what);
  }

  #tell(what: string): void {
    this.journal.push(`${this.#eyes.map(({ sampler }) => sampler.counted).join('/')} ${what}`);
  }

  #newService(): Manifest {
    return service(++this.#serial, { revision: ++this.#serial });
  }

  #wholeNamespace(): Manifest[] {
    return Array.from({ length: wholeSize }, (_, i) => service(i, { namespace: 'whole', revision: ++this.#serial }));
  }

  #keys(namespace: string): string[] {
    return [...this.#parts.source.manifests().keys()].filter((key) => key.startsWith(`ServiceEntry/${namespace}/`));
  }

  async #put(manifests: readonly Manifest[]): Promise<void> {
    const { source } = this.#parts;
    for (const { key, labels } of manifests) {
      const revision = labels['revision'] ?? '';
      this.#history.set(key, (this.#history.get(key) ?? new Set()).add(revision));
      if (source.manifests().has(key)) continue;
      this.#addedAs.set(key, Number(revision.slice(1)));
      this.#fresh.add(key);
    }
    this.#tell(`+ ${manifests.map(({ key }) => shortOf(key)).join(' ')}`);
    await source.putManifests(manifests);
  }

  async #remove(keys: readonly string[]): Promise<void> {
    this.#forget(keys);
    this.#tell(`- ${keys.map(shortOf).join(' ')}`);
    await this.#parts.source.removeAll(keys);
  }

  /** They are about to leave. */
  #forget(keys: Iterable<string>): void {
    this.#release(keys);
    for (const key of keys) {
      this.#addedAs.delete(key);
      this.#fresh.delete(key);
    }
  }

  /** From now on, nobody has to have them. */
  #release(keys: Iterable<string>): void {
    for (const key of keys) for (const { sampler } of this.#eyes) sampler.release(key);
  }

  /** Another content of one that is there. */
  #changed(key: string): Manifest {
    const [, namespace = '', name = ''] = key.split('/');
    return service(Number(name.slice(2)), { namespace, revision: ++this.#serial });
  }

  async #change(): Promise<void> {
    const random = this.#random;
    const shop = this.#keys('shop');
    let what = random.weighted(changes);
    if (shop.length <= fewest) what = 'add';
    else if (shop.length >= most) what = 'remove';
    else if (what === 'add again' && this.#removed.length === 0) what = 'change';
    this.#note(this.#counts.changes, what);
    const any = (): string => random.pick([...this.#parts.source.manifests().keys()]);
    const gone = random.pick(shop);
    switch (what) {
      case 'add':
        return this.#put([this.#newService()]);
      case 'change':
        return this.#put([this.#changed(any())]);
      case 'remove':
        this.#removed.push(gone);
        return this.#remove([gone]);
      case 'add again':
        return this.#put([this.#changed(this.#removed.pop() ?? any())]);
      case 'several in a row':
        this.#removed.push(gone);
        await this.#remove([gone]);
        return this.#put([this.#newService(), this.#changed(this.#keys('whole')[0] ?? any())]);
    }
  }

  async #fault(): Promise<void> {
    const { source, sourceRelay, isthmus } = this.#parts;
    const [newer, older] = this.#eyes as [Eye, Eye];
    const counts = this.#counts.faults;
    const drawn = [this.#random.weighted(faults), this.#random.weighted(faults)];
    // Only some kills of Isthmus come before all is saved, which after one takes it more than a minute.
    const mayKillIsthmus = this.#random.chance(1 / 4) || (await isthmus.saved());
    const [fault = 'stream of the source cut'] = drawn
      .filter((one) => mayKillIsthmus || !one.startsWith('Isthmus'))
      .toSorted((one, other) => (counts[one] ?? 0) - (counts[other] ?? 0));
    this.#note(this.#counts.faults, fault);
    switch (fault) {
      case 'stream of the source cut':
        sourceRelay.drop();
        break;
      case 'source cancels its streams':
        await source.cancelStreams();
        break;
      case 'stream of istiod 1.24.0 cut':
        newer.relay.drop();
        break;
      case 'stream of istiod 1.16.5 cut':
        older.relay.drop();
        break;
      case 'source killed':
        await source.kill();
        for (let left = this.#random.below(5); left > 0; left--) await this.#change();
        await sleep(this.#random.below(2_000));
        await source.start();
        break;
      case 'Isthmus killed':
        await this.#killIsthmus();
        await isthmus.start();
        await this.#hearAgain();
        break;
      case 'Isthmus killed while the source is down': {
        await source.kill();
        const answered = this.#eyes.map(({ istiod }) => istiod.responses('ServiceEntry'));
        await this.#killIsthmus();
        await isthmus.start();
        await until('both have an answer of an Isthmus whose source is down', () =>
          this.#eyes.every(({ istiod }, at) => istiod.responses('ServiceEntry') > (answered[at] ?? 0)),
        );
        await this.#change();
        await source.start();
        await this.#hearAgain();
        break;
      }
      case 'istiod 1.24.0 killed':
        await newer.istiod.kill();
        await newer.istiod.start();
        break;
      case 'istiod 1.16.5 killed':
        await older.istiod.kill();
        await older.istiod.start();
        break;
      case 'a namespace deleted, and released':
        await this.#deleteNamespace();
    }
  }

  async #killIsthmus(): Promise<void> {
    await this.#forgetSaved();
    this.#unsaved += this.#fresh.size;
    this.#tell(`not in a file: ${[...this.#fresh].map(shortOf).join(' ')}`);
    for (const key of this.#fresh) {
      this.#excused.set(
        key,
        this.#eyes.map(({ sampler }) => sampler.requires(key)),
      );
    }
    this.#release(this.#fresh);
    await this.#parts.isthmus.kill();
  }

  /** Until everything that is true is there again. */
  async #hearAgain(): Promise<void> {
    await this.#agree();
    this.#excused.clear();
  }

  /** What every istiod has, Isthmus has; and where nothing is due, it is in a file. */
  async #forgetSaved(): Promise<void> {
    const known = [...this.#fresh].filter((key) => this.#eyes.every(({ sampler }) => sampler.requires(key)));
    if (await this.#parts.isthmus.saved()) for (const key of known) this.#fresh.delete(key);
  }

  async #deleteNamespace(): Promise<void> {
    const { isthmus } = this.#parts;
    await this.#agree();
    const gone = this.#keys('whole');
    // Every look has to find it until its owner says that it is meant to go.
    await this.#parts.source.removeAll(gone);
    await until('all of it is held', async () => (await isthmus.held()) === gone.length);
    const goals = this.#eyes.map(({ sampler }) => sampler.counted + 4);
    await until('it was looked at', () => this.#eyes.every(({ sampler }, at) => sampler.counted >= (goals[at] ?? 0)));
    this.#forget(gone);
    await isthmus.ask('guard', 'release', '--origin=origin', '--collection=ServiceEntry');
    await this.#agree();
    await this.#put(this.#wholeNamespace());
    await this.#agree();
  }

  /** Every istiod comes to hold what is true, and nothing else. */
  async #agree(): Promise<void> {
    const { source, isthmus } = this.#parts;
    await until('Isthmus has heard its source', () => isthmus.heard());
    const held = await isthmus.held();
    if (held > 0) {
      // The process was killed soon after another one, and its file is older than what has gone since.
      this.#heldAgain += held;
      this.#tell(`released again: ${held}`);
      await isthmus.ask('guard', 'release');
    }
    await checkAllHold({ manifests: () => source.manifests(), istiods: this.#eyes.map(({ istiod }) => istiod) });
    this.#checks++;
  }
}

/** "namespace/name". */
function shortOf(key: string): string {
  return key.slice(key.indexOf('/') + 1);
}
