import { onTestFinished } from 'vitest';
import { DiallingSource, type DialledStream } from './dialling-source.ts';
import { entry } from './legacy-source.ts';
import { until } from './until.ts';

const collection = 'istio/networking/v1alpha3/serviceentries';

/** Time until it dials again. Istio's take a second. */
const redialMs = 20;

/** A source of ServiceEntries that dials a sink, says its whole state when it is asked, and dials again as long as the test lasts. */
export class CallingSource {
  /** Every stream that it has opened, in order. */
  readonly streams: DialledStream[] = [];
  readonly #port: number;
  readonly #headers: Readonly<Record<string, string>>;
  #resources: readonly object[];
  #connection: DiallingSource | undefined;
  #isAway = false;
  /** The stream that it has left as it is. */
  #abandoned: DialledStream | undefined;

  private constructor(
    port: number,
    state: Readonly<Record<string, string>>,
    headers: Readonly<Record<string, string>>,
  ) {
    this.#port = port;
    this.#headers = headers;
    this.#resources = entriesOf(state);
    onTestFinished(() => this.leave());
    void this.#run();
  }

  /** @param state name → host. */
  static start(
    port: number,
    state: Readonly<Record<string, string>>,
    headers: Readonly<Record<string, string>> = {},
  ): CallingSource {
    return new CallingSource(port, state, headers);
  }

  /** Says another state. */
  publish(state: Readonly<Record<string, string>>): void {
    this.#resources = entriesOf(state);
    const last = this.streams.at(-1);
    const isTaken = last?.asked.includes(collection) === true && last !== this.#abandoned;
    if (isTaken && last.status === undefined && !last.closed) this.#say(last);
  }

  /** Leaves its stream without a word, and opens another on the same connection, as Istio's do. */
  abandon(): void {
    this.#abandoned = this.streams.at(-1);
    if (this.#abandoned !== undefined) this.#abandoned.onRequest = () => {};
  }

  /** Ends its connection; dials again. */
  async breakOff(): Promise<void> {
    await this.#connection?.close();
  }

  /** Ends its connection, and does not come again. */
  async leave(): Promise<void> {
    this.#isAway = true;
    await this.#connection?.close();
  }

  async #run(): Promise<void> {
    let isKept = false;
    while (!this.#isAway) {
      if (!isKept || this.#connection === undefined) this.#connection = DiallingSource.connect(this.#port);
      const stream = this.#connection.open(this.#headers);
      this.streams.push(stream);
      stream.onRequest = ({ responseNonce, errorDetail, collection: asked }) => {
        if (responseNonce === '' && errorDetail === null && asked === collection) this.#say(stream);
      };
      stream.trigger();
      const isOver = () => stream.status !== undefined || stream.closed;
      await until('its stream is over', () => isOver() || this.#abandoned === stream, { timeoutMs: 2 ** 31 - 1 });
      isKept = !isOver();
      if (!isKept) await this.#connection.close();
      await new Promise((resolve) => setTimeout(resolve, redialMs));
    }
  }

  #say(stream: DialledStream): void {
    stream.send({ collection, resources: this.#resources });
  }
}

function entriesOf(state: Readonly<Record<string, string>>): object[] {
  return Object.entries(state).map(([name, host]) => entry(name, host));
}

/** How a source that dials in is named in a bridge's settings, by its header `cluster`; it is asked for ServiceEntries alone. */
export function sourceBy(name: string, cluster: string, more: object = {}) {
  return { name, match: { meta: { cluster } }, collections: [collection], ...more };
}
