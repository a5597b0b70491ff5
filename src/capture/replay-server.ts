import { Metadata } from '@grpc/grpc-js';
import type { Clock } from '../model/clock.ts';
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
import { resourceSource } from '../wire/services.ts';
import { type Pace, ReplayExchange } from './replay.ts';
import type { Play, Script } from './script.ts';

export type ReplayOptions = Pace & {
  /** Whether the streams of the script begin anew behind the last one. */
  readonly loop: boolean;
  readonly clock: Clock;
  /** Told what happens, in one line. */
  readonly say: (line: string) => void;
};

/**
 * A legacy MCP server (`ResourceSource`) that says what a captured one said: to the first stream what that said on its
 * first, and so on. Who comes later is told what it said last.
 */
export class ReplayServer {
  readonly #server = newServer();
  readonly #script: Script;
  readonly #options: ReplayOptions;
  readonly #streams = new Set<RawServerStream>();
  /** Which of the script's streams the next one is played. */
  #next = 0;

  constructor(script: Script, options: ReplayOptions) {
    this.#script = script;
    this.#options = options;
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

  async stop(graceMs: number): Promise<void> {
    for (const call of this.#streams) failCall(call, 14, 'the replay has ended');
    await stopServer(this.#server, graceMs);
  }

  #serve(call: RawServerStream): void {
    const { refused } = this.#script;
    const { clock, say } = this.#options;
    let exchange: ReplayExchange | undefined;
    let taken: number | undefined;
    this.#streams.add(call);
    const leave = () => {
      this.#streams.delete(call);
      exchange?.close();
    };
    for (const event of ['cancelled', 'close', 'error']) call.on(event, leave);
    call.on('end', () => {
      leave();
      call.end();
    });
    call.sendMetadata(new Metadata());
    call.on('data', (bytes: Buffer) => {
      // To write behind the end would take the status with it, and leave the sink waiting for ever.
      if (!this.#streams.has(call)) return;
      if (exchange === undefined) {
        // Not before it asks: who only knocks has not heard anything.
        const { play, number, what } = this.#take();
        taken = number;
        say(`a sink has connected; it is played ${what}`);
        exchange = new ReplayExchange(play, refused, this.#options, clock, {
          send: (message) => void call.write(message),
          end(code, details) {
            say(`ending its stream with code ${code}: ${details}`);
            if (code === 0) {
              leave();
              call.end();
            } else failCall(call, code, details);
          },
        });
      }
      // It will ask again, for less: then it has the same to hear.
      if (exchange.onRequest(bytes) && taken === this.#next) this.#next--;
    });
  }

  /** `number`: of a stream of the script, from 1. */
  #take(): { readonly play: Play; readonly number: number | undefined; readonly what: string } {
    const { plays, last } = this.#script;
    if (this.#options.loop && this.#next >= plays.length) this.#next = 0;
    const play = plays[this.#next];
    if (play === undefined) return { play: last, number: undefined, what: 'what the source said last' };
    const number = ++this.#next;
    return { play, number, what: `stream ${number} of ${plays.length}` };
  }
}
