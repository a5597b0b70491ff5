import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';
import type { Clock, Timer } from '../../../src/model/clock.ts';
import { dialBackoffMs } from './backoff.ts';
import type { IstiodProfile } from './profile.ts';

/** A stream that can't be opened now: gRPC fails fast, status UNAVAILABLE. */
export class Unavailable extends Error {}

type Waiting = { readonly resolve: (session: ClientHttp2Session) => void; readonly reject: (error: Error) => void };

/**
 * gRPC's ClientConn to one address: dials when a stream is wanted; once a dial has failed it goes on by itself, with a
 * backoff of its own, and fails every stream at once until it is through.
 */
export class Channel {
  readonly #port: number;
  readonly #profile: IstiodProfile;
  readonly #clock: Clock;
  readonly #random: () => number;
  #session: ClientHttp2Session | undefined;
  #state: 'idle' | 'connecting' | 'ready' | 'failed' | 'closed' = 'idle';
  #failures = 0;
  #redial: Timer | undefined;
  #ping: Timer | undefined;
  #lastRead = 0;
  /** Pings so far, and those of them that were answered. */
  readonly pings = { sent: 0, answered: 0 };
  #waiting: Waiting[] = [];

  constructor(port: number, profile: IstiodProfile, clock: Clock, random: () => number) {
    this.#port = port;
    this.#profile = profile;
    this.#clock = clock;
    this.#random = random;
  }

  /** @throws Unavailable */
  async open(): Promise<ClientHttp2Stream> {
    const session = await this.#ready();
    return session.request({
      ':method': 'POST',
      ':path': '/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources',
      'content-type': 'application/grpc',
      'user-agent': this.#profile.userAgent,
      te: 'trailers',
    });
  }

  /** Something came: no ping is needed for a while. */
  read(): void {
    this.#lastRead = this.#clock.now();
  }

  /** Breaks the connection, as a network does. */
  cut(): void {
    this.#session?.destroy();
  }

  close(): void {
    this.#state = 'closed';
    this.#redial?.cancel();
    this.#ping?.cancel();
    this.#session?.destroy();
    for (const { reject } of this.#waiting.splice(0)) reject(new Unavailable('the process is gone'));
  }

  #ready(): Promise<ClientHttp2Session> {
    if (this.#state === 'failed') return Promise.reject(new Unavailable('connection error: last dial failed'));
    if (this.#state === 'closed') return Promise.reject(new Unavailable('the process is gone'));
    const session = this.#session;
    // After GOAWAY the connection serves the streams that it has, and no new ones.
    if (this.#state === 'ready' && session !== undefined && !session.closed && !session.destroyed) {
      return Promise.resolve(session);
    }
    const ready = new Promise<ClientHttp2Session>((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
    });
    if (this.#state !== 'connecting') {
      this.#state = 'connecting';
      this.#dial();
    }
    return ready;
  }

  #dial(): void {
    const { windowBytes } = this.#profile;
    const session = connect(`http://127.0.0.1:${this.#port}`, { settings: { initialWindowSize: windowBytes } });
    this.#session = session;
    let isUp = false;
    session.on('error', () => {});
    session.once('connect', () => {
      if (!session.destroyed) session.setLocalWindowSize(windowBytes);
    });
    session.once('remoteSettings', () => {
      if (this.#session !== session || this.#state === 'closed') return;
      isUp = true;
      this.#state = 'ready';
      this.#failures = 0;
      this.#watch(session);
      for (const { resolve } of this.#waiting.splice(0)) resolve(session);
    });
    session.once('close', () => {
      if (this.#session !== session || this.#state === 'closed') return;
      this.#session = undefined;
      this.#ping?.cancel();
      if (isUp) this.#state = 'idle';
      else this.#failed();
    });
  }

  #failed(): void {
    this.#state = 'failed';
    this.#failures++;
    for (const { reject } of this.#waiting.splice(0)) reject(new Unavailable('connection refused'));
    this.#redial = this.#clock.after(dialBackoffMs(this.#failures, this.#random), () => this.#dial());
  }

  /** keepalive: a ping when nothing came for a while; no answer, no connection. */
  #watch(session: ClientHttp2Session): void {
    const { keepalive } = this.#profile;
    if (keepalive === undefined) return;
    const { afterMs, timeoutMs } = keepalive;
    this.read();
    const look = (): void => {
      const quiet = this.#clock.now() - this.#lastRead;
      if (quiet < afterMs) {
        this.#ping = this.#clock.after(afterMs - quiet, look);
        return;
      }
      this.#ping = this.#clock.after(timeoutMs, () => session.destroy());
      if (session.destroyed) return;
      this.pings.sent++;
      session.ping(() => {
        this.pings.answered++;
        if (this.#session !== session || session.destroyed) return;
        this.#ping?.cancel();
        this.read();
        this.#ping = this.#clock.after(afterMs, look);
      });
    };
    this.#ping = this.#clock.after(afterMs, look);
  }
}

/** RST_STREAM as gRPC sends it when a stream is given up. */
export function cancelStream(stream: ClientHttp2Stream): void {
  stream.close(constants.NGHTTP2_CANCEL);
}
