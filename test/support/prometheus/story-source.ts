import { entry, LegacySource, type SourceStream } from '../legacy-source.ts';

const collection = 'istio/networking/v1alpha3/serviceentries';

/** A legacy server that says what it has of ServiceEntries, and nothing of the other collections but that they are empty. */
export class StorySource {
  /** Names of the resources, and the host of each. */
  #resources: Readonly<Record<string, string>> = {};
  #server: LegacySource | undefined;
  #stream: SourceStream | undefined;

  /** Listens on 127.0.0.1. */
  async start(port: number): Promise<void> {
    this.#server = await LegacySource.listen(port);
    this.#server.onStream = (stream) => {
      this.#stream = stream;
      stream.open();
      stream.onRequest = ({ collection: asked, responseNonce }) => {
        if (responseNonce === '')
          stream.send({ collection: asked, resources: asked === collection ? this.#all() : [] });
      };
    };
  }

  /** Has, and says, these from now on. */
  say(resources: Readonly<Record<string, string>>): void {
    this.#resources = resources;
    this.#stream?.send({ collection, resources: this.#all() });
  }

  /** Says something of a collection that nobody has asked for. */
  sayUnasked(): void {
    this.#stream?.send({ collection: 'istio/nothing/v1/that/is/known', resources: [] });
  }

  /**
   * Says all again, lets no answer to it leave, and is gone once that is due. Our answer echoes the nonce, which is larger than
   * the 1 MiB that grpc-js keeps for what can't leave.
   * @param taken returns once the message was taken.
   */
  async breakOff(taken: () => Promise<unknown>): Promise<void> {
    await this.#stream?.closeWindow();
    this.#stream?.send({ collection, nonce: 'x'.repeat(2 << 20), resources: this.#all() });
    await taken();
    this.#server?.dropConnections();
  }

  async kill(): Promise<void> {
    this.#stream = undefined;
    await this.#server?.kill();
    this.#server = undefined;
  }

  #all(): object[] {
    return Object.entries(this.#resources).map(([name, host]) => entry(name, host, metadataOf(name)));
  }
}

/** Those of the namespace `canary` are for the revision of that name. */
function metadataOf(name: string): object {
  return { createTime: { seconds: 1 }, ...(name.startsWith('canary/') && { labels: { 'istio.io/rev': 'canary' } }) };
}

/** So many services. @param length of each host: what the message weighs. */
export function services(count: number, content: string, length = 20): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: count }, (_, i) => [`shop/service-${i}`, `${content}-${i}`.padEnd(length, 'x')] as const),
  );
}
