import { setImmediate as nextTurn } from 'node:timers/promises';
import { type CensusView, type KindCensus, namesOfTally, type Tally } from '../model/census.ts';
import type { Clock } from '../model/clock.ts';
import { kinds, serviceEntryId } from '../model/kinds.ts';
import type { ResourcePool } from '../model/resource.ts';
import { countTurn } from '../model/sizes.ts';
import type { Snapshot } from '../model/snapshot.ts';
import { viewed } from '../wire/bytes.ts';
import { labelOf } from '../wire/labels.ts';
import { keyOf } from '../wire/resource-frame.ts';
import { unaddressedHosts } from '../wire/unaddressed.ts';
import { lowerBound } from './merge.ts';

const revisionLabel = viewed(Buffer.from('istio.io/rev'));

/** A look at everything rests so many times as long as it took: it never takes over half a percent of the time. */
const restFactor = 200;

/** What takes no longer than this needs no rest. */
const shortMs = 5;

/** Values of the label that are told apart: more than any mesh has revisions. */
const maxLabels = 200;

type OpenTally = { count: number; readonly names: string[] };
type OpenCensus = { labels: Map<string, OpenTally>; otherLabels: OpenTally; unaddressedHosts: number };

/** What the census reads of the store. */
type Snapshots = { snapshot(kindId: string): Snapshot | undefined };

/**
 * Counts what the operator may want to know of all resources that are published, beside the way to istiod: nothing is
 * done until somebody asks, and then only for kinds of which the content is another one, in turns. However often the
 * content changes and somebody asks, it takes a small share of the time.
 */
export class Census implements CensusView {
  readonly #store: Snapshots;
  readonly #counted = new Map<string, { readonly identity: string; readonly census: KindCensus }>();
  #running: Promise<void> = Promise.resolve();
  /** Those who ask before it has begun share it. */
  #waiting: Promise<boolean> | undefined;
  readonly #clock: Clock;
  #restUntil = Number.NEGATIVE_INFINITY;

  constructor(store: Snapshots, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  of(kindId: string): KindCensus | undefined {
    return this.#counted.get(kindId)?.census;
  }

  refresh(): Promise<boolean> {
    this.#waiting ??= this.#running.then(() => {
      this.#waiting = undefined;
      if (this.#clock.now() < this.#restUntil) return kinds.every(({ id }) => this.#uncounted(id) === undefined);
      const counting = this.#countAll();
      this.#running = counting.catch(() => {});
      return counting.then(() => true);
    });
    return this.#waiting;
  }

  /** What is published of a kind, where it is not what was counted last. */
  #uncounted(kindId: string): Snapshot | undefined {
    const snapshot = this.#store.snapshot(kindId);
    return snapshot?.identity === this.#counted.get(kindId)?.identity ? undefined : snapshot;
  }

  async #countAll(): Promise<void> {
    let tookMs = 0;
    for (const { id } of kinds) {
      const snapshot = this.#uncounted(id);
      if (snapshot === undefined) continue;
      const { identity } = snapshot;
      // Content that changes meanwhile is counted as it was at some moment; then its identity is another one the next time.
      const { census, turnsMs } = await this.#count(id, snapshot);
      this.#counted.set(id, { identity, census });
      tookMs += turnsMs;
    }
    if (tookMs > shortMs) this.#restUntil = this.#clock.now() + restFactor * tookMs;
  }

  async #count(kindId: string, { pool, rows }: Snapshot): Promise<{ census: KindCensus; turnsMs: number }> {
    const census: OpenCensus = { labels: new Map(), otherLabels: newTally(), unaddressedHosts: 0 };
    let list = rows;
    let turnsMs = 0;
    for (let at = 0; at < list.length; ) {
      const began = this.#clock.now();
      const end = Math.min(at + countTurn, list.length);
      for (; at < end; at++) look(census, kindId, pool, list[at] as number);
      turnsMs += this.#clock.now() - began;
      if (at === list.length) break;
      const last = keyOf(pool, list[at - 1] as number);
      await nextTurn();
      const now = this.#store.snapshot(kindId)?.rows ?? list;
      if (now === list) continue;
      list = now;
      at = lowerBound(pool, list, last, 0);
      if (at < list.length && keyOf(pool, list[at] as number) === last) at++;
    }
    return { census, turnsMs };
  }
}

function look(census: OpenCensus, kindId: string, pool: ResourcePool, row: number): void {
  if (kindId === serviceEntryId) census.unaddressedHosts += unaddressedHosts(pool, row);
  const label = labelOf(pool, row, revisionLabel);
  if (label === undefined) return;
  let tally = census.labels.get(label);
  if (tally === undefined) {
    tally = census.labels.size < maxLabels ? newTally() : census.otherLabels;
    if (tally !== census.otherLabels) census.labels.set(label, tally);
  }
  tally.count++;
  if (tally.names.length < namesOfTally) tally.names.push(keyOf(pool, row));
}

function newTally(): OpenTally {
  return { count: 0, names: [] } satisfies Tally;
}
