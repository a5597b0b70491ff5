import type { ClientDuplexStream, Metadata } from '@grpc/grpc-js';
import { CollectionProbe } from '../legacy/collection-probe.ts';
import { SinkExchange } from '../legacy/sink.ts';
import type { SourceProfile } from '../legacy/source-profile.ts';
import { explainEnd, isRiddle } from '../legacy/stream-end.ts';
import type { Clock } from '../model/clock.ts';
import { type IsthmusError, messageOf } from '../model/errors.ts';
import type { Collection } from '../model/kinds.ts';
import { formatHostPort, type HostPort } from '../net/address.ts';
import { Backoff, type BackoffOptions } from '../net/backoff.ts';
import { newClient, openStream, whenConnected } from '../net/grpc.ts';
import { probeProtocol } from '../net/protocol-hint.ts';
import { resourceSource } from '../wire/services.ts';
import type { CaptureRecord, HeaderList, StreamRecord } from './format.ts';

/** So long may it take until the peer answers in HTTP/2; grpc-js itself waits for ever. */
const connectMs = 20_000;

/** A source that refuses a collection does so at once; a stream that lives so long has taken all of them. */
const probeMs = 5000;

/** A stream that lived so long was healthy: backoff starts afresh after it. */
const healthyMs = 10_000;

/** gRPC status codes. */
const unimplemented = 12;
const unavailable = 14;

export type RecorderOptions = {
  readonly address: HostPort;
  readonly collections: readonly Collection[];
  readonly profile: SourceProfile;
  readonly maxMessageBytes: number;
  readonly backoff: BackoffOptions;
  readonly clock: Clock;
  readonly random: () => number;
  /** Takes a record; the source is not read any further before the promise is settled. */
  readonly write: (record: CaptureRecord) => Promise<void>;
  /** Told what happens, in one line. */
  readonly say: (line: string) => void;
};

type EndRecord = Extract<StreamRecord, { type: 'end' }>;

/** How a stream ended, and what was seen of it. */
type End = Pick<EndRecord, 'by' | 'code' | 'details' | 'trailers'> & {
  readonly isConnected: boolean;
  readonly isHealthy: boolean;
  /** True where it was ended by us, to ask for more. */
  readonly asksAgain: boolean;
};

/** A record without its time and stream. */
type What = StreamRecord extends infer R ? (R extends StreamRecord ? Omit<R, 'at' | 'stream'> : never) : never;

/** One stream while it lives. */
type Session = {
  readonly stream: ClientDuplexStream<Buffer, Buffer>;
  readonly exchange: SinkExchange;
  isConnected: boolean;
  /** Set where it is ended by us. */
  end: 'ask again' | { readonly silence: string } | { readonly failure: unknown } | undefined;
};

/**
 * A sink that keeps nothing: it asks a legacy source as a bridge does, acknowledges what comes, connects again where the
 * stream ends, and has all of it written down, both directions.
 */
export class Recorder {
  readonly #options: RecorderOptions;
  readonly #probe: CollectionProbe;
  readonly #startedAt: number;
  #streams = 0;
  /** Records are written in the order in which things happened, whatever waits for the disk. */
  #written: Promise<void> = Promise.resolve();

  constructor(options: RecorderOptions) {
    this.#options = options;
    const { clock, collections } = options;
    this.#startedAt = clock.now();
    this.#probe = new CollectionProbe(collections, new Map(), clock.date().getTime());
  }

  /** Milliseconds since it was made. */
  get elapsedMs(): number {
    return this.#options.clock.now() - this.#startedAt;
  }

  /** Collections that the source does not know. */
  get refused(): Collection[] {
    return [...this.#probe.refused.keys()];
  }

  /**
   * Goes on until `signal` is aborted.
   * @throws IsthmusError where no legacy server answers at the first time; what `write` throws.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, say } = this.#options;
    const backoff = new Backoff(this.#options.backoff, this.#options.random);
    while (!signal.aborted) {
      const end = await this.#stream(signal);
      const { code, details, by, trailers } = end;
      const refusal = by === 'source' && this.#probe.ended(code, details, clock.date().getTime());
      await this.#write({ type: 'end', by, code, details, trailers, refusal });
      if (signal.aborted) return;
      if (this.#streams === 1 && (!end.isConnected || code === unimplemented)) throw await this.#explain(end, signal);
      if (end.isHealthy) backoff.reset();
      if (end.asksAgain) continue;
      const text = details.slice(0, 200);
      if (refusal) {
        say(`the source does not know a collection (${text}); asking without`);
        continue;
      }
      const waitMs = Math.round(backoff.next());
      say(`stream ${this.#streams} ended with code ${code}: ${text}; dialling again in ${waitMs} ms`);
      await this.#wait(waitMs, signal);
    }
  }

  /** Writes what has just happened on the present stream. */
  #write(what: What): Promise<void> {
    const record = { at: this.elapsedMs, stream: this.#streams, ...what } as StreamRecord;
    return (this.#written = this.#written.then(() => this.#options.write(record)));
  }

  /** One stream, to its end. @throws what `write` throws */
  async #stream(signal: AbortSignal): Promise<End> {
    const { address, profile, maxMessageBytes, clock } = this.#options;
    this.#streams++;
    const startedAt = clock.now();
    const client = newClient(address, { 'grpc.max_receive_message_length': maxMessageBytes });
    const session: Session = {
      stream: openStream(client, resourceSource()),
      exchange: new SinkExchange(this.#probe.asked, profile),
      isConnected: false,
      end: undefined,
    };
    const { stream, exchange } = session;
    const timers = [
      clock.after(connectMs, () => {
        if (!session.isConnected) endSession(session, { silence: `no answer in HTTP/2 within ${connectMs / 1000} s` });
      }),
    ];
    whenConnected(client, () => {
      session.isConnected = true;
      timers.push(clock.after(probeMs, () => this.#survived(session)));
    });
    const stop = () => stream.cancel();
    signal.addEventListener('abort', stop);
    try {
      const status = this.#listen(session);
      if (signal.aborted) stop();
      const fail = (failure: unknown) => endSession(session, { failure });
      this.#write({ type: 'open' }).catch(fail);
      for (const request of exchange.initialRequests()) this.#send(session, request).catch(fail);
      const { code, details, metadata } = await status;
      // Rejects where the file can't be written; then nothing else matters.
      await this.#written;
      const isHealthy = exchange.answered.size > 0 && clock.now() - startedAt >= healthyMs;
      return {
        ...endOf(session, code, details, signal.aborted),
        trailers: headersOf(metadata),
        isConnected: session.isConnected,
        isHealthy,
        asksAgain: session.end === 'ask again',
      };
    } finally {
      signal.removeEventListener('abort', stop);
      for (const timer of timers) timer.cancel();
      client.close();
    }
  }

  /** Writes down and answers what comes; resolves with the end. */
  #listen(session: Session): Promise<{ code: number; details: string; metadata: Metadata }> {
    const { stream } = session;
    const fail = (failure: unknown) => endSession(session, { failure });
    stream.on('metadata', (metadata: Metadata) => {
      this.#write({ type: 'headers', headers: headersOf(metadata) }).catch(fail);
    });
    stream.on('data', (bytes: Buffer) => {
      stream.pause();
      this.#take(session, bytes).then(() => stream.resume(), fail);
    });
    // grpc-js reports every end that is not OK as an 'error' too; 'status' has all that is needed.
    stream.on('error', () => {});
    return new Promise((resolve) => {
      stream.on('status', resolve);
    });
  }

  async #take(session: Session, bytes: Buffer): Promise<void> {
    const { exchange } = session;
    await this.#write({ type: 'resources', bytes });
    const { reply, accepted } = exchange.receive(bytes);
    if (accepted) this.#probe.answered();
    await this.#send(session, reply);
    if (exchange.answered.size === this.#probe.asked.length) this.#survived(session);
  }

  async #send({ stream }: Session, request: Buffer): Promise<void> {
    await this.#write({ type: 'request', bytes: request });
    stream.write(request);
  }

  /** The source took everything that it was asked for. */
  #survived(session: Session): void {
    if (session.end === undefined && this.#probe.survived()) endSession(session, 'ask again');
  }

  async #explain({ code, details, isConnected }: End, signal: AbortSignal): Promise<IsthmusError> {
    const { address, maxMessageBytes } = this.#options;
    const end = { code, details, neverConnected: !isConnected };
    const spoken = isRiddle(end) ? await probeProtocol(address, { signal }) : undefined;
    return explainEnd(`mcp://${formatHostPort(address)}`, end, maxMessageBytes, spoken);
  }

  #wait(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        timer.cancel();
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = this.#options.clock.after(ms, done);
      signal.addEventListener('abort', done);
      if (signal.aborted) done();
    });
  }
}

/** Ends a stream of our own accord; the first reason counts. */
function endSession(session: Session, why: NonNullable<Session['end']>): void {
  session.end ??= why;
  session.stream.cancel();
}

function endOf(
  { end }: Session,
  code: number,
  details: string,
  isStopped: boolean,
): Pick<End, 'by' | 'code' | 'details'> {
  if (end === undefined) return { by: isStopped ? 'capture' : 'source', code, details };
  if (end === 'ask again') return { by: 'capture', code, details: 'asking for more collections' };
  if ('silence' in end) return { by: 'capture', code: unavailable, details: end.silence };
  // A message that is none: it ends the stream, as it ends Go's.
  return { by: 'capture', code, details: messageOf(end.failure) };
}

function headersOf(metadata: Metadata): HeaderList {
  return Object.entries(metadata.toJSON()).flatMap(([name, values]) =>
    values.map((value) => [name, typeof value === 'string' ? value : value.toString('base64')] as const),
  );
}
