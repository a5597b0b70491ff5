import type { Client, ClientDuplexStream } from '@grpc/grpc-js';
import { codec, dial } from './contract.ts';

type Resources = { readonly collection: string; readonly nonce: string; readonly resources: readonly object[] };

const requests = codec('istio.mcp.v1alpha1.RequestResources');
const responses = codec('istio.mcp.v1alpha1.Resources');
/** gRPC status INVALID_ARGUMENT: what Istio's sink said when it could not apply a message. */
const invalidArgument = 3;

/** A legacy sink that asks for one collection and NACKs every message, as an old Pilot did with what it can't decode. */
export class NackingSink {
  readonly received: Resources[] = [];
  readonly #client: Client;
  readonly #stream: ClientDuplexStream<object, Resources>;
  #failure: Error | undefined;

  constructor(port: number, collection: string) {
    this.#client = dial(port);
    this.#stream = this.#client.makeBidiStreamRequest(
      '/istio.mcp.v1alpha1.ResourceSource/EstablishResourceStream',
      requests.encode,
      (bytes) => responses.decode(bytes) as Resources,
    );
    this.#stream.on('data', (message: Resources) => {
      this.received.push(message);
      const errorDetail = { code: invalidArgument, message: 'not to the taste of this sink' };
      this.#stream.write({ sinkNode: {}, collection, responseNonce: message.nonce, errorDetail });
    });
    this.#stream.on('error', (error) => {
      this.#failure = error;
    });
    this.#stream.write({ sinkNode: {}, collection });
  }

  /** Why the stream ended; undefined while it lives. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  close(): void {
    this.#stream.cancel();
    this.#client.close();
  }
}
