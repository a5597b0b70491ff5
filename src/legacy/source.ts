import type { Collection } from '../model/kinds.ts';
import { encodeResources, type RequestResources } from '../wire/legacy-messages.ts';

/** What a source has in one collection. */
export type SourceState = {
  /** Opaque; sent as system_version_info. Another version means another content. */
  readonly version: string;
  /** Encoded `istio.mcp.v1alpha1.Resource` messages. */
  readonly resources: readonly Uint8Array[];
};

/** What a source offers. A collection that is not in it is unknown to the source. */
export type SourceView = ReadonlyMap<Collection, SourceState>;

/** What to do after a request. */
export type SourceAnswer =
  | { readonly kind: 'send'; readonly messages: readonly Buffer[] }
  /** The whole stream ends with INVALID_ARGUMENT, as Istio's source does it. */
  | { readonly kind: 'refuse'; readonly details: string };

type Watch = {
  /** Nonce and version of the message that was not answered yet. */
  pending: { readonly nonce: string; readonly version: string } | undefined;
  /** Version that the sink answered last; "" before the first, which is why a version "" is never sent. */
  version: string;
};

/**
 * One stream of a legacy sink, from the source's side, whole states only. Free of sockets.
 * Rules: pkg/mcp/source/source.go (1.8.6) processClientRequest, pushServerResponse.
 */
export class SourceExchange {
  readonly #watches = new Map<Collection, Watch>();
  #view: SourceView;
  #nonce = 0;

  constructor(view: SourceView) {
    this.#view = view;
  }

  onRequest(request: RequestResources): SourceAnswer {
    const { collection, responseNonce } = request;
    if (!this.#view.has(collection)) {
      return { kind: 'refuse', details: `unsupported collection ${JSON.stringify(collection)}` };
    }
    let watch = this.#watches.get(collection);
    if (watch === undefined) {
      watch = { pending: undefined, version: '' };
      this.#watches.set(collection, watch);
    }
    // An empty nonce counts as the answer to what is outstanding; any other one that is not expected is stale.
    if (responseNonce !== '' && responseNonce !== watch.pending?.nonce) return { kind: 'send', messages: [] };
    // A NACK moves the version on too: the same state is not sent twice, only the next one is.
    watch.version = watch.pending?.version ?? watch.version;
    watch.pending = undefined;
    return { kind: 'send', messages: this.#due(collection, watch) };
  }

  /** The source has another state; returns what is to be sent now. */
  onChange(view: SourceView): Buffer[] {
    this.#view = view;
    return Array.from(this.#watches).flatMap(([collection, watch]) => this.#due(collection, watch));
  }

  #due(collection: Collection, watch: Watch): Buffer[] {
    const state = this.#view.get(collection);
    if (watch.pending !== undefined || state === undefined || state.version === watch.version) return [];
    const nonce = String(++this.#nonce);
    watch.pending = { nonce, version: state.version };
    const { version, resources } = state;
    return [
      encodeResources({
        systemVersionInfo: version,
        collection,
        nonce,
        incremental: false,
        resources,
        removedResources: [],
      }),
    ];
  }
}
