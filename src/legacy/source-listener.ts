import { Metadata, type Server } from '@grpc/grpc-js';
import { type Clock, systemClock, type Timer } from '../model/clock.ts';
import { type Logger, silentLogger } from '../model/logger.ts';
import { pilotMessageBytes } from '../model/pilot-limits.ts';
import { silentReporter } from '../model/reporter.ts';
import type { HostPort } from '../net/address.ts';
import { transportOf } from '../net/call-transport.ts';
import { defaultDoorLimits, type DoorLimits, type TurnedAway } from '../net/door.ts';
import {
  failCall,
  guarded,
  listen,
  nameOf,
  newServer,
  type RawServerStream,
  serviceOf,
  stopServer,
} from '../net/grpc.ts';
import { Throttle } from '../net/throttle.ts';
import { defaultMaxUnsent, UnsentByHost } from '../net/unsent.ts';
import { resourceSource } from '../wire/services.ts';
import type { Offers } from './source.ts';
import { type SinkCollectionView, SourceStream, type SourceStreamOptions } from './source-stream.ts';
import { type Rate, TokenBucket } from './token-bucket.ts';

/** HTTP/2 streams of one connection; those beyond wait with a client that keeps to HTTP/2's rules. */
const maxStreamsPerConnection = 256;

/** Of what strangers can cause, one line so often. */
const logEveryMs = 60_000;

/** Addresses of which it is remembered when they came. */
const maxAddresses = 1024;

/** What an operator sees of one stream. */
export type SinkStreamView = {
  readonly id: number;
  readonly peer: string;
  /** SinkNode.id; Pilot has "", its client of synthetic service entries "SSEMCP". */
  readonly node: string;
  /** What its gRPC library calls itself. */
  readonly agent: string | null;
  readonly since: string;
  readonly collections: readonly SinkCollectionView[];
};

export type SourceListenerOptions = Partial<SourceStreamOptions> & {
  /** What sets the address, for errors. @default --listen */
  readonly flag?: string;
  /** Headers of every stream: what Istio's source of 1.3 and newer calls metadata. @default none */
  readonly headers?: Readonly<Record<string, string>>;
  /** Streams that are served at once, of all peers together. @default 256 */
  readonly maxStreams?: number;
  /** Of one address. @default 64 */
  readonly maxStreamsPerPeer?: number;
  /** Bytes that may wait to be sent to one address, and one message more. @default 256 MiB */
  readonly maxUnsentPerPeer?: number;
  /** New streams of one address; those that come sooner are answered later. @default any number */
  readonly streams?: Rate;
  /** Connections. @default {@link defaultDoorLimits} */
  readonly door?: DoorLimits;
  /** So often it is looked whether other states are offered, in milliseconds, while there are streams. @default never */
  readonly lookEveryMs?: number;
  /** Called when the last stream has ended. */
  readonly onIdle?: () => void;
};

/** For tools and tests, whose peers are their own. */
const unlimited: Rate = { burst: Number.POSITIVE_INFINITY, perSecond: 1 };

type Options = Required<SourceListenerOptions>;

type Stream = { readonly id: number; readonly peer: string; readonly since: Date; readonly stream: SourceStream };

/** Serves what is offered to legacy MCP sinks that dial (`ResourceSource`), as Galley did for Pilot. */
export class SourceListener {
  readonly #options: Options;
  readonly #offers: Offers;
  readonly #server: Server;
  readonly #streams = new Map<number, Stream>();
  /** Those that came too soon after others of their address. */
  readonly #waiting = new Set<RawServerStream>();
  readonly #unsent: UnsentByHost;
  readonly #arrivals = new Map<string, TokenBucket>();
  readonly #refusals: Throttle<'all' | 'peer'>;
  /** By collection. */
  readonly #large: Throttle<string>;
  #nextId = 1;
  #isStopping = false;
  #look: Timer | undefined;

  constructor(offers: Offers, options: SourceListenerOptions = {}) {
    this.#offers = offers;
    this.#options = {
      clock: systemClock,
      reporter: silentReporter,
      log: silentLogger,
      minGapMs: 0,
      sendTimeoutMs: 60_000,
      firstRequestMs: 30_000,
      requests: unlimited,
      onLarge: (fields) => this.#tellLarge(fields),
      flag: '--listen',
      headers: {},
      maxStreams: 256,
      maxStreamsPerPeer: 64,
      maxUnsentPerPeer: defaultMaxUnsent,
      streams: unlimited,
      door: defaultDoorLimits,
      lookEveryMs: Number.POSITIVE_INFINITY,
      onIdle() {},
      ...options,
    };
    this.#server = newServer({ 'grpc.max_concurrent_streams': maxStreamsPerConnection });
    this.#refusals = new Throttle(this.#options.clock, logEveryMs);
    this.#unsent = new UnsentByHost(this.#options.maxUnsentPerPeer);
    this.#large = new Throttle(this.#options.clock, logEveryMs);
    const method = resourceSource();
    this.#server.addService(serviceOf(method), { [nameOf(method)]: guarded((call) => this.#take(call)) });
  }

  /**
   * @returns the port.
   * @throws IsthmusError LISTEN_FAILED
   */
  listen(address: HostPort): Promise<number> {
    const { flag, door, clock, log } = this.#options;
    return listen(this.#server, address, flag, {
      what: 'gRPC (legacy MCP, ResourceSource)',
      limits: door,
      clock,
      onTurnedAway: reportTurnedAway(clock, log),
    });
  }

  get streams(): SinkStreamView[] {
    return Array.from(this.#streams.values(), ({ id, peer, since, stream }) => ({
      id,
      peer,
      node: stream.nodeId,
      agent: stream.userAgent ?? null,
      since: since.toISOString(),
      collections: stream.collections,
    }));
  }

  /** Says that other states are offered now. */
  changed(): void {
    for (const { stream } of this.#streams.values()) stream.onChange();
  }

  /** Stops listening, ends the streams, and returns when they are gone or after `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true;
    for (const call of this.#waiting) failCall(call, 14, shuttingDown);
    for (const { stream } of this.#streams.values()) stream.shutdown();
    await stopServer(this.#server, graceMs);
  }

  /** A stream that was opened: it begins at once, or when its address has waited long enough. */
  #take(call: RawServerStream): void {
    if (this.#isStopping) {
      failCall(call, 14, shuttingDown);
      return;
    }
    const peer = call.getPeer();
    const host = hostOf(peer);
    const tooMany = this.#tooMany(host);
    if (tooMany !== undefined) {
      failCall(call, 8, tooMany);
      return;
    }
    const wait = this.#arrivalsOf(host).take();
    if (wait === 0) {
      this.#serve(call, peer);
      return;
    }
    this.#waiting.add(call);
    const timer = this.#options.clock.after(wait, () => {
      if (this.#waiting.delete(call) && !this.#isStopping) this.#serve(call, peer);
    });
    const leave = () => {
      timer.cancel();
      this.#waiting.delete(call);
    };
    for (const event of ['cancelled', 'close', 'error']) call.on(event, leave);
  }

  #serve(call: RawServerStream, peer: string): void {
    const id = this.#nextId++;
    const host = hostOf(peer);
    const transport = {
      ...transportOf(call, this.#unsent.of(host)),
      pause: () => void call.pause(),
      resume: () => void call.resume(),
    };
    const stream = new SourceStream(this.#options, this.#offers, transport, peer);
    this.#streams.set(id, { id, peer, since: this.#options.clock.date(), stream });
    const leave = () => {
      if (!this.#streams.delete(id)) return;
      this.#options.log.info({ stream: id, peer, node: stream.nodeId }, 'a stream of a legacy MCP sink ended');
      stream.close();
      this.#forgetUnsent(host);
      if (this.#streams.size > 0) return;
      this.#look?.cancel();
      this.#look = undefined;
      this.#options.onIdle();
    };
    for (const event of ['cancelled', 'close', 'error']) call.on(event, leave);
    call.on('close', () => this.#forgetUnsent(host));
    call.on('end', () => {
      leave();
      call.end();
    });
    readNoneAhead(call);
    const headers = new Metadata();
    for (const [name, value] of Object.entries(this.#options.headers)) headers.set(name, value);
    call.sendMetadata(headers);
    call.on('data', (bytes: Buffer) => stream.onRequest(bytes));
    if (this.#look === undefined) this.#lookLater();
  }

  #forgetUnsent(host: string): void {
    const hasStreams = [...this.#streams.values()].some(({ peer }) => hostOf(peer) === host);
    if (!hasStreams) this.#unsent.forget(host);
  }

  #lookLater(): void {
    const { lookEveryMs, clock } = this.#options;
    if (lookEveryMs === Number.POSITIVE_INFINITY) return;
    this.#look = clock.after(lookEveryMs, () => {
      this.changed();
      this.#lookLater();
    });
  }

  /** A Pilot that cannot take it ends the stream and comes again at once: one line a minute is enough. */
  #tellLarge(fields: Parameters<SourceStreamOptions['onLarge']>[0]): void {
    if (this.#large.pass(fields.collection) === undefined) return;
    const hint = 'start that Pilot with a larger --mcpMaxMsgSize, where it is back again and again';
    const what = 'a message is larger than what a Pilot takes by default';
    this.#options.log.warn({ ...fields, limit: pilotMessageBytes, hint }, what);
  }

  #arrivalsOf(host: string): TokenBucket {
    let arrivals = this.#arrivals.get(host);
    if (arrivals !== undefined) return arrivals;
    if (this.#arrivals.size >= maxAddresses) {
      for (const [other, { isFull }] of this.#arrivals) if (isFull) this.#arrivals.delete(other);
      if (this.#arrivals.size >= maxAddresses) this.#arrivals.clear();
    }
    arrivals = new TokenBucket(this.#options.streams, this.#options.clock);
    this.#arrivals.set(host, arrivals);
    return arrivals;
  }

  /** Why no further stream of this address is served; undefined where it is. */
  #tooMany(host: string): string | undefined {
    const { maxStreams, maxStreamsPerPeer, log } = this.#options;
    const peers = [...Array.from(this.#streams.values(), ({ peer }) => peer), ...this.#waitingPeers()];
    const isOfAll = peers.length >= maxStreams;
    if (!isOfAll && peers.filter((peer) => hostOf(peer) === host).length < maxStreamsPerPeer) return undefined;
    const before = this.#refusals.pass(isOfAll ? 'all' : 'peer');
    if (before !== undefined) {
      const limit = isOfAll ? maxStreams : maxStreamsPerPeer;
      const hint = 'a Pilot needs one stream, or two: /debug/sinks shows who holds them (docs/limits.md)';
      const what = isOfAll
        ? 'too many streams of legacy MCP sinks; new ones are refused'
        : 'too many streams of one legacy MCP sink';
      log.warn({ peer: host, limit, ...(before > 0 ? { before } : {}), hint }, what);
    }
    return isOfAll ? 'too many streams' : `too many streams of ${host}: ${maxStreamsPerPeer} are served at once`;
  }

  #waitingPeers(): string[] {
    return Array.from(this.#waiting, (call) => call.getPeer());
  }
}

/** A stream that has to wait would else have sixteen requests read ahead, of any size. grpc-js has no way to say so. */
function readNoneAhead(call: RawServerStream): void {
  // oxlint-disable-next-line no-underscore-dangle
  (call as unknown as { readonly _readableState: { highWaterMark: number } })._readableState.highWaterMark = 0;
}

/** What Istio's source says when it gives up a stream. */
const shuttingDown = 'server canceled watch';

/** The address of `address:port`. */
function hostOf(peer: string): string {
  return peer.slice(0, peer.lastIndexOf(':'));
}

/** Tells the operator of those who were turned away, in few lines however many they are. */
function reportTurnedAway(clock: Clock, log: Logger): (turnedAway: TurnedAway) => void {
  const throttle = new Throttle<TurnedAway['why']>(clock, logEveryMs);
  return ({ why, peer, said }) => {
    const before = throttle.pass(why);
    if (before === undefined) return;
    const hint = 'only a Pilot up to 1.8 has business there: see who this is (docs/limits.md)';
    const fields = { peer, why, ...(said === undefined ? {} : { said }), ...(before > 0 ? { before } : {}), hint };
    log.warn(fields, 'a peer was turned away from the port of the legacy output');
  };
}
