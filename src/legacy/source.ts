import type { Collection } from '../model/kinds.ts';
import { nameTurn } from '../model/sizes.ts';
import { Rope } from '../wire/frame.ts';
import type { RequestResources } from '../wire/legacy-messages.ts';
import { encodeResourcesTail, type Listing, type Part } from '../wire/legacy-source.ts';
import { deltaOf, listingsOf } from './source-delta.ts';

/** What a source has in one collection. */
export type SourceState = {
  /** Opaque; sent as system_version_info. Another version means another content. */
  readonly version: string;
  /** Encoded `istio.mcp.v1alpha1.Resource` messages. */
  readonly resources: readonly Uint8Array[];
};

/** What a source offers. A collection that is not in it is unknown to the source. */
export type SourceView = ReadonlyMap<Collection, SourceState>;

/** One state of a collection, ready to be sent. */
export type Offer = {
  /** Sent as system_version_info. */
  readonly version: string;
  /** Of this very state. */
  readonly identity: string;
  readonly parts: readonly Part[];
};

/** What the streams of a source read. */
export type Offers = {
  /** False for a collection that the source does not know: who asks for it is refused. */
  knows(collection: Collection): boolean;
  /** False for one that is answered as empty, because what may be in it does not come this way. */
  isCarried(collection: Collection): boolean;
  /** Tells states apart, within this process; undefined while there is none that may be sent. '' is never sent first. */
  identity(collection: Collection): string | undefined;
  /** Does in turns what {@link take} would do in one piece. @param isListed names and versions will be wanted, too. */
  prepare(collection: Collection, isListed: boolean): Promise<void>;
  /** The state of this moment. */
  take(collection: Collection): Offer | undefined;
};

/** What a request was. */
export type RequestOutcome =
  | { readonly kind: 'subscribed' }
  /** An ACK, or a NACK where there is an error; a stale one changes nothing. */
  | { readonly kind: 'answered'; readonly isStale: boolean; readonly error: RequestResources['errorDetail'] }
  /** The whole stream ends with INVALID_ARGUMENT, as Istio's source does it. */
  | { readonly kind: 'refused'; readonly details: string };

/** What was sent last. */
type Sent = {
  readonly nonce: string;
  readonly version: string;
  readonly identity: string;
  /** Of the whole state that the sink has once it has taken this; undefined where nobody asked for changes. */
  readonly listings: readonly Listing[] | undefined;
  readonly bytes: number;
  /** In that state. */
  readonly resources: number;
  readonly isIncremental: boolean;
};

/** One collection on one stream. */
export type Watch = {
  readonly collection: Collection;
  /** True where the latest request asks for changes. */
  incremental: boolean;
  sent: Sent | undefined;
  /** True while the sink owes an answer: nothing more of the collection is sent until then. */
  pending: boolean;
  /** The state that the sink has answered last, be it to refuse it; '' = none on this stream. */
  answered: string;
  /** What the sink has; undefined where that is not known: it is sent a whole state then. */
  acked: readonly Listing[] | undefined;
  ackedVersion: string | undefined;
  /** What it said against the last message, if that was its last word. */
  nack: string | undefined;
};

/** A message that is ready to go. */
export type SourceMessage = { readonly collection: Collection; readonly message: Rope; readonly sent: Sent };

/**
 * One stream of a legacy sink, from the source's side. Free of sockets.
 * Rules: pkg/mcp/source/source.go (1.8.6) processClientRequest, pushServerResponse; snapshot.go Watch.
 *
 * The first message of each collection on a stream is a whole state and says so. Istio's source flags those of all
 * collections but the very first as changes, and a sink that believes it keeps what was deleted while it was away.
 */
export class SourceExchange {
  readonly #offers: Offers;
  readonly #watches = new Map<Collection, Watch>();
  /** Collections of which something may be due, in the order in which that came about. */
  readonly #queue = new Set<Collection>();
  #nonce = 0;

  constructor(offers: Offers) {
    this.#offers = offers;
  }

  get watches(): Iterable<Readonly<Watch>> {
    return this.#watches.values();
  }

  onRequest(request: RequestResources): RequestOutcome {
    const { collection, responseNonce, errorDetail: error, incremental } = request;
    if (!this.#offers.knows(collection)) {
      return { kind: 'refused', details: `unsupported collection ${JSON.stringify(collection)}` };
    }
    const watch = this.#watchOf(collection);
    const expected = watch.pending ? watch.sent?.nonce : undefined;
    // An empty nonce counts as the answer to what is outstanding; any other one that is not expected is stale.
    if (responseNonce !== '' && responseNonce !== expected) return { kind: 'answered', isStale: true, error };
    watch.incremental = incremental;
    this.#queue.add(collection);
    if (watch.sent === undefined || !watch.pending) {
      // Asked for anew: with all that there is, whatever was sent before.
      watch.answered = '';
      watch.acked = undefined;
      return { kind: 'subscribed' };
    }
    watch.pending = false;
    // A NACK moves on too: the same state is not sent twice, only the next one is.
    watch.answered = watch.sent.identity;
    watch.nack = error?.message;
    if (error === undefined) {
      watch.ackedVersion = watch.sent.version;
      watch.acked = watch.sent.listings ?? this.#listingsNow(collection, watch.sent);
    }
    if (!incremental) watch.acked = undefined;
    return { kind: 'answered', isStale: false, error };
  }

  /** The source has other states. */
  onChange(): void {
    for (const watch of this.#watches.values()) if (this.#isDue(watch)) this.#queue.add(watch.collection);
  }

  /** Collections of which something is due, the one that has waited longest first. */
  due(): Collection[] {
    for (const collection of this.#queue) {
      if (!this.#isDue(this.#watchOf(collection))) this.#queue.delete(collection);
    }
    return [...this.#queue];
  }

  /** True where the sink wants changes of a collection. */
  isIncremental(collection: Collection): boolean {
    return this.#watchOf(collection).incremental;
  }

  /** What is due of a collection at this moment; it counts as sent. Undefined where that is nothing. */
  take(collection: Collection): SourceMessage | undefined {
    this.#queue.delete(collection);
    const watch = this.#watchOf(collection);
    if (!this.#isDue(watch)) return undefined;
    const offer = this.#offers.take(collection);
    if (offer === undefined || offer.identity === watch.answered) return undefined;
    const { version, identity, parts } = offer;
    const delta = watch.incremental && watch.acked !== undefined ? deltaOf(watch.acked, parts) : undefined;
    const nonce = String(++this.#nonce);
    const isIncremental = delta !== undefined;
    const tail = encodeResourcesTail({
      systemVersionInfo: version,
      collection,
      nonce,
      incremental: isIncremental,
      removedResources: delta?.removed ?? [],
    });
    const message = Rope.of(...(delta === undefined ? parts.map(({ bytes }) => bytes) : [delta.entries]), tail);
    const sent = {
      nonce,
      version,
      identity,
      listings: watch.incremental ? listingsOf(parts) : undefined,
      bytes: message.length,
      resources: parts.reduce((sum, { count }) => sum + count, 0),
      isIncremental,
    };
    watch.sent = sent;
    watch.pending = true;
    return { collection, message, sent };
  }

  #isDue({ collection, pending, answered }: Watch): boolean {
    if (pending) return false;
    const identity = this.#offers.identity(collection);
    return identity !== undefined && identity !== answered;
  }

  /**
   * What a sink has that took a whole state and asks for changes only now; undefined where there is another one since, or
   * reading it would take long.
   */
  #listingsNow(collection: Collection, { identity }: Sent): readonly Listing[] | undefined {
    if (!this.#watchOf(collection).incremental || this.#offers.identity(collection) !== identity) return undefined;
    const offer = this.#offers.take(collection);
    if (offer?.identity !== identity) return undefined;
    const unread = offer.parts.reduce((sum, { isListed, count }) => sum + (isListed ? 0 : count), 0);
    return unread > nameTurn ? undefined : listingsOf(offer.parts);
  }

  #watchOf(collection: Collection): Watch {
    let watch = this.#watches.get(collection);
    if (watch === undefined) {
      watch = {
        collection,
        incremental: false,
        sent: undefined,
        pending: false,
        answered: '',
        acked: undefined,
        ackedVersion: undefined,
        nack: undefined,
      };
      this.#watches.set(collection, watch);
    }
    return watch;
  }
}
