import { type Collection, kindOfCollection } from '../model/kinds.ts';
import { encodeMeshConfigRequest, readMeshConfigResponse } from '../wire/legacy-messages.ts';
import { aggregatedMeshConfig, type RawMethod } from '../wire/services.ts';
import type { Exchange, Received } from './exchange.ts';
import type { SourceProfile } from './source-profile.ts';

const unimplemented = 12;

/** So long a NACK waits, in milliseconds. */
const nackDelayMs = 1000;

/**
 * One stream of `AggregatedMeshConfigService`, which Galley 1.0 and 1.1 and what was made of them serve. Free of sockets.
 *
 * A request names the version that the sink has; a server sends at once where it has another one (1.0.9
 * galley/pkg/mcp/server/server.go, 1.1.17 pkg/mcp/server/server.go). So what came is ACKed whatever becomes of it further
 * on, a NACK names what was refused as though it had been taken, and waits a little: one a second at most, whatever a
 * server does about it.
 */
export class AggregatedExchange implements Exchange {
  readonly #profile: SourceProfile;
  /** type_url → collection. */
  readonly #types: ReadonlyMap<string, Collection>;
  readonly #answered = new Set<Collection>();

  /** @param collections those that have no type in the protocol are not asked for. */
  constructor(collections: Iterable<Collection>, profile: SourceProfile) {
    this.#profile = profile;
    const types = new Map<string, Collection>();
    for (const collection of collections) {
      const type = typeUrlOf(collection, profile);
      if (type !== undefined) types.set(type, collection);
    }
    this.#types = types;
  }

  get method(): RawMethod {
    return aggregatedMeshConfig();
  }

  get answered(): ReadonlySet<Collection> {
    return this.#answered;
  }

  initialRequests(): Buffer[] {
    return Array.from(this.#types.keys(), (typeUrl) => this.#request(typeUrl, '', ''));
  }

  receive(bytes: Buffer): Received {
    const { versionInfo, ...message } = readMeshConfigResponse(bytes);
    const { collection: typeUrl, nonce } = message;
    const collection = this.#types.get(typeUrl);
    if (collection === undefined) {
      const text = `unsupported type_url ${JSON.stringify(typeUrl)}`;
      const reply = this.#request(typeUrl, versionInfo, nonce, { code: unimplemented, message: text });
      return { message, reply, accepted: false, code: unimplemented, delayMs: nackDelayMs };
    }
    this.#answered.add(collection);
    const reply = this.#request(typeUrl, versionInfo, nonce);
    return { message: { ...message, collection }, reply, accepted: true, full: this.#profile.state === 'full' };
  }

  #request(
    typeUrl: string,
    versionInfo: string,
    responseNonce: string,
    errorDetail?: { readonly code: number; readonly message: string },
  ): Buffer {
    return encodeMeshConfigRequest({
      versionInfo,
      sinkNode: { id: this.#profile.sinkNodeId },
      typeUrl,
      responseNonce,
      ...(errorDetail === undefined ? {} : { errorDetail }),
    });
  }
}

/** What a collection is called; undefined where Istio 1.0 may have no type for it that we know. */
function typeUrlOf(collection: Collection, { protocol, askAs }: SourceProfile): string | undefined {
  const name = askAs[collection];
  if (name !== undefined || protocol !== 'aggregated-1.0') return name ?? collection;
  const body = kindOfCollection(collection)?.body;
  return body === undefined ? undefined : `type.googleapis.com/${body}`;
}
