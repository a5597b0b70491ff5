import type { ClientDuplexStream } from '@grpc/grpc-js';
import type { Clock, Timer } from '../model/clock.ts';
import { IsthmusError, messageOf } from '../model/errors.ts';
import type { Collection } from '../model/kinds.ts';
import type { Logger } from '../model/logger.ts';
import type { Reporter } from '../model/reporter.ts';
import { type HostPort, formatHostPort } from '../net/address.ts';
import { Backoff, type BackoffOptions } from '../net/backoff.ts';
import { newClient, openStream, whenConnected } from '../net/grpc.ts';
import { encodeRequestResources, type ResourcesView } from '../wire/legacy-messages.ts';
import { MalformedError } from '../wire/scan.ts';
import { resourceSource } from '../wire/services.ts';
import { CollectionProbe, type Refusals, refusalTtlMs } from './collection-probe.ts';
import { SinkExchange } from './sink.ts';
import type { SourceProfile } from './source-profile.ts';

/** A stream that lived so long with at least one message was healthy: backoff starts afresh after it. */
const healthyMs = 10_000;

/** A source that refuses a collection does so at once; a stream that lives so long has taken all of them. */
const probeMs = 5000;

/** So long may it take until the peer answers in HTTP/2; grpc-js itself waits for ever. */
const connectMs = 20_000;

/** How often to look for refusals that are old enough to be asked for again. */
const refusalCheckMs = refusalTtlMs / 24;

/** What is set once for one source. */
export type SinkClientOptions = {
  readonly name: string;
  readonly address: HostPort;
  readonly collections: readonly Collection[];
  readonly profile: SourceProfile;
  /** Largest message taken, in bytes. */
  readonly maxMessageBytes: number;
  /** After so long, a collection that never spoke while others did counts as empty. */
  readonly silentCollectionMs: number;
  readonly backoff: BackoffOptions;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  readonly reporter: Reporter;
};

/** Where a source's words go. */
export type SinkTarget = {
  /** Takes one message; the next one is read once the promise is settled. Must not reject. */
  accept(collection: Collection, message: ResourcesView, full: boolean): Promise<void>;
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

type Stream = ClientDuplexStream<Buffer, Buffer>;

/** How one stream ended; `malformed`: by us, over a message that can't be decoded. */
type End = { readonly code: number; readonly details: string; readonly malformed?: boolean };

/** One stream while it lives. */
type Session = {
  readonly stream: Stream;
  readonly exchange: SinkExchange;
  readonly started: number;
  readonly timers: Timer[];
  /** Messages of collections that were asked for. */
  messages: number;
  /** Why it is over, or is to be. */
  end: End | 'ask again' | undefined;
};

/**
 * Keeps one stream to one legacy source (`ResourceSource.EstablishResourceStream`) open, for ever. Whatever goes
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
  #stopped = false;
  #turn: Promise<void> = Promise.resolve();
  /** Collections that have ever spoken, or that count as empty. */
  readonly #settled = new Set<Collection>();
  /** What the target was told of refusals; undefined where it has to be told in any case. */
  #told: Refusals | undefined;

  constructor(options: SinkClientOptions, target: SinkTarget, remembered: Refusals = new Map()) {
    this.#options = options;
    this.#target = target;
    this.#probe = new CollectionProbe(options.collections, remembered, options.clock.date().getTime());
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

  start(): void {
    this.#connect();
    this.#askAgainDaily();
  }

  stop(): void {
    this.#stopped = true;
    this.#retry?.cancel();
    this.#daily?.cancel();
    this.#session?.stream.cancel();
    this.#set({ state: 'stopped' });
  }

  #connect(): void {
    if (this.#stopped) return;
    this.#set({ state: 'connecting', retryInMs: undefined });
    const { address, clock, maxMessageBytes } = this.#options;
    const client = newClient(address, { 'grpc.max_receive_message_length': maxMessageBytes });
    const stream = openStream(client, resourceSource()) as Stream;
    const exchange = new SinkExchange(inOrder(this.#probe.asked), this.#options.profile);
    const session: Session = { stream, exchange, started: clock.now(), timers: [], messages: 0, end: undefined };
    this.#session = session;
    const silence = `no answer in HTTP/2 within ${connectMs / 1000} s`;
    const connecting = clock.after(connectMs, () => endSession(session, { code: 14, details: silence }));
    session.timers.push(connecting);
    whenConnected(client, () => {
      connecting.cancel();
      if (this.#session === session) session.timers.push(clock.after(probeMs, () => this.#survived(session)));
    });

    stream.on('metadata', () => this.#opened(session));
    stream.on('data', (bytes: Buffer) => {
      stream.pause();
      this.#inTurn(session, bytes).then(
        () => stream.resume(),
        (error: unknown) => {
          const malformed = error instanceof MalformedError;
          endSession(session, { code: 13, details: messageOf(error), malformed });
        },
      );
    });
    // grpc-js reports every end that is not OK as an 'error' too; 'status' has all that is needed.
    stream.on('error', () => {});
    stream.on('status', (status: End) => {
      if (this.#session !== session) return;
      this.#session = undefined;
      for (const timer of session.timers) timer.cancel();
      client.close();
      if (session.messages > 0 && clock.now() - session.started >= healthyMs) this.#backoff.reset();
      session.end ??= status;
      this.#ended(session.end);
    });

    for (const request of exchange.initialRequests()) stream.write(encodeRequestResources(request));
  }

  #opened(session: Session): void {
    if (this.#session !== session || this.#stopped) return;
    const { name, address, log, reporter } = this.#options;
    reporter.sourceStreamOpened(name);
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
    return this.#session === session && session.end === undefined && !this.#stopped;
  }

  async #take(session: Session, bytes: Buffer): Promise<void> {
    const { name, reporter, log, clock, silentCollectionMs } = this.#options;
    const { exchange, stream } = session;
    const received = exchange.receive(bytes);
    const { message, reply } = received;
    const { collection } = message;
    if (received.accepted) {
      reporter.resourcesReceived(name, collection, bytes.length);
      await this.#target.accept(collection, message, received.full);
      this.#settled.add(collection);
      this.#probe.answered();
      this.#tellRefused();
      reporter.sourceAcked(name, collection);
    } else {
      reporter.sourceNacked(name, 'other', received.code);
      log.warn({ source: name, collection: collection.slice(0, 200) }, 'the source sent a collection nobody asked for');
    }
    if (!this.#isLive(session)) {
      if (typeof session.end === 'object' && !this.#stopped) reporter.sourceSendFailed(name, session.end.code);
      return;
    }
    stream.write(encodeRequestResources(reply));
    if (!received.accepted) return;
    session.messages++;
    if (session.messages === 1) session.timers.push(clock.after(silentCollectionMs, () => this.#markSilent()));
    if (exchange.answered.size === this.#probe.asked.length) this.#survived(session);
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

  /** A source that serves others and never speaks of a collection has nothing in it (legacy: version "" is never pushed). */
  #markSilent(): void {
    for (const collection of this.#probe.asked) {
      if (this.#settled.has(collection) || collection.endsWith('/serviceentries')) continue;
      this.#settled.add(collection);
      this.#options.log.info({ source: this.#options.name, collection }, 'a silent collection counts as empty');
      this.#target.markEmpty(collection, 'silent');
    }
  }

  #ended(end: End | 'ask again'): void {
    if (this.#stopped) return;
    if (end === 'ask again') {
      this.#connect();
      return;
    }
    const { name, clock, log, reporter } = this.#options;
    reporter.sourceStreamEnded(name, end.code);
    const now = clock.date().getTime();
    const isRefusal = this.#probe.ended(end.code, end.details, now);
    this.#tellRefused();
    if (isRefusal) {
      const refused = [...this.#probe.refused.keys()];
      log.warn(
        { source: name, details: end.details.slice(0, 500), refused },
        'the source does not know a collection; asking without',
      );
      this.#connect();
      return;
    }
    const wait = this.#backoff.next();
    const error = this.#explain(end);
    this.#set({ state: 'waiting', lastError: error.message, retryInMs: Math.round(wait) });
    const fields = {
      source: name,
      code: end.code,
      retryInMs: Math.round(wait),
      ...(error.hint ? { hint: error.hint } : {}),
    };
    log.warn(fields, `the stream of a legacy source ended: ${error.message}`);
    this.#retry = clock.after(wait, () => this.#connect());
  }

  #explain({ code, details, malformed }: End): IsthmusError {
    const { name, address, maxMessageBytes } = this.#options;
    const subject = `source ${name} (${formatHostPort(address)})`;
    const text = details.slice(0, 500);
    if (malformed === true) {
      return new IsthmusError('MESSAGE_MALFORMED', subject, `it sent a message that is no Resources: ${text}`);
    }
    if (code === 8 && /larger than max|message larger/i.test(details)) {
      return new IsthmusError(
        'MESSAGE_TOO_LARGE',
        subject,
        `it sent a message of more than ${maxMessageBytes} bytes: ${text}`,
        {
          hint: 'raise maxMessage of this source; what came before stays in force meanwhile',
        },
      );
    }
    if (code === 12) {
      return new IsthmusError('WRONG_PROTOCOL', subject, `it does not serve ResourceSource: ${text}`, {
        hint: 'is this the port of a legacy MCP server (istio.mcp.v1alpha1)?',
      });
    }
    if (code === 14 && details.includes('Protocol error')) {
      return new IsthmusError('WRONG_PROTOCOL', subject, `it does not speak gRPC, or only with TLS: ${text}`, {
        hint: 'is this the plaintext port of a legacy MCP server (istio.mcp.v1alpha1)?',
      });
    }
    if (code === 14) return new IsthmusError('UNREACHABLE', subject, text);
    return new IsthmusError('STREAM_ENDED', subject, code === 0 ? 'the source ended it' : `code ${code}: ${text}`);
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

/** Ends a stream of our own accord; the first reason counts. */
function endSession(session: Session, why: NonNullable<Session['end']>): void {
  session.end ??= why;
  session.stream.cancel();
}

function isSame(a: Refusals, b: Refusals): boolean {
  return a.size === b.size && [...a].every(([collection, since]) => b.get(collection) === since);
}

/** ServiceEntries last: they are what every source has, and once the last question is answered, all were taken. */
function inOrder(collections: readonly Collection[]): Collection[] {
  const isLast = (collection: Collection) => (collection.endsWith('/serviceentries') ? 1 : 0);
  return [...collections].sort((a, b) => isLast(a) - isLast(b));
}
