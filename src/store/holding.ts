import type { Change, Quarantined } from '../model/change.ts';
import type { Resource } from '../model/resource.ts';
import { sizeOf } from '../model/resource.ts';
import { Arena } from '../wire/arena.ts';
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

/** Garbage below which compaction is not worth a look. */
const smallGarbageBytes = 4 << 20;

/**
 * The three states of one origin and kind. `effective` is kept whole; the other two are kept as what differs
 * from it, since they are nearly always equal: received = effective − withheld + quarantined,
 * released = received + withheld.
 */
export class Holding {
  readonly resources = new Map<string, Resource>();
  readonly quarantine = new Map<string, QuarantineEntry>();
  /** Keys that stay although the source does not name them any more. */
  readonly withheld = new Set<string>();
  arena = new Arena();
  sync: SyncState = 'waiting';
  /** Messages taken so far, and when the last one came. */
  messages = 0;
  lastMessageAt: Date | undefined;

  readonly #guard = new Guard();
  #retiredBytes = 0;

  /** Resources that the source says it has, good and bad. */
  get received(): number {
    let onlyBad = 0;
    for (const key of this.quarantine.keys()) if (!this.resources.has(key)) onlyBad++;
    return this.resources.size - this.withheld.size + onlyBad;
  }

  get released(): number {
    return this.received + this.withheld.size;
  }

  /** Applies `change`; returns the keys whose effective form is another one now. */
  apply(change: Change, now: Date): { upserts: readonly Resource[]; removals: readonly string[]; withheld: number } {
    const { removals, withheld } = this.#guard.judge(change);
    this.#updateQuarantine(change, now);
    if (change.full) this.withheld.clear();
    for (const key of withheld) this.withheld.add(key);

    const gone: string[] = [];
    for (const key of removals) {
      const old = this.resources.get(key);
      if (old === undefined) continue;
      this.#retiredBytes += sizeOf(old);
      this.resources.delete(key);
      gone.push(key);
    }
    for (const resource of change.upserts) {
      const old = this.resources.get(resource.key);
      if (old !== undefined) this.#retiredBytes += sizeOf(old);
      this.resources.set(resource.key, resource);
      if (!change.full) this.withheld.delete(resource.key);
    }
    this.sync = 'synced';
    this.messages++;
    this.lastMessageAt = now;
    return { upserts: change.upserts, removals: gone, withheld: withheld.length };
  }

  #updateQuarantine(change: Change, now: Date): void {
    const before = new Map(this.quarantine);
    if (change.full) this.quarantine.clear();
    else {
      for (const key of change.missing) this.quarantine.delete(key);
      for (const { key } of change.upserts) this.quarantine.delete(key);
    }
    for (const entry of change.quarantined) {
      const known = before.get(entry.key);
      const since = known !== undefined && known.reason === entry.reason ? known.since : now;
      this.quarantine.set(entry.key, { ...entry, since, lastGoodSent: this.resources.has(entry.key) });
    }
  }

  /**
   * Gives memory back once more than half of it is of resources that were replaced: moves what is live to a new
   * arena, in place. Returns true where it moved; frames built before keep the old bytes alive until dropped.
   */
  compact(): boolean {
    if (this.#retiredBytes < smallGarbageBytes) return false;
    const chunks = new Set<Buffer>();
    let live = 0;
    let held = 0;
    for (const resource of this.resources.values()) {
      live += sizeOf(resource);
      if (!chunks.has(resource.chunk)) {
        chunks.add(resource.chunk);
        held += resource.chunk.length;
      }
    }
    this.#retiredBytes = 0;
    if (held <= 2 * live + smallGarbageBytes) return false;
    const arena = new Arena();
    for (const resource of this.resources.values()) {
      const size = sizeOf(resource);
      arena.reserve(size);
      const { chunk, offset } = arena;
      resource.chunk.copy(chunk, offset, resource.start, resource.end);
      resource.chunk = chunk;
      resource.start = offset;
      resource.end = offset + size;
      arena.commit(size);
    }
    this.arena = arena;
    return true;
  }
}
