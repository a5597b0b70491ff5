import type { Resource } from '../model/resource.ts';

/** The new and changed resources of one message: a list, of which a resource that is named again can be taken back. */
export class Upserts {
  readonly #list: (Resource | undefined)[] = [];
  readonly #replaced: (Resource | undefined)[] = [];
  /** Places of keys that are not held yet. */
  readonly #fresh = new Map<string, number>();
  /** Places of all keys; made only for a message that names something twice. */
  #places: Map<string, number> | undefined;
  #dropped = 0;

  /** @param replaced what is held of its key. */
  add(resource: Resource, replaced: Resource | undefined): void {
    const place = this.#list.push(resource) - 1;
    this.#replaced.push(replaced);
    if (replaced === undefined) this.#fresh.set(resource.key, place);
    this.#places?.set(resource.key, place);
  }

  /** True where the key is one of those that were not held yet. */
  hasFresh(key: string): boolean {
    return this.#fresh.has(key);
  }

  /** Takes the resource with this key back, if there is one, and returns it. */
  drop(key: string): Resource | undefined {
    this.#places ??= new Map(this.#list.flatMap((resource, place) => (resource ? [[resource.key, place]] : [])));
    const place = this.#places.get(key);
    if (place === undefined) return undefined;
    const resource = this.#list[place] as Resource;
    this.#places.delete(key);
    this.#fresh.delete(key);
    this.#list[place] = undefined;
    this.#dropped++;
    return resource;
  }

  /** All that are left, and what each replaces. */
  get all(): { upserts: Resource[]; replaced: (Resource | undefined)[] } {
    const upserts = this.#list as Resource[];
    const replaced = this.#replaced;
    if (this.#dropped === 0) return { upserts, replaced };
    const isLeft = (_: unknown, place: number) => this.#list[place] !== undefined;
    return { upserts: upserts.filter(isLeft), replaced: replaced.filter(isLeft) };
  }
}
