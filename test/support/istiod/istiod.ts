import type { ClientHttp2Stream } from 'node:http2';
import { type Clock, systemClock, type Timer } from '../../../src/model/clock.ts';
import { messageOf } from '../../../src/model/errors.ts';
import { framed } from '../grpc-frames.ts';
import { applyResponse, Panic } from './apply.ts';
import { ReconnectBackoff } from './backoff.ts';
import { cancelStream, Channel } from './channel.ts';
import { type ConfigEvent, ConfigStore } from './config-store.ts';
import { ResponseDecoder } from './decoder.ts';
import { MessageReader } from './message-reader.ts';
import type { IstiodProfile } from './profile.ts';
import { meshConfig } from './types.ts';
import { decodeResponse, discoveryRequest, type DiscoveryResponse } from './wire.ts';

/** What an istiod does not come back from by itself. */
export type Fatal = {
  /**
   * `exited`: nobody listened when it started. `panicked`: a resource ended the process. `frozen`: the receive loop
   * waits for ever. `silent`: it waits for ever before it would reconnect.
   */
  readonly what: 'exited' | 'panicked' | 'frozen' | 'silent';
  readonly detail: string;
};

export type IstiodOptions = {
  readonly profile: IstiodProfile;
  /** Of the server, on 127.0.0.1. */
  readonly port: number;
  /** @default the machine's */
  readonly clock?: Clock;
  /** 0 ≤ x < 1. @default Math.random */
  readonly random?: () => number;
  /** @default none */
  readonly revision?: string;
  /** Called with everything that happens in its store. */
  readonly onEvent?: (event: ConfigEvent) => void;
};

/** Lines of the log that are kept. */
const maxLines = 1000;

/** One process of istiod, as a client of MCP-over-xDS: what the profile says, over a real socket. */
export class Istiod {
  readonly profile: IstiodProfile;
  readonly store: ConfigStore;
  /** Set once; nothing happens any more then. */
  fatal: Fatal | undefined;
  /** Lines about resources that were thrown away, and about streams; the newest {@link maxLines}. */
  readonly log: string[] = [];
  /** Events of the store. */
  readonly events = { add: 0, update: 0, delete: 0 };
  /** Streams that were opened. */
  streams = 0;
  /** Streams that ended. */
  disconnects = 0;
  /** Responses that were applied. */
  responses = 0;
  /** Retries without any wait, of which each costs CPU time. */
  hotRetries = 0;
  /** Waits before a retry, in milliseconds. */
  readonly waits: number[] = [];
  readonly #options: IstiodOptions;
  readonly #clock: Clock;
  readonly #channel: Channel;
  readonly #backoff: ReconnectBackoff;
  readonly #decoders = new Map<string, ResponseDecoder>();
  /** Types that have had a response; kept over reconnects. */
  readonly #synced = new Set<string>();
  /** Length of the channel that nobody reads. */
  #syncChannel = 0;
  #stream: ClientHttp2Stream | undefined;
  #retry: Timer | undefined;
  #stopped = false;
  #requests = 0;

  private constructor(options: IstiodOptions) {
    const { profile, port, clock = systemClock, random = Math.random } = options;
    this.#options = options;
    this.profile = profile;
    this.#clock = clock;
    this.#channel = new Channel(port, profile, clock, random);
    this.#backoff = new ReconnectBackoff(profile, clock, random);
    this.store = new ConfigStore(profile, (event) => {
      this.events[event.event]++;
      options.onEvent?.(event);
    });
  }

  /** Starts the process; it has exited, see {@link fatal}, where nobody listens. */
  static async start(options: IstiodOptions): Promise<Istiod> {
    const istiod = new Istiod(options);
    try {
      await istiod.#run();
    } catch (error) {
      istiod.#die('exited', `MCP: failed running rpc error: code = Unavailable desc = ${messageOf(error)}`);
    }
    return istiod;
  }

  /** Whether `/ready` would answer 200. Sticky: a lost stream changes nothing (HasSynced). */
  get ready(): boolean {
    if (this.fatal?.what === 'exited' || this.fatal?.what === 'panicked') return false;
    return !this.profile.waitsForTypes || this.profile.types.every((typeUrl) => this.#synced.has(typeUrl));
  }

  get connected(): boolean {
    return this.#stream !== undefined;
  }

  /** The type URL under which this version asks for a kind. */
  typeOf(kind: string): string {
    const found = this.profile.types.find((typeUrl) => typeUrl.endsWith(`/${kind}`));
    if (found === undefined) throw new Error(`istiod ${this.profile.version} asks for no ${kind}`);
    return found;
  }

  /** Its pings so far, and those of them that were answered. */
  get pings(): { readonly sent: number; readonly answered: number } {
    return this.#channel.pings;
  }

  /** Its connection breaks. */
  cut(): void {
    this.#channel.cut();
  }

  /** Its stream is reset; the connection stays. */
  cancel(): void {
    if (this.#stream !== undefined) cancelStream(this.#stream);
  }

  /** Its connection breaks in the middle of a request. */
  cutInRequest(): void {
    const bytes = framed(discoveryRequest.encode({ typeUrl: meshConfig, responseNonce: 'x'.repeat(1000) }));
    this.#stream?.write(bytes.subarray(0, 500), () => this.cut());
  }

  /** Stops reading, as a process does that has no CPU time; answers to HTTP/2 itself go on. */
  stall(): void {
    this.#stream?.pause();
  }

  resume(): void {
    if (this.fatal === undefined) this.#stream?.resume();
  }

  /** Ends the process. */
  stop(): void {
    this.#stopped = true;
    this.#retry?.cancel();
    this.#channel.close();
  }

  /** adsc.go Run: a new stream on the same connection, and all first requests at once. */
  async #run(): Promise<void> {
    const stream = await this.#channel.open();
    if (this.#stopped) return;
    this.streams++;
    this.#stream = stream;
    if (this.profile.resetsBackoff === 'on stream') this.#backoff.reset();
    this.#receive(stream);
    for (const [index, typeUrl] of [meshConfig, ...this.profile.types].entries()) {
      // adsc.go Send: the nonce is the time, and the node is in the first request only.
      const responseNonce = `${this.#clock.date().toISOString()} +0000 UTC m=+${++this.#requests}`;
      this.#send({ ...(index === 0 ? { node: this.#node() } : {}), typeUrl, responseNonce });
    }
  }

  /** adsc.go handleRecv. */
  #receive(stream: ClientHttp2Stream): void {
    const messages = new MessageReader(this.profile.maxReceiveBytes);
    let why = 'EOF';
    let isOver = false;
    const end = (): void => {
      if (isOver) return;
      isOver = true;
      if (!stream.closed) cancelStream(stream);
      this.#ended(stream, why);
    };
    stream.on('error', () => {});
    stream.on('response', (headers) => {
      if (headers['grpc-status'] !== undefined) why = `code ${String(headers['grpc-status'])}`;
    });
    stream.on('trailers', (headers) => {
      why = `code ${String(headers['grpc-status'])}: ${String(headers['grpc-message'] ?? '')}`;
    });
    stream.on('data', (bytes: Buffer) => {
      this.#channel.read();
      try {
        for (const message of messages.read(bytes)) {
          if (!isOver && this.fatal === undefined) this.#take(decodeResponse(message));
        }
      } catch (error) {
        if (error instanceof Panic) {
          this.#die('panicked', error.message);
          return;
        }
        why = messageOf(error);
        end();
      }
    });
    stream.on('end', end);
    stream.on('close', end);
  }

  #take(response: DiscoveryResponse): void {
    const { typeUrl, resources, versionInfo, nonce } = response;
    // Decoded into a field that nobody reads, and not acknowledged.
    if (typeUrl === meshConfig && resources.length > 0) return;
    this.responses++;
    if (this.profile.types.includes(typeUrl)) {
      const { profile, store } = this;
      const revision = this.#options.revision ?? '';
      applyResponse(typeUrl, resources, {
        profile,
        store,
        revision,
        log: (line) => this.#log(line),
        decode: this.#decoderOf(typeUrl).begin(),
      });
    }
    if (typeUrl.split('/').length === 3 && !this.#synced.has(typeUrl)) {
      this.#synced.add(typeUrl);
      this.#syncChannel++;
      if (this.profile.hasSyncChannel && this.#syncChannel > this.profile.types.length) {
        this.#stream?.pause();
        this.#die('frozen', `the first response of ${typeUrl} found the channel full`);
        return;
      }
    }
    // Always, whatever was thrown away; each with the node.
    this.#send({ node: this.#node(), typeUrl, versionInfo, responseNonce: nonce });
  }

  #ended(stream: ClientHttp2Stream, why: string): void {
    if (this.#stream !== stream) return;
    this.#stream = undefined;
    if (this.#stopped || this.fatal !== undefined) return;
    this.disconnects++;
    this.#log(`connection closed with err: ${why}`);
    const { errorChannel } = this.profile;
    if (errorChannel !== undefined && this.disconnects > errorChannel) {
      this.#die('silent', `disconnect ${this.disconnects} found the channel of errors full`);
      return;
    }
    this.#retryLater();
  }

  #retryLater(): void {
    const wait = this.#backoff.next();
    if (wait === 0) this.hotRetries++;
    this.waits.push(wait);
    // A hot loop takes some time for each round.
    this.#retry = this.#clock.after(Math.max(wait, 1), () => void this.#reconnect());
  }

  /** adsc.go reconnect. */
  async #reconnect(): Promise<void> {
    try {
      await this.#run();
      if (this.profile.resetsBackoff === 'on reconnect') this.#backoff.reset();
    } catch {
      if (!this.#stopped && this.fatal === undefined) this.#retryLater();
    }
  }

  #die(what: Fatal['what'], detail: string): void {
    this.fatal = { what, detail };
    this.#log(`fatal: ${what}: ${detail}`);
    this.#retry?.cancel();
    // A frozen or silent one keeps its connection.
    if (what === 'exited' || what === 'panicked') this.#channel.close();
  }

  #send(request: object): void {
    const stream = this.#stream;
    if (stream !== undefined && !stream.closed && !stream.destroyed)
      stream.write(framed(discoveryRequest.encode(request)));
  }

  #node(): object {
    const { nodeId, sendsRevision } = this.profile;
    const { revision } = this.#options;
    const text = (stringValue: string): object => ({ stringValue });
    const metadata = {
      GENERATOR: text('api'),
      ISTIO_VERSION: text('65536.65536.65536'),
      ...(sendsRevision && revision !== undefined ? { ISTIO_REVISION: text(revision) } : {}),
    };
    return { id: nodeId, metadata: { fields: metadata } };
  }

  #decoderOf(typeUrl: string): ResponseDecoder {
    let decoder = this.#decoders.get(typeUrl);
    if (decoder === undefined) {
      decoder = new ResponseDecoder();
      this.#decoders.set(typeUrl, decoder);
    }
    return decoder;
  }

  #log(line: string): void {
    this.log.push(line);
    if (this.log.length > maxLines) this.log.splice(0, maxLines / 2);
  }
}
