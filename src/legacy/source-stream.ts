import type { Clock, Timer } from '../model/clock.ts';
import type { Collection } from '../model/kinds.ts';
import type { Logger } from '../model/logger.ts';
import { pilotMessageBytes } from '../model/pilot-limits.ts';
import type { PushStreamEnd, Reporter } from '../model/reporter.ts';
import { shortened } from '../model/texts.ts';
import type { CallTransport } from '../net/call-transport.ts';
import { type Outgoing, Pump } from '../push/pump.ts';
import { decodeRequestResources, type RequestResources } from '../wire/legacy-messages.ts';
import { type Offers, SourceExchange, type Watch } from './source.ts';
import { type Rate, TokenBucket } from './token-bucket.ts';

/** What is kept and shown of a sink's texts. */
const maxNodeIdLength = 256;
const maxTextLength = 1000;

/** First requests arrive one by one within a few milliseconds; answers to all of them leave together. */
const gatherMs = 10;

/** gRPC status codes used here (grpc/status.h). */
const status = { ok: 0, invalidArgument: 3, deadlineExceeded: 4, unavailable: 14 } as const;

export type SourceStreamOptions = {
  readonly clock: Clock;
  readonly reporter: Reporter;
  readonly log: Logger;
  /** Least time between two bursts of messages, in milliseconds: Pilot's debounce is starved by what is nearer than 100 ms. */
  readonly minGapMs: number;
  /** Time for the sink to take one message off the wire, in milliseconds. */
  readonly sendTimeoutMs: number;
  /** A stream on which nothing was asked for so long is ended; in milliseconds. */
  readonly firstRequestMs: number;
  /** How often requests are looked at; what comes sooner waits, and the sink with it. */
  readonly requests: Rate;
  /** Called with each message that is larger than what a Pilot takes by default. */
  readonly onLarge: (fields: {
    readonly peer: string;
    readonly collection: Collection;
    readonly bytes: number;
  }) => void;
};

/** What an operator sees of one collection on one stream. */
export type SinkCollectionView = {
  readonly collection: Collection;
  /** False where it was answered as empty because the bridge does not carry it. */
  readonly carried: boolean;
  readonly incremental: boolean;
  readonly sentVersion: string | null;
  readonly ackedVersion: string | null;
  readonly awaitingAck: boolean;
  /** What the sink said against the last message. */
  readonly nack: string | null;
  /** Of the last message. */
  readonly bytes: number | null;
  /** In the state that was sent last. */
  readonly resources: number | null;
};

/** One stream of a legacy sink: what it asks for, and when what is due is sent. The exchange decides what that is. */
export class SourceStream {
  readonly #options: SourceStreamOptions;
  readonly #offers: Offers;
  readonly #transport: CallTransport & { pause(): void; resume(): void };
  readonly #who: { readonly peer: string };
  readonly #exchange: SourceExchange;
  readonly #pump: Pump;
  readonly #requests: TokenBucket;
  readonly #firstRequest: Timer;
  #waiting: Timer | undefined;
  #nodeId: string | undefined;
  /** Collections that were answered as empty, and of which the log has not told yet. */
  readonly #untold: Collection[] = [];
  #closed = false;

  constructor(
    options: SourceStreamOptions,
    offers: Offers,
    transport: CallTransport & { pause(): void; resume(): void },
    peer: string,
  ) {
    this.#options = options;
    this.#offers = offers;
    this.#transport = transport;
    this.#who = { peer };
    this.#exchange = new SourceExchange(offers);
    const { clock, minGapMs, sendTimeoutMs, firstRequestMs, requests } = options;
    this.#requests = new TokenBucket(requests, clock);
    const forEver = Number.POSITIVE_INFINITY;
    // Collections are independent: what is due of one does not wait for the answer to another.
    this.#pump = new Pump({ minGapMs, sendTimeoutMs, ackWarnMs: forEver, ackTimeoutMs: forEver }, clock, {
      due: () => this.#due(),
      awaiting: () => false,
      onAckOverdue() {},
      onIdle() {},
      onGiveUp: (reason, error) => {
        if (error !== undefined) options.log.debug({ peer, err: error }, 'send failed');
        this.#end(reason, status.unavailable, 'the peer does not read');
      },
    });
    this.#firstRequest = clock.after(firstRequestMs, () =>
      this.#end('refused', status.deadlineExceeded, `nothing was asked for within ${firstRequestMs / 1000} s`),
    );
  }

  /** SinkNode.id; Pilot has "". */
  get nodeId(): string {
    return this.#nodeId ?? '';
  }

  get userAgent(): string | undefined {
    return this.#transport.userAgent;
  }

  get collections(): SinkCollectionView[] {
    return Array.from(this.#exchange.watches, (watch) => viewOf(watch, this.#offers.isCarried(watch.collection)));
  }

  /** Takes the bytes of one RequestResources. */
  onRequest(bytes: Buffer): void {
    if (this.#closed) return;
    this.#firstRequest.cancel();
    const wait = this.#requests.take();
    if (wait === 0) {
      this.#read(bytes);
      return;
    }
    this.#transport.pause();
    this.#waiting = this.#options.clock.after(wait, () => {
      this.#read(bytes);
      if (!this.#closed) this.#transport.resume();
    });
  }

  /** The source has other states. */
  onChange(): void {
    if (this.#closed) return;
    this.#exchange.onChange();
    this.#pump.wake();
  }

  /** Ends the stream from our side, for a shutdown. */
  shutdown(): void {
    this.#end('shutdown', status.unavailable, 'server canceled watch');
  }

  /** The stream is over; nothing is sent after this. */
  close(): void {
    if (this.#closed) return;
    this.#stop();
    this.#options.reporter.outputStreamEnded('peer');
  }

  #stop(): void {
    this.#closed = true;
    this.#firstRequest.cancel();
    this.#waiting?.cancel();
    this.#pump.close();
  }

  #read(bytes: Buffer): void {
    let request: RequestResources;
    try {
      request = withShortTexts(decodeRequestResources(bytes));
    } catch {
      this.#end('refused', status.invalidArgument, 'this is no RequestResources');
      return;
    }
    this.#meet(request.sinkNode.id);
    const { collection } = request;
    const outcome = this.#exchange.onRequest(request);
    if (outcome.kind === 'refused') {
      this.#end('refused', status.invalidArgument, outcome.details);
      return;
    }
    if (outcome.kind === 'answered') this.#tellAnswer(collection, outcome);
    else if (!this.#offers.isCarried(collection)) this.#untold.push(collection);
    this.#pump.wake(outcome.kind === 'subscribed' ? Math.min(gatherMs, this.#options.minGapMs) : 0);
  }

  #meet(id: string): void {
    if (this.#nodeId !== undefined) return;
    this.#nodeId = id;
    this.#options.log.info({ ...this.#who, node: this.#nodeId, agent: this.userAgent }, 'a legacy MCP sink connected');
  }

  #tellAnswer(
    collection: Collection,
    { isStale, error }: { readonly isStale: boolean; readonly error: RequestResources['errorDetail'] },
  ): void {
    const { reporter, log } = this.#options;
    // Stale ones too: so counted Istio's source.
    if (error === undefined) reporter.outputAcked(collection);
    else reporter.outputNacked(collection, error.code);
    const fields = { ...this.#who, node: this.nodeId, collection };
    if (isStale) log.debug(fields, 'stale request ignored');
    else if (error !== undefined) {
      const hint = 'it keeps what it had of this collection, and is sent the next state when something changes';
      log.warn({ ...fields, code: error.code, peerSays: error.message, hint }, 'a legacy MCP sink refused a message');
    }
  }

  #due(): Outgoing[] {
    this.#tellUncarried();
    return this.#exchange.due().map((collection) => ({ send: () => this.#send(collection) }));
  }

  async #send(collection: Collection): Promise<void> {
    await this.#offers.prepare(collection, this.#exchange.isIncremental(collection));
    await this.#transport.whenRoom(() => this.#handOver(collection));
  }

  /** Takes the state of this moment, and hands it over before anybody else runs. */
  async #handOver(collection: Collection): Promise<void> {
    if (this.#closed) return;
    const due = this.#exchange.take(collection);
    if (due === undefined) return;
    const { message, sent } = due;
    const { nonce, version, bytes, isIncremental } = sent;
    this.#options.reporter.outputPushed(collection, bytes);
    const fields = { ...this.#who, node: this.nodeId, collection, version, nonce, bytes, incremental: isIncremental };
    this.#options.log.debug(fields, 'push to a legacy MCP sink');
    if (bytes > pilotMessageBytes) this.#options.onLarge({ ...this.#who, collection, bytes });
    await this.#transport.send(message);
  }

  #tellUncarried(): void {
    if (this.#untold.length === 0) return;
    const collections = this.#untold.splice(0).toSorted();
    const hint =
      'isthmus check --direct, or countDropped, says whether a source has something in them (docs/legacy-output.md)';
    const what = 'a legacy MCP sink asks for collections that this bridge does not carry: they are answered as empty';
    this.#options.log.warn({ ...this.#who, node: this.nodeId, collections, hint }, what);
  }

  #end(reason: PushStreamEnd, code: number, details: string): void {
    if (this.#closed) return;
    this.#stop();
    const { reporter, log, clock, sendTimeoutMs } = this.#options;
    reporter.outputStreamEnded(reason);
    const fields = { ...this.#who, node: this.nodeId, reason, details };
    const hint = endHints[reason];
    if (hint === undefined) log.info(fields, 'ending a stream to a legacy MCP sink');
    else log.warn({ ...fields, hint }, 'ending a stream to a legacy MCP sink');
    if (reason !== 'refused' && reason !== 'shutdown') this.#transport.end(code, details);
    // A sink has to hear why: the status goes behind the message that is on its way, if the sink takes that.
    else if (this.#transport.finish(code, details)) clock.after(sendTimeoutMs, () => this.#transport.reset());
  }
}

/** What there is to do where the peer is to blame for the end. */
const endHints: Partial<Record<PushStreamEnd, string>> = {
  send_timeout: 'it hangs, or the way to it is broken; it keeps what it has, and is served again when it comes back',
  refused: 'only a Pilot up to 1.8 has business on this port: see who this is (docs/limits.md)',
};

function viewOf(watch: Readonly<Watch>, carried: boolean): SinkCollectionView {
  const { collection, incremental, sent, ackedVersion, pending, nack } = watch;
  return {
    collection,
    carried,
    incremental,
    sentVersion: sent?.version ?? null,
    ackedVersion: ackedVersion ?? null,
    awaitingAck: pending,
    nack: nack ?? null,
    bytes: sent?.bytes ?? null,
    resources: sent?.resources ?? null,
  };
}

/** Of what is kept of a request, so much is enough. */
function withShortTexts({ errorDetail, ...request }: RequestResources): RequestResources {
  const id = shortened(request.sinkNode.id, maxNodeIdLength);
  return {
    ...request,
    sinkNode: { ...request.sinkNode, id },
    ...(errorDetail === undefined
      ? {}
      : { errorDetail: { ...errorDetail, message: shortened(errorDetail.message, maxTextLength) } }),
  };
}
