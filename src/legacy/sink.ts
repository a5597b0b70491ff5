import type { Collection } from '../model/kinds.ts';
import { readResources, type RequestResources, type ResourcesView } from '../wire/legacy-messages.ts';
import type { SourceProfile } from './source-profile.ts';

/** gRPC codes of our NACKs, as Istio's sink chose them (pkg/mcp/sink/sink.go, 1.8.6). */
const code = { unimplemented: 12 } as const;

/** What to do with one message. */
export type Received = {
  readonly message: ResourcesView;
  /** The only answer to it; exactly one goes out per message. */
  readonly reply: RequestResources;
} & (
  | { readonly accepted: false; readonly code: number }
  /** `full`: the message is the whole state of its collection. */
  | { readonly accepted: true; readonly full: boolean }
);

/**
 * One stream of a legacy source, from the sink's side: what is asked, and what is answered. Free of sockets.
 *
 * What came is ACKed whatever becomes of it further on; a NACK would only make the source keep quiet until its
 * next change (source.go processClientRequest). Only a collection that nobody asked for is NACKed.
 */
export class SinkExchange {
  readonly #collections: ReadonlySet<Collection>;
  readonly #profile: SourceProfile;
  readonly #whole: ReadonlySet<Collection>;
  readonly #answered = new Set<Collection>();

  /** @param whole collections of which whole states are asked for, whatever the profile says. */
  constructor(collections: Iterable<Collection>, profile: SourceProfile, whole: Iterable<Collection> = []) {
    this.#collections = new Set(collections);
    this.#whole = new Set(whole);
    this.#profile = profile;
  }

  /** All of these go out before the first message is read. */
  initialRequests(): RequestResources[] {
    return Array.from(this.#collections, (collection) =>
      this.#request(collection, '', this.#isIncremental(collection)),
    );
  }

  /** Collections that have sent something on this stream. */
  get answered(): ReadonlySet<Collection> {
    return this.#answered;
  }

  /** @throws MalformedError where the bytes are no `Resources`: like Go's sink, end the stream then. */
  receive(bytes: Buffer): Received {
    const message = readResources(bytes);
    const { collection, nonce } = message;
    if (!this.#collections.has(collection)) {
      const text = `unsupported collection ${JSON.stringify(collection)}`;
      // A NACK carries incremental = false, as Go's does.
      const refusal = {
        ...this.#request(collection, nonce, false),
        errorDetail: { code: code.unimplemented, message: text },
      };
      return { message, reply: refusal, accepted: false, code: code.unimplemented };
    }
    // The first message of a collection on a stream holds everything whatever its flag says: sources 1.6 to 1.8
    // flag it as incremental (source.go:345), and none of them reads what versions a sink says that it has.
    const full = !message.incremental || !this.#answered.has(collection);
    this.#answered.add(collection);
    return { message, reply: this.#request(collection, nonce, this.#isIncremental(collection)), accepted: true, full };
  }

  #isIncremental(collection: Collection): boolean {
    return this.#profile.incremental && !this.#whole.has(collection);
  }

  #request(collection: Collection, responseNonce: string, incremental: boolean): RequestResources {
    return { sinkNode: { id: this.#profile.sinkNodeId, annotations: {} }, collection, responseNonce, incremental };
  }
}
