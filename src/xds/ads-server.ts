import type { Server } from '@grpc/grpc-js';
import { HealthImplementation } from 'grpc-health-check';
import type { CensusView } from '../model/census.ts';
import { type Kind, kindOfTypeUrl } from '../model/kinds.ts';
import type { News } from '../model/news.ts';
import type { HostPort } from '../net/address.ts';
import type { AllowedPeers } from '../net/allowed-peers.ts';
import { transportOf } from '../net/call-transport.ts';
import { defaultDoorLimits, type DoorLimits } from '../net/door.ts';
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
import { type Keepalive, keepaliveOptions, towardsIstiods } from '../net/keepalive.ts';
import { logTurnedAway, type Port } from '../net/strangers.ts';
import { Throttle } from '../net/throttle.ts';
import type { ServerTls } from '../net/tls-server.ts';
import type { Progress } from '../push/progress.ts';
import type { Push } from '../push/push-log.ts';
import type { Subscription } from '../push/subscription.ts';
import { aggregatedDiscovery } from '../wire/services.ts';
import { isOurClient } from './ads-client.ts';
import { AdsExchange, type AdsOptions, kindName, type SnapshotView } from './ads.ts';
import { describeMinors } from './istiod-version.ts';
import { type LabelledView, labelledViews } from './revisions.ts';
import { Seats } from './seats.ts';
import { UnsentByHost } from '../net/unsent.ts';

/** Streams that are served at once. More than any mesh has istiods; bounds what strangers can cost. */
const defaultMaxStreams = 256;

/** The same, of one address, so that one mad peer can't keep out all others. All of a mesh may come from one proxy. */
const defaultMaxStreamsPerPeer = 64;

/** HTTP/2 streams of one connection, of all services; those beyond wait with a client that keeps to HTTP/2's rules. */
const maxStreamsPerConnection = 256;

/** An istiod's request has some hundred bytes; one that refuses a push has a text with it. */
const maxRequestBytes = 64 << 10;

/** Of streams that are refused, one line so often. */
const logEveryMs = 60_000;

const xdsPort: Port = {
  port: 'the xDS port',
  client: 'an istiod',
  stranger: 'only istiod has business on this port: see who this is',
  dropTls:
    'where it is an istiod, take tlsSettings out of this configSource; where it is a proxy, let it dial in plaintext',
  addTls:
    'istiod 1.26 and newer needs tlsSettings with mode SIMPLE for this port, and older ones have no TLS (docs/tls.md)',
  section: 'xds',
};

/** What became of the responses of one type on one stream. */
type ProgressView = {
  readonly pushes: number;
  readonly acks: number;
  readonly nacks: number;
  /** Of all responses. */
  readonly bytes: number;
  /** What they waited together from when they were due until they left, in milliseconds. */
  readonly waitedMs: number;
  /** How long ago the oldest change came in that the peer has not acknowledged, in milliseconds; 0 where it has all. */
  readonly behindMs: number;
};

/** What an operator sees of one stream. */
export type StreamView = {
  readonly id: number;
  /** Its name in metrics, of a closed set: what an istiod calls itself is its own choice. Undefined before its first request. */
  readonly seat?: string | undefined;
  readonly peer: string;
  readonly node: string;
  readonly profile: string;
  /** Versions of Istio that it may be, as far as it shows: `1.13 to 1.17`, `1.30 and newer`, `unknown`. */
  readonly version: string;
  /** '' = it has none; null = that is not known. */
  readonly revision: string | null;
  readonly since: string;
  readonly types: readonly {
    readonly typeUrl: string;
    readonly sentVersion: string | null;
    readonly ackedVersion: string | null;
    readonly awaitingAck: boolean;
    readonly nack: string | null;
    /** True where the present state is not sent, because the peer can't receive it. */
    readonly tooLarge: boolean;
    /** Of the last response; of the one that is too large, where there is one. Null before the first. */
    readonly bytes: number | null;
    /** What the peer can receive in one response. */
    readonly maxBytes: number;
    readonly progress: ProgressView;
  }[];
  /** What it makes of resources that have the label `istio.io/rev`; see docs/revisions.md. */
  readonly labelled: readonly LabelledView[];
};

/** A response, and what came of it. */
export type PushView = {
  readonly kind: string;
  readonly typeUrl: string;
  readonly at: string;
  readonly version: string;
  readonly resources: number;
  readonly bytes: number;
  /** Why it was sent: one of model/news. */
  readonly cause: string;
  /** From when it was due until it left. */
  readonly waitedMs: number;
  /** `ack`, `nack`; null until there is an answer. */
  readonly answer: string | null;
  /** From when it left until the answer. */
  readonly answeredAfterMs: number | null;
  /** What the peer has against it. */
  readonly error: string | null;
};

type Stream = {
  readonly id: number;
  readonly peer: string;
  readonly since: Date;
  readonly exchange: AdsExchange;
  /** Undefined until it says who it is. */
  seat: string | undefined;
};

export type AdsServerOptions = AdsOptions & {
  /** Of all peers together. @default 256 */
  readonly maxStreams?: number;
  /** Of one address. @default 64 */
  readonly maxStreamsPerPeer?: number;
  /** Bytes that may wait to be sent to one address, and one message more. @default 256 MiB */
  readonly maxUnsentPerPeer?: number;
  /** HTTP/2 pings. @default {@link towardsIstiods} */
  readonly keepalive?: Keepalive;
  /** Connections. @default {@link defaultDoorLimits} */
  readonly door?: DoorLimits;
  /** @default plaintext */
  readonly tls?: ServerTls | undefined;
  /** @default every address */
  readonly allowedPeers?: AllowedPeers | undefined;
  /** What is known of labels. @default nothing */
  readonly census?: CensusView;
  /** Called when there is another stream. */
  readonly onStream?: () => void;
};

/** What is served, and what tells of it. */
type ChangingView = SnapshotView & {
  onChange(listener: (kinds: ReadonlySet<string>, news: ReadonlyMap<string, News>) => void): () => void;
};

/** MCP-over-xDS for istiods, state of the world, plus gRPC health. Listens at once; what is sent, the exchange decides. */
export class AdsServer {
  readonly #options: AdsServerOptions;
  readonly #view: ChangingView;
  readonly #streams = new Map<number, Stream>();
  readonly #server: Server;
  readonly #refusals: Throttle<'all' | 'peer'>;
  readonly #seats = new Seats();
  /** By what a stranger does, and its address. */
  readonly #strangers: Throttle<string>;
  readonly #unsent: UnsentByHost;
  readonly #health = new HealthImplementation({ '': 'SERVING' });
  #nextId = 1;
  #stopping = false;
  #unsubscribe: (() => void) | undefined;

  constructor(options: AdsServerOptions, view: ChangingView) {
    this.#options = options;
    this.#view = view;
    this.#server = newServer({
      ...keepaliveOptions(options.keepalive ?? towardsIstiods),
      'grpc.max_concurrent_streams': maxStreamsPerConnection,
      'grpc.max_receive_message_length': maxRequestBytes,
    });
    this.#refusals = new Throttle(options.clock, logEveryMs);
    this.#unsent = new UnsentByHost(options.maxUnsentPerPeer);
    this.#strangers = new Throttle(options.clock, logEveryMs);
    const method = aggregatedDiscovery();
    this.#server.addService(serviceOf(method), {
      [nameOf(method)]: guarded((call) => this.#serve(call)),
    });
    this.#health.addToServer(this.#server);
  }

  /**
   * @returns the port.
   * @throws IsthmusError LISTEN_FAILED
   */
  async listen(address: HostPort): Promise<number> {
    const { clock, log, reporter, tls, allowedPeers, door = defaultDoorLimits } = this.#options;
    const logOf = logTurnedAway(xdsPort, clock, log);
    const port = await listen(this.#server, address, '--xds-listen', {
      what: 'gRPC (MCP-over-xDS)',
      limits: door,
      clock,
      tls,
      allowedPeers,
      onTurnedAway(turnedAway) {
        reporter.connectionRefused('xds', turnedAway.why);
        logOf(turnedAway);
      },
    });
    this.#unsubscribe = this.#view.onChange((_kinds, news) => {
      for (const { exchange } of this.#streams.values()) exchange.onChange(news);
    });
    return port;
  }

  get streams(): StreamView[] {
    return Array.from(this.#streams.values(), (stream) =>
      viewOf(stream, this.#options.clock.now(), this.#options.census),
    );
  }

  /** The last responses of a stream, newest first; undefined where there is no such stream. */
  pushesOf(id: number): PushView[] | undefined {
    return this.#streams.get(id)?.exchange.pushes.map(pushView);
  }

  /** Stops listening, ends the streams, and returns when they are gone or after `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    this.#unsubscribe?.();
    this.#health.setStatus('', 'NOT_SERVING');
    for (const { exchange } of this.#streams.values()) exchange.shutdown();
    await stopServer(this.#server, graceMs);
  }

  #serve(call: RawServerStream): void {
    if (this.#stopping) {
      failCall(call, 14, 'Isthmus is shutting down');
      return;
    }
    const peer = call.getPeer();
    const host = hostOf(peer);
    const tooMany = this.#tooMany(host);
    if (tooMany !== undefined) {
      failCall(call, 8, tooMany);
      return;
    }
    const id = this.#nextId++;
    const warnOfStranger: AdsOptions['warnOfStranger'] = (sort, fields, message) => {
      const before = this.#strangers.pass(`${sort} ${host}`);
      if (before === undefined) return;
      this.#options.log.warn({ peer, ...fields, ...(before > 0 ? { before } : {}) }, message);
    };
    const exchange = new AdsExchange(
      { ...this.#options, warnOfStranger },
      this.#view,
      transportOf(call, this.#unsent.of(host)),
    );
    const stream: Stream = { id, peer, since: this.#options.clock.date(), exchange, seat: undefined };
    this.#streams.set(id, stream);
    this.#options.onStream?.();
    const leave = () => {
      if (!this.#streams.delete(id)) return;
      if (stream.seat !== undefined) this.#seats.leave(stream.seat);
      // Who has not said who it is, is none.
      const level = exchange.nodeId === '' ? 'debug' : 'info';
      this.#options.log[level]({ stream: id, node: exchange.nodeId }, 'a stream of istiod ended');
      exchange.close();
      this.#forgetUnsent(host);
    };
    call.on('data', (bytes: Buffer) => {
      exchange.onRequest(bytes);
      if (exchange.profile !== undefined && this.#streams.has(id)) stream.seat ??= this.#seats.take(exchange.nodeId);
    });
    call.on('cancelled', leave);
    call.on('close', leave);
    call.on('close', () => this.#forgetUnsent(host));
    call.on('error', leave);
    call.on('end', () => {
      leave();
      call.end();
    });
  }

  #forgetUnsent(host: string): void {
    if (this.#streamsOf(host) === 0) this.#unsent.forget(host);
  }

  #streamsOf(host: string): number {
    return [...this.#streams.values()].filter(({ peer }) => hostOf(peer) === host).length;
  }

  /** Why no further stream of this address is served; undefined where it is. */
  #tooMany(host: string): string | undefined {
    const { maxStreams = defaultMaxStreams, maxStreamsPerPeer = defaultMaxStreamsPerPeer, log } = this.#options;
    const isOfAll = this.#streams.size >= maxStreams;
    if (!isOfAll && this.#streamsOf(host) < maxStreamsPerPeer) return undefined;
    const before = this.#refusals.pass(isOfAll ? 'all' : 'peer');
    if (before !== undefined) {
      const limit = isOfAll ? maxStreams : maxStreamsPerPeer;
      const hint = 'an istiod needs one stream: /debug/streams shows who holds them (docs/limits.md)';
      const what = isOfAll ? 'too many streams; new ones are refused' : 'too many streams of one address';
      log.warn({ peer: host, limit, ...(before > 0 ? { before } : {}), hint }, what);
    }
    return isOfAll ? 'too many streams' : `too many streams of ${host}: ${maxStreamsPerPeer} are served at once`;
  }
}

/** The address of `address:port`. */
function hostOf(peer: string): string {
  return peer.slice(0, peer.lastIndexOf(':'));
}

function viewOf({ id, seat, peer, since, exchange }: Stream, now: number, census: CensusView | undefined): StreamView {
  const { minors, revision, maxResponseBytes } = exchange;
  const subscriptions = [...exchange.subscriptions];
  return {
    id,
    seat,
    peer,
    node: exchange.nodeId,
    profile: exchange.profile?.name ?? 'unknown',
    version: describeMinors(minors),
    revision: revision ?? null,
    since: since.toISOString(),
    types: subscriptions.map(({ typeUrl, sent, ackedVersion, pending, nack, tooLarge, progress }) => ({
      typeUrl,
      sentVersion: sent?.version ?? null,
      ackedVersion: ackedVersion ?? null,
      awaitingAck: pending,
      nack: nack ?? null,
      tooLarge: tooLarge !== undefined,
      bytes: tooLarge?.bytes ?? sent?.bytes ?? null,
      maxBytes: maxResponseBytes,
      progress: progressView(progress, now),
    })),
    labelled: Array.from(kindsOf(subscriptions)).flatMap((kind) => {
      const counted = isOurClient(exchange.nodeId) ? undefined : census?.of(kind.id);
      return counted === undefined ? [] : labelledViews(kind.kind, counted, { minors, revision });
    }),
  };
}

function pushView({ typeUrl, at, answer, ...push }: Push): PushView {
  return {
    kind: kindName(typeUrl),
    typeUrl,
    at: at.toISOString(),
    ...push,
    answer: answer === undefined ? null : answer.error === undefined ? 'ack' : 'nack',
    answeredAfterMs: answer?.afterMs ?? null,
    error: answer?.error ?? null,
  };
}

function progressView({ pushes, acks, nacks, bytes, waitedMs, behindSince }: Progress, now: number): ProgressView {
  return { pushes, acks, nacks, bytes, waitedMs, behindMs: behindSince === undefined ? 0 : now - behindSince };
}

/** The kinds that were asked for, each once under however many names. */
function kindsOf(subscriptions: readonly Readonly<Subscription>[]): Set<Kind> {
  return new Set(subscriptions.flatMap(({ typeUrl }) => kindOfTypeUrl(typeUrl) ?? []));
}
