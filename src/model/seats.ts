/** Streams of istiods that are told apart in metrics. */
export const seatCount = 32;

/** Of streams beyond those. */
export const noSeat = 'more';

/** Names of streams in metrics. A closed set: it is a metric label. */
export const seatNames: readonly string[] = [...Array.from({ length: seatCount }, (_, i) => String(i + 1)), noSeat];
