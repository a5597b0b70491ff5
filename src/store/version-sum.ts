/** 30 bits: three lanes are 90 bits of a content version's 96, and each stays a small integer. */
const lane = 2 ** 30;

/**
 * The version of a set of resources: the sum of their content versions. It depends on neither their order nor
 * on how the set came about, so replicas and restarts agree, and one changed resource costs two additions.
 */
export class VersionSum {
  #a = 0;
  #b = 0;
  #c = 0;

  /** `version` is a content version: 16 characters of base64url. */
  add(version: string): void {
    this.#a = (this.#a + laneOf(version, 0)) % lane;
    this.#b = (this.#b + laneOf(version, 5)) % lane;
    this.#c = (this.#c + laneOf(version, 10)) % lane;
  }

  remove(version: string): void {
    this.#a = (this.#a + lane - laneOf(version, 0)) % lane;
    this.#b = (this.#b + lane - laneOf(version, 5)) % lane;
    this.#c = (this.#c + lane - laneOf(version, 10)) % lane;
  }

  toString(): string {
    return [this.#a, this.#b, this.#c].map((value) => value.toString(32).padStart(6, '0')).join('');
  }
}

function laneOf(version: string, from: number): number {
  let value = 0;
  for (let i = from; i < from + 5; i++) value = value * 64 + sextet(version.charCodeAt(i));
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
