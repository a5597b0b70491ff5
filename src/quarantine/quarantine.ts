import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Change, Fault, Quarantined } from '../model/change.ts';
import type { Clock, Timer } from '../model/clock.ts';
import type { Logger } from '../model/logger.ts';
import { noRow, type ResourcePool, verdicts } from '../model/resource.ts';
import { listTurn, placeTurn } from '../model/sizes.ts';
import type { Holding } from '../store/holding.ts';
import type { Store } from '../store/store.ts';
import { discard } from '../wire/arena.ts';
import { keyOf } from '../wire/resource-frame.ts';
import { BatchMaker, type Rows } from './batch-maker.ts';
import { KnownFaults } from './known-faults.ts';
import type { Validator } from './validator.ts';

export type QuarantineOptions = {
  readonly store: Store;
  readonly validator: Validator;
  readonly clock: Clock;
  readonly log: Logger;
  /** A change waits for its verdict for so long at most. @default 10000 */
  readonly maxWaitMs?: number;
};

/** Pause between two looks for what nobody has judged yet. */
const sweepMs = 1000;

/** Lines of one look about single resources. */
const maxLines = 20;

/**
 * Holds what Istio's rules say against what is sent. A form that breaks one does not take the place of a better one; where
 * there is none it is sent as it came, because a mistake of ours must not lose a service, and is shown. Looks at what has
 * changed only, in a thread of its own.
 */
export class Quarantine {
  readonly #options: QuarantineOptions;
  readonly #known = new Map<string, KnownFaults>();
  /** {@link Holding.revision} up to which everything in a holding has been judged. */
  readonly #swept = new WeakMap<Holding, number>();
  #timer: Timer | undefined;
  #isStopped = false;

  constructor(options: QuarantineOptions) {
    this.#options = options;
  }

  /** Begins to look at what is held without a verdict: what came first, and what an earlier process knew. */
  start(): void {
    this.#timer = this.#options.clock.after(sweepMs, () => {
      void this.#sweepAll()
        .catch((error: unknown) => {
          // What was to be looked at is looked at the next time.
          const fields = { err: error, hint: 'please report it' };
          this.#options.log.error(fields, 'resources could not be checked by the rules of Istio');
        })
        .finally(() => {
          if (!this.#isStopped) this.start();
        });
    });
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.#options.validator.stop();
  }

  /**
   * Waits for the verdict on each form in `change` that would take the place of another one, and takes those out that are
   * worse: the held form stays. Called in the holding's turn, before the change is applied. What could not be judged in
   * time stays in.
   */
  async judge(origin: string, kindId: string, change: Change): Promise<Change> {
    const { upserts, replaced, fresh } = change;
    const known = upserts.length - fresh.length;
    if (known === 0) return change;
    const holding = this.#options.store.holding(origin, kindId);
    const { pool } = holding.resources;
    const asked: number[] = [];
    for (let i = 0; i < known; i++) {
      if (i > 0 && i % listTurn === 0) await nextTurn();
      const old = replaced[i] ?? noRow;
      if (old === noRow) continue;
      for (const row of [upserts[i] as number, old]) if (pool.verdict(row) === verdicts.unjudged) asked.push(row);
    }
    const faults = await this.#waitFor(kindId, pool, asked);
    if (faults.size === 0) return change;
    const isWorse = (row: number, old: number) =>
      old !== noRow && faults.has(row) && !faults.has(old) && pool.verdict(old) !== verdicts.refused;
    return this.#without(change, holding, faults, isWorse);
  }

  async #without(
    change: Change,
    { resources: { pool }, arena }: Holding,
    faults: ReadonlyMap<number, Fault>,
    isWorse: (row: number, old: number) => boolean,
  ): Promise<Change> {
    const upserts: number[] = [];
    const replaced: number[] = [];
    const quarantined: Quarantined[] = [...change.quarantined];
    for (const [i, row] of change.upserts.entries()) {
      if (i > 0 && i % placeTurn === 0) await nextTurn();
      const old = change.replaced[i] ?? noRow;
      if (!isWorse(row, old)) {
        upserts.push(row);
        replaced.push(old);
        continue;
      }
      quarantined.push({ key: keyOf(pool, row), named: true, ...(faults.get(row) as Fault) });
      discard(pool, row, arena);
    }
    return { ...change, upserts, replaced, quarantined };
  }

  /** What is wrong with each row where something is; of those that were answered in time. */
  async #waitFor(kindId: string, pool: ResourcePool, rows: readonly number[]): Promise<Map<number, Fault>> {
    const faults = new Map<number, Fault>();
    if (rows.length === 0) return faults;
    const { clock, log, maxWaitMs = 10_000 } = this.#options;
    let timer: Timer | undefined;
    const isLate = new Promise<true>((resolve) => {
      timer = clock.after(maxWaitMs, () => resolve(true));
    });
    const answers: Promise<boolean>[] = [];
    const bad = (row: number, fault: Fault) => void faults.set(row, fault);
    for await (const batch of this.#batches(kindId, pool, rows, bad)) {
      answers.push(this.#ask(kindId, pool, batch, true, bad));
    }
    const late = await Promise.race([Promise.all(answers), isLate]);
    timer?.cancel();
    if (late === true) {
      const fields = { kind: kindId, resources: rows.length, waitedMs: maxWaitMs };
      log.warn(fields, 'the rules of Istio could not be checked in time; what is not checked yet is sent as it came');
    }
    // Who is late does not change what was decided.
    return late === true ? new Map(faults) : faults;
  }

  async #sweepAll(): Promise<void> {
    for (const [origin, holdings] of this.#options.store.origins) {
      for (const [kindId, holding] of holdings) {
        if (this.#isStopped) return;
        const { revision } = holding;
        if (this.#swept.get(holding) === revision) continue;
        if (await this.#sweep(origin, kindId, holding)) this.#swept.set(holding, revision);
      }
    }
  }

  /** Judges what nobody has judged; false where something could not be. */
  async #sweep(origin: string, kindId: string, holding: Holding): Promise<boolean> {
    const { pool } = holding.resources;
    const found: { key: string; fault: Fault }[] = [];
    const bad = (row: number, fault: Fault) => {
      const key = keyOf(pool, row);
      const before = holding.refused.get(key);
      pool.setVerdict(row, verdicts.refused);
      const isKnown = before?.reason === fault.reason;
      const since = isKnown ? before.since : this.#options.clock.date();
      holding.refused.set(key, { key, named: true, ...fault, since, lastGoodSent: false });
      if (!isKnown) found.push({ key, fault });
    };
    const unjudged = () => holding.resources.rows().filter((row) => pool.verdict(row) === verdicts.unjudged);
    let isDone = true;
    for await (const batch of this.#batches(kindId, pool, unjudged(), bad, holding)) {
      if (this.#isStopped) return false;
      isDone = (await this.#ask(kindId, pool, batch, false, bad, holding)) && isDone;
    }
    this.#tell(origin, kindId, found);
    return isDone;
  }

  /**
   * The rows in batches, each made when it is asked for; those whose fault is known already are told of instead.
   *
   * @param holding what still has to hold a row then.
   */
  async *#batches(
    kindId: string,
    pool: ResourcePool,
    rows: Iterable<number>,
    bad: (row: number, fault: Fault) => void,
    holding?: Holding,
  ): AsyncGenerator<Rows> {
    const known = this.#knownOf(kindId);
    const maker = new BatchMaker(kindId, pool);
    let passed = 0;
    for (const row of rows) {
      if (++passed % placeTurn === 0) {
        if (!maker.isEmpty) yield maker.take();
        await nextTurn();
      }
      if (holding !== undefined && (!holding.resources.holds(row) || pool.verdict(row) !== verdicts.unjudged)) continue;
      const fault = known.get(pool, row);
      if (fault !== undefined) bad(row, fault);
      else if (maker.add(row)) yield maker.take();
    }
    if (!maker.isEmpty) yield maker.take();
  }

  /** Returns whether there was an answer. */
  async #ask(
    kindId: string,
    pool: ResourcePool,
    rows: Rows,
    isUrgent: boolean,
    bad: (row: number, fault: Fault) => void,
    holding?: Holding,
  ): Promise<boolean> {
    const found = await this.#options.validator.check(rows.batch, isUrgent);
    if (found === undefined) return false;
    const { failed, failure } = found;
    if (failed > 0) {
      const hint = 'please report it';
      this.#options.log.error({ kind: kindId, resources: failed, failure, hint }, 'resources could not be checked');
    }
    const faults = new Map(found.faults);
    for (const [place, row] of rows.rows.entries()) {
      // Its number may mean another one by now; the verdict is about the content.
      if (!pool.isInUse(row) || !pool.hasContent(row, rows.contents[place] as (typeof rows.contents)[number])) continue;
      if (holding !== undefined && !holding.resources.holds(row)) continue;
      const fault = faults.get(place);
      if (fault === undefined) {
        pool.setVerdict(row, verdicts.accepted);
        if (holding !== undefined && holding.refused.size > 0) holding.refused.delete(keyOf(pool, row));
        continue;
      }
      this.#knownOf(kindId).add(pool, row, fault);
      bad(row, fault);
    }
    return true;
  }

  #knownOf(kindId: string): KnownFaults {
    let known = this.#known.get(kindId);
    if (known === undefined) this.#known.set(kindId, (known = new KnownFaults()));
    return known;
  }

  #tell(source: string, kind: string, found: readonly { key: string; fault: Fault }[]): void {
    for (const [i, { key, fault }] of found.slice(0, maxLines).entries()) {
      const more = i === maxLines - 1 && found.length > maxLines ? { more: found.length - maxLines } : {};
      const hint = 'mend it at the source; it is sent as it came, since no better form of it is known';
      const fields = { source, kind, resource: key, reason: fault.reason, hint, ...more };
      this.#options.log.warn(fields, `a resource is not valid: ${fault.message}`);
    }
  }
}
