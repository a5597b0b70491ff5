import type { ClientDuplexStream } from '@grpc/grpc-js';
import type { Clock, Timer } from '../model/clock.ts';
import { messageOf } from '../model/errors.ts';
import type { Collection } from '../model/kinds.ts';
import type { Logger } from '../model/logger.ts';
import type { Reporter } from '../model/reporter.ts';
import { type SizeLevel, sizeLevel } from '../model/size-level.ts';
import { type HostPort, formatHostPort } from '../net/address.ts';
import { Backoff, type BackoffOptions } from '../net/backoff.ts';
import { newClient, openStream, whenConnected } from '../net/grpc.ts';
import { type Keepalive, keepaliveOptions, towardsSources } from '../net/keepalive.ts';
import type { probeProtocol } from '../net/protocol-hint.ts';
import type { Stream as SourceStream } from '../store/guard.ts';
import type { ResourcesView } from '../wire/legacy-messages.ts';
import { MalformedError } from '../wire/scan.ts';
import { CollectionProbe, type Refusals, refusalTtlMs } from './collection-probe.ts';
import type { Exchange } from './exchange.ts';
import { newExchange } from './new-exchange.ts';
import type { SourceProfile } from './source-profile.ts';
import { explainEnd, explainSilence, isRiddle, type StreamEnd } from './stream-end.ts';

/** A stream that lived so long with at least one message was healthy: backoff starts afresh after it. */
const healthyMs = 10_000;

/** A source that refuses a collection does so at once; a stream that lives so long has taken all of them. */
const probeMs = 5000;

/** So long may it take until the peer answers in HTTP/2; grpc-js itself waits for ever. */
const connectMs = 20_000;

/** A source that is connected and says nothing for so long is worth a word. */
const quietMs = 20_000;

/** So long may a source take to read an answer. */
const sendTimeoutMs = 60_000;

/** Between two looks at how long a collection has been silent, at least. */
const leastWatchMs = 250;

/** How often to look for refusals that are old enough to be asked for again. */
const refusalCheckMs = refusalTtlMs / 24;

/** What is set once for one source. */
export type SinkClientOptions = {
  readonly name: string;
  readonly address: HostPort;
  readonly collections: readonly Collection[];
  /** Asked for too, once the others are known. They never count as empty, whatever the source says. @default none */
  readonly alsoAsked?: readonly Collection[];
  readonly profile: SourceProfile;
  /** Largest message taken, in bytes. */
  readonly maxMessageBytes: number;
  /** After so long, a collection that never spoke while others did counts as empty. */
  readonly silentCollectionMs: number;
  readonly backoff: BackoffOptions;
  /** HTTP/2 pings. @default {@link towardsSources} */
  readonly keepalive?: Keepalive;
  /** Looks at a port that never answered in HTTP/2, for the error's sake. @default nobody looks */
  readonly lookAtPort?: typeof probeProtocol;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  readonly reporter: Reporter;
};

/** Where a source's words go. */
export type SinkTarget = {
  /** Takes one message; the next one is read once the promise is settled. Must not reject. */
  accept(collection: Collection, message: ResourcesView, full: boolean, stream?: SourceStream): Promise<void>;
  /** The collection counts as empty unless something is held of it. */
  markEmpty(collection: Collection, why: 'silent' | 'unsupported'): void;
  /** The collections that the source refuses are others now. */
  remember(refused: Refusals): void;
};

/** What an operator sees of a source's connection. */
export type SourceConnection = {
  readonly state: 'connecting' | 'connected' | 'waiting' | 'stopped';
  readonly since: Date;
  /** Streams that were opened, the present one included. */
  readonly streams: number;
  readonly lastError: string | undefined;
  readonly retryInMs: number | undefined;
  readonly refused: Refusals;
};

/** How large a collection's messages are. */
type MessageSize = {
  /** Of the last whole state, or of a larger change since. */
  readonly bytes: number;
  readonly level: SizeLevel;
};

type Stream = ClientDuplexStream<Buffer, Buffer>;

/** One stream while it lives. */
type Session = {
  readonly stream: Stream;
  readonly exchange: Exchange;
  readonly started: number;
  /** The same, for the target. */
  readonly seen: SourceStream;
  readonly timers: Timer[];
  /** Messages of collections that were asked for. */
  messages: number;
  /** The peer has answered in HTTP/2. */
  connected: boolean;
  /** The peer has sent the headers of its answer. */
  opened: boolean;
  /** The operator was told that it says nothing. */
  isQuiet: boolean;
  /** Milliseconds in which we were ready to read since the first message, and since when we are; undefined = we are not. */
  listening: { readonly ms: number; readonly since: number | undefined };
  /** Set where the headers are none of gRPC. */
  contentType: string | undefined;
  /** Called when the answer that is being sent is on its way, or never will be; undefined while there is none. */
  sent: (() => void) | undefined;
  /** Why it is over, or is to be. */
  end: StreamEnd | 'ask again' | undefined;
};

/**
 * Keeps one stream to one legacy source open, for ever. Whatever goes
 * wrong, what came before stays with the target.
 */
export class SinkClient {
  readonly #options: SinkClientOptions;
  readonly #target: SinkTarget;
  readonly #probe: CollectionProbe;
  readonly #backoff: Backoff;
  #connection: SourceConnection;
  #session: Session | undefined;
  #retry: Timer | undefined;
  #daily: Timer | undefined;
  readonly #stop = new AbortController();
  #turn: Promise<void> = Promise.resolve();
  /** Collections that have ever spoken, or that count as empty. */
  readonly #settled = new Set<Collection>();
  readonly #sizes = new Map<Collection, MessageSize>();
  /** What the target was told of refusals; undefined where it has to be told in any case. */
  #told: Refusals | undefined;

  constructor(options: SinkClientOptions, target: SinkTarget, remembered: Refusals = new Map()) {
    this.#options = options;
    this.#target = target;
    const { collections, alsoAsked = [], clock } = options;
    this.#probe = new CollectionProbe(collections, remembered, clock.date().getTime(), alsoAsked);
    this.#told = remembered.size === 0 ? remembered : undefined;
    this.#backoff = new Backoff(options.backoff, options.random);
    this.#connection = {
      state: 'connecting',
      since: options.clock.date(),
      streams: 0,
      lastError: undefined,
      retryInMs: undefined,
      refused: this.#probe.refused,
    };
  }

  get connection(): SourceConnection {
    return this.#connection;
  }

  /** Bytes of the last whole state of a collection, or of a larger change since; undefined before the first message. */
  messageBytes(collection: Collection): number | undefined {
    return this.#sizes.get(collection)?.bytes;
  }

  start(): void {
    this.#connect();
    this.#askAgainDaily();
  }

  /**
   * Has the source say again all that it has, on a new stream. One that began at `since`, by the clock, or later is
   * new enough; where there is none at all, the next one will be.
   */
  askAgain(since: number): void {
    if (this.#session === undefined || this.#session.started >= since || this.#stop.signal.aborted) return;
    this.#options.log.info({ source: this.#options.name }, 'reconnecting to hear again what the source has');
    endSession(this.#session, 'ask again');
  }

  stop(): void {
    this.#stop.abort();
    this.#retry?.cancel();
    this.#daily?.cancel();
    this.#session?.stream.cancel();
    this.#set({ state: 'stopped' });
  }

  #connect(): void {
    if (this.#stop.signal.aborted) return;
    this.#set({ state: 'connecting', retryInMs: undefined });
    const { address, clock, maxMessageBytes, keepalive = towardsSources } = this.#options;
    const limit = { 'grpc.max_receive_message_length': maxMessageBytes };
    const client = newClient(address, { ...limit, ...keepaliveOptions(keepalive) });
    const { profile, alsoAsked = [] } = this.#options;
    const exchange = newExchange(inOrder(this.#probe.asked, alsoAsked), profile, alsoAsked);
    const stream = openStream(client, exchange.method) as Stream;
    const started = clock.now();
    const isLive = () => this.#isLive(session);
    const session: Session = {
      stream,
      exchange,
      started,
      seen: {
        startedAt: started,
        get isLive() {
          return isLive();
        },
      },
      timers: [],
      messages: 0,
      connected: false,
      opened: false,
      isQuiet: false,
      listening: { ms: 0, since: undefined },
      contentType: undefined,
      sent: undefined,
      end: undefined,
    };
    this.#session = session;
    const silence = `no answer in HTTP/2 within ${connectMs / 1000} s`;
    const connecting = clock.after(connectMs, () =>
      endSession(session, { code: 14, details: silence, neverConnected: true }),
    );
    session.timers.push(connecting);
    whenConnected(client, () => {
      connecting.cancel();
      session.connected = true;
      if (this.#session !== session) return;
      const survived = () => {
        this.#survived(session);
        session.timers.push(clock.after(quietMs - probeMs, () => this.#sayQuiet(session)));
      };
      session.timers.push(clock.after(probeMs, survived));
    });

    stream.on('metadata', (metadata) => {
      const [contentType] = metadata.get('content-type');
      if (contentType !== undefined && !String(contentType).startsWith('application/grpc')) {
        session.contentType = String(contentType);
        return;
      }
      this.#opened(session);
    });
    const listen = () => {
      session.listening = { ...session.listening, since: clock.now() };
      stream.resume();
    };
    stream.on('data', (bytes: Buffer) => {
      session.listening = { ms: listenedMs(session, clock.now()), since: undefined };
      stream.pause();
      this.#inTurn(session, bytes).then(listen, (error: unknown) => {
        const malformed = error instanceof MalformedError;
        endSession(session, { code: 13, details: messageOf(error), malformed });
      });
    });
    // grpc-js reports every end that is not OK as an 'error' too; 'status' has all that is needed.
    stream.on('error', () => {});
    stream.on('status', ({ code, details }) => {
      if (this.#session !== session) return;
      this.#session = undefined;
      for (const timer of session.timers) timer.cancel();
      session.sent?.();
      client.close();
      if (session.messages > 0 && clock.now() - session.started >= healthyMs) this.#backoff.reset();
      if (session.end === 'ask again') this.#connect();
      else {
        session.end = endOf(session, { code, details });
        void this.#ended(session.end);
      }
    });

    for (const request of exchange.initialRequests()) stream.write(request);
  }

  #opened(session: Session): void {
    if (this.#session !== session || this.#stop.signal.aborted) return;
    const { name, address, log, reporter } = this.#options;
    reporter.sourceStreamOpened(name);
    session.opened = true;
    this.#set({ state: 'connected', streams: this.#connection.streams + 1 });
    log.info({ source: name, address: formatHostPort(address) }, 'connected to a legacy source');
  }

  /** One message at a time, over the end of a stream too: what an old stream left behind must not come later. */
  async #inTurn(session: Session, bytes: Buffer): Promise<void> {
    const before = this.#turn;
    const turn = before.then(() => (this.#isLive(session) ? this.#take(session, bytes) : undefined));
    this.#turn = turn.catch(() => {});
    await turn;
  }

  /** False once the stream is over, or is to be. */
  #isLive(session: Session): boolean {
    return this.#session === session && session.end === undefined && !this.#stop.signal.aborted;
  }

  async #take(session: Session, bytes: Buffer): Promise<void> {
    const { name, reporter, log, silentCollectionMs } = this.#options;
    const { exchange } = session;
    const received = exchange.receive(bytes);
    const { message, reply } = received;
    const { collection } = message;
    if (received.accepted) {
      reporter.resourcesReceived(name, collection, bytes.length);
      this.#watchSize(collection, bytes.length, received.full);
      // It has spoken, though it may take a while until the target knows.
      this.#settled.add(collection);
      await this.#target.accept(collection, message, received.full, session.seen);
      this.#probe.answered();
      this.#tellRefused();
      reporter.sourceAcked(name, collection);
    } else {
      reporter.sourceNacked(name, 'other', received.code);
      log.warn({ source: name, collection: collection.slice(0, 200) }, 'the source sent a collection nobody asked for');
    }
    if (!this.#isLive(session)) {
      if (typeof session.end === 'object' && !this.#stop.signal.aborted)
        reporter.sourceSendFailed(name, session.end.code);
      return;
    }
    await this.#answer(session, reply, received.accepted ? 0 : received.delayMs);
    if (!received.accepted || !this.#isLive(session)) return;
    session.messages++;
    if (session.isQuiet) this.#set({ lastError: undefined });
    session.isQuiet = false;
    if (session.messages === 1) {
      session.listening = { ms: 0, since: undefined };
      this.#watchSilence(session, silentCollectionMs);
    }
    if (exchange.answered.size === this.#probe.asked.length) this.#survived(session);
  }

  /** Tells the operator once when a collection comes near to what is taken; a larger message ends the stream. */
  #watchSize(collection: Collection, length: number, full: boolean): void {
    const { name, log, maxMessageBytes: limit } = this.#options;
    const last = this.#sizes.get(collection);
    const bytes = full ? length : Math.max(length, last?.bytes ?? 0);
    const level = sizeLevel(bytes, limit, last?.level ?? 'low');
    this.#sizes.set(collection, { bytes, level });
    if (level === 'low' || level === last?.level) return;
    const hint = 'beyond the limit the source is not understood any more: raise maxMessage of this source before that';
    log.warn({ source: name, collection, bytes, limit, hint }, 'the messages of a source are nearly too large');
  }

  /** Returns once the answer is on its way: what a source does not read must not pile up here. */
  #answer(session: Session, bytes: Buffer, delayMs: number): Promise<void> {
    const { clock } = this.#options;
    return new Promise((resolve) => {
      const details = `it has not read our answer for ${sendTimeoutMs / 1000} s`;
      const timer = clock.after(sendTimeoutMs, () => endSession(session, { code: 14, details }));
      session.sent = () => {
        timer.cancel();
        session.sent = undefined;
        resolve();
      };
      const write = () => session.stream.write(bytes, () => session.sent?.());
      if (delayMs > 0) session.timers.push(clock.after(delayMs, write));
      else write();
    });
  }

  /** The source took everything that it was asked for. */
  #survived(session: Session): void {
    if (!this.#isLive(session)) return;
    const more = this.#probe.survived();
    this.#tellRefused();
    if (!more) return;
    this.#options.log.info({ source: this.#options.name }, 'reconnecting to ask for more collections');
    endSession(session, 'ask again');
  }

  /** Once the source has proven that it serves something, what it refuses counts as empty, and is remembered. */
  #tellRefused(): void {
    const { refused, served } = this.#probe;
    this.#set({ refused });
    if (!served || (this.#told !== undefined && isSame(this.#told, refused))) return;
    this.#told = refused;
    for (const collection of refused.keys()) {
      this.#settled.add(collection);
      this.#target.markEmpty(collection, 'unsupported');
    }
    this.#target.remember(refused);
  }

  /** Counts only the time in which we listened: what waits behind a message that is being read is not silent. */
  #watchSilence(session: Session, leftMs: number): void {
    const { clock, silentCollectionMs } = this.#options;
    const look = () => {
      const left = silentCollectionMs - listenedMs(session, clock.now());
      if (left <= 0) this.#markSilent();
      else this.#watchSilence(session, left);
    };
    session.timers.push(clock.after(Math.max(leftMs, leastWatchMs), look));
  }

  /** A source that serves others and never speaks of a collection has nothing in it (legacy: version "" is never pushed). */
  #markSilent(): void {
    const { collections } = this.#options;
    for (const collection of this.#probe.asked.filter((one) => collections.includes(one))) {
      if (this.#settled.has(collection) || collection.endsWith('/serviceentries')) continue;
      this.#settled.add(collection);
      this.#options.log.info({ source: this.#options.name, collection }, 'a silent collection counts as empty');
      this.#target.markEmpty(collection, 'silent');
    }
  }

  async #ended(end: StreamEnd): Promise<void> {
    if (this.#stop.signal.aborted) return;
    const { name, address, maxMessageBytes, clock, log, reporter, lookAtPort } = this.#options;
    reporter.sourceStreamEnded(name, end.code);
    const now = clock.date().getTime();
    const before = this.#probe.refused;
    const isRefusal = this.#probe.ended(end.code, end.details, now);
    this.#tellRefused();
    if (isRefusal) {
      const refused = [...this.#probe.refused.keys()];
      const fields = { source: name, details: end.details.slice(0, 500), refused };
      const what = 'the source does not know a collection; asking without';
      const isNeeded = refused.every((one) => before.has(one) || this.#options.collections.includes(one));
      if (isNeeded) log.warn(fields, what);
      else log.debug(fields, what);
      this.#connect();
      return;
    }
    const { signal } = this.#stop;
    const spoken = isRiddle(end) ? await lookAtPort?.(address, { signal }) : undefined;
    if (signal.aborted) return;
    const { message, hint } = explainEnd(this.#subject, end, maxMessageBytes, spoken);
    const retryInMs = Math.round(this.#backoff.next());
    this.#set({ state: 'waiting', lastError: withHint(message, hint), retryInMs });
    const fields = { source: name, code: end.code, retryInMs, ...(hint ? { hint } : {}) };
    log.warn(fields, `the stream of a legacy source ended: ${message}`);
    this.#retry = clock.after(retryInMs, () => this.#connect());
  }

  /** A source may keep silent as long as it likes; the operator has to know why nothing of it is sent. */
  #sayQuiet(session: Session): void {
    const { messages, opened } = session;
    if (messages > 0 || !this.#isLive(session)) return;
    session.isQuiet = true;
    const { message, hint } = explainSilence(this.#subject, quietMs / 1000, opened);
    this.#set({ lastError: withHint(message, hint) });
    this.#options.log.warn({ source: this.#options.name, ...(hint ? { hint } : {}) }, message);
  }

  /** What errors are about. */
  get #subject(): string {
    const { name, address } = this.#options;
    return `source ${name} (${formatHostPort(address)})`;
  }

  #askAgainDaily(): void {
    this.#daily = this.#options.clock.after(refusalCheckMs, () => {
      const isDue = this.#probe.forgetOldRefusals(this.#options.clock.date().getTime());
      if (isDue && this.#session !== undefined) endSession(this.#session, 'ask again');
      this.#askAgainDaily();
    });
  }

  #set(change: Partial<SourceConnection>): void {
    const since =
      change.state === undefined || change.state === this.#connection.state
        ? {}
        : { since: this.#options.clock.date() };
    this.#connection = { ...this.#connection, ...since, ...change };
  }
}

function listenedMs({ listening: { ms, since } }: Session, now: number): number {
  return since === undefined ? ms : ms + now - since;
}

/** How a stream ended, with what was seen of the peer. */
function endOf({ end, connected, contentType }: Session, status: StreamEnd): StreamEnd {
  if (end !== undefined && end !== 'ask again') return end;
  return { ...status, neverConnected: !connected, ...(contentType === undefined ? {} : { contentType }) };
}

function withHint(message: string, hint: string | undefined): string {
  return hint === undefined ? message : `${message} (${hint})`;
}

/** Ends a stream of our own accord; the first reason counts. */
function endSession(session: Session, why: NonNullable<Session['end']>): void {
  session.end ??= why;
  session.stream.cancel();
}

function isSame(a: Refusals, b: Refusals): boolean {
  return a.size === b.size && [...a].every(([collection, since]) => b.get(collection) === since);
}

/**
 * ServiceEntries last: they are what every source has, and once the last question is answered, all were taken. `first` is
 * what a source may not know: it says so before it has sent all that it has.
 */
function inOrder(collections: readonly Collection[], first: readonly Collection[]): Collection[] {
  const place = (collection: Collection) => {
    if (first.includes(collection)) return 0;
    return collection.endsWith('/serviceentries') ? 2 : 1;
  };
  return [...collections].sort((a, b) => place(a) - place(b));
}
