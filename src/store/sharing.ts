import type { Clock } from '../model/clock.ts';
import type { ConflictPolicy } from '../model/conflict.ts';
import { serviceEntryId } from '../model/kinds.ts';
import type { ResourcePool } from '../model/resource.ts';
import { type ConflictNews, Conflicts } from './conflicts.ts';
import { SharedHosts } from './shared-hosts.ts';
import { type HoldersOf, SharedKeys } from './shared-keys.ts';

/** Of a key that several origins hold, the first one's is sent; hosts that several name are reported. */
export const defaultConflictPolicy: ConflictPolicy = { sameKey: 'precedence', sameHost: 'report' };

/** What several origins have, of all kinds: what is sent of it, what there is, and who is told. */
export class Sharing {
  readonly conflicts: Conflicts;
  readonly #keys: ReadonlyMap<string, SharedKeys>;
  /** Undefined where nobody wants to know. */
  readonly #hosts: SharedHosts | undefined;
  readonly #listeners = new Set<(news: ConflictNews) => void>();
  #isLooking = false;
  #isClosed = false;

  /**
   * @param pools of each kind.
   * @param holders always the present ones.
   */
  constructor(
    pools: ReadonlyMap<string, { readonly pool: ResourcePool }>,
    holders: HoldersOf,
    clock: Clock,
    policy = defaultConflictPolicy,
  ) {
    this.conflicts = new Conflicts(clock);
    this.#keys = new Map(
      Array.from(pools, ([id, { pool }]) => [
        id,
        new SharedKeys(id, pool, holders, policy, this.conflicts.newSet(id, 'key')),
      ]),
    );
    const hosts = pools.get(serviceEntryId);
    if (policy.sameHost === 'ignore' || hosts === undefined) return;
    this.#hosts = new SharedHosts(
      serviceEntryId,
      hosts.pool,
      holders,
      policy,
      this.conflicts.newSet(serviceEntryId, 'host'),
    );
  }

  /** @throws for a kind that is unknown. */
  keysOf(kindId: string): SharedKeys {
    const keys = this.#keys.get(kindId);
    if (keys === undefined) throw new Error(`there is no kind ${kindId}`);
    return keys;
  }

  /** The row that is to be sent of a key, as {@link SharedKeys.settle} says. */
  settle(kindId: string, key: string): number {
    if (kindId === serviceEntryId) this.#hosts?.touch(key);
    return this.keysOf(kindId).settle(key);
  }

  /** Says that an origin has come, or takes part again, before it says anything. */
  originAdded(): void {
    this.#hosts?.originAdded();
  }

  /** Says that the origins that hold a kind come in another order. Its shared keys are to be settled anew. */
  reordered(kindId: string): void {
    if (kindId === serviceEntryId) this.#hosts?.reordered();
  }

  /** Calls `listener` with conflicts that began or ended: after a publication, and when hosts were looked at. */
  onNews(listener: (news: ConflictNews) => void): void {
    this.#listeners.add(listener);
  }

  /** Says that what changed is published: tells of it, and looks at hosts, in turns, until there is nothing left to look at. */
  published(): void {
    this.#tell();
    const hosts = this.#hosts;
    if (this.#isLooking || hosts?.isDue !== true) return;
    this.#isLooking = true;
    const work = hosts.look();
    const step = () => {
      if (this.#isClosed) return;
      if (work.next().done !== true) {
        setImmediate(step);
        return;
      }
      this.#isLooking = false;
      this.published();
    };
    setImmediate(step);
  }

  #tell(): void {
    if (!this.conflicts.hasNews) return;
    const news = this.conflicts.tell();
    if (news.begun.length + news.ended.length === 0) return;
    for (const listener of this.#listeners) listener(news);
  }

  /** Ends what goes on in turns, and tells nobody any more. */
  close(): void {
    this.#isClosed = true;
    this.#listeners.clear();
  }
}
