import { onTestFinished } from 'vitest';
import { encodeMessage, LegacySource, resource, type SourceStream } from '../legacy-source.ts';
import { serviceEntryBody } from '../resources.ts';

export const serviceEntries = 'istio/networking/v1alpha3/serviceentries';

/** What a sink asks or answers. */
export type Request = Parameters<SourceStream['onRequest']>[0];

/** A service of a registry. */
export type Service = {
  readonly name: string;
  readonly instances: readonly {
    readonly address: string;
    readonly port: number;
    readonly labels?: Readonly<Record<string, string>>;
  }[];
};

/** A service with one instance for each address, on port 8080. */
export function service(name: string, ...addresses: readonly string[]): Service {
  return { name, instances: addresses.map((address) => ({ address, port: 8080 })) };
}

/** A ServiceEntry of a server of its time; what is left out of its metadata is not there. */
export function serviceEntry(
  name: string,
  spec: Readonly<Record<string, unknown>>,
  metadata: { version?: string; createTime?: object; labels?: object; annotations?: object } = {},
): object {
  return resource(name, 'ServiceEntry', serviceEntryBody(spec), metadata);
}

/** A legacy server down to the bytes of its messages, with the habits of one that exists. facts/peers.md says which. */
export abstract class Server {
  #source: LegacySource | undefined;

  /** Listens on 127.0.0.1 as long as the test lasts. */
  async listen(port = 0): Promise<this> {
    const source = await LegacySource.listen(port);
    this.#source = source;
    source.onStream = (stream) => {
      stream.onRequest = (request) => this.answer(stream, request);
      this.opened(stream);
    };
    onTestFinished(() => this.stop());
    return this;
  }

  /** Ends as a killed process does. */
  async stop(): Promise<void> {
    const source = this.#source;
    this.#source = undefined;
    await source?.kill();
  }

  /** Ends, and comes back on the same port with nothing in its memory but what it has from its registry. */
  async restart(): Promise<void> {
    const { port } = this;
    await this.stop();
    this.forget();
    await this.listen(port);
  }

  get source(): LegacySource {
    if (this.#source === undefined) throw new Error('the server does not run');
    return this.#source;
  }

  get port(): number {
    return this.source.port;
  }

  /** How it is named in a bridge's settings. */
  at(more: object = {}) {
    return { name: 'registry', address: `mcp://127.0.0.1:${this.port}`, ...more };
  }

  protected get streams(): readonly SourceStream[] {
    return this.source.streams.filter(({ closed }) => !closed);
  }

  protected opened(stream: SourceStream): void {
    stream.open();
  }

  /** What a new process does not know. */
  protected forget(): void {}

  protected abstract answer(stream: SourceStream, request: Request): void;
}

/** Sends a message as it is, whatever its nonce. */
export function say(stream: SourceStream, message: Parameters<typeof encodeMessage>[0]): void {
  stream.sendBytes(encodeMessage(message));
}
