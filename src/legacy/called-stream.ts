import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import { Metadata } from '@grpc/grpc-js';
import type { Clock } from '../model/clock.ts';
import { failCall, type RawServerStream, resetCall } from '../net/grpc.ts';
import type { Line, SessionEnd } from './sink-session.ts';

/** How a stream that a source has opened to us came to its end. */
export type CalledEnd = {
  /** gRPC status. */
  readonly code: number;
  readonly details: string;
  /**
   * `ended`: the source has said all that it will. `left`: it gave the stream up, and keeps the connection. `lost`: the
   * connection is gone. `failed`: something that it sent could not be taken. `ours`: we have ended it.
   */
  readonly how: 'ended' | 'left' | 'lost' | 'failed' | 'ours';
};

/** What grpc-js keeps of a call; there is no public way to it (1.14). */
type Inner = {
  maxReceiveMessageSize: number;
  readonly decoder: { maxReadMessageLength: number };
  readonly stream?: ServerHttp2Stream;
  sendStatus(status: Status): void;
};

type Status = { readonly code?: number | null; readonly details?: string | null };

/** So long a status may wait behind what the peer does not read; then it is not told why its stream has ended. */
const flushMs = 5000;

/** What a source may send ahead of us, in bytes: as much as one that we dial. */
const windowBytes = 8 << 20;

/** Connections that may do so. */
const widened = new WeakSet<ServerHttp2Session>();

/**
 * A stream that a source has opened to us. Nothing is read from it before {@link CalledStream.open}; then one message at a
 * time, of the size that is allowed. It is over once, however many ways lead there.
 */
export class CalledStream implements Line {
  readonly isCalled = true;
  /** Called when it is over, at once where that is our doing. */
  onOver: (end: CalledEnd) => void = () => {};
  readonly #call: RawServerStream;
  readonly #clock: Clock;
  readonly #inner: Inner;
  /** Its connection; the stream itself forgets that when it is over. */
  readonly #session: ServerHttp2Session | undefined;
  #isOver = false;
  #unsent = 0;

  constructor(call: RawServerStream, clock: Clock) {
    this.#call = call;
    this.#clock = clock;
    this.#inner = (call as unknown as { readonly call: Inner }).call;
    this.#session = this.#inner.stream?.session as ServerHttp2Session | undefined;
    const sendStatus = this.#inner.sendStatus.bind(this.#inner);
    // grpc-js ends a stream by itself over a message that is too large, and tells nobody why.
    this.#inner.sendStatus = (status) => {
      sendStatus(status);
      this.#over({ code: status.code ?? 2, details: status.details ?? '', how: 'failed' });
    };
    for (const event of ['cancelled', 'close', 'error']) call.on(event, () => this.#over(this.#gone()));
    call.on('end', () => {
      // A stream that is reset ends, too.
      this.#over(this.#inner.stream?.closed === true ? this.#gone() : { code: 0, details: '', how: 'ended' });
      call.end();
    });
  }

  /** True once nothing more comes or goes. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** True where both came on one connection. */
  isBeside(other: CalledStream): boolean {
    return this.#session !== undefined && this.#session === other.#session;
  }

  /**
   * Takes the stream: sends the headers, and begins to read.
   * @param maxMessageBytes beyond which a message ends the stream with code 8 (RESOURCE_EXHAUSTED).
   */
  open(maxMessageBytes: number, onMessage: (bytes: Buffer) => void): void {
    this.#inner.maxReceiveMessageSize = maxMessageBytes;
    this.#inner.decoder.maxReadMessageLength = maxMessageBytes;
    if (this.#session !== undefined) widen(this.#session);
    // grpc-js reads up to 16 messages ahead, of any size.
    readAhead(this.#call, 0);
    this.#call.sendMetadata(new Metadata());
    this.#call.on('data', (bytes: Buffer) => {
      if (!this.#isOver) onMessage(bytes);
    });
  }

  write(bytes: Buffer, sent: () => void): void {
    if (this.#isOver) return;
    this.#unsent++;
    this.#call.write(bytes, () => {
      this.#unsent--;
      sent();
    });
  }

  pause(): void {
    this.#call.pause();
  }

  resume(): void {
    this.#call.resume();
  }

  /** Ends it: with OK where it is to be opened anew, which Istio's sources do after a second. */
  close(why: SessionEnd): void {
    if (why === 'ask again') this.end(0, '');
    else this.end(why.code, why.details);
  }

  /** Ends it with a gRPC status. */
  end(code: number, details: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    // What still comes is of no interest; to keep it would cost memory.
    this.#call.resume();
    if (code === 0) this.#call.end();
    else failCall(this.#call, code, details);
    if (this.#unsent > 0) this.#resetLater();
    this.onOver({ code, details, how: 'ours' });
  }

  #resetLater(): void {
    const timer = this.#clock.after(flushMs, () => resetCall(this.#call));
    this.#call.once('close', () => timer.cancel());
  }

  #over(end: CalledEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.onOver(end);
  }

  #gone(): CalledEnd {
    const isConnected = this.#session !== undefined && !this.#session.destroyed && !this.#session.closed;
    return isConnected
      ? { code: 1, details: 'the source has left it', how: 'left' }
      : { code: 14, details: 'its connection is gone', how: 'lost' };
  }
}

function widen(session: ServerHttp2Session): void {
  if (widened.has(session) || session.destroyed) return;
  widened.add(session);
  session.settings({ initialWindowSize: windowBytes });
  session.setLocalWindowSize(windowBytes);
}

/** How many messages a stream reads ahead of who reads it. Node has a public way to set that only before it is made. */
function readAhead(call: RawServerStream, messages: number): void {
  // oxlint-disable-next-line no-underscore-dangle
  (call as unknown as { _readableState: { highWaterMark: number } })._readableState.highWaterMark = messages;
}
