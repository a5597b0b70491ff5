import type { ClientDuplexStream } from '@grpc/grpc-js';
import type { Timer } from '../model/clock.ts';
import type { Collection } from '../model/kinds.ts';
import { type HostPort, formatHostPort } from '../net/address.ts';
import { Backoff, type BackoffOptions } from '../net/backoff.ts';
import { newClient, openStream, whenConnected } from '../net/grpc.ts';
import { type Keepalive, keepaliveOptions, towardsSources } from '../net/keepalive.ts';
import type { probeProtocol } from '../net/protocol-hint.ts';
import { Throttle } from '../net/throttle.ts';
import type { ClientTls } from '../net/tls-client.ts';
import type { Refusals } from './collection-probe.ts';
import { endSession, type Line, type Session } from './sink-session.ts';
import {
  type FeedOptions,
  type SinkTarget,
  type SourceClient,
  type SourceConnection,
  SourceFeed,
  withHint,
} from './source-feed.ts';
import { sourceVersionOf } from './source-version.ts';
import { explainEnd, isRiddle, type StreamEnd } from './stream-end.ts';

/** A stream that lived so long with at least one message was healthy: backoff starts afresh after it. */
const healthyMs = 10_000;

/** So long may it take until the peer answers in HTTP/2; grpc-js itself waits for ever. */
const connectMs = 20_000;

/** The same failure of an attempt is told of so often at most. */
const tellEveryMs = 60_000;

/** What is set once for one source that we dial. */
export type SinkClientOptions = FeedOptions & {
  readonly address: HostPort;
  /** @default plaintext */
  readonly tls?: ClientTls | undefined;
  readonly backoff: BackoffOptions;
  /** HTTP/2 pings. @default {@link towardsSources} */
  readonly keepalive?: Keepalive;
  /** Looks at a port that never answered in HTTP/2, for the error's sake. @default nobody looks */
  readonly lookAtPort?: typeof probeProtocol;
  readonly random: () => number;
};

type Stream = ClientDuplexStream<Buffer, Buffer>;

/** What was seen of the peer of one stream. */
type Seen = {
  /** It has answered in HTTP/2. */
  connected: boolean;
  /** Set where the headers of its answer are none of gRPC. */
  contentType: string | undefined;
};

/**
 * Keeps one stream to one legacy source open, for ever. Whatever goes
 * wrong, what came before stays with the target.
 */
export class SinkClient implements SourceClient {
  readonly #options: SinkClientOptions;
  readonly #feed: SourceFeed;
  readonly #backoff: Backoff;
  #retry: Timer | undefined;
  /** Why it could not be reached, since it was reached last. */
  #told: Throttle<string>;
  readonly #stop = new AbortController();

  constructor(options: SinkClientOptions, target: SinkTarget, remembered: Refusals = new Map()) {
    this.#options = options;
    this.#feed = new SourceFeed(options, target, remembered, 'connecting', () => this.#subject);
    this.#backoff = new Backoff(options.backoff, options.random);
    this.#told = new Throttle(options.clock, tellEveryMs);
  }

  get connection(): SourceConnection {
    return this.#feed.connection;
  }

  messageBytes(collection: Collection): number | undefined {
    return this.#feed.messageBytes(collection);
  }

  start(): void {
    this.#connect();
    this.#feed.start();
  }

  askAgain(since: number): void {
    this.#feed.askAgain(since);
  }

  stop(): void {
    this.#stop.abort();
    this.#retry?.cancel();
    this.#feed.session?.line.close('ask again');
    this.#feed.stop();
  }

  #connect(): void {
    if (this.#stop.signal.aborted) return;
    this.#feed.set({ state: 'connecting', retryInMs: undefined });
    const { address, tls, clock, maxMessageBytes, keepalive = towardsSources } = this.#options;
    const limit = { 'grpc.max_receive_message_length': maxMessageBytes };
    const client = newClient(address, { ...limit, ...keepaliveOptions(keepalive) }, tls);
    const question = this.#feed.question();
    const stream = openStream(client, question.exchange.method) as Stream;
    const session = this.#feed.begin(lineOf(stream), question);
    const seen: Seen = { connected: false, contentType: undefined };
    const silence = `no answer in HTTP/2 within ${connectMs / 1000} s`;
    const connecting = clock.after(connectMs, () =>
      endSession(session, { code: 14, details: silence, neverConnected: true }),
    );
    session.timers.push(connecting);
    whenConnected(client, () => {
      connecting.cancel();
      seen.connected = true;
      this.#feed.reached(session);
    });

    stream.on('metadata', (metadata) => {
      const [contentType] = metadata.get('content-type');
      if (contentType !== undefined && !String(contentType).startsWith('application/grpc')) {
        seen.contentType = String(contentType);
        return;
      }
      this.#opened(session, sourceVersionOf(metadata));
    });
    stream.on('data', (bytes: Buffer) => this.#feed.received(session, bytes));
    // grpc-js reports every end that is not OK as an 'error' too; 'status' has all that is needed.
    stream.on('error', () => {});
    stream.on('status', ({ code, details }) => {
      if (!this.#feed.over(session)) return;
      client.close();
      if (session.messages > 0 && clock.now() - session.started >= healthyMs) this.#backoff.reset();
      if (session.end === 'ask again') this.#connect();
      else {
        session.end ??= { code, details, neverConnected: !seen.connected, ...contentTypeOf(seen), ...tlsOf(seen, tls) };
        void this.#ended(session.end);
      }
    });

    this.#feed.ask(session);
  }

  #opened(session: Session, version: string | undefined): void {
    if (!this.#feed.opened(session)) return;
    this.#feed.set({ version });
    const { name, address, log, clock } = this.#options;
    this.#told = new Throttle(clock, tellEveryMs);
    const fields = { source: name, address: formatHostPort(address), ...(version === undefined ? {} : { version }) };
    log.info(fields, 'connected to a legacy source');
  }

  async #ended(end: StreamEnd): Promise<void> {
    const { signal } = this.#stop;
    if (signal.aborted) return;
    if (this.#feed.ended(end)) {
      this.#connect();
      return;
    }
    const { name, address, tls, maxMessageBytes, clock, log, lookAtPort } = this.#options;
    const spoken = isRiddle(end) ? await lookAtPort?.(address, { signal }) : undefined;
    if (signal.aborted) return;
    const { message, hint } = explainEnd(this.#subject, end, maxMessageBytes, spoken, tls !== undefined);
    const retryInMs = Math.round(this.#backoff.next());
    this.#feed.set({ state: 'waiting', lastError: withHint(message, hint), retryInMs });
    const before = this.#told.pass(message);
    const fields = {
      source: name,
      code: end.code,
      retryInMs,
      ...(before ? { before } : {}),
      ...(hint ? { hint } : {}),
    };
    // A server that is down for a night is no news at each attempt.
    log[before === undefined ? 'debug' : 'warn'](fields, `the stream of a legacy source ended: ${message}`);
    this.#retry = clock.after(retryInMs, () => this.#connect());
  }

  get #subject(): string {
    const { name, address } = this.#options;
    return `source ${name} (${formatHostPort(address)})`;
  }
}

function lineOf(stream: Stream): Line {
  return {
    isCalled: false,
    write: (bytes, sent) => void stream.write(bytes, sent),
    pause: () => void stream.pause(),
    resume: () => void stream.resume(),
    close: () => stream.cancel(),
  };
}

function contentTypeOf({ contentType }: Seen): Pick<StreamEnd, 'contentType'> {
  return contentType === undefined ? {} : { contentType };
}

/** What went wrong with TLS, where nothing else was spoken. */
function tlsOf({ connected }: Seen, tls: ClientTls | undefined): Pick<StreamEnd, 'tls'> {
  return connected || tls?.failure === undefined ? {} : { tls: tls.failure };
}
