import type { ResourcePool } from '../model/resource.ts';
import { avalanche, secretBits } from '../wire/hash.ts';

/**
 * Others in each process. Content versions are public, and whoever writes a resource can choose its: two that change
 * together could keep the sum of their versions as it was.
 */
const secret1 = secretBits();
const secret2 = secretBits();
const secret3 = secretBits();
const secret4 = secretBits();

/**
 * The version of a set of resources: the sum of their content versions, in three lanes of 32 bits. It depends on
 * neither their order nor on how the set came about, so replicas and restarts agree, and one changed resource costs
 * two additions. Two more lanes sum up what only this process can foresee.
 */
export class VersionSum {
  #v1 = 0;
  #v2 = 0;
  #v3 = 0;
  #own1 = 0;
  #own2 = 0;

  add(pool: ResourcePool, row: number): void {
    this.#count(pool, row, 1);
  }

  remove(pool: ResourcePool, row: number): void {
    this.#count(pool, row, -1);
  }

  /** Adds a whole set. */
  addAll(other: VersionSum): void {
    this.#v1 = (this.#v1 + other.#v1) | 0;
    this.#v2 = (this.#v2 + other.#v2) | 0;
    this.#v3 = (this.#v3 + other.#v3) | 0;
    this.#own1 = (this.#own1 + other.#own1) | 0;
    this.#own2 = (this.#own2 + other.#own2) | 0;
  }

  #count(pool: ResourcePool, row: number, sign: 1 | -1): void {
    const v1 = pool.v1(row);
    const v2 = pool.v2(row);
    const v3 = pool.v3(row);
    this.#v1 = (this.#v1 + sign * v1) | 0;
    this.#v2 = (this.#v2 + sign * v2) | 0;
    this.#v3 = (this.#v3 + sign * v3) | 0;
    this.#own1 = (this.#own1 + sign * keyed(secret1, secret2, v1, v2, v3)) | 0;
    this.#own2 = (this.#own2 + sign * keyed(secret3, secret4, v3, v1, v2)) | 0;
  }

  /** 24 hexadecimal digits: the same wherever the set is the same. */
  toString(): string {
    return hex(this.#v1, this.#v2, this.#v3);
  }

  /** As long as the process runs, two sets that are not the same have not the same identity, whoever made them. */
  get identity(): string {
    return hex(this.#v1, this.#v2, this.#v3, this.#own1, this.#own2);
  }
}

/** A hash that nobody can foresee who does not know both secrets. */
function keyed(before: number, after: number, a: number, b: number, c: number): number {
  return avalanche(avalanche(avalanche(a ^ before) + b) + (c ^ after));
}

function hex(...lanes: readonly number[]): string {
  return lanes.map((lane) => (lane >>> 0).toString(16).padStart(8, '0')).join('');
}
