import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Change, Fault, Quarantined } from '../model/change.ts';
import type { Clock, Timer } from '../model/clock.ts';
import type { Logger } from '../model/logger.ts';
import { noRow, type ResourcePool, verdicts } from '../model/resource.ts';
import { listTurn, placeTurn } from '../model/sizes.ts';
import type { Holding } from '../store/holding.ts';
import type { Form, Store } from '../store/store.ts';
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

/** What is wrong, and nobody was told of yet. */
type Found = { readonly key: string; readonly fault: Fault };

/** How rows are asked for. */
type Asked = {
  /** While a change waits for the answer. @default none does */
  readonly isWanted?: () => boolean;
  /** What still has to hold a row when the answer comes. @default nothing in particular */
  readonly holding?: Holding;
};

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
   * Waits for the verdict on each form in `change` that would take the place of another one, or that another origin has
   * too, and takes those out that are worse than what the origin itself holds: the held form stays. Called in the
   * holding's turn, before the change is applied. What could not be judged in time stays in.
   */
  async judge(origin: string, kindId: string, change: Change): Promise<Change> {
    const { upserts, replaced, fresh } = change;
    const { store } = this.#options;
    const isShared = store.isShared(kindId);
    const looked = isShared ? upserts.length : upserts.length - fresh.length;
    if (looked === 0) return change;
    const holding = store.holding(origin, kindId);
    const { pool } = holding.resources;
    const asked: number[] = [];
    const others = new Map<number, Form>();
    const turn = isShared ? placeTurn : listTurn;
    for (let i = 0; i < looked; i++) {
      if (i > 0 && i % turn === 0) await nextTurn();
      const row = upserts[i] as number;
      const old = replaced[i] ?? noRow;
      const forms = isShared ? store.formsOf(kindId, keyOf(pool, row), origin) : none;
      if (old === noRow && forms.length === 0) continue;
      for (const form of forms) others.set(form.row, form);
      for (const one of [row, old, ...forms.map((form) => form.row)]) {
        if (one !== noRow && pool.verdict(one) === verdicts.unjudged) asked.push(one);
      }
    }
    const faults = await this.#waitFor(kindId, pool, asked, others);
    if (faults.size === 0) return change;
    return this.#without(origin, kindId, change, holding, faults);
  }

  /** Takes out of a change what is worse than what is held, and takes note of what is not valid and stays in. */
  async #without(
    origin: string,
    kindId: string,
    change: Change,
    holding: Holding,
    faults: ReadonlyMap<number, Fault>,
  ): Promise<Change> {
    const { pool } = holding.resources;
    const upserts: number[] = [];
    const replaced: number[] = [];
    const quarantined: Quarantined[] = [...change.quarantined];
    const found: Found[] = [];
    for (const [i, row] of change.upserts.entries()) {
      if (i > 0 && i % placeTurn === 0) await nextTurn();
      const old = change.replaced[i] ?? noRow;
      const fault = faults.get(row);
      const isWorse =
        fault !== undefined && old !== noRow && !faults.has(old) && pool.verdict(old) !== verdicts.refused;
      if (isWorse) {
        quarantined.push({ key: keyOf(pool, row), named: true, ...fault });
        discard(pool, row, holding.arena);
        continue;
      }
      if (fault !== undefined) this.#refuse(holding, row, fault, found);
      upserts.push(row);
      replaced.push(old);
    }
    this.#tell(origin, kindId, found);
    return { ...change, upserts, replaced, quarantined };
  }

  /** Takes note of what is wrong with a form that an origin holds, or is about to; adds it to `found` where that is news. */
  #refuse({ resources: { pool }, refused }: Holding, row: number, fault: Fault, found: Found[]): string {
    const key = keyOf(pool, row);
    const before = refused.get(key);
    const isKnown = before?.reason === fault.reason;
    const since = isKnown ? before.since : this.#options.clock.date();
    pool.setVerdict(row, verdicts.refused);
    refused.set(key, { key, named: true, ...fault, since, lastGoodSent: false });
    if (!isKnown) found.push({ key, fault });
    return key;
  }

  /** The same of what another origin holds, if it still does: its key may have to be sent otherwise now. */
  #refuseOther(kindId: string, { origin, holding }: Form, row: number, fault: Fault, news: Map<string, Found[]>): void {
    if (!holding.resources.holds(row)) return;
    const found = news.get(origin) ?? [];
    news.set(origin, found);
    this.#options.store.refused(kindId, this.#refuse(holding, row, fault, found));
  }

  /**
   * Waits for the verdict on what several origins hold, in what an earlier process knew: which form of it is sent depends
   * on that.
   */
  async judgeShared(): Promise<void> {
    const { store } = this.#options;
    const asked = new Map<string, Map<number, Form>>();
    for (const [i, { kind, same, name, reason }] of store.conflicts.page(0, Number.POSITIVE_INFINITY).entries()) {
      if (i > 0 && i % placeTurn === 0) await nextTurn();
      // Whichever of equal forms is sent is the same.
      if (same !== 'key' || reason === 'equal') continue;
      const forms = asked.get(kind) ?? new Map<number, Form>();
      for (const form of store.formsOf(kind, name)) forms.set(form.row, form);
      asked.set(kind, forms);
    }
    for (const [kind, forms] of asked) {
      const [first] = forms.values();
      if (first === undefined) continue;
      const { pool } = first.holding.resources;
      const rows = [...forms.keys()].filter((row) => pool.verdict(row) === verdicts.unjudged);
      await this.#waitFor(kind, pool, rows, forms);
    }
  }

  /**
   * What is wrong with each row where something is; of those that were answered in time. A mistake of ours is as no answer.
   *
   * @param others rows that other origins hold: what is found of them is taken note of at once.
   */
  async #waitFor(
    kindId: string,
    pool: ResourcePool,
    rows: readonly number[],
    others: ReadonlyMap<number, Form>,
  ): Promise<ReadonlyMap<number, Fault>> {
    const faults = new Map<number, Fault>();
    if (rows.length === 0) return faults;
    const { clock, log, maxWaitMs = 10_000 } = this.#options;
    let isOver = false;
    let timer: Timer | undefined;
    const isLate = new Promise<true>((resolve) => {
      timer = clock.after(maxWaitMs, () => {
        isOver = true;
        resolve(true);
      });
    });
    const news = new Map<string, Found[]>();
    const bad = (row: number, fault: Fault) => {
      faults.set(row, fault);
      const form = others.get(row);
      if (form !== undefined) this.#refuseOther(kindId, form, row, fault, news);
    };
    const ask = async () => {
      await this.#askAll(kindId, pool, rows, bad, () => !isOver);
      for (const [origin, found] of news) this.#tell(origin, kindId, found);
    };
    const all = ask();
    all.catch((error: unknown) => {
      const fields = { err: error, hint: 'please report it' };
      log.error(fields, 'resources could not be checked by the rules of Istio; they are sent as they came');
    });
    const late = await Promise.race([all, isLate]).catch(() => undefined);
    timer?.cancel();
    if (late === true) {
      const fields = { kind: kindId, resources: rows.length, waitedMs: maxWaitMs };
      log.warn(fields, 'the rules of Istio could not be checked in time; what is not checked yet is sent as it came');
    }
    // Who is late does not change what was decided.
    return new Map(faults);
  }

  /** Settles once all of these rows were looked at, or could not be. */
  async #askAll(
    kindId: string,
    pool: ResourcePool,
    rows: readonly number[],
    bad: (row: number, fault: Fault) => void,
    isWanted: () => boolean,
  ): Promise<void> {
    const answers: Promise<unknown>[] = [];
    for await (const batch of this.#batches(kindId, pool, rows, bad)) {
      const answer = this.#ask(kindId, pool, batch, bad, { isWanted });
      answer.catch(() => {});
      answers.push(answer);
    }
    await Promise.all(answers);
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
    const found: Found[] = [];
    const bad = (row: number, fault: Fault) => {
      const key = this.#refuse(holding, row, fault, found);
      this.#options.store.refused(kindId, key);
    };
    const unjudged = () => holding.resources.rows().filter((row) => pool.verdict(row) === verdicts.unjudged);
    let isDone = true;
    for await (const batch of this.#batches(kindId, pool, unjudged(), bad, holding)) {
      if (this.#isStopped) return false;
      isDone = (await this.#ask(kindId, pool, batch, bad, { holding })) && isDone;
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
      // While others had their turn it may have been judged, or given up: of others, nobody but they hold it.
      if (!pool.isInUse(row) || pool.verdict(row) !== verdicts.unjudged) continue;
      if (holding?.resources.holds(row) === false) continue;
      const fault = known.get(pool, row);
      if (fault === 'unknown') pool.setVerdict(row, verdicts.accepted);
      else if (fault !== undefined) bad(row, fault);
      else if (maker.add(row)) yield maker.take();
    }
    if (!maker.isEmpty) yield maker.take();
  }

  /** Returns whether there was an answer. */
  async #ask(
    kindId: string,
    pool: ResourcePool,
    rows: Rows,
    bad: (row: number, fault: Fault) => void,
    { isWanted, holding }: Asked,
  ): Promise<boolean> {
    const found = await this.#options.validator.check(rows.batch, isWanted);
    if (found === undefined) return false;
    const { failed, failure, skipped = [] } = found;
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
      if (skipped.includes(place)) {
        this.#knownOf(kindId).add(pool, row, 'unknown');
        const fields = { kind: kindId, resource: keyOf(pool, row), hint: 'please report it, with the resource' };
        this.#options.log.error(fields, 'a resource can not be checked by the rules of Istio; it counts as valid');
      }
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

  #tell(source: string, kind: string, found: readonly Found[]): void {
    for (const [i, { key, fault }] of found.slice(0, maxLines).entries()) {
      const more = i === maxLines - 1 && found.length > maxLines ? { more: found.length - maxLines } : {};
      const hint = 'mend it at the source; it is sent as it came, since no better form of it is known';
      const fields = { source, kind, resource: key, reason: fault.reason, hint, ...more };
      this.#options.log.warn(fields, `a resource is not valid: ${fault.message}`);
    }
  }
}

const none: readonly never[] = [];
