import type { Collection } from '../model/kinds.ts';
import type { Logger } from '../model/logger.ts';
import { type SizeLevel, sizeLevel } from '../model/size-level.ts';

/** How large a collection's messages are. */
type MessageSize = {
  /** Of the last whole state, or of a larger change since. */
  readonly bytes: number;
  readonly level: SizeLevel;
};

/** Tells the operator once when the messages of a collection come near to what is taken; a larger one ends the stream. */
export class MessageSizes {
  readonly #source: string;
  readonly #limit: number;
  readonly #log: Logger;
  readonly #sizes = new Map<Collection, MessageSize>();

  /** @param limit of one message, in bytes. */
  constructor(source: string, limit: number, log: Logger) {
    this.#source = source;
    this.#limit = limit;
    this.#log = log;
  }

  /** Bytes of the last whole state of a collection, or of a larger change since; undefined before the first message. */
  of(collection: Collection): number | undefined {
    return this.#sizes.get(collection)?.bytes;
  }

  /** @param full the message is the whole state of its collection. */
  take(collection: Collection, length: number, full: boolean): void {
    const limit = this.#limit;
    const last = this.#sizes.get(collection);
    const bytes = full ? length : Math.max(length, last?.bytes ?? 0);
    const level = sizeLevel(bytes, limit, last?.level ?? 'low');
    this.#sizes.set(collection, { bytes, level });
    if (level === 'low' || level === last?.level) return;
    const hint = 'beyond the limit the source is not understood any more: raise maxMessage of this source before that';
    this.#log.warn(
      { source: this.#source, collection, bytes, limit, hint },
      'the messages of a source are nearly too large',
    );
  }
}
