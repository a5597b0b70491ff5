import { onTestFinished } from 'vitest';
import { entry, LegacySource, type SourceStream } from './legacy-source.ts';
import { until } from './until.ts';

const collection = 'istio/networking/v1alpha3/serviceentries';

/** A legacy server of ServiceEntries that says its whole state to every stream, and again when it changes. */
export class ServingSource {
  readonly source: LegacySource;
  #resources: readonly object[] = [];

  private constructor(source: LegacySource) {
    this.source = source;
    source.onStream = (stream) => {
      stream.open();
      stream.onRequest = ({ responseNonce }) => {
        if (responseNonce === '') this.#say(stream);
      };
    };
  }

  /** Listens on 127.0.0.1 as long as the test lasts. @param state name → host. */
  static async listen(state: Readonly<Record<string, string>>, port = 0): Promise<ServingSource> {
    const source = await LegacySource.listen(port);
    let isKilled = false;
    const kill = source.kill.bind(source);
    source.kill = async () => {
      if (!isKilled) await kill();
      isKilled = true;
    };
    onTestFinished(() => source.kill());
    const serving = new ServingSource(source);
    serving.#resources = entriesOf(state);
    return serving;
  }

  get port(): number {
    return this.source.port;
  }

  /** Says another state to all that listen. */
  publish(state: Readonly<Record<string, string>>, ...more: readonly object[]): void {
    this.#resources = [...entriesOf(state), ...more];
    for (const stream of this.source.streams) if (!stream.closed) this.#say(stream);
  }

  /** The stream that is open; waits for it. */
  live(): Promise<SourceStream> {
    return until('a stream is open', () => this.source.streams.find(({ closed }) => !closed));
  }

  #say(stream: SourceStream): void {
    stream.send({ collection, resources: this.#resources });
  }
}

function entriesOf(state: Readonly<Record<string, string>>): object[] {
  return Object.entries(state).map(([name, host]) => entry(name, host));
}

/** How a source is named in a bridge's settings; it is asked for ServiceEntries alone. */
export function sourceAt(name: string, port: number, more: object = {}) {
  return { name, address: `mcp://127.0.0.1:${port}`, collections: [collection], ...more };
}
