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
  /** Most that garbage can have grown since the last look: what was replaced, and chunks that came. */
  #unexaminedBytes = 0;
  #newestChunk: Buffer | undefined;

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
    else for (const key of spokenOf(change)) this.withheld.delete(key);
    for (const key of withheld) this.withheld.add(key);

    const gone: string[] = [];
    for (const key of removals) {
      const old = this.resources.get(key);
      if (old === undefined) continue;
      this.#unexaminedBytes += sizeOf(old);
      this.resources.delete(key);
      gone.push(key);
    }
    for (const resource of change.upserts) {
      const old = this.resources.get(resource.key);
      if (old !== undefined) {
        this.#unexaminedBytes += sizeOf(old);
        resource.at = old.at;
      }
      this.resources.set(resource.key, resource);
      // A chunk may be garbage but for this one: what the intake encoded and did not keep is in it too.
      if (resource.chunk === this.#newestChunk) continue;
      this.#newestChunk = resource.chunk;
      this.#unexaminedBytes += resource.chunk.length;
    }
    this.sync = 'synced';
    this.messages++;
    this.lastMessageAt = now;
    return { upserts: change.upserts, removals: gone, withheld: withheld.length };
  }

  #updateQuarantine(change: Change, now: Date): void {
    const before = new Map(this.quarantine);
    if (change.full) this.quarantine.clear();
    else for (const key of spokenOf(change)) this.quarantine.delete(key);
    for (const entry of change.quarantined) {
      const known = before.get(entry.key);
      const since = known !== undefined && known.reason === entry.reason ? known.since : now;
      this.quarantine.set(entry.key, { ...entry, since, lastGoodSent: this.resources.has(entry.key) });
    }
  }

  /**
   * Gives memory back once more than half of it is garbage: moves what is live to a new arena, in place. Returns true where it moved; frames built before keep the old bytes alive until dropped.
   */
  compact(): boolean {
    if (this.#unexaminedBytes < smallGarbageBytes) return false;
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
    this.#unexaminedBytes = 0;
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
    this.#newestChunk = arena.chunk;
    return true;
  }
}

/** Every key that an incremental message says something about. */
function* spokenOf({ upserts, confirmed, quarantined, missing }: Change): Generator<string> {
  for (const { key } of upserts) yield key;
  yield* confirmed;
  for (const { key } of quarantined) yield key;
  yield* missing;
}
