/** A gRPC message as it travels: a flag, four bytes of length, the bytes. */
export function framed(bytes: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** Finds the messages in the bytes of a stream. */
export class FrameReader {
  #unread = Buffer.alloc(0);

  /** The messages that are complete with these bytes. */
  read(bytes: Buffer): Buffer[] {
    this.#unread = Buffer.concat([this.#unread, bytes]);
    const messages: Buffer[] = [];
    while (this.#unread.length >= 5) {
      const end = 5 + this.#unread.readUInt32BE(1);
      if (this.#unread.length < end) break;
      messages.push(this.#unread.subarray(5, end));
      this.#unread = this.#unread.subarray(end);
    }
    return messages;
  }
}
