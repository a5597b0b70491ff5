import type { ResourcePool } from '../model/resource.ts';

/**
 * The version of a set of resources: the sum of their content versions, in three lanes of 32 bits. It depends on
 * neither their order nor on how the set came about, so replicas and restarts agree, and one changed resource costs
 * two additions.
 */
export class VersionSum {
  #v1 = 0;
  #v2 = 0;
  #v3 = 0;

  add(pool: ResourcePool, row: number): void {
    this.#v1 = (this.#v1 + pool.v1(row)) | 0;
    this.#v2 = (this.#v2 + pool.v2(row)) | 0;
    this.#v3 = (this.#v3 + pool.v3(row)) | 0;
  }

  remove(pool: ResourcePool, row: number): void {
    this.#v1 = (this.#v1 - pool.v1(row)) | 0;
    this.#v2 = (this.#v2 - pool.v2(row)) | 0;
    this.#v3 = (this.#v3 - pool.v3(row)) | 0;
  }

  /** 24 hexadecimal digits. */
  toString(): string {
    return [this.#v1, this.#v2, this.#v3].map((lane) => (lane >>> 0).toString(16).padStart(8, '0')).join('');
  }
}
