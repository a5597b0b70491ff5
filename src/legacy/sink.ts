import type { Collection } from '../model/kinds.ts';
import { encodeRequestResources, readResources, type RequestResources } from '../wire/legacy-messages.ts';
import { type RawMethod, resourceSource } from '../wire/services.ts';
import type { Exchange, Received } from './exchange.ts';
import type { SourceProfile } from './source-profile.ts';

/** gRPC codes of our NACKs, as Istio's sink chose them (pkg/mcp/sink/sink.go, 1.8.6). */
const code = { unimplemented: 12 } as const;

/**
 * One stream of a legacy source, from the sink's side: what is asked, and what is answered. Free of sockets.
 *
 * What came is ACKed whatever becomes of it further on; a NACK would only make the source keep quiet until its
 * next change (source.go processClientRequest). Only a collection that nobody asked for is NACKed.
 */
export class SinkExchange implements Exchange {
  readonly #collections: ReadonlySet<Collection>;
  readonly #profile: SourceProfile;
  readonly #whole: ReadonlySet<Collection>;
  readonly #answered = new Set<Collection>();
  /** Name on the wire → collection, where they differ. */
  readonly #aliases: ReadonlyMap<string, Collection>;

  /** @param whole collections of which whole states are asked for, whatever the profile says. */
  constructor(collections: Iterable<Collection>, profile: SourceProfile, whole: Iterable<Collection> = []) {
    this.#collections = new Set(collections);
    this.#whole = new Set(whole);
    this.#profile = profile;
    this.#aliases = new Map(Object.entries(profile.askAs).map(([collection, name]) => [name, collection]));
  }

  /** `ResourceSource`; a source that dials us calls `ResourceSink`, and the exchange is the same. */
  get method(): RawMethod {
    return resourceSource();
  }

  initialRequests(): Buffer[] {
    return Array.from(this.#collections, (collection) =>
      encodeRequestResources(this.#request(this.#nameOf(collection), '', this.#isIncremental(collection))),
    );
  }

  get answered(): ReadonlySet<Collection> {
    return this.#answered;
  }

  receive(bytes: Buffer): Received {
    const read = readResources(bytes);
    const { nonce } = read;
    const collection = this.#collectionOf(read.collection);
    if (collection === undefined) {
      const text = `unsupported collection ${JSON.stringify(read.collection)}`;
      // A NACK carries incremental = false, as Go's does.
      const refusal = {
        ...this.#request(read.collection, nonce, false),
        errorDetail: { code: code.unimplemented, message: text },
      };
      // Who was refused keeps quiet until something changes (source.go processClientRequest): no need to wait.
      const reply = encodeRequestResources(refusal);
      return { message: read, reply, accepted: false, code: code.unimplemented, delayMs: 0 };
    }
    // The first message of a collection on a stream holds everything whatever its flag says: sources 1.6 to 1.8
    // flag it as incremental (source.go:345), and none of them reads what versions a sink says that it has.
    const isWhole = !read.incremental || !this.#answered.has(collection);
    const full = isWhole && (this.#profile.state === 'full' || this.#whole.has(collection));
    this.#answered.add(collection);
    const reply = encodeRequestResources(this.#request(read.collection, nonce, this.#isIncremental(collection)));
    return { message: { ...read, collection }, reply, accepted: true, full };
  }

  /** What was asked for under this name; undefined for what was not. */
  #collectionOf(name: string): Collection | undefined {
    const alias = this.#aliases.get(name);
    if (alias !== undefined && this.#collections.has(alias)) return alias;
    return this.#collections.has(name) ? name : undefined;
  }

  #isIncremental(collection: Collection): boolean {
    return this.#profile.incremental && !this.#whole.has(collection);
  }

  #nameOf(collection: Collection): string {
    return this.#profile.askAs[collection] ?? collection;
  }

  #request(collection: string, responseNonce: string, incremental: boolean): RequestResources {
    return { sinkNode: { id: this.#profile.sinkNodeId, annotations: {} }, collection, responseNonce, incremental };
  }
}
