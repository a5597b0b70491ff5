import { legacyTarget } from '../../../src/legacy/origin.ts';
import { SinkExchange } from '../../../src/legacy/sink.ts';
import type { SinkTarget } from '../../../src/legacy/source-feed.ts';
import { defaultSourceProfile } from '../../../src/legacy/source-profile.ts';
import { type Collection, type Kind, kinds as allKinds } from '../../../src/model/kinds.ts';
import { silentLogger } from '../../../src/model/logger.ts';
import type { Holding } from '../../../src/store/holding.ts';
import { decodeRequestResources, encodeResources } from '../../../src/wire/legacy-messages.ts';
import { viewResource, viewResourceBytes } from '../../../src/wire/resource-view.ts';
import { MalformedError } from '../../../src/wire/scan.ts';
import { decodeDiscoveryResponse } from '../../../src/wire/xds-messages.ts';
import { frameOf } from '../../../src/push/frames.ts';
import { heldBy } from '../../support/source-view.ts';
import { StoreLab } from '../../support/store-lab.ts';
import { textOf } from './content.ts';
import type { Item, Name } from './item.ts';
import { bytesOf } from './item-bytes.ts';

/** One stream, and where its messages go. */
type Source = {
  readonly collections: readonly Collection[];
  readonly target: SinkTarget;
  /** Undefined while there is no stream. */
  current: { readonly exchange: SinkExchange; readonly startedAt: number; isLive: boolean } | undefined;
};

/** A response of which only the nonce is left out. */
export type Given = {
  readonly version: string;
  /** Key → version of the resource, and content. */
  readonly resources: ReadonlyMap<string, { readonly version: string; readonly text: string }>;
};

/** The type URL under which istiod asks for a kind. */
export const typeUrlOf = ({ group, kind, versions }: Kind): string => `${group}/${versions[0]}/${kind}`;

export function kindOfUrl(typeUrl: string): Kind {
  const kind = allKinds.find((one) => typeUrlOf(one) === typeUrl);
  if (kind === undefined) throw new Error(`no kind of ${typeUrl}`);
  return kind;
}

/** The bridge from the bytes of a message to the bytes of a response: all of it but the sockets. */
export class Bridge extends StoreLab {
  readonly #sources = new Map<string, Source>();

  addSource(origin: string, kinds: readonly Kind[]): void {
    const collections = kinds.map(collectionOf);
    this.store.addOrigin(
      origin,
      kinds.map(({ id }) => id),
    );
    const rules = { defaultNamespace: 'default', namespaceIsExplicit: false };
    const target = legacyTarget(origin, collections, rules, this.store, silentLogger, () => {});
    this.#sources.set(origin, { collections, target, current: undefined });
  }

  /** Delivers bytes on the stream of a source; a new one where there is none. Returns what the source is answered. */
  async receive(origin: string, bytes: Buffer): Promise<string> {
    const source = this.#source(origin);
    source.current ??= {
      exchange: new SinkExchange(source.collections, defaultSourceProfile),
      startedAt: this.clock.now(),
      isLive: true,
    };
    const { current } = source;
    let received: ReturnType<SinkExchange['receive']>;
    try {
      received = current.exchange.receive(bytes);
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      this.endStream(origin);
      return 'the stream is ended';
    }
    const { message } = received;
    const reply = decodeRequestResources(received.reply);
    if (received.accepted) await source.target.accept(message.collection, message, received.full, current);
    const answer = reply.errorDetail === undefined ? 'ACK' : `NACK ${reply.errorDetail.code}`;
    return `${answer} of ${reply.responseNonce}`;
  }

  endStream(origin: string): void {
    const source = this.#source(origin);
    if (source.current !== undefined) source.current.isLive = false;
    source.current = undefined;
  }

  /** A source that is asked again says nothing until it is told to. */
  override askAgain(origin: string, since: number): void {
    const { current } = this.#source(origin);
    if (current !== undefined && current.startedAt < since) this.endStream(origin);
  }

  countAsEmpty(origin: string, kind: Kind, why: 'silent' | 'unsupported'): void {
    this.#source(origin).target.markEmpty(collectionOf(kind), why);
  }

  holding(origin: string, kind: Kind): Holding {
    return this.store.holding(origin, kind.id);
  }

  /** Key → content of what is effective of one origin. */
  effective(origin: string, kind: Kind): Map<string, string> {
    const resources = heldBy(this.holding(origin, kind).resources);
    return new Map(resources.map((resource) => [resource.key, textOf(viewResource(resource))]));
  }

  /** What a stream would be sent at this moment. */
  look(kind: Kind, versioned = true): Given | undefined {
    const snapshot = this.store.snapshot(kind.id);
    return snapshot && givenIn(snapshot.version, frameOf(snapshot, { versioned }).toBuffer());
  }

  #source(origin: string): Source {
    const source = this.#sources.get(origin);
    if (source === undefined) throw new Error(`no origin ${origin}`);
    return source;
  }
}

/** @param response bytes of a DiscoveryResponse, with or without its tail. */
export function givenIn(version: string, response: Buffer): Given {
  const views = decodeDiscoveryResponse(response).resources.map(({ value }) => viewResourceBytes(value));
  return {
    version,
    resources: new Map(views.map((view) => [view.name, { version: view.version, text: textOf(view) }])),
  };
}

/** What a source says at once about one kind. */
export type Message = {
  readonly kind: Kind;
  readonly incremental: boolean;
  readonly items: readonly Item[];
  readonly removed: readonly Name[];
};

/** The bytes of a `Resources` message. */
export function encodeMessage({ kind, incremental, items, removed }: Message, nonce: string): Buffer {
  return encodeResources({
    systemVersionInfo: 'any',
    collection: collectionOf(kind),
    nonce,
    incremental,
    resources: items.map((item) => bytesOf(item, kind)),
    removedResources: removed.map(({ text }) => text),
  });
}

export function collectionOf({ id, collection }: Kind): Collection {
  if (collection === undefined) throw new Error(`no collection of ${id}`);
  return collection;
}
