import type { Quarantined } from '../model/change.ts';
import type { Effect, EffectCause, EffectCounts, Effects, EffectSort } from '../model/effects.ts';
import { noRow, type ResourcePool } from '../model/resource.ts';
import type { Listed } from '../model/snapshot.ts';
import { keyOf, resourceRange } from '../wire/resource-frame.ts';

/** Resources that are named, with copies of their forms. The others are counted: that costs the same for 100,000. */
export const maxNamed = 20;

/** The same of those that are removed or quarantined: they are named first, whatever else a message brings. */
const maxFirst = 10;

/** A larger form is not copied. Most resources have less than a kilobyte. */
export const maxCopyBytes = 64 << 10;

/** What is kept of the reason of a quarantined resource, in characters. */
const maxNote = 500;

type Counts = Record<EffectSort, number>;

/**
 * What changes in what istiod is given by one message, or one decision: how much, and of the first few which. Nothing is
 * decoded; a resource beyond those few is a number that grows.
 */
export class EffectTally {
  /** Why it changes. Of a restart nothing is named. */
  cause: EffectCause = 'message';
  #counts = noCounts();
  #removed: Effect[] = [];
  #quarantined: Effect[] = [];
  #others: Effect[] = [];
  /** The form of a row that is about to be overwritten, where it is copied. */
  #old: Buffer | undefined;

  /** The same list, with a note of each row that is overwritten in there. */
  watching(pool: ResourcePool, { remove, add, replace }: Listed): Listed {
    return {
      remove: (row) => {
        if (this.#hasRoom(this.#others, maxNamed)) this.#old = copyOf(pool, row);
        remove(row);
      },
      add: (row) => {
        add(row);
        this.#overwritten(pool, row);
      },
      replace,
    };
  }

  #overwritten(pool: ResourcePool, row: number): void {
    this.#counts.changed++;
    if (!this.#hasRoom(this.#others, maxNamed)) return;
    const forms = { before: this.#old, after: copyOf(pool, row), isTooLarge: isTooLarge(pool, row) };
    this.#others.push({ ...newEffect('changed', keyOf(pool, row)), ...forms });
    this.#old = undefined;
  }

  /** Takes note of rows with new keys. */
  added(pool: ResourcePool, rows: readonly number[]): void {
    this.#counts.added += rows.length;
    for (const row of rows) {
      if (!this.#hasRoom(this.#others, maxNamed)) return;
      this.#others.push(newEffectOf('added', pool, noRow, row));
    }
  }

  /**
   * Takes note that `row` is sent in the place of `old`, both of one key, either {@link noRow} where there is none. To be
   * called while the bytes of both are there; what is given back already is not copied.
   *
   * @param key of both. Default: it is read.
   * @param sentFrom whose form is sent, where it is not that of the source that is listened to; asked for a few.
   */
  replaced(pool: ResourcePool, old: number, row: number, key?: string, sentFrom?: () => string | undefined): void {
    const sort = row === noRow ? 'removed' : old === noRow ? 'added' : 'changed';
    this.#counts[sort]++;
    const list = sort === 'removed' ? this.#removed : this.#others;
    if (!this.#hasRoom(list, sort === 'removed' ? maxFirst : maxNamed)) return;
    list.push({ ...newEffectOf(sort, pool, old, row, key), sentFrom: sentFrom?.() });
  }

  /** Takes note of a form that is not sent. @param isOldSent whether an earlier one is. */
  quarantined({ key, reason, message }: Quarantined, isOldSent: boolean): void {
    this.#counts.quarantined++;
    if (!this.#hasRoom(this.#quarantined, maxFirst)) return;
    const sent = isOldSent ? 'the form before stays' : 'there is no earlier form';
    // A text of its own: a slice would keep all of it in memory.
    const note = Buffer.from(`${reason}; ${sent}: ${message}`.slice(0, maxNote)).toString();
    this.#quarantined.push({ ...newEffect('quarantined', key), note });
  }

  #hasRoom(list: readonly Effect[], max: number): boolean {
    return list.length < max && this.cause !== 'restart';
  }

  /** What there was, and forgets it; undefined where that is nothing. */
  take(origin: string | undefined, kind: string): Effects | undefined {
    const { cause } = this;
    const others = this.#counts;
    this.cause = 'message';
    if (others.added + others.changed + others.removed + others.quarantined === 0) return undefined;
    const named = [...this.#removed, ...this.#quarantined, ...this.#others].slice(0, maxNamed);
    for (const { sort } of named) others[sort]--;
    this.#counts = noCounts();
    this.#removed = [];
    this.#quarantined = [];
    this.#others = [];
    return { origin, kind, cause, named, others: others satisfies EffectCounts };
  }
}

function noCounts(): Counts {
  return { added: 0, changed: 0, removed: 0, quarantined: 0 };
}

/** The Resource of a row, as memory of its own; undefined where it is too large, and where there is none any more. */
function copyOf(pool: ResourcePool, row: number): Buffer | undefined {
  if (row === noRow || !pool.isInUse(row) || isTooLarge(pool, row)) return undefined;
  const [start, end] = resourceRange(pool, row);
  // Not a part of the memory that small buffers share: it may be kept for long.
  const copy = Buffer.allocUnsafeSlow(end - start);
  copy.set(pool.chunk(row).subarray(start, end));
  return copy;
}

function isTooLarge(pool: ResourcePool, row: number): boolean {
  return row !== noRow && pool.bytes(row) > maxCopyBytes;
}

function newEffectOf(sort: EffectSort, pool: ResourcePool, old: number, row: number, key?: string): Effect {
  return {
    ...newEffect(sort, key ?? keyOf(pool, row === noRow ? old : row)),
    before: copyOf(pool, old),
    after: copyOf(pool, row),
    isTooLarge: isTooLarge(pool, old) || isTooLarge(pool, row),
  };
}

function newEffect(sort: EffectSort, key: string): Effect {
  return { sort, key, before: undefined, after: undefined, isTooLarge: false, sentFrom: undefined, note: undefined };
}
