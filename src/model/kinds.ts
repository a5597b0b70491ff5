/** Legacy MCP collection, for example `istio/networking/v1alpha3/serviceentries`. */
export type Collection = string;

/** MCP-over-xDS resource type, `group/version/Kind`, for example `networking.istio.io/v1/ServiceEntry`. */
export type TypeUrl = string;

/**
 * One kind of configuration in its three spellings. The group version is no part of the identity:
 * istiod 1.24 moved most kinds from v1alpha3 and v1beta1 to v1 while the bodies stayed the same.
 */
export type Kind = {
  /** `group/Kind`, the key used everywhere inside Isthmus. */
  readonly id: string;
  readonly group: string;
  readonly kind: string;
  /** The legacy collection that carries it; undefined where legacy MCP never had one. */
  readonly collection: Collection | undefined;
  /** Full name of the body message that every istiod accepts for this kind. */
  readonly body: string;
  /** Versions that istiods 1.9 to 1.30 ask for, oldest first. */
  readonly versions: readonly string[];
  /** True where an object in the root namespace speaks for the whole mesh, so that a guessed namespace is dangerous. */
  readonly meshWide: boolean;
};

/** `ServiceEntry` of the id of its kind. */
export function shortName(kindId: string): string {
  return kindId.slice(kindId.lastIndexOf('/') + 1);
}

const networking = 'networking.istio.io';
const security = 'security.istio.io';

function kind(
  group: string,
  name: string,
  body: string,
  versions: readonly string[],
  collection?: Collection,
  meshWide = false,
): Kind {
  return { id: `${group}/${name}`, group, kind: name, collection, body, versions, meshWide };
}

const v3 = ['v1alpha3', 'v1'];
const b1 = ['v1beta1', 'v1'];
const v3c = (plural: string): Collection => `istio/networking/v1alpha3/${plural}`;
const b1c = (plural: string): Collection => `istio/security/v1beta1/${plural}`;
const v3b = (name: string): string => `istio.networking.v1alpha3.${name}`;
const b1b = (name: string): string => `istio.security.v1beta1.${name}`;

/**
 * Every kind that an istiod 1.9 to 1.30 asks for over MCP-over-xDS, MeshConfig excepted.
 * Source: collections.Pilot of Istio 1.9.9, 1.12.9, 1.16.7, 1.20.8, 1.24.6, 1.30.3.
 */
export const kinds: readonly Kind[] = [
  kind(networking, 'ServiceEntry', v3b('ServiceEntry'), v3, v3c('serviceentries')),
  kind(networking, 'WorkloadEntry', v3b('WorkloadEntry'), v3, v3c('workloadentries')),
  kind(networking, 'WorkloadGroup', v3b('WorkloadGroup'), v3, v3c('workloadgroups')),
  kind(networking, 'VirtualService', v3b('VirtualService'), v3, v3c('virtualservices')),
  kind(networking, 'DestinationRule', v3b('DestinationRule'), v3, v3c('destinationrules')),
  kind(networking, 'Gateway', v3b('Gateway'), v3, v3c('gateways')),
  kind(networking, 'Sidecar', v3b('Sidecar'), v3, v3c('sidecars'), true),
  kind(networking, 'EnvoyFilter', v3b('EnvoyFilter'), ['v1alpha3'], v3c('envoyfilters'), true),
  kind(security, 'AuthorizationPolicy', b1b('AuthorizationPolicy'), b1, b1c('authorizationpolicies'), true),
  kind(security, 'PeerAuthentication', b1b('PeerAuthentication'), b1, b1c('peerauthentications'), true),
  kind(security, 'RequestAuthentication', b1b('RequestAuthentication'), b1, b1c('requestauthentications'), true),
  kind('telemetry.istio.io', 'Telemetry', 'istio.telemetry.v1alpha1.Telemetry', ['v1alpha1', 'v1']),
  kind('extensions.istio.io', 'WasmPlugin', 'istio.extensions.v1alpha1.WasmPlugin', ['v1alpha1']),
  kind('extensions.istio.io', 'TrafficExtension', 'istio.extensions.v1alpha1.TrafficExtension', ['v1alpha1']),
  kind(networking, 'ProxyConfig', 'istio.networking.v1beta1.ProxyConfig', ['v1beta1']),
];

const byId = new Map(kinds.map((k) => [k.id, k]));
const byCollection = new Map(kinds.flatMap((k) => (k.collection === undefined ? [] : [[k.collection, k] as const])));

/** The kind of a group and a Kind name, whatever its version; undefined where Isthmus knows none. */
export function kindOf(group: string, name: string): Kind | undefined {
  return byId.get(`${group}/${name}`);
}

/** The kind with this {@link Kind.id}; undefined where Isthmus knows none. */
export function kindOfId(id: string): Kind | undefined {
  return byId.get(id);
}

/** The kind that a legacy collection carries; undefined for collections that have no place in istiod 1.9+. */
export function kindOfCollection(collection: Collection): Kind | undefined {
  return byCollection.get(collection);
}

/** All legacy collections with a target in istiod 1.9+: what Pilot 1.8 subscribed to. */
export const knownCollections: readonly Collection[] = [...byCollection.keys()];

/** MeshConfig. istiod asks for it first; answering it freezes 1.9 to 1.11 for ever, so nobody ever does. */
export const meshConfigTypeUrl: TypeUrl = 'core/v1alpha1/MeshConfig';

/**
 * The kind that a requested type URL means, whatever its version.
 * Undefined for other text, for unknown kinds, and for MeshConfig.
 */
export function kindOfTypeUrl(typeUrl: string): Kind | undefined {
  const parts = typeUrl.split('/');
  if (parts.length !== 3) return undefined;
  const [group = '', , name = ''] = parts;
  return kindOf(group, name);
}

/** {@link Kind.id} of the kind whose hosts and endpoints are looked at here and there. */
export const serviceEntryId = 'networking.istio.io/ServiceEntry';
