import { createCipheriv, randomBytes } from 'node:crypto';
import { sealRows } from '../model/sizes.ts';

/** Numbers of one seal: rank, bytes, four of the tag, two that {@link Seals.isOf} is about. */
const sealWords = 8;

/** What is known of the block of resources that is being looked at; one object serves for all. */
export type Block = {
  /** Its place among the blocks of the message. */
  place: number;
  /** Where its rows begin in the order of the message. */
  rank: number;
  /** `plain` of its message when it began. */
  plainBefore: number;
  /** From the start of its first resource to the end of its last one. */
  bytes: number;
  /** 128 bits that say which bytes. */
  readonly tag: Int32Array;
};

export const newBlock = (): Block => ({ place: -1, rank: 0, plainBefore: 0, bytes: 0, tag: new Int32Array(4) });

/**
 * Remembers of a full message which bytes each `sealRows` resources had, and which rows they became: a block that comes with
 * the same bytes for the same rows is as it was, whatever is in it, and is not looked at one by one.
 */
export class Seals {
  readonly #words: Int32Array;

  /** @param resources in the message. */
  constructor(resources: number) {
    this.#words = new Int32Array(Math.floor(resources / sealRows) * sealWords);
  }

  /**
   * Where the rows of this block begin in the order of the message that was sealed; -1 where its bytes are others, or
   * there is no seal.
   */
  rankOf({ place, bytes, tag }: Block): number {
    const words = this.#words;
    const at = place * sealWords;
    const isSame =
      words[at + 1] === bytes &&
      words[at + 2] === tag[0] &&
      words[at + 3] === tag[1] &&
      words[at + 4] === tag[2] &&
      words[at + 5] === tag[3];
    return isSame ? (words[at] as number) : -1;
  }

  /** True where the same borders and hashes of rows made these two numbers when the block was sealed. */
  isOf(place: number, sums: Int32Array): boolean {
    const at = place * sealWords;
    return this.#words[at + 6] === sums[0] && this.#words[at + 7] === sums[1];
  }

  add({ place, rank, bytes, tag }: Block, sums: Int32Array): void {
    const at = place * sealWords;
    this.#words[at] = rank;
    this.#words[at + 1] = bytes;
    this.#words.set(tag, at + 2);
    this.#words.set(sums, at + 6);
  }
}

const key = randomBytes(16);
const nonce = randomBytes(12);

/**
 * Says which bytes a block has. GMAC (NIST SP 800-38D) with a key of this process: nobody who does not know it can make
 * other bytes with the same tag, and no tag leaves the process. It is three times as fast as a hash in JavaScript, but for the
 * call.
 */
export function sealTag(bytes: Uint8Array, tag: Int32Array): void {
  const cipher = createCipheriv('aes-128-gcm', key, nonce);
  cipher.setAAD(bytes);
  cipher.final();
  const made = cipher.getAuthTag();
  for (let i = 0; i < 4; i++) tag[i] = made.readInt32LE(4 * i);
}
