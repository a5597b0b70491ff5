import type { Clock, Timer } from '../model/clock.ts';
import { kindOfTypeUrl, meshConfigTypeUrl } from '../model/kinds.ts';
import type { Logger } from '../model/logger.ts';
import type { PushStreamEnd, Reporter } from '../model/reporter.ts';
import { ResourcePool } from '../model/resource.ts';
import type { Snapshot } from '../model/snapshot.ts';
import { decide } from '../push/decide.ts';
import { frameOf, leastLengthOf } from '../push/frames.ts';
import { type Outgoing, Pump, type PumpOptions } from '../push/pump.ts';
import { newSubscription, type Subscription } from '../push/subscription.ts';
import type { Rope } from '../wire/frame.ts';
import { decodeDiscoveryRequest, type DiscoveryRequest, encodeResponseTail } from '../wire/xds-messages.ts';
import { type IstiodProfile, profileOf } from './istiod-profile.ts';

/** Types that one stream may ask for. istiod 1.30 asks for 16. */
const maxSubscriptions = 64;

/** What is kept and logged of a node id; istiod's are about 80 characters. */
const maxNodeIdLength = 256;

/** What is kept and shown of other text of a peer. */
const maxTextLength = 1000;

/** A stream on which nothing was asked for so long is ended: an istiod asks at once. */
const firstRequestMs = 30_000;

/** Requests arrive one by one within a few milliseconds; answers to all of them leave together. */
const gatherMs = 10;

/** Name of types that are no kind of ours, where a name from a closed set is needed. */
const otherKind = 'other';

/** Room for what follows the resources in a response: version, type and nonce. */
const tailBytes = 256;

/** Of a type that no source can hold. */
const nothing: Snapshot = {
  kind: '',
  version: '',
  identity: '',
  pool: new ResourcePool(),
  rows: new Int32Array(),
  stamps: new Int32Array(),
};

/** What the exchange reads of the store. */
export type SnapshotView = {
  isExpected(kindId: string): boolean;
  snapshot(kindId: string): Snapshot | undefined;
};

/** The stream under the exchange. */
export type AdsTransport = {
  /**
   * Copies the message before it returns. Settles when the peer has taken it off the wire, or rejects when it never
   * will.
   */
  send(message: Rope): Promise<void>;
  /** Ends the stream with a gRPC status; 0 = OK. */
  end(code: number, details: string): void;
};

export type AdsOptions = {
  readonly clock: Clock;
  readonly reporter: Reporter;
  readonly log: Logger;
  readonly pump: PumpOptions;
  /** Age in milliseconds at which a stream is ended so that istiod's own timers start afresh; undefined = never. */
  readonly recycleMs: number | undefined;
  /** Overrides what the stream reveals. */
  readonly istiodVersion: string | undefined;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
};

/** gRPC status codes used here (grpc/status.h). */
const status = { ok: 0, invalidArgument: 3, deadlineExceeded: 4, resourceExhausted: 8, unavailable: 14 } as const;

/**
 * One stream of an istiod, state of the world: which types it asked for, what it has, what is due. Free of
 * sockets. Protocol: envoy service/discovery/v3 ADS as istiod's pkg/adsc/adsc.go (1.9 to 1.30) speaks it.
 */
export class AdsExchange {
  readonly #options: AdsOptions;
  readonly #view: SnapshotView;
  readonly #transport: AdsTransport;
  readonly #pump: Pump;
  readonly #subscriptions = new Map<string, Subscription>();
  /** Non-kinds that were asked for, said once each. */
  readonly #strange = new Set<string>();
  #profile: IstiodProfile | undefined;
  #nodeId = '';
  #nonce = 0;
  #pending = 0;
  readonly #firstRequest: Timer;
  readonly #recycle: Timer | undefined;
  #recycleDue = false;
  #closed = false;

  constructor(options: AdsOptions, view: SnapshotView, transport: AdsTransport) {
    this.#options = options;
    this.#view = view;
    this.#transport = transport;
    const { pump, clock, log, reporter } = options;
    this.#pump = new Pump(pump, clock, {
      due: () => this.#due(),
      awaiting: () => this.#pending > 0,
      onAckOverdue: () => {
        for (const { typeUrl, pending } of this.#subscriptions.values()) {
          if (!pending) continue;
          reporter.ackOverdue(kindName(typeUrl));
          log.warn({ node: this.#nodeId, typeUrl, ms: pump.ackWarnMs }, 'istiod has not acknowledged a push yet');
        }
      },
      onIdle: () => this.#recycleIfIdle(),
      onGiveUp: (reason, error) => this.#giveUp(reason, error),
    });
    this.#firstRequest = clock.after(firstRequestMs, () =>
      this.#end('refused', status.deadlineExceeded, `nothing was asked for within ${firstRequestMs / 1000} s`),
    );
    if (options.recycleMs !== undefined) {
      const ms = options.recycleMs * (0.8 + 0.4 * options.random());
      this.#recycle = clock.after(ms, () => {
        this.#recycleDue = true;
        this.#recycleIfIdle();
      });
    }
  }

  /** What the peer calls itself; empty before its first request. */
  get nodeId(): string {
    return this.#nodeId;
  }

  get profile(): IstiodProfile | undefined {
    return this.#profile;
  }

  get subscriptions(): Iterable<Readonly<Subscription>> {
    return this.#subscriptions.values();
  }

  /** Takes the bytes of one DiscoveryRequest. */
  onRequest(bytes: Buffer): void {
    if (this.#closed) return;
    let request: DiscoveryRequest;
    try {
      request = decodeDiscoveryRequest(bytes);
    } catch {
      this.#end('refused', status.invalidArgument, 'this is no DiscoveryRequest');
      return;
    }
    this.#firstRequest.cancel();
    this.#meet(request);
    // Never answered: an answer fills a channel that istiod 1.9 to 1.11 does not drain, and freezes it for ever.
    if (request.typeUrl === meshConfigTypeUrl) return;
    const subscription = this.#subscriptions.get(request.typeUrl);
    switch (decide(subscription, request)) {
      case 'subscribe':
        this.#subscribe(request.typeUrl);
        return;
      case 'ack':
        this.#answered(subscription as Subscription, undefined);
        return;
      case 'nack':
        this.#answered(subscription as Subscription, shortened(request.errorDetail?.message ?? '', maxTextLength));
        return;
      case 'stale':
        this.#options.log.debug({ node: this.#nodeId, typeUrl: request.typeUrl }, 'stale request ignored');
    }
  }

  /** Snapshots are others now. */
  onChange(): void {
    this.#pump.wake();
  }

  /** Ends the stream from our side, for a shutdown. */
  shutdown(): void {
    this.#end('shutdown', status.unavailable, 'Isthmus is shutting down');
  }

  /** The stream is over; nothing is sent after this. */
  close(): void {
    if (this.#closed) return;
    this.#stop();
    this.#options.reporter.pushStreamEnded('peer');
  }

  #stop(): void {
    this.#closed = true;
    this.#firstRequest.cancel();
    this.#recycle?.cancel();
    this.#pump.close();
  }

  #meet(request: DiscoveryRequest): void {
    if (this.#profile !== undefined || request.node === undefined) return;
    this.#nodeId = shortened(request.node.id, maxNodeIdLength);
    this.#profile = profileOf(request.node.id, this.#options.istiodVersion);
    if (!this.#profile.mayEndStream) this.#pump.neverTimeOut();
    this.#options.log.info({ node: this.#nodeId, profile: this.#profile.name }, 'istiod connected');
  }

  #subscribe(typeUrl: string): void {
    if (!isResourceType(typeUrl)) {
      const strange = shortened(typeUrl, maxTextLength);
      if (this.#strange.size >= maxSubscriptions || this.#strange.has(strange)) return;
      this.#strange.add(strange);
      const hint = 'this port serves configuration to istiod (configSources), not to proxies';
      this.#options.log.warn({ node: this.#nodeId, typeUrl: strange, hint }, 'a type that istiod never asks for');
      return;
    }
    if (this.#subscriptions.size >= maxSubscriptions) {
      this.#end('refused', status.resourceExhausted, `more than ${maxSubscriptions} types on one stream`);
      return;
    }
    this.#subscriptions.set(typeUrl, newSubscription(typeUrl));
    this.#pump.wake(gatherMs);
  }

  #answered(subscription: Subscription, nack: string | undefined): void {
    const { reporter, clock, log } = this.#options;
    const { typeUrl, sent } = subscription;
    const kind = kindName(typeUrl);
    subscription.pending = false;
    subscription.nack = nack;
    this.#pending--;
    if (nack === undefined) {
      subscription.ackedVersion = sent?.version;
      reporter.pushAcked(kind, (clock.now() - (sent?.at ?? 0)) / 1000);
    } else {
      reporter.pushNacked(kind);
      log.warn({ node: this.#nodeId, typeUrl, peerSays: nack }, 'the peer refused a push');
    }
    this.#pump.answered();
  }

  /** Everything that this peer lacks now and may have. */
  #due(): Outgoing[] {
    const due: Outgoing[] = [];
    for (const subscription of this.#subscriptions.values()) {
      const identity = this.#snapshotFor(subscription)?.identity;
      if (identity === undefined) continue;
      if (subscription.sent?.identity === identity) subscription.tooLarge = undefined;
      else if (subscription.tooLarge !== identity) due.push({ send: () => this.#send(subscription) });
    }
    return due;
  }

  /** What this peer may have of a type; undefined while that is not known. */
  #snapshotFor({ typeUrl }: Subscription): Snapshot | undefined {
    const kind = kindOfTypeUrl(typeUrl);
    // What nobody can hold is empty: istiod 1.16 and newer is ready only once every type was answered.
    return kind !== undefined && this.#view.isExpected(kind.id) ? this.#view.snapshot(kind.id) : nothing;
  }

  /** Sends the snapshot of this moment: it is only good for as long as nobody else runs. */
  async #send(subscription: Subscription): Promise<void> {
    const snapshot = this.#snapshotFor(subscription);
    if (snapshot === undefined || snapshot.identity === subscription.sent?.identity) return;
    const { version, identity } = snapshot;
    const profile = this.#profile ?? profileOf('', this.#options.istiodVersion);
    const limit = profile.maxResponseBytes ?? Number.POSITIVE_INFINITY;
    const least = leastLengthOf(snapshot, profile);
    const frame = least + tailBytes > limit ? undefined : frameOf(snapshot, profile);
    if (frame === undefined || frame.length + tailBytes > limit) {
      this.#tooLarge(subscription, identity, frame?.length ?? least, limit);
      return;
    }
    const { typeUrl } = subscription;
    const nonce = String(++this.#nonce);
    const message = frame.with(encodeResponseTail({ versionInfo: version, typeUrl, nonce }));
    subscription.sent = { nonce, version, identity, at: this.#options.clock.now() };
    subscription.tooLarge = undefined;
    subscription.pending = true;
    this.#pending++;
    this.#options.reporter.pushed(kindName(typeUrl), message.length);
    this.#options.log.debug({ node: this.#nodeId, typeUrl, version, nonce, bytes: message.length }, 'push');
    await this.#transport.send(message);
  }

  #tooLarge(subscription: Subscription, identity: string, bytes: number, limit: number): void {
    const { typeUrl } = subscription;
    subscription.tooLarge = identity;
    this.#options.reporter.pushTooLarge(kindName(typeUrl));
    const hint = 'istiod up to 1.11 receives at most 4 MiB; it keeps what it had. Upgrade it, or serve fewer resources';
    this.#options.log.error({ node: this.#nodeId, typeUrl, bytes, limit, hint }, 'a type is too large for this istiod');
  }

  #recycleIfIdle(): void {
    if (!this.#recycleDue || this.#closed || !this.#pump.idle || this.#profile?.mayEndStream === false) return;
    this.#end('recycled', status.ok, '');
  }

  #giveUp(reason: 'send_timeout' | 'ack_timeout' | 'failed', error: unknown): void {
    if (error !== undefined) this.#options.log.debug({ node: this.#nodeId, err: error }, 'send failed');
    this.#end(reason, status.unavailable, reason === 'ack_timeout' ? 'no acknowledgement' : 'the peer does not read');
  }

  #end(reason: PushStreamEnd, code: number, details: string): void {
    if (this.#closed) return;
    this.#stop();
    this.#options.reporter.pushStreamEnded(reason);
    const { log } = this.#options;
    const hint = endHints[reason];
    if (hint === undefined) log.info({ node: this.#nodeId, reason, details }, 'ending a stream to istiod');
    else log.warn({ node: this.#nodeId, reason, details, hint }, 'ending a stream to istiod');
    this.#transport.end(code, details);
  }
}

/** What there is to do where the peer is to blame for the end. */
const endHints: Partial<Record<PushStreamEnd, string>> = {
  send_timeout: 'it hangs, or the way to it is broken; it keeps what it has, and is served again when it comes back',
  ack_timeout: 'it hangs, or is no istiod; it keeps what it has, and is served again when it comes back',
  refused: 'only istiod has business on this port, and asks for less: see who this is (docs/limits.md)',
};

/** True for `group/version/Kind`. Envoy's own types have two parts. */
function isResourceType(typeUrl: string): boolean {
  const parts = typeUrl.split('/');
  return parts.length === 3 && typeUrl.length <= 256 && parts.every((part) => part !== '');
}

/** The beginning of a text, as a text of its own: a slice would keep all of it in memory. */
function shortened(text: string, maxLength: number): string {
  return text.length <= maxLength ? text : Buffer.from(text.slice(0, maxLength)).toString();
}

function kindName(typeUrl: string): string {
  return kindOfTypeUrl(typeUrl)?.kind ?? otherKind;
}
