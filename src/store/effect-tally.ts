import type { Quarantined } from '../model/change.ts';
import type { Effect, EffectCause, Effects, EffectSort } from '../model/effects.ts';
import { noRow, type ResourcePool } from '../model/resource.ts';
import type { Listed } from '../model/snapshot.ts';
import { shortened } from '../model/texts.ts';
import { keyOf, resourceRange } from '../wire/resource-frame.ts';

/** Resources that are named, with copies of their forms. The others are counted: that costs the same for 100,000. */
export const maxNamed = 20;

/** The same of those that are removed or quarantined: they are named first, whatever else a message brings. */
const maxFirst = 10;

/** A larger form is not copied. Most resources have less than a kilobyte. */
export const maxCopyBytes = 64 << 10;

/** What is kept of the reason of a quarantined resource, in characters. */
const maxNote = 500;

/**
 * What changes in what istiod is given by one message, or one decision: how much, and of the first few which. Nothing is
 * decoded; a resource beyond those few is a number that grows.
 */
export class EffectTally {
  #cause: EffectCause = 'message';
  #added = 0;
  #changed = 0;
  #removed = 0;
  #quarantined = 0;
  /** Those that are named. */
  #gone: Effect[] = [];
  #refused: Effect[] = [];
  #others: Effect[] = [];
  #isNaming = true;

  /** @param cause of what is to come. */
  constructor(cause: EffectCause = 'message') {
    this.begin(cause);
  }

  /** Says why it changes what comes from now on. Of a restart nothing is named. */
  begin(cause: EffectCause): void {
    this.#cause = cause;
    this.#isNaming = cause !== 'restart' && this.#others.length < maxNamed;
  }

  /** False once what is added or changed is only counted. */
  get isNaming(): boolean {
    return this.#isNaming;
  }

  /** The same list, with the name of each row that is overwritten in there. To be used while {@link isNaming}. */
  watching(pool: ResourcePool, { remove, add, replace }: Listed): Listed {
    let before: Buffer | undefined;
    return {
      remove: (row) => {
        before = copyOf(pool, row);
        remove(row);
      },
      add: (row) => {
        add(row);
        this.#name({ ...newEffect('changed', keyOf(pool, row)), before, ...formAfter(pool, row) });
        before = undefined;
      },
      replace,
    };
  }

  /** Takes note that so many rows were overwritten. */
  overwritten(count: number): void {
    this.#changed += count;
  }

  /** Takes note of rows with new keys. */
  added(pool: ResourcePool, rows: readonly number[]): void {
    this.#added += rows.length;
    for (const row of rows) {
      if (!this.#isNaming) return;
      this.#name(newEffectOf('added', pool, noRow, row));
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
    if (row === noRow) {
      this.#removed++;
      if (this.#gone.length === maxFirst || this.#cause === 'restart') return;
      this.#gone.push(newEffectOf('removed', pool, old, row, key));
      return;
    }
    if (old === noRow) this.#added++;
    else this.#changed++;
    if (!this.#isNaming) return;
    const sort = old === noRow ? 'added' : 'changed';
    this.#name({ ...newEffectOf(sort, pool, old, row, key), sentFrom: sentFrom?.() });
  }

  /** Takes note of a form that is not sent. @param isOldSent whether an earlier one is. */
  quarantined({ key, reason, message }: Quarantined, isOldSent: boolean): void {
    this.#quarantined++;
    if (this.#refused.length === maxFirst) return;
    const sent = isOldSent ? 'the form before stays' : 'there is no earlier form';
    const note = shortened(`${reason}; ${sent}: ${message}`, maxNote);
    this.#refused.push({ ...newEffect('quarantined', key), note });
  }

  #name(effect: Effect): void {
    this.#others.push(effect);
    if (this.#others.length === maxNamed) this.#isNaming = false;
  }

  /** What there was, and forgets it; undefined where that is nothing. */
  take(origin: string | undefined, kind: string): Effects | undefined {
    const named = [...this.#gone, ...this.#refused, ...this.#others].slice(0, maxNamed);
    const cause = this.#cause;
    // What was overwritten by a message that was never read to its end is named, and was not counted.
    const rest = (all: number, sort: EffectSort) => Math.max(0, all - named.filter((one) => one.sort === sort).length);
    const others = {
      added: rest(this.#added, 'added'),
      changed: rest(this.#changed, 'changed'),
      removed: rest(this.#removed, 'removed'),
      quarantined: rest(this.#quarantined, 'quarantined'),
    };
    this.#added = this.#changed = this.#removed = this.#quarantined = 0;
    this.#gone = [];
    this.#refused = [];
    this.#others = [];
    this.begin('message');
    const isNothing = named.length + others.added + others.changed + others.removed + others.quarantined === 0;
    return isNothing ? undefined : { origin, kind, cause, named, others };
  }
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

/** What is there of a row after it was overwritten: it has the length that it had. */
function formAfter(pool: ResourcePool, row: number): Pick<Effect, 'after' | 'isTooLarge'> {
  return { after: copyOf(pool, row), isTooLarge: isTooLarge(pool, row) };
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
