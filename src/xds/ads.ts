import type { Clock, Timer } from '../model/clock.ts';
import { kindOfTypeUrl, meshConfigTypeUrl } from '../model/kinds.ts';
import type { LogFields, Logger } from '../model/logger.ts';
import type { News } from '../model/news.ts';
import type { PushStreamEnd, Reporter } from '../model/reporter.ts';
import { ResourcePool } from '../model/resource.ts';
import { sizeLevel } from '../model/size-level.ts';
import type { Snapshot } from '../model/snapshot.ts';
import { shortened } from '../model/texts.ts';
import { decide } from '../push/decide.ts';
import { frameOf, leastLengthOf } from '../push/frames.ts';
import { type Outgoing, Pump, type PumpOptions } from '../push/pump.ts';
import { type Push, PushLog } from '../push/push-log.ts';
import { newSubscription, type Subscription } from '../push/subscription.ts';
import type { Rope } from '../wire/frame.ts';
import { decodeDiscoveryRequest, type DiscoveryRequest, encodeResponseTail } from '../wire/xds-messages.ts';
import { type IstiodProfile, profileOf } from './istiod-profile.ts';
import { type Minors, minorsOf } from './istiod-version.ts';

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

/** So long may the status of a peer that was refused wait behind what it does not read. */
const flushMs = 5000;

/** Name of types that are no kind of ours, where a name from a closed set is needed. */
const otherKind = 'other';

/** What is kept of a revision's name; Kubernetes takes 63 characters. */
const maxRevisionLength = 253;

/** Of a type that no source can hold. */
const nothing: Snapshot = {
  kind: '',
  version: '',
  identity: '',
  pool: new ResourcePool(),
  rows: new Int32Array(),
  stamps: new Int32Array(),
  bytes: 0,
};

/** What the exchange reads of the store. */
export type SnapshotView = {
  isExpected(kindId: string): boolean;
  snapshot(kindId: string): Snapshot | undefined;
};

/** The stream under the exchange. */
export type AdsTransport = {
  /** Calls `hand` once it has room for another message, and settles as it does. @default there is always room */
  whenRoom?(hand: () => Promise<void>): Promise<void>;
  /**
   * Copies the message before it returns. Settles when the peer has taken it off the wire, or rejects when it never
   * will.
   */
  send(message: Rope): Promise<void>;
  /** Ends the stream with a gRPC status, 0 = OK, and drops what the peer has not taken yet. */
  end(code: number, details: string): void;
  /** The same, behind what the peer has not taken yet. True where there is something, and {@link reset} may be needed. */
  finish(code: number, details: string): boolean;
  /** Drops what the peer has not taken. */
  reset(): void;
  /** What the peer's gRPC library calls itself; undefined where it does not. */
  readonly userAgent?: string | undefined;
};

/** What only a stranger causes, again and again where it likes. */
export type StrangerLine = 'refused' | 'strange type';

export type AdsOptions = {
  readonly clock: Clock;
  readonly reporter: Reporter;
  readonly log: Logger;
  readonly pump: PumpOptions;
  /** Age in milliseconds at which a stream is ended so that istiod's own timers start afresh; undefined = never. */
  readonly recycleMs: number | undefined;
  /** Overrides what the stream reveals. */
  readonly istiodVersion: string | undefined;
  /** The same; '' = istiod has none. @default what the stream reveals */
  readonly istiodRevision?: string | undefined;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  /** Tells the operator of a stranger. @default a line of the log each time */
  readonly warnOfStranger?: (sort: StrangerLine, fields: LogFields, message: string) => void;
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
  readonly #pushes = new PushLog();
  /** Non-kinds that were asked for, said once each. */
  readonly #strange = new Set<string>();
  #profile: IstiodProfile | undefined;
  #nodeId = '';
  #revision: string | undefined;
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

  /** The versions that the peer may be of, as far as it has shown by now; undefined = any. */
  get minors(): Minors | undefined {
    const seen = {
      nodeId: this.#nodeId,
      typeUrls: [...this.#subscriptions.keys()],
      userAgent: this.#transport.userAgent,
    };
    return minorsOf(seen, this.#options.istiodVersion);
  }

  /** The peer's revision; '' = it has none, undefined = that is not known. */
  get revision(): string | undefined {
    return this.#options.istiodRevision ?? this.#revision;
  }

  /** What the peer can receive in one response, in bytes. */
  get maxResponseBytes(): number {
    return this.#profileOrDefault.maxResponseBytes;
  }

  get #profileOrDefault(): IstiodProfile {
    return this.#profile ?? profileOf('', this.#options.istiodVersion);
  }

  get subscriptions(): Iterable<Readonly<Subscription>> {
    return this.#subscriptions.values();
  }

  /** The last responses, newest first. */
  get pushes(): readonly Push[] {
    return this.#pushes.all;
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

  /**
   * Snapshots are others now.
   * @param news by {@link Kind.id}. Default: nobody knows since when.
   */
  onChange(news: ReadonlyMap<string, News> = new Map()): void {
    const now = this.#options.clock.now();
    for (const { typeUrl, progress } of news.size === 0 ? [] : this.#subscriptions.values()) {
      const changed = news.get(kindOfTypeUrl(typeUrl)?.id ?? '');
      if (changed !== undefined) progress.changed(changed, now);
    }
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
    this.#revision = revisionOf(request.node.metadata);
    if (!this.#profile.mayEndStream) this.#pump.neverTimeOut();
    this.#options.log.info({ node: this.#nodeId, profile: this.#profile.name }, 'istiod connected');
  }

  #subscribe(typeUrl: string): void {
    if (!isResourceType(typeUrl)) {
      const strange = shortened(typeUrl, maxTextLength);
      if (this.#strange.size >= maxSubscriptions || this.#strange.has(strange)) return;
      this.#strange.add(strange);
      const hint = 'this port serves configuration to istiod (configSources), not to proxies';
      this.#warnOfStranger('strange type', { typeUrl: strange, hint }, 'a type that istiod never asks for');
      return;
    }
    if (this.#subscriptions.size >= maxSubscriptions) {
      this.#end('refused', status.resourceExhausted, `more than ${maxSubscriptions} types on one stream`);
      return;
    }
    this.#subscriptions.set(typeUrl, newSubscription(typeUrl, this.#options.clock.now()));
    this.#pump.wake(gatherMs);
  }

  #answered(subscription: Subscription, nack: string | undefined): void {
    const { reporter, clock, log } = this.#options;
    const { typeUrl, sent } = subscription;
    const kind = kindName(typeUrl);
    this.#pushes.answered(typeUrl, clock.now() - (sent?.at ?? 0), nack);
    subscription.pending = false;
    subscription.nack = nack;
    this.#pending--;
    if (nack === undefined) {
      subscription.ackedVersion = sent?.version;
      reporter.pushAcked(kind, (clock.now() - (sent?.at ?? 0)) / 1000);
      this.#arrived(typeUrl, subscription.progress.acked(clock.now()));
    } else {
      subscription.progress.nacked();
      reporter.pushNacked(kind);
      log.warn({ node: this.#nodeId, typeUrl, peerSays: nack }, 'the peer refused a push');
    }
    this.#pump.answered();
  }

  /** @param ms undefined = there is nothing to tell. */
  #arrived(typeUrl: string, ms: number | undefined): void {
    if (ms !== undefined) this.#options.reporter.propagated(kindName(typeUrl), ms / 1000);
  }

  /** Everything that this peer lacks now and may have. */
  #due(): Outgoing[] {
    const due: Outgoing[] = [];
    for (const subscription of this.#subscriptions.values()) {
      const identity = this.#snapshotFor(subscription)?.identity;
      if (identity === undefined) continue;
      if (subscription.sent?.identity === identity) this.#isThere(subscription, subscription.sent.bytes);
      else if (subscription.tooLarge?.identity !== identity) due.push({ send: () => this.#send(subscription) });
    }
    return due;
  }

  /** What this peer may have of a type; undefined while that is not known. */
  #snapshotFor({ typeUrl }: Subscription): Snapshot | undefined {
    const kind = kindOfTypeUrl(typeUrl);
    // What nobody can hold is empty: istiod 1.16 and newer is ready only once every type was answered.
    return kind !== undefined && this.#view.isExpected(kind.id) ? this.#view.snapshot(kind.id) : nothing;
  }

  #send(subscription: Subscription): Promise<void> {
    const hand = () => this.#handOver(subscription);
    return this.#transport.whenRoom?.(hand) ?? hand();
  }

  /** Sends the snapshot of this moment: it is only good for as long as nobody else runs. */
  async #handOver(subscription: Subscription): Promise<void> {
    if (this.#closed) return;
    const snapshot = this.#snapshotFor(subscription);
    if (snapshot === undefined || snapshot.identity === subscription.sent?.identity) return;
    const { version, identity } = snapshot;
    const profile = this.#profileOrDefault;
    const { typeUrl } = subscription;
    const nonce = String(this.#nonce + 1);
    const tail = encodeResponseTail({ versionInfo: version, typeUrl, nonce });
    const limit = profile.maxResponseBytes;
    const least = leastLengthOf(snapshot, profile) + tail.length;
    const message = least > limit ? undefined : frameOf(snapshot, profile).with(tail);
    const bytes = message?.length ?? least;
    this.#watchSize(subscription, bytes, limit);
    if (message === undefined || bytes > limit) {
      subscription.tooLarge = { identity, bytes };
      this.#options.reporter.pushTooLarge(kindName(typeUrl));
      return;
    }
    this.#nonce++;
    const now = this.#options.clock.now();
    subscription.sent = { nonce, version, identity, at: now, bytes };
    subscription.tooLarge = undefined;
    subscription.pending = true;
    this.#pending++;
    const { cause, waitedMs } = subscription.progress.left(bytes, now);
    this.#options.reporter.pushed(kindName(typeUrl), bytes, cause, waitedMs / 1000);
    const resources = snapshot.rows.length;
    this.#pushes.left({ typeUrl, at: this.#options.clock.date(), version, resources, bytes, cause, waitedMs });
    this.#options.log.debug({ node: this.#nodeId, typeUrl, version, nonce, bytes }, 'push');
    await this.#transport.send(message);
  }

  /** What the peer has is what it should have, so that there is nothing to send. */
  #isThere(subscription: Subscription, bytes: number): void {
    this.#arrived(subscription.typeUrl, subscription.progress.isSent());
    if (subscription.tooLarge === undefined) return;
    subscription.tooLarge = undefined;
    this.#watchSize(subscription, bytes, this.maxResponseBytes);
  }

  /** Tells the operator once when a type comes near to what the peer can receive, when it is more, and when it is well again. */
  #watchSize(subscription: Subscription, bytes: number, limit: number): void {
    const before = subscription.size;
    const size = sizeLevel(bytes, limit, before);
    if (size === before) return;
    subscription.size = size;
    const { log } = this.#options;
    const fields = { node: this.#nodeId, typeUrl: subscription.typeUrl, bytes, limit };
    const isOld = this.#profileOrDefault.name === 'up-to-1.11';
    const next = isOld
      ? 'upgrade it to 1.12 or newer, or serve fewer resources'
      : 'share the resources out over several bridges';
    if (size === 'over')
      log.error({ ...fields, hint: `it keeps what it had; ${next}` }, 'a type is too large for this istiod');
    else if (size === 'near') {
      const hint = `beyond the limit it is not sent any more; ${next}`;
      const what =
        before === 'over' ? 'a type fits this istiod again, and is sent' : 'a type is nearly too large for this istiod';
      log.warn({ ...fields, hint }, what);
    } else log.info(fields, 'a type is far from what this istiod can receive again');
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
    const { log, clock } = this.#options;
    const hint = endHints[reason];
    if (hint === undefined) log.info({ node: this.#nodeId, reason, details }, 'ending a stream to istiod');
    else if (reason !== 'refused') log.warn({ node: this.#nodeId, reason, details, hint }, 'ending a stream to istiod');
    else this.#warnOfStranger('refused', { reason, details, hint }, 'ending a stream to istiod');
    // Who is refused has to hear why, and may still be reading what came before.
    if (reason !== 'refused') this.#transport.end(code, details);
    else if (this.#transport.finish(code, details)) clock.after(flushMs, () => this.#transport.reset());
  }

  #warnOfStranger(sort: StrangerLine, fields: LogFields, message: string): void {
    const { log, warnOfStranger } = this.#options;
    const all = { node: this.#nodeId, ...fields };
    if (warnOfStranger === undefined) log.warn(all, message);
    else warnOfStranger(sort, all, message);
  }
}

/** What there is to do where the peer is to blame for the end. */
const endHints: Partial<Record<PushStreamEnd, string>> = {
  send_timeout: 'it hangs, or the way to it is broken; it keeps what it has, and is served again when it comes back',
  ack_timeout: 'it hangs, or is no istiod; it keeps what it has, and is served again when it comes back',
  refused: 'only istiod has business on this port, and asks for less: see who this is (docs/limits.md)',
};

/** istiod 1.13 and newer names its revision if it has one (bootstrap/configcontroller.go); undefined where there is no metadata. */
function revisionOf(metadata: unknown): string | undefined {
  const { fields } = (metadata ?? {}) as { fields?: Readonly<Record<string, { stringValue?: unknown }>> };
  if (fields === undefined) return undefined;
  const revision = Object.hasOwn(fields, 'ISTIO_REVISION') ? fields['ISTIO_REVISION']?.stringValue : '';
  return typeof revision === 'string' ? shortened(revision, maxRevisionLength) : undefined;
}

/** True for `group/version/Kind`. Envoy's own types have two parts. */
function isResourceType(typeUrl: string): boolean {
  const parts = typeUrl.split('/');
  return parts.length === 3 && typeUrl.length <= 256 && parts.every((part) => part !== '');
}

/** The name of the kind, of a closed set. */
export function kindName(typeUrl: string): string {
  return kindOfTypeUrl(typeUrl)?.kind ?? otherKind;
}
