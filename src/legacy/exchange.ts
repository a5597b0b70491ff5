import type { Collection } from '../model/kinds.ts';
import type { ResourcesView } from '../wire/legacy-messages.ts';
import type { RawMethod } from '../wire/services.ts';

/** What to do with one message. Its `collection` is ours, whatever the peer calls it on the wire. */
export type Received = {
  readonly message: ResourcesView;
  /** The only answer to it, encoded; exactly one goes out per message. */
  readonly reply: Buffer;
} & (
  | {
      readonly accepted: false;
      /** gRPC code of the NACK. */
      readonly code: number;
      /** So long the answer waits, in milliseconds: some servers send at once again what was refused. */
      readonly delayMs: number;
    }
  /** `full`: the message is the whole state of its collection. */
  | { readonly accepted: true; readonly full: boolean }
);

/**
 * One stream of a legacy source, from the side of who wants its resources: what is asked, and what is answered. Free of
 * sockets; the same for who dials and who is dialled.
 */
export type Exchange = {
  /** What is called on the source where we dial. */
  readonly method: RawMethod;
  /** Collections that have sent something on this stream. */
  readonly answered: ReadonlySet<Collection>;
  /** Requests, encoded. All of these go out before the first message is read. */
  initialRequests(): Buffer[];
  /** @throws MalformedError where the bytes are no message of this protocol: like Go's sink, end the stream then. */
  receive(bytes: Buffer): Received;
};
