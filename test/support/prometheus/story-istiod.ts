import { type Response, XdsPeer } from '../xds-peer.ts';

const types = ['networking.istio.io/v1/ServiceEntry', 'networking.istio.io/v1/WorkloadEntry'];

/** An istiod comes back so long after the end of its stream. */
const comesBackMs = 1000;

/** A client in istiod's place that acknowledges at once, late, or not, and comes back when its stream has ended. */
export class StoryIstiod {
  /** Milliseconds until it acknowledges; undefined = it does not. */
  delayMs: number | undefined = 0;
  /** Refuses what comes next. */
  refuses = false;
  readonly #node: string;
  readonly #port: number;
  #peer: XdsPeer | undefined;
  #owed: (() => void)[] = [];
  #back: NodeJS.Timeout | undefined;

  constructor(port: number, node: string) {
    this.#port = port;
    this.#node = node;
  }

  connect(): void {
    const peer = XdsPeer.connect(this.#port, this.#node);
    this.#peer = peer;
    peer.onResponse = (response) => {
      // Nobody looks at them; in half an hour they are many.
      peer.responses.length = 0;
      this.#answer(peer, response);
    };
    peer.onEnd = () => {
      if (this.#peer === peer) this.#back = setTimeout(() => this.connect(), comesBackMs);
    };
    peer.subscribe(...types);
  }

  /** Acknowledges what it owes, and everything from now on. */
  recover(): void {
    this.delayMs = 0;
    for (const acknowledge of this.#owed.splice(0)) acknowledge();
  }

  leave(): void {
    clearTimeout(this.#back);
    const peer = this.#peer;
    this.#peer = undefined;
    this.#owed = [];
    peer?.cancel();
  }

  #answer(peer: XdsPeer, response: Response): void {
    const acknowledge = () => {
      if (this.#peer === peer) peer.ack(response);
    };
    if (this.refuses) {
      this.refuses = false;
      peer.nack(response, 'it does not like that');
    } else if (this.delayMs === undefined) this.#owed.push(acknowledge);
    else if (this.delayMs === 0) acknowledge();
    else setTimeout(acknowledge, this.delayMs).unref();
  }
}
