import type { Timer } from '../model/clock.ts';
import type { Collection } from '../model/kinds.ts';
import { Throttle } from '../net/throttle.ts';
import { explainCallEnd } from './call-end.ts';
import type { CalledEnd, CalledStream } from './called-stream.ts';
import type { Refusals } from './collection-probe.ts';
import { endSession, type Session } from './sink-session.ts';
import {
  type FeedOptions,
  type SinkTarget,
  type SourceClient,
  type SourceConnection,
  SourceFeed,
  withHint,
} from './source-feed.ts';
import type { StreamEnd } from './stream-end.ts';

/** So long a source may take to send its trigger; one that sends none is asked then. */
const defaultTriggerMs = 2000;

/** So long a source whose stream is doubted may take to answer a question. */
const signMs = 5000;

/** A stream that has answered is not doubted again for so long. */
const trustMs = 10_000;

/** Streams of one connection that may follow one another without a question, until a source has taken all it was asked. */
const maxQuick = 50;

/** Of lines that a source causes by dialling in again and again, one of each sort so often. */
const logEveryMs = 10_000;

/** Istio 1.x that brought a collection; the others are as old as MCP. Older sources leave over them: they are asked for last. */
const broughtBy: ReadonlyMap<Collection, number> = new Map([
  ['istio/security/v1beta1/authorizationpolicies', 4],
  ['istio/security/v1beta1/peerauthentications', 5],
  ['istio/security/v1beta1/requestauthentications', 5],
  ['istio/networking/v1alpha3/workloadentries', 6],
  ['istio/networking/v1alpha3/workloadgroups', 8],
]);

/** How the source has ended a stream in whose place it has opened another one. */
const abandoned: StreamEnd = { code: 10, details: 'the source has opened another stream' };

/** Who has opened a stream. */
export type CallerView = {
  /** `10.0.0.7:4242` */
  readonly peer: string;
  /** Of the source, as it says. */
  readonly version: string | undefined;
};

type Newcomer = CallerView & { readonly stream: CalledStream };

export type AwaitedSourceOptions = FeedOptions & {
  /** @default 2000 */
  readonly triggerMs?: number;
};

/**
 * A source that dials us (`ResourceSink`). One stream of it counts at a time. What it has said stays when it leaves, and
 * until it comes.
 *
 * A second stream is no rare thing: Istio's sources leave a stream without ending it, over a collection that they do not
 * know for one, and open another. But it may be another source under the same name, too, and to change between the two
 * would make services come and go. So the older stream is asked for a sign of life first: where it gives one, the newer
 * stream is refused, else it takes the older one's place.
 */
export class AwaitedSource implements SourceClient {
  readonly #options: AwaitedSourceOptions;
  readonly #feed: SourceFeed;
  readonly #throttle: Throttle<string>;
  #isStarted = false;
  /** The stream of the session that counts. */
  #stream: CalledStream | undefined;
  /** Waits until it is known whether the older stream still lives. */
  #newcomer: Newcomer | undefined;
  /** When the present stream has last given a sign of life that it was asked for. */
  #trustedAt = Number.NEGATIVE_INFINITY;
  #quick = 0;

  constructor(options: AwaitedSourceOptions, target: SinkTarget, remembered: Refusals = new Map()) {
    this.#options = options;
    const collections = options.collections.toSorted((a, b) => (broughtBy.get(a) ?? 0) - (broughtBy.get(b) ?? 0));
    this.#feed = new SourceFeed({ ...options, collections }, target, remembered, 'awaited', () => this.#subject);
    this.#throttle = new Throttle(options.clock, logEveryMs);
  }

  get connection(): SourceConnection {
    return this.#feed.connection;
  }

  messageBytes(collection: Collection): number | undefined {
    return this.#feed.messageBytes(collection);
  }

  /** From now on, it may come. */
  start(): void {
    this.#isStarted = true;
    this.#feed.start();
  }

  askAgain(since: number): void {
    this.#feed.askAgain(since);
  }

  stop(): void {
    this.#feed.stop();
    const goodbye: StreamEnd = { code: 14, details: 'Isthmus ends its streams of this source' };
    this.#newcomer?.stream.close(goodbye);
    this.#stream?.close(goodbye);
  }

  /** Takes a stream that this source has opened, or ends it and says why. */
  take(stream: CalledStream, caller: CallerView): void {
    if (!this.#isStarted || this.#feed.isStopped) {
      stream.end(14, this.#isStarted ? 'Isthmus takes nothing of this source now' : 'Isthmus is starting');
      return;
    }
    const { session } = this.#feed;
    const newcomer = { stream, ...caller };
    if (session === undefined || this.#stream === undefined) this.#admit(newcomer);
    else if (this.#isOf(session, this.#stream, stream)) this.#replace(session, newcomer);
    else if (this.#newcomer !== undefined || this.#isBusy(session) || this.#isTrusted()) this.#refuse(newcomer);
    else this.#doubt(session, newcomer);
  }

  /** True where a source has surely left its older stream for this one, or nothing would be lost if it has not. */
  #isOf({ exchange, survived }: Session, older: CalledStream, newer: CalledStream): boolean {
    if (exchange.answered.size === 0) return true;
    if (survived || !newer.isBeside(older) || this.#quick >= maxQuick) return false;
    this.#quick++;
    return true;
  }

  /** True while a message of it is being taken: nothing more is read meanwhile. */
  #isBusy({ listening }: Session): boolean {
    return listening.since === undefined;
  }

  #isTrusted(): boolean {
    return this.#options.clock.now() - this.#trustedAt < trustMs;
  }

  /** Asks the older stream for a sign of life. */
  #doubt(session: Session, newcomer: Newcomer): void {
    const { clock, name, log } = this.#options;
    const fields = { source: name, peer: this.connection.peer, newer: newcomer.peer };
    log.debug(fields, 'a second stream of a legacy source: looking whether the first one is still there');
    this.#newcomer = newcomer;
    newcomer.stream.onOver = () => {
      if (this.#newcomer === newcomer) this.#newcomer = undefined;
    };
    session.isDoubted = true;
    const settle = (isThere: boolean) => {
      timer.cancel();
      session.isDoubted = false;
      session.onSign = undefined;
      if (!isThere) return;
      this.#trustedAt = clock.now();
      if (this.#newcomer !== undefined) this.#refuse(this.#newcomer);
    };
    const timer: Timer = clock.after(signMs, () => {
      const isThere = this.#isBusy(session);
      settle(isThere);
      if (!isThere) endSession(session, abandoned);
    });
    session.onSign = (sign) => settle(sign === 'message');
    this.#feed.askForSign(session);
  }

  #replace(session: Session, newcomer: Newcomer): void {
    this.#newcomer?.stream.close(abandoned);
    this.#newcomer = newcomer;
    endSession(session, abandoned);
  }

  #refuse(newcomer: Newcomer): void {
    if (this.#newcomer === newcomer) this.#newcomer = undefined;
    const { name, log } = this.#options;
    const { peer } = this.connection;
    const details = `source ${name} is connected from ${peer}, and alive; Isthmus takes one stream of a source at a time`;
    newcomer.stream.end(6, details);
    const before = this.#throttle.pass('refused');
    if (before === undefined) return;
    const hint = 'where these are two sources, give each its own entry in sources, with a match that tells them apart';
    const fields = { source: name, peer, refused: newcomer.peer, ...(before > 0 ? { before } : {}), hint };
    log.warn(fields, 'a second stream of a legacy source was refused: the first one is alive');
  }

  #admit({ stream, peer, version }: Newcomer): void {
    const { name, maxMessageBytes, triggerMs = defaultTriggerMs, clock, log } = this.#options;
    const session = this.#feed.begin(stream, this.#feed.question());
    this.#stream = stream;
    this.#trustedAt = Number.NEGATIVE_INFINITY;
    stream.onOver = (end) => this.#over(session, end);
    this.#feed.set({ peer, version });
    this.#feed.opened(session);
    session.timers.push(clock.after(triggerMs, () => this.#feed.ask(session)));
    stream.open(maxMessageBytes, (bytes) => this.#feed.received(session, bytes));
    const fields = { source: name, peer, ...(version === undefined ? {} : { version }) };
    if (this.#throttle.pass('opened') === undefined) log.debug(fields, 'a legacy source has dialled in');
    else log.info(fields, 'a legacy source has dialled in');
  }

  #over(session: Session, { how, ...status }: CalledEnd): void {
    if (!this.#feed.over(session)) return;
    this.#stream = undefined;
    session.end ??= status;
    if (this.#feed.isStopped) return;
    if (session.survived) this.#quick = 0;
    this.#feed.set({ state: 'awaited' });
    if (session.end !== 'ask again') this.#ended(session, session.end, session.end === abandoned ? 'left' : how);
    const newcomer = this.#newcomer;
    this.#newcomer = undefined;
    if (newcomer !== undefined && !newcomer.stream.isOver) this.#admit(newcomer);
  }

  #ended(session: Session, end: StreamEnd, how: CalledEnd['how']): void {
    const isRefusal = how === 'left' ? this.#feed.left(session, end) : this.#feed.ended(end);
    if (isRefusal) return;
    const { name, maxMessageBytes, log } = this.#options;
    const { message, hint } = explainCallEnd(this.#subject, { ...end, how }, maxMessageBytes);
    this.#feed.set({ lastError: withHint(message, hint) });
    const fields = { source: name, code: end.code, ...(hint === undefined ? {} : { hint }) };
    const text = `the stream of a legacy source ended: ${message}`;
    if (this.#throttle.pass(how) === undefined) log.debug(fields, text);
    else log.warn(fields, text);
  }

  get #subject(): string {
    const { name } = this.#options;
    return `source ${name} (${this.connection.peer ?? 'dials in'})`;
  }
}
