/** What one writes first: decode the source's message with protobufjs, build the response, encode it for each push. */
import type { Message } from 'protobufjs';
import { root } from '../../src/wire/root.ts';
import { hop } from './hop.ts';

type Resources = { readonly systemVersionInfo: string; readonly nonce: string; readonly resources: readonly Message[] };

const resourcesType = root().lookupType('istio.mcp.v1alpha1.Resources');
const resourceType = root().lookupType('istio.mcp.v1alpha1.Resource');
const responseType = root().lookupType('envoy.service.discovery.v3.DiscoveryResponse');

const typeUrl = 'networking.istio.io/v1alpha3/ServiceEntry';
const resourceTypeUrl = 'type.googleapis.com/istio.mcp.v1alpha1.Resource';

hop((message) => {
  const decoded = resourcesType.decode(message) as unknown as Resources;
  const toAny = (resource: Message) => ({ typeUrl: resourceTypeUrl, value: resourceType.encode(resource).finish() });
  return {
    nonce: decoded.nonce,
    response(nonce) {
      const versionInfo = decoded.systemVersionInfo;
      const resources = decoded.resources.map(toAny);
      return responseType.encode({ versionInfo, typeUrl, nonce, resources }).finish() as Buffer;
    },
  };
});
