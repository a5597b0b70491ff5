import type { Clock, Timer } from '../model/clock.ts';
import { messageOf } from '../model/errors.ts';
import type { Collection } from '../model/kinds.ts';
import type { Logger } from '../model/logger.ts';
import type { Reporter } from '../model/reporter.ts';
import { Throttle } from '../net/throttle.ts';
import type { Stream as SourceStream } from '../store/guard.ts';
import type { ResourcesView } from '../wire/legacy-messages.ts';
import { MalformedError } from '../wire/scan.ts';
import { CollectionProbe, type Refusals, refusalTtlMs } from './collection-probe.ts';
import { MessageSizes } from './message-sizes.ts';
import { newExchange } from './new-exchange.ts';
import { endSession, type Line, listenedMs, newSession, type Question, type Session } from './sink-session.ts';
import type { SourceProfile } from './source-profile.ts';
import { explainSilence, type StreamEnd } from './stream-end.ts';
import { isTrigger } from './trigger.ts';

/** A source that refuses a collection does so at once; a stream that lives so long has taken all of them. */
const probeMs = 5000;

/** A source that is connected and says nothing for so long is worth a word. */
const quietMs = 20_000;

/** So long may a source take to read an answer. */
const sendTimeoutMs = 60_000;

/** Between two looks at how long a collection has been silent, at least. */
const leastWatchMs = 250;

/** How often to look for refusals that are old enough to be asked for again. */
const refusalCheckMs = refusalTtlMs / 24;

/** Of collections that nobody asked for, one line so often. */
const unaskedEveryMs = 60_000;

/** A message of no more bytes may have no resource in it. */
const emptyMessageBytes = 128;

const refusedText = 'the source does not know a collection; asking without';

/** What is set once for one source, whoever dials. */
export type FeedOptions = {
  readonly name: string;
  readonly collections: readonly Collection[];
  /** Asked for too, once the others are known. They never count as empty, whatever the source says. @default none */
  readonly alsoAsked?: readonly Collection[];
  readonly profile: SourceProfile;
  /** Largest message taken, in bytes. */
  readonly maxMessageBytes: number;
  /** After so long, a collection that never spoke while others did counts as empty. */
  readonly silentCollectionMs: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly reporter: Reporter;
};

/** Where a source's words go. */
export type SinkTarget = {
  /**
   * Takes one message; the next one is read once the promise is settled. Must not reject.
   * @param cameAt when it was there whole, by the clock. Default: now.
   */
  accept(
    collection: Collection,
    message: ResourcesView,
    full: boolean,
    stream?: SourceStream,
    cameAt?: number,
  ): Promise<void>;
  /** The collection counts as empty unless something is held of it. */
  markEmpty(collection: Collection, why: 'silent' | 'unsupported'): void;
  /** The collections that the source refuses are others now. */
  remember(refused: Refusals): void;
};

/** What an operator sees of a source's connection. */
export type SourceConnection = {
  /** `waiting`: for our next attempt. `awaited`: it is to dial us. */
  readonly state: 'connecting' | 'connected' | 'waiting' | 'awaited' | 'stopped';
  readonly since: Date;
  /** Streams that were opened, the present one included. */
  readonly streams: number;
  readonly lastError: string | undefined;
  readonly retryInMs: number | undefined;
  readonly refused: Refusals;
  /** Where the present or the last stream of a source that dials us came from, as `10.0.0.7:4242`. */
  readonly peer: string | undefined;
  /** What the source says of its version, in its header `config.source.version`; Istio's does so from 1.2 on. */
  readonly version: string | undefined;
};

/** A source of the config, whoever dials. */
export type SourceClient = {
  readonly connection: SourceConnection;
  /** Bytes of the last whole state of a collection, or of a larger change since; undefined before the first message. */
  messageBytes(collection: Collection): number | undefined;
  start(): void;
  /**
   * Has the source say again all that it has, on a new stream. One that began at `since`, by the clock, or later is
   * new enough; where there is none at all, the next one will be.
   */
  askAgain(since: number): void;
  /** Ends its stream; nothing more comes. */
  stop(): void;
};

/**
 * What one legacy source says, over all its streams, one at a time: reads it in turn, answers, finds out which
 * collections it does not know, and which it keeps silent about. Who opens the streams, and when, is decided elsewhere.
 */
export class SourceFeed {
  readonly #options: FeedOptions;
  readonly #target: SinkTarget;
  readonly #subject: () => string;
  readonly #probe: CollectionProbe;
  readonly #sizes: MessageSizes;
  readonly #unasked: Throttle<'unasked'>;
  /** Collections that have ever spoken, or that count as empty. */
  readonly #settled = new Set<Collection>();
  #connection: SourceConnection;
  #session: Session | undefined;
  #daily: Timer | undefined;
  #isStopped = false;
  #turn: Promise<void> = Promise.resolve();
  /** What the target was told of refusals; undefined where it has to be told in any case. */
  #told: Refusals | undefined;
  /** Collections of which the source has spoken on the stream that was over last. */
  #answeredLast: ReadonlySet<Collection> = new Set();

  /**
   * @param subject what errors are about: `source NAME (HOST:PORT)`.
   * @param remembered what the source refused in an earlier process.
   */
  constructor(
    options: FeedOptions,
    target: SinkTarget,
    remembered: Refusals,
    state: SourceConnection['state'],
    subject: () => string,
  ) {
    this.#options = options;
    this.#target = target;
    this.#subject = subject;
    const { name, collections, alsoAsked = [], maxMessageBytes, clock, log } = options;
    this.#probe = new CollectionProbe(collections, remembered, clock.date().getTime(), alsoAsked);
    this.#told = remembered.size === 0 ? remembered : undefined;
    this.#sizes = new MessageSizes(name, maxMessageBytes, log);
    this.#unasked = new Throttle(clock, unaskedEveryMs);
    this.#connection = {
      state,
      since: clock.date(),
      streams: 0,
      lastError: undefined,
      retryInMs: undefined,
      refused: this.#probe.refused,
      peer: undefined,
      version: undefined,
    };
  }

  get connection(): SourceConnection {
    return this.#connection;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** The stream that counts; undefined while there is none. */
  get session(): Session | undefined {
    return this.#session;
  }

  /** Bytes of the last whole state of a collection, or of a larger change since; undefined before the first message. */
  messageBytes(collection: Collection): number | undefined {
    return this.#sizes.of(collection);
  }

  /** From now on, what was refused a day ago is asked for again. */
  start(): void {
    this.#daily = this.#options.clock.after(refusalCheckMs, () => {
      const isDue = this.#probe.forgetOldRefusals(this.#options.clock.date().getTime());
      if (isDue && this.#session !== undefined) endSession(this.#session, 'ask again');
      this.start();
    });
  }

  /** See {@link SourceClient.askAgain}. */
  askAgain(since: number): void {
    if (this.#session === undefined || this.#session.started >= since || this.#isStopped) return;
    this.#options.log.info({ source: this.#options.name }, 'reconnecting to hear again what the source has');
    endSession(this.#session, 'ask again');
  }

  /** Nothing is taken any more. The stream is to be ended by who has opened it. */
  stop(): void {
    this.#isStopped = true;
    this.#daily?.cancel();
    this.set({ state: 'stopped' });
  }

  /** What the next stream asks for. */
  question(): Question {
    const { profile, alsoAsked = [] } = this.#options;
    const asked = inOrder(this.#probe.asked, alsoAsked);
    return { asked, exchange: newExchange(asked, profile, alsoAsked) };
  }

  /** Makes a new stream the one that counts. */
  begin(line: Line, question: Question): Session {
    const session: Session = newSession(line, question, this.#options.clock, () => this.isLive(session));
    this.#session = session;
    return session;
  }

  /** Sends the initial requests, once. */
  ask(session: Session): void {
    if (session.isAsked || !this.isLive(session)) return;
    session.isAsked = true;
    for (const request of session.exchange.initialRequests()) session.line.write(request, () => {});
    if (session.line.isCalled) this.reached(session);
  }

  /** The peer is there, and is asked: from now on, it means something that it says nothing. */
  reached(session: Session): void {
    if (this.#session !== session) return;
    const { clock } = this.#options;
    const look = () => {
      if (session.isDoubted) this.reached(session);
      else {
        this.#survived(session);
        session.timers.push(clock.after(quietMs - probeMs, () => this.#sayQuiet(session)));
      }
    };
    session.timers.push(clock.after(probeMs, look));
  }

  /** The peer has taken the stream. Returns false where that is of no interest any more. */
  opened(session: Session): boolean {
    if (this.#session !== session || this.#isStopped) return false;
    this.#options.reporter.sourceStreamOpened(this.#options.name);
    session.opened = true;
    this.set({ state: 'connected', streams: this.#connection.streams + 1 });
    return true;
  }

  /** Takes a message; none other is read meanwhile. What can't be read ends the stream. */
  received(session: Session, bytes: Buffer): void {
    const { clock } = this.#options;
    session.listening = { ms: listenedMs(session, clock.now()), since: undefined };
    session.line.pause();
    session.onSign?.('message');
    const listen = () => {
      session.listening = { ...session.listening, since: clock.now() };
      session.line.resume();
    };
    this.#inTurn(session, bytes, clock.now()).then(listen, (error: unknown) => {
      const malformed = error instanceof MalformedError;
      endSession(session, { code: 13, details: messageOf(error), malformed });
    });
  }

  /** The stream is gone. Returns false where that was known. */
  over(session: Session): boolean {
    if (this.#session !== session) return false;
    this.#session = undefined;
    this.#answeredLast = session.exchange.answered;
    for (const timer of session.timers) timer.cancel();
    session.sent?.(false);
    session.onSign?.('end');
    return true;
  }

  /**
   * How the last stream has ended. Returns true where that was about a collection: the next one should be opened at once,
   * and asks for others.
   */
  ended(end: StreamEnd): boolean {
    this.#options.reporter.sourceStreamEnded(this.#options.name, end.code);
    return this.#learn(end, (now) => this.#probe.ended(end.code, end.details, now, this.#answeredLast));
  }

  /** The same where the source has left its stream without saying why. */
  left(session: Session, end: StreamEnd): boolean {
    this.#options.reporter.sourceStreamEnded(this.#options.name, end.code);
    if (session.survived || !session.isAsked) return false;
    return this.#learn(end, (now) => this.#probe.left(session.exchange.answered, now), true);
  }

  /** Asks for something that the source has said before: it answers, if it is still there. */
  askForSign(session: Session): void {
    const { answered } = session.exchange;
    const bytes = (collection: Collection) => this.#sizes.of(collection) ?? 0;
    // A source says nothing of what it has forgotten with its last entry (snapshot/inmemory.go DeleteEntry).
    const full = [...answered].filter((one) => bytes(one) > emptyMessageBytes).toSorted((a, b) => bytes(a) - bytes(b));
    const [least] = full;
    const wanted = least === undefined ? answered : new Set([least]);
    for (const [index, request] of session.exchange.initialRequests().entries()) {
      const collection = session.asked[index];
      if (collection !== undefined && wanted.has(collection)) session.line.write(request, () => {});
    }
  }

  set(change: Partial<SourceConnection>): void {
    const since =
      change.state === undefined || change.state === this.#connection.state
        ? {}
        : { since: this.#options.clock.date() };
    this.#connection = { ...this.#connection, ...since, ...change };
  }

  /** False once the stream is over, or is to be. */
  isLive(session: Session): boolean {
    return this.#session === session && session.end === undefined && !this.#isStopped;
  }

  /** One message at a time, over the end of a stream too: what an old stream left behind must not come later. */
  async #inTurn(session: Session, bytes: Buffer, cameAt: number): Promise<void> {
    const before = this.#turn;
    const turn = before.then(() => (this.isLive(session) ? this.#take(session, bytes, cameAt) : undefined));
    this.#turn = turn.catch(() => {});
    await turn;
  }

  async #take(session: Session, bytes: Buffer, cameAt: number): Promise<void> {
    const { name, reporter, silentCollectionMs } = this.#options;
    const { exchange, line } = session;
    const received = exchange.receive(bytes);
    const { message, reply } = received;
    const { collection } = message;
    if (line.isCalled && !received.accepted && isTrigger(message)) {
      await this.#answer(session, reply, 0);
      this.ask(session);
      return;
    }
    this.ask(session);
    if (received.accepted) {
      reporter.resourcesReceived(name, collection, bytes.length);
      this.#sizes.take(collection, bytes.length, received.full);
      // It has spoken, though it may take a while until the target knows.
      this.#settled.add(collection);
      await this.#target.accept(collection, message, received.full, session.seen, cameAt);
      this.#probe.answered();
      this.#tellRefused();
      reporter.sourceAcked(name, collection);
    } else {
      reporter.sourceNacked(name, 'other', received.code);
      this.#tellUnasked(collection);
    }
    if (!this.isLive(session)) {
      if (typeof session.end === 'object' && !this.#isStopped) reporter.sourceSendFailed(name, session.end.code);
      return;
    }
    const hasLeft = await this.#answer(session, reply, received.accepted ? 0 : received.delayMs);
    if (!hasLeft && typeof session.end === 'object' && !this.#isStopped)
      reporter.sourceSendFailed(name, session.end.code);
    if (!received.accepted || !this.isLive(session)) return;
    session.messages++;
    if (session.isQuiet) this.set({ lastError: undefined });
    session.isQuiet = false;
    if (session.messages === 1) {
      session.listening = { ms: 0, since: undefined };
      this.#watchSilence(session, silentCollectionMs);
    }
    if (exchange.answered.size === this.#probe.asked.length) this.#survived(session);
  }

  /** Such messages are as many as a source likes; lines about them are not. */
  #tellUnasked(collection: Collection): void {
    const { name, log } = this.#options;
    const before = this.#unasked.pass('unasked');
    if (before === undefined) return;
    const fields = { source: name, collection: collection.slice(0, 200), ...(before > 0 ? { before } : {}) };
    log.warn(fields, 'the source sent a collection nobody asked for');
  }

  /**
   * Returns once the answer is on its way, or never will be: what a source does not read must not pile up here.
   * False where it was to leave, and has not.
   */
  #answer(session: Session, bytes: Buffer, delayMs: number): Promise<boolean> {
    const { clock } = this.#options;
    return new Promise((resolve) => {
      const details = `it has not read our answer for ${sendTimeoutMs / 1000} s`;
      const timer = clock.after(sendTimeoutMs, () => endSession(session, { code: 14, details }));
      let isDue = false;
      session.sent = (hasLeft) => {
        timer.cancel();
        session.sent = undefined;
        resolve(hasLeft || !isDue);
      };
      const write = () => {
        isDue = true;
        session.line.write(bytes, () => session.sent?.(true));
      };
      if (delayMs > 0) session.timers.push(clock.after(delayMs, write));
      else write();
    });
  }

  /** The source took everything that it was asked for. */
  #survived(session: Session): void {
    if (!this.isLive(session)) return;
    session.survived = true;
    const more = this.#probe.survived();
    this.#tellRefused();
    if (!more) return;
    this.#options.log.info({ source: this.#options.name }, 'reconnecting to ask for more collections');
    endSession(session, 'ask again');
  }

  /** What the end of a stream says of collections. Returns true where it does say something. */
  #learn(end: StreamEnd, look: (now: number) => boolean, isGuess = false): boolean {
    const { name, collections, clock, log } = this.#options;
    const before = this.#probe.refused;
    const isRefusal = look(clock.date().getTime());
    this.#tellRefused();
    if (!isRefusal) return false;
    const refused = [...this.#probe.refused.keys()];
    const fields = { source: name, details: end.details.slice(0, 500), refused };
    const isNeeded = refused.every((one) => before.has(one) || collections.includes(one));
    if (isGuess && refused.length === before.size) {
      log.info(
        fields,
        'the source has left its stream soon after it was asked; asking for less, to see whether that is why',
      );
    } else if (isNeeded) log.warn(fields, refusedText);
    else log.debug(fields, refusedText);
    return true;
  }

  /** Once the source has proven that it serves something, what it refuses counts as empty, and is remembered. */
  #tellRefused(): void {
    const { refused, served } = this.#probe;
    this.set({ refused });
    // Who refuses all there is has another problem: what was told before counts no more.
    const isUntold = served || (this.#told?.size ?? 0) > 0;
    if (!isUntold || (this.#told !== undefined && isSame(this.#told, refused))) return;
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

  /** A source may keep silent as long as it likes; the operator has to know why nothing of it is sent. */
  #sayQuiet(session: Session): void {
    const { messages, opened } = session;
    if (messages > 0 || !this.isLive(session)) return;
    session.isQuiet = true;
    const { message, hint } = explainSilence(this.#subject(), quietMs / 1000, opened);
    this.set({ lastError: withHint(message, hint) });
    this.#options.log.warn({ source: this.#options.name, ...(hint ? { hint } : {}) }, message);
  }
}

export function withHint(message: string, hint: string | undefined): string {
  return hint === undefined ? message : `${message} (${hint})`;
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
