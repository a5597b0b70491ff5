import type { Clock, Timer } from '../model/clock.ts';
import type { Collection } from '../model/kinds.ts';
import { decodeRequestResources } from '../wire/legacy-messages.ts';
import { byCollection, type Ending, type Play, type Said, unreadable } from './script.ts';

/** In which time a script is played. */
export type Pace = {
  /** 2 = in half of the time that it took; undefined = as fast as it is answered. */
  readonly speed: number | undefined;
  /** Whether a stream is ended as it ended. */
  readonly withEnd: boolean;
};

/** So long is waited for further questions before a stream is ended that has no time of its own. */
const endDelayMs = 1000;

/** gRPC status INVALID_ARGUMENT. */
const invalidArgument = 3;

/** Where the words of a source go. */
export type ReplayTransport = {
  send(message: Buffer): void;
  /** Ends the stream with a gRPC status. */
  end(code: number, details: string): void;
};

/** What was to be said of one collection. */
type Queue = { readonly messages: readonly Said[]; next: number };

/**
 * One stream of a sink that is played what a source said to another sink. Free of sockets.
 *
 * A message is due when the sink has said as much of its collection as the other one had by then, a question and the
 * answers to what came; with a speed, not before its time either. It goes out byte for byte, its nonce included.
 */
export class ReplayExchange {
  readonly #play: Play;
  readonly #refused: ReadonlyMap<Collection, Ending>;
  readonly #pace: Pace;
  readonly #clock: Clock;
  readonly #transport: ReplayTransport;
  readonly #queues: ReadonlyMap<Collection, Queue>;
  /** Questions and answers so far. */
  readonly #requests = new Map<Collection, number>();
  #allRequests = 0;
  /** Nonces that were not answered yet. */
  readonly #unanswered = new Map<Collection, string[]>();
  #startedAt: number | undefined;
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(
    play: Play,
    refused: ReadonlyMap<Collection, Ending>,
    pace: Pace,
    clock: Clock,
    transport: ReplayTransport,
  ) {
    this.#play = play;
    this.#refused = refused;
    this.#pace = pace;
    this.#clock = clock;
    this.#transport = transport;
    const queues = Array.from(byCollection(play.messages), ([key, messages]) => [key, { messages, next: 0 }] as const);
    this.#queues = new Map(queues);
  }

  /** Returns true where the stream was ended, over a collection that the source did not know. */
  onRequest(bytes: Buffer): boolean {
    if (this.#isClosed) return false;
    let request: ReturnType<typeof decodeRequestResources>;
    try {
      request = decodeRequestResources(bytes);
    } catch {
      this.#end({ code: invalidArgument, details: 'this is no RequestResources' });
      return false;
    }
    const { collection, responseNonce } = request;
    const refusal = this.#refused.get(collection);
    if (refusal !== undefined && !this.#queues.has(collection)) {
      this.#end(refusal);
      return true;
    }
    if (responseNonce !== '' && !this.#answers(collection, responseNonce)) return false;
    this.#startedAt ??= this.#clock.now();
    this.#requests.set(collection, (this.#requests.get(collection) ?? 0) + 1);
    this.#allRequests++;
    this.#go();
    return false;
  }

  /** Nothing is sent any more. */
  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  /** Takes the nonce of an answer for answered; false for a stale one. */
  #answers(collection: Collection, nonce: string): boolean {
    // What can't be read may be of any collection.
    for (const key of [collection, unreadable]) {
      const open = this.#unanswered.get(key) ?? [];
      const at = open.indexOf(nonce);
      if (at < 0) continue;
      open.splice(at, 1);
      return true;
    }
    return false;
  }

  /** Says what is due, and comes back when there will be more. */
  #go(): void {
    this.#timer?.cancel();
    for (;;) {
      const next = this.#next();
      if (next === undefined) break;
      const waitMs = this.#waitMs(next.said.atMs);
      if (waitMs > 0) {
        this.#timer = this.#clock.after(waitMs, () => this.#go());
        return;
      }
      const { queue, said } = next;
      queue.next++;
      const open = this.#unanswered.get(said.collection);
      if (open === undefined) this.#unanswered.set(said.collection, [said.nonce]);
      else open.push(said.nonce);
      this.#transport.send(said.bytes);
      if (this.#isClosed) return;
    }
    this.#goToEnd();
  }

  /** Of what the sink has asked or answered enough for, what was said first. */
  #next(): { readonly queue: Queue; readonly said: Said } | undefined {
    let first: { readonly queue: Queue; readonly said: Said } | undefined;
    for (const queue of this.#queues.values()) {
      const said = queue.messages[queue.next];
      if (said === undefined) continue;
      const so = said.collection === unreadable ? this.#allRequests : (this.#requests.get(said.collection) ?? 0);
      if (so >= said.after && (first === undefined || said.atMs < first.said.atMs)) first = { queue, said };
    }
    return first;
  }

  #goToEnd(): void {
    const { end } = this.#play;
    if (end === undefined || !this.#pace.withEnd) return;
    for (const [collection, { messages, next }] of this.#queues) {
      // What the sink never asked for is left out; what it has not answered yet is waited for.
      if (this.#requests.has(collection) && next < messages.length) return;
    }
    const waitMs = this.#pace.speed === undefined ? endDelayMs : this.#waitMs(end.atMs);
    this.#timer = this.#clock.after(waitMs, () => this.#end(end));
  }

  /** Until what happened then is to happen again. */
  #waitMs(atMs: number): number {
    const { speed } = this.#pace;
    const now = this.#clock.now();
    return speed === undefined ? 0 : (this.#startedAt ?? now) + atMs / speed - now;
  }

  #end({ code, details }: Ending): void {
    this.close();
    this.#transport.end(code, details);
  }
}
