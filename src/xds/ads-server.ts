import { HealthImplementation } from 'grpc-health-check';
import type { HostPort } from '../net/address.ts';
import {
  failCall,
  guarded,
  listen,
  nameOf,
  newServer,
  type RawServerStream,
  resetCall,
  serviceOf,
  stopServer,
} from '../net/grpc.ts';
import type { Rope } from '../wire/frame.ts';
import { aggregatedDiscovery } from '../wire/services.ts';
import { AdsExchange, type AdsOptions, type AdsTransport, type SnapshotView } from './ads.ts';

/** Streams that are served at once. More than any mesh has istiods; bounds what strangers can cost. */
const maxStreams = 256;

/** What an operator sees of one stream. */
export type StreamView = {
  readonly id: number;
  readonly peer: string;
  readonly node: string;
  readonly profile: string;
  readonly since: string;
  readonly types: readonly {
    readonly typeUrl: string;
    readonly sentVersion: string | null;
    readonly ackedVersion: string | null;
    readonly awaitingAck: boolean;
    readonly nack: string | null;
    readonly tooLarge: boolean;
  }[];
};

type Stream = { readonly id: number; readonly peer: string; readonly since: Date; readonly exchange: AdsExchange };

export type AdsServerOptions = AdsOptions & { readonly maxStreams?: number };

/** MCP-over-xDS for istiods, state of the world, plus gRPC health. Listens at once; what is sent, the exchange decides. */
export class AdsServer {
  readonly #options: AdsServerOptions;
  readonly #view: SnapshotView & { onChange(listener: () => void): () => void };
  readonly #streams = new Map<number, Stream>();
  readonly #server = newServer();
  readonly #health = new HealthImplementation({ '': 'SERVING' });
  #nextId = 1;
  #stopping = false;
  #unsubscribe: (() => void) | undefined;

  constructor(options: AdsServerOptions, view: SnapshotView & { onChange(listener: () => void): () => void }) {
    this.#options = options;
    this.#view = view;
    const method = aggregatedDiscovery();
    this.#server.addService(serviceOf(method), {
      [nameOf(method)]: guarded((call) => this.#serve(call)),
    });
    this.#health.addToServer(this.#server);
  }

  /**
   * @returns the port.
   * @throws IsthmusError LISTEN_FAILED
   */
  async listen(address: HostPort): Promise<number> {
    const port = await listen(this.#server, address, '--xds-listen');
    this.#unsubscribe = this.#view.onChange(() => {
      for (const { exchange } of this.#streams.values()) exchange.onChange();
    });
    return port;
  }

  get streams(): StreamView[] {
    return Array.from(this.#streams.values(), ({ id, peer, since, exchange }) => ({
      id,
      peer,
      node: exchange.nodeId,
      profile: exchange.profile?.name ?? 'unknown',
      since: since.toISOString(),
      types: Array.from(exchange.subscriptions, (subscription) => ({
        typeUrl: subscription.typeUrl,
        sentVersion: subscription.sent?.version ?? null,
        ackedVersion: subscription.ackedVersion ?? null,
        awaitingAck: subscription.pending,
        nack: subscription.nack ?? null,
        tooLarge: subscription.tooLarge !== undefined,
      })),
    }));
  }

  /** Stops listening, ends the streams, and returns when they are gone or after `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    this.#unsubscribe?.();
    this.#health.setStatus('', 'NOT_SERVING');
    for (const { exchange } of this.#streams.values()) exchange.shutdown();
    await stopServer(this.#server, graceMs);
  }

  #serve(call: RawServerStream): void {
    if (this.#stopping || this.#streams.size >= (this.#options.maxStreams ?? maxStreams)) {
      failCall(call, this.#stopping ? 14 : 8, this.#stopping ? 'Isthmus is shutting down' : 'too many streams');
      return;
    }
    const id = this.#nextId++;
    const exchange = new AdsExchange(this.#options, this.#view, transportOf(call));
    this.#streams.set(id, { id, peer: call.getPeer(), since: this.#options.clock.date(), exchange });
    const leave = () => {
      if (!this.#streams.delete(id)) return;
      this.#options.log.info({ stream: id, node: exchange.nodeId }, 'a stream of istiod ended');
      exchange.close();
    };
    call.on('data', (bytes: Buffer) => exchange.onRequest(bytes));
    call.on('cancelled', leave);
    call.on('close', leave);
    call.on('error', leave);
    call.on('end', () => {
      leave();
      call.end();
    });
  }
}

function transportOf(call: RawServerStream): AdsTransport {
  let unsent = 0;
  return {
    send: async (message) => {
      unsent++;
      await write(call, message);
      unsent--;
    },
    end: (code, details) => {
      if (code === 0) call.end();
      else failCall(call, code, details);
      // A status waits behind what the peer does not read, and with it all that was to be sent.
      if (unsent > 0) resetCall(call);
    },
  };
}

/** The callback of `write` fires once flow control has let the bytes out; after a cancel it fires without an error. */
function write(call: RawServerStream, message: Rope): Promise<void> {
  return new Promise((resolve, reject) => {
    if (call.cancelled || call.destroyed) {
      reject(new Error('the stream is gone'));
      return;
    }
    call.write(message as unknown as Buffer, undefined, (error?: Error | null) => {
      if (error === undefined || error === null) resolve();
      else reject(error);
    });
  });
}
