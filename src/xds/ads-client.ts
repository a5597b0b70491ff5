import type { ClientDuplexStream } from '@grpc/grpc-js';
import type { TypeUrl } from '../model/kinds.ts';
import type { HostPort } from '../net/address.ts';
import { newClient, openStream } from '../net/grpc.ts';
import { aggregatedDiscovery } from '../wire/services.ts';
import { decodeDiscoveryResponse, type DiscoveryResponse, encodeDiscoveryRequest } from '../wire/xds-messages.ts';

/** Largest response taken: what istiod 1.12 and newer takes too. */
const maxMessageBytes = 2 ** 31 - 1;

/** In the place of a pod's name. */
const podName = '~isthmus-get.istio-system~';

/** True for a peer that calls itself as {@link openAds} does: a look at what an istiod would get, and none. */
export function isOurClient(nodeId: string): boolean {
  return nodeId.includes(podName);
}

/** What an istiod of that minor version calls itself, but for its name. Up to 1.11 there is a part that tells it is that old. */
function nodeOf(minor: number | undefined) {
  const domain = minor !== undefined && minor <= 11 ? 'test-1.default~default' : 'istio-system';
  return {
    id: `sidecar~127.0.0.1${podName}${domain}.svc.cluster.local`,
    cluster: '',
    metadata: { fields: { GENERATOR: { stringValue: 'api' } } },
  };
}

export type AdsClientHandlers = {
  onResponse(response: DiscoveryResponse): void;
  /** The stream is over; called once. */
  onEnd(code: number, details: string): void;
};

/**
 * Asks as istiod does: one stream, one request per type, every response acknowledged. Does not reconnect.
 * @param minor of the istiod 1 in whose name it asks. @default a new one
 */
export function openAds(
  address: HostPort,
  types: readonly TypeUrl[],
  handlers: AdsClientHandlers,
  minor?: number,
): { close(): void } {
  const node = nodeOf(minor);
  const client = newClient(address, { 'grpc.max_receive_message_length': maxMessageBytes });
  const stream = openStream(client, aggregatedDiscovery()) as ClientDuplexStream<Buffer, Buffer>;
  let over = false;
  const end = (code: number, details: string) => {
    if (over) return;
    over = true;
    client.close();
    handlers.onEnd(code, details);
  };
  stream.on('error', () => {});
  stream.on('status', ({ code, details }) => end(code, details));
  stream.on('data', (bytes: Buffer) => {
    let response: DiscoveryResponse;
    try {
      response = decodeDiscoveryResponse(bytes);
    } catch {
      stream.cancel();
      end(13, 'a message that is no DiscoveryResponse');
      return;
    }
    const { versionInfo, nonce, typeUrl } = response;
    stream.write(encodeDiscoveryRequest({ node, versionInfo, responseNonce: nonce, typeUrl }));
    handlers.onResponse(response);
  });
  types.forEach((typeUrl, index) => {
    stream.write(encodeDiscoveryRequest(index === 0 ? { node, typeUrl } : { typeUrl }));
  });
  return {
    close() {
      over = true;
      stream.cancel();
      client.close();
    },
  };
}
