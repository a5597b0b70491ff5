import type { Change, Quarantined } from '../model/change.ts';
import { noRow, type ResourcePool } from '../model/resource.ts';
import type { ListedSum } from '../model/snapshot.ts';
import { Arena, relocate } from '../wire/arena.ts';
import { keyOf } from '../wire/resource-frame.ts';
import { ResourceTable } from '../wire/resource-table.ts';
import { Guard } from './guard.ts';

/**
 * What is known of one collection of one origin:
 * `waiting`: it has not spoken yet · `synced`: it has · `silent`: it never spoke while others did, which counts
 * as empty · `unsupported`: the source refused the collection, which counts as empty too.
 */
export type SyncState = 'waiting' | 'synced' | 'silent' | 'unsupported';

/** A quarantined resource, with its history. */
export type QuarantineEntry = Quarantined & {
  readonly since: Date;
  /** True where an earlier, good form of it is being sent. */
  readonly lastGoodSent: boolean;
};

/** Garbage that is not worth a look. */
const smallGarbageBytes = 4 << 20;

/** Resources that are put in, or moved, without a pause: about 5 ms. */
const sliceSize = 2000;

/** Resources that may lie out of order in memory before they are laid out anew. */
const maxScattered = 1000;

/**
 * The three states of one origin and kind. `effective` is kept whole; the other two are kept as what differs
 * from it, since they are nearly always equal: received = effective − withheld + quarantined,
 * released = received + withheld.
 */
export class Holding {
  readonly resources: ResourceTable;
  readonly quarantine = new Map<string, QuarantineEntry>();
  /** Keys that stay although the source does not name them any more. */
  readonly withheld = new Set<string>();
  arena = new Arena();
  /** Set by the store while nobody else holds the kind. */
  listed: ListedSum | undefined;
  sync: SyncState = 'waiting';
  /** Messages taken so far, and when the last one came. */
  messages = 0;
  lastMessageAt: Date | undefined;

  readonly #guard = new Guard();
  /** Bytes of {@link resources}. */
  #liveBytes = 0;
  /** Resources that came since the last time that all were laid out, at most. */
  #scattered = 0;

  /** @param pool of the kind. */
  constructor(pool: ResourcePool) {
    this.resources = new ResourceTable(pool);
  }

  /** Resources that the source says it has, good and bad. */
  get received(): number {
    let onlyBad = 0;
    for (const key of this.quarantine.keys()) if (!this.resources.has(key)) onlyBad++;
    return this.resources.size - this.withheld.size + onlyBad;
  }

  get released(): number {
    return this.received + this.withheld.size;
  }

  /**
   * Puts the resources of new keys in: what {@link apply} would do first. Yields when something else should get its
   * turn; nothing of them is sent before {@link apply}.
   */
  *admit({ upserts, fresh }: Change): Generator<void> {
    const first = upserts.length - fresh.length;
    for (let i = first; i < upserts.length; i++) {
      if (i > first && (i - first) % sliceSize === 0) yield;
      this.#put(upserts[i] as number, noRow);
    }
  }

  #put(row: number, replaced: number | undefined): void {
    const { pool } = this.resources;
    const old = this.resources.put(row, replaced);
    this.#liveBytes += pool.bytes(row);
    if (old === noRow) return;
    pool.setAt(row, pool.at(old));
    this.#release(old);
  }

  /** Applies `change`; returns the keys whose effective form is another one now. */
  apply(change: Change, now: Date): { upserts: readonly number[]; removals: readonly string[]; withheld: number } {
    const { removals, withheld } = this.#guard.judge(change);
    if (change.full) this.withheld.clear();
    else for (const key of this.#spokenOf(change)) this.withheld.delete(key);
    for (const key of withheld) this.withheld.add(key);

    const gone: string[] = [];
    for (const key of removals) {
      const old = this.resources.delete(key);
      if (old === noRow) continue;
      this.#release(old);
      gone.push(key);
    }
    const { upserts, replaced } = change;
    for (let i = 0; i < upserts.length; i++) {
      const row = upserts[i] as number;
      if (!this.resources.holds(row)) this.#put(row, replaced[i]);
    }
    this.#updateQuarantine(change, now);
    this.#scattered = Math.min(this.#scattered + upserts.length, this.resources.size);
    this.sync = 'synced';
    this.messages++;
    this.lastMessageAt = now;
    return { upserts, removals: gone, withheld: withheld.length };
  }

  #updateQuarantine(change: Change, now: Date): void {
    const before = new Map(this.quarantine);
    if (change.full) this.quarantine.clear();
    else for (const key of this.#spokenOf(change)) this.quarantine.delete(key);
    for (const entry of change.quarantined) {
      const known = before.get(entry.key);
      const since = known !== undefined && known.reason === entry.reason ? known.since : now;
      this.quarantine.set(entry.key, { ...entry, since, lastGoodSent: this.resources.has(entry.key) });
    }
  }

  #release(row: number): void {
    const { pool } = this.resources;
    const bytes = pool.bytes(row);
    this.#liveBytes -= bytes;
    this.arena.release(pool.chunk(row), bytes);
    pool.retire(row);
  }

  /** True where more than half of the memory is garbage: then it should be laid out anew. */
  get isWasteful(): boolean {
    return this.arena.heldBytes > 2 * this.#liveBytes + smallGarbageBytes;
  }

  /**
   * True where it should be laid out anew so that a response is a few large pieces.
   *
   * @param changed resources that are new in the merged list. While most of what is scattered is, the next change may be
   * as large, and the work for nothing.
   */
  isScattered(changed: number): boolean {
    return this.#scattered > Math.max(maxScattered, 2 * changed);
  }

  /**
   * Moves everything to a new arena, in the order of the merged list. Frames that were made before keep the old bytes
   * alive until dropped. Yields when something else should get its turn: what moved so far lies somewhere else then.
   *
   * @param listed the merged list.
   */
  *layOut(listed: Int32Array): Generator<void> {
    const { pool } = this.resources;
    this.arena = new Arena();
    this.#scattered = 0;
    const unlisted = this.resources.rows().filter((row) => !pool.isListed(row));
    // What is not held any more, or not here, is somebody else's; what has come meanwhile is there already.
    const isToMove = (row: number) => this.resources.holds(row) && !this.arena.has(pool.chunk(row));
    for (const rows of [listed, unlisted]) {
      for (let i = 0; i < rows.length; i += sliceSize) {
        relocate(pool, rows.subarray(i, i + sliceSize).filter(isToMove), this.arena);
        if (i + sliceSize < rows.length) yield;
      }
    }
  }

  /** Every key that an incremental message says something about. */
  *#spokenOf({ upserts, confirmed, quarantined, missing }: Change): Generator<string> {
    for (const row of upserts) yield keyOf(this.resources.pool, row);
    yield* confirmed;
    for (const { key } of quarantined) yield key;
    yield* missing;
  }
}
