/** A message that the receiver's limit forbids: gRPC ends the stream with RESOURCE_EXHAUSTED. */
export class TooLarge extends Error {}

/** Finds the gRPC messages in the bytes of a stream, up to a size. */
export class MessageReader {
  readonly #maxBytes: number;
  #chunks: Buffer[] = [];
  #length = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * The messages that are complete with these bytes.
   * @throws TooLarge as soon as the length of one is known.
   */
  read(bytes: Buffer): Buffer[] {
    this.#chunks.push(bytes);
    this.#length += bytes.length;
    const messages: Buffer[] = [];
    for (;;) {
      const size = this.#nextSize();
      if (size === undefined || this.#length < 5 + size) return messages;
      const all = this.#joined();
      messages.push(all.subarray(5, 5 + size));
      this.#chunks = [all.subarray(5 + size)];
      this.#length -= 5 + size;
    }
  }

  #nextSize(): number | undefined {
    if (this.#length < 5) return undefined;
    const head = (this.#chunks[0]?.length ?? 0) >= 5 ? (this.#chunks[0] as Buffer) : this.#joined();
    const size = head.readUInt32BE(1);
    if (size > this.#maxBytes) throw new TooLarge(`received message larger than max (${size} vs. ${this.#maxBytes})`);
    return size;
  }

  #joined(): Buffer {
    const all = this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks);
    this.#chunks = [all];
    return all;
  }
}
