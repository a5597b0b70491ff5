/** istiods whose behaviour was measured or read; see {@link profiles}. */
export type IstiodVersion = '1.9' | '1.11' | '1.12' | '1.16' | '1.18' | '1.24' | '1.30';

/** Asked for before anything else, never needed (adsc.go ConfigInitialRequests). */
export const meshConfig = 'core/v1alpha1/MeshConfig';

const networking = (version: string, ...names: readonly string[]): string[] =>
  names.map((name) => `networking.istio.io/${version}/${name}`);
const security = (version: string, ...names: readonly string[]): string[] =>
  names.map((name) => `security.istio.io/${version}/${name}`);

const telemetry = 'telemetry.istio.io/v1alpha1/Telemetry';
const wasmPlugin = 'extensions.istio.io/v1alpha1/WasmPlugin';
const trafficExtension = 'extensions.istio.io/v1alpha1/TrafficExtension';
const proxyConfig = 'networking.istio.io/v1beta1/ProxyConfig';

const from19 = [
  ...networking(
    'v1alpha3',
    'DestinationRule',
    'EnvoyFilter',
    'Gateway',
    'ServiceEntry',
    'Sidecar',
    'VirtualService',
    'WorkloadEntry',
    'WorkloadGroup',
  ),
  ...security('v1beta1', 'AuthorizationPolicy', 'PeerAuthentication', 'RequestAuthentication'),
];
const from113 = [wasmPlugin, ...from19.slice(0, 8), proxyConfig, ...from19.slice(8), telemetry];

/** From 1.18 on in the order of their kinds' names. */
const byKind = (types: readonly string[]): string[] => types.toSorted((a, b) => (kindOf(a) < kindOf(b) ? -1 : 1));

/** 1.24 moved to v1 what had a v1 (facts: exactly at 1.24.0); EnvoyFilter, ProxyConfig and extensions stayed. */
const atV1 = (types: readonly string[]): string[] =>
  types.map((type) =>
    /(EnvoyFilter|ProxyConfig|WasmPlugin|TrafficExtension)$/.test(type) ? type : type.replace(/\/v1[a-z]+\d\//, '/v1/'),
  );

/** What each version subscribes to after MeshConfig, in this order (collections.Pilot of 1.9.9 … 1.30.3). */
export const pilotTypes: Readonly<Record<IstiodVersion, readonly string[]>> = {
  '1.9': from19,
  '1.11': [...from19, telemetry],
  '1.12': [wasmPlugin, ...from19, telemetry],
  '1.16': from113,
  '1.18': byKind(from113),
  '1.24': atV1(byKind(from113)),
  '1.30': atV1(byKind([...from113, trafficExtension])),
};

/** The last part of a type URL. */
export function kindOf(typeUrl: string): string {
  return typeUrl.slice(typeUrl.lastIndexOf('/') + 1);
}

/** The one body that each kind may have, the same in all versions (validation.go casts to it). */
export const bodyOf: Readonly<Record<string, string>> = {
  ServiceEntry: 'istio.networking.v1alpha3.ServiceEntry',
  WorkloadEntry: 'istio.networking.v1alpha3.WorkloadEntry',
  WorkloadGroup: 'istio.networking.v1alpha3.WorkloadGroup',
  VirtualService: 'istio.networking.v1alpha3.VirtualService',
  DestinationRule: 'istio.networking.v1alpha3.DestinationRule',
  Gateway: 'istio.networking.v1alpha3.Gateway',
  Sidecar: 'istio.networking.v1alpha3.Sidecar',
  EnvoyFilter: 'istio.networking.v1alpha3.EnvoyFilter',
  AuthorizationPolicy: 'istio.security.v1beta1.AuthorizationPolicy',
  PeerAuthentication: 'istio.security.v1beta1.PeerAuthentication',
  RequestAuthentication: 'istio.security.v1beta1.RequestAuthentication',
  Telemetry: 'istio.telemetry.v1alpha1.Telemetry',
  WasmPlugin: 'istio.extensions.v1alpha1.WasmPlugin',
  TrafficExtension: 'istio.extensions.v1alpha1.TrafficExtension',
  ProxyConfig: 'istio.networking.v1beta1.ProxyConfig',
};

/** Names of messages that every istiod can decode. */
export const knownBodies: ReadonlySet<string> = new Set(Object.values(bodyOf));
