import { codec, dial, type McpResource } from './contract.ts';
import { kinds } from './kinds.ts';

type Resources = {
  readonly collection: string;
  readonly nonce: string;
  readonly incremental: boolean;
  readonly resources: readonly McpResource[];
};

const requests = codec('istio.mcp.v1alpha1.RequestResources');
const responses = codec('istio.mcp.v1alpha1.Resources');

/** Asks a legacy server, as an old Pilot would, for {@link kinds}; the bodies that it serves, by "Kind/namespace/name". */
export async function readLegacyServer(port: number, timeoutMs = 30_000): Promise<Map<string, Uint8Array>> {
  const client = dial(port);
  const stream = client.makeBidiStreamRequest(
    '/istio.mcp.v1alpha1.ResourceSource/EstablishResourceStream',
    requests.encode,
    (bytes) => responses.decode(bytes) as Resources,
  );
  const open = new Map<string, string>(kinds.map(({ kind, collection }) => [collection, kind]));
  const served = new Map<string, Uint8Array>();
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no answer for ${[...open.keys()].join(', ')}`)), timeoutMs);
      stream.on('data', (message: Resources) => {
        stream.write({ sinkNode: {}, collection: message.collection, responseNonce: message.nonce });
        const kind = open.get(message.collection);
        for (const { metadata, body } of message.resources) served.set(`${kind}/${metadata.name}`, body.value);
        open.delete(message.collection);
        if (open.size > 0) return;
        clearTimeout(timer);
        resolve();
      });
      stream.on('error', (error) => {
        clearTimeout(timer);
        reject(error);
      });
      for (const collection of open.keys()) stream.write({ sinkNode: {}, collection });
    });
  } finally {
    // Cancelling is an error on the stream; it is ours, and nobody waits for it any more.
    stream.on('error', () => {});
    stream.cancel();
    client.close();
  }
  return served;
}
