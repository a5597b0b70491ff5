import { Metadata } from '@grpc/grpc-js';
import type { HostPort } from '../net/address.ts';
import {
  failCall,
  guarded,
  listen,
  nameOf,
  newServer,
  type RawServerStream,
  serviceOf,
  stopServer,
} from '../net/grpc.ts';
import { decodeRequestResources, type RequestResources } from '../wire/legacy-messages.ts';
import { resourceSource } from '../wire/services.ts';
import { SourceExchange, type SourceView } from './source.ts';

/** A legacy MCP server (`ResourceSource`): what Galley was to Pilot. */
export class SourceServer {
  readonly #server = newServer();
  readonly #streams = new Map<SourceExchange, RawServerStream>();
  #view: SourceView;

  constructor(view: SourceView) {
    this.#view = view;
    const method = resourceSource();
    this.#server.addService(serviceOf(method), { [nameOf(method)]: guarded((call) => this.#serve(call)) });
  }

  /** @throws IsthmusError LISTEN_FAILED */
  listen(address: HostPort): Promise<number> {
    return listen(this.#server, address, '--listen');
  }

  /** Sinks that are connected. */
  get connected(): number {
    return this.#streams.size;
  }

  /** Offers another state to all sinks. */
  update(view: SourceView): void {
    this.#view = view;
    for (const [exchange, call] of this.#streams) for (const message of exchange.onChange(view)) call.write(message);
  }

  async stop(graceMs: number): Promise<void> {
    for (const call of this.#streams.values()) failCall(call, 14, 'server canceled watch');
    await stopServer(this.#server, graceMs);
  }

  #serve(call: RawServerStream): void {
    const exchange = new SourceExchange(this.#view);
    this.#streams.set(exchange, call);
    const leave = () => this.#streams.delete(exchange);
    for (const event of ['cancelled', 'close', 'error']) call.on(event, leave);
    call.on('end', () => {
      leave();
      call.end();
    });
    call.sendMetadata(new Metadata());
    call.on('data', (bytes: Buffer) => {
      // To write behind the end would take the status with it, and leave the sink waiting for ever.
      if (!this.#streams.has(exchange)) return;
      let request: RequestResources;
      try {
        request = decodeRequestResources(bytes);
      } catch {
        failCall(call, 3, 'this is no RequestResources');
        return;
      }
      const answer = exchange.onRequest(request);
      if (answer.kind === 'refuse') failCall(call, 3, answer.details);
      else for (const message of answer.messages) call.write(message);
    });
  }
}
