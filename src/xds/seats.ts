import { noSeat, seatCount } from '../model/seats.ts';

/**
 * Names for streams in metrics. What an istiod calls itself is its own choice, and another one after each restart: as
 * labels, such names would grow without end. A seat is one of a fixed number; an istiod that comes back is given the one
 * that it had, if that is free.
 */
export class Seats {
  readonly #taken = new Set<number>();
  /** Who had a seat last. */
  readonly #last = new Map<number, string>();

  /** A name for the stream of `node`, until {@link leave}. Streams for which there is no seat share one name. */
  take(node: string): string {
    const free = Array.from({ length: seatCount }, (_, i) => i + 1).filter((seat) => !this.#taken.has(seat));
    const seat =
      free.find((one) => this.#last.get(one) === node) ?? free.find((one) => !this.#last.has(one)) ?? free[0];
    if (seat === undefined) return noSeat;
    this.#taken.add(seat);
    this.#last.set(seat, node);
    return String(seat);
  }

  leave(seat: string): void {
    this.#taken.delete(Number(seat));
  }
}
