import type { Resource } from '../model/resource.ts';
import { versionLength } from '../wire/resource-frame.ts';

/** 30 bits: three lanes are 90 bits of a content version's 96, and each stays a small integer. */
const lane = 2 ** 30;
const laneCharacters = 5;

/**
 * The version of a set of resources: the sum of their content versions. It depends on neither their order nor
 * on how the set came about, so replicas and restarts agree, and one changed resource costs two additions.
 */
export class VersionSum {
  readonly #lanes: [number, number, number] = [0, 0, 0];

  add(resource: Resource): void {
    for (let i = 0; i < 3; i++) {
      const sum = (this.#lanes[i] as number) + laneOf(resource, i);
      this.#lanes[i] = sum >= lane ? sum - lane : sum;
    }
  }

  remove(resource: Resource): void {
    for (let i = 0; i < 3; i++) {
      const sum = (this.#lanes[i] as number) - laneOf(resource, i);
      this.#lanes[i] = sum < 0 ? sum + lane : sum;
    }
  }

  toString(): string {
    return this.#lanes.map((value) => value.toString(32).padStart(6, '0')).join('');
  }
}

/** Five characters of the version, where they stand in the bytes: right before the content. */
function laneOf({ chunk, start, contentOffset }: Resource, index: number): number {
  const from = start + contentOffset - versionLength + index * laneCharacters;
  let value = 0;
  for (let i = from; i < from + laneCharacters; i++) value = value * 64 + sextet(chunk[i] as number);
  return value;
}

/** Value of one base64url character. */
function sextet(code: number): number {
  if (code >= 97) return code - 71;
  if (code === 95) return 63;
  if (code >= 65) return code - 65;
  if (code >= 48) return code + 4;
  return 62;
}
