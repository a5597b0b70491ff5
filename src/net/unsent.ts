/** What may wait to be sent to one address, in bytes; one message more. */
export const defaultMaxUnsent = 256 << 20;

/** One {@link Unsent} for each address that has a stream, or something yet to read. */
export class UnsentByHost {
  readonly #limit: number;
  readonly #hosts = new Map<string, Unsent>();

  /** @param limit of each address: {@link Unsent}. */
  constructor(limit = defaultMaxUnsent) {
    this.#limit = limit;
  }

  /** That of an address, for another stream of it. */
  of(host: string): Unsent {
    const unsent = this.#hosts.get(host) ?? new Unsent(this.#limit);
    this.#hosts.set(host, unsent);
    return unsent;
  }

  /** A stream of an address without any other is over. It may still have something to read: that counts until it is gone. */
  forget(host: string): void {
    if (this.#hosts.get(host)?.isEmpty === true) this.#hosts.delete(host);
  }
}

/**
 * Bytes that were handed to the transport for the streams of one address, and are not on the wire yet. grpc-js copies a
 * response for each stream: a peer that opens many and reads none would cost one copy of everything for each of them.
 */
export class Unsent {
  readonly #limit: number;
  #bytes = 0;
  readonly #waiting: (() => void)[] = [];

  /** @param limit bytes from which on nothing more is handed over; one message may go beyond. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** True where nothing waits to be sent. */
  get isEmpty(): boolean {
    return this.#bytes === 0;
  }

  /** Calls `hand` once there is room for another message; it has to {@link count} that before it returns. Settles as it does. */
  async whenRoom(hand: () => Promise<void>): Promise<void> {
    while (this.#bytes >= this.#limit) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    await hand();
  }

  /** Counts `bytes` until what it returns is called, once or more often. */
  count(bytes: number): () => void {
    this.#bytes += bytes;
    let isCounted = true;
    return () => {
      if (!isCounted) return;
      isCounted = false;
      this.#bytes -= bytes;
      // Each one looks again whether there is room, and takes it before the next one looks.
      for (const wake of this.#waiting.splice(0)) wake();
    };
  }
}
