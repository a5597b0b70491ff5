import type { Resource } from '../model/resource.ts';
import type { ListedSum, Snapshot } from '../model/snapshot.ts';
import { isSameName } from '../wire/resource-frame.ts';
import { update } from './merge.ts';
import { VersionSum } from './version-sum.ts';

/**
 * One kind over all origins: the merged list, what has changed since, and the version of it all. A version means one
 * content, whenever one looks (docs/adr/0003).
 */
export class Merged {
  /** Other forms of what the list has, each where its `at` says. The last one of a key counts. */
  readonly replaced: Resource[] = [];
  /** Everything else; of a key that is in both, this counts. */
  readonly changed = new Map<string, Resource | undefined>();
  /** True from the first moment on at which every origin that may hold the kind was known. */
  announced = false;
  readonly #kind: string;
  readonly #sum = new VersionSum();
  #snapshot: Snapshot;
  /** True where a listed resource was overwritten since the snapshot was made. */
  #isOverwritten = false;
  /** The version that listeners were told of last, and whether somebody was given another one since. */
  #told: string;
  #isGiven = false;

  constructor(kind: string) {
    this.#kind = kind;
    this.#told = this.#sum.toString();
    this.#snapshot = { kind, version: this.#told, resources: [] };
  }

  /** For resources that are overwritten where they are. */
  readonly listed: ListedSum = {
    remove: (resource) => {
      this.#isOverwritten = true;
      this.#sum.remove(resource);
    },
    add: (resource) => this.#sum.add(resource),
  };

  get snapshot(): Snapshot {
    if (this.#isOverwritten) {
      this.#renew(this.#snapshot.resources);
      this.#isGiven = true;
    }
    return this.#snapshot;
  }

  /**
   * Folds the pending changes into the list; returns how many there were, but for what was overwritten.
   */
  fold(): number {
    const { changed, replaced } = this;
    const changes = changed.size + replaced.length;
    if (changes === 0) return 0;
    const list = this.#snapshot.resources.slice();
    const misplaced = new Map<string, Resource>();
    for (const resource of replaced) {
      const old = list[resource.at];
      if (old === undefined || !isSameName(old, resource)) {
        misplaced.set(resource.key, resource);
        continue;
      }
      this.#leaves(old);
      this.#comes(resource);
      list[resource.at] = resource;
    }
    for (const [key, resource] of misplaced) if (!changed.has(key)) changed.set(key, resource);
    const resources = changed.size === 0 ? list : update(list, changed, (resource) => this.#leaves(resource));
    for (const resource of changed.values()) if (resource !== undefined) this.#comes(resource);
    replaced.length = 0;
    changed.clear();
    // Even with an equal version the objects are others: the old ones may hold memory that was given back.
    this.#renew(resources);
    return changes;
  }

  /** True where listeners have to hear of it: there is something else than what they, or somebody, was given. */
  tell(): boolean {
    const { version } = this.#isOverwritten ? this.#renew(this.#snapshot.resources) : this.#snapshot;
    const isNews = version !== this.#told || this.#isGiven || !this.announced;
    this.#told = version;
    this.#isGiven = false;
    this.announced = true;
    return isNews;
  }

  /** Resources lie somewhere else now: what was made of the snapshot so far would keep their old memory. */
  moved(): void {
    this.#snapshot = { ...this.snapshot, resources: this.#snapshot.resources.slice() };
  }

  #comes(resource: Resource): void {
    resource.isListed = true;
    this.#sum.add(resource);
  }

  #leaves(resource: Resource): void {
    resource.isListed = false;
    this.#sum.remove(resource);
  }

  #renew(resources: readonly Resource[]): Snapshot {
    this.#isOverwritten = false;
    this.#snapshot = { kind: this.#kind, version: this.#sum.toString(), resources };
    return this.#snapshot;
  }
}
