import { isRecord } from '../../src/model/record.ts';
import type { Path } from '../../src/schema/problem.ts';

/** Where a mesh config is kept. */
export type PlaceKind = 'meshConfig' | 'configMap' | 'istioOperator' | 'helmValues';

/** A Kubernetes object of a file. */
export type ObjectName = {
  readonly apiVersion: string;
  readonly kind: string;
  /** Empty where it has none. */
  readonly name: string;
  /** Empty where it has none. */
  readonly namespace: string;
};

/** A value that is, or as text (`isText`) holds, a mesh config. `path` is counted from the top of the document. */
export type Candidate = { readonly kind: PlaceKind; readonly path: Path; readonly isText: boolean };

/** A value of old Helm charts that chose legacy MCP, or its server. */
export type SwitchAt = { readonly path: Path; readonly value: unknown };

type Fields = Readonly<Record<string, unknown>>;

/** What a value says of itself, if it is a Kubernetes object. */
export function objectName(value: unknown): ObjectName | undefined {
  if (!isRecord(value)) return undefined;
  const { apiVersion, kind, metadata } = value;
  if (typeof apiVersion !== 'string' || typeof kind !== 'string') return undefined;
  const { name, namespace } = isRecord(metadata) ? metadata : {};
  return { apiVersion, kind, name: textOr(name), namespace: textOr(namespace) };
}

const textOr = (value: unknown): string => (typeof value === 'string' ? value : '');

/** A document's object, or those of its `kind: List`, with their paths. */
export function objectsOf(value: unknown, path: Path = []): { name: ObjectName; path: Path; value: Fields }[] {
  const name = objectName(value);
  if (name === undefined || !isRecord(value)) return [];
  if (!name.kind.endsWith('List') || !Array.isArray(value['items'])) return [{ name, path, value }];
  return value['items'].flatMap((item, index) => objectsOf(item, [...path, 'items', index]));
}

/** Kinds of the operators of Istio; IstioControlPlane is that of 1.4. */
export const operatorKinds = new Set(['IstioOperator', 'IstioControlPlane']);

/** Places of a Kubernetes object in which a mesh config is, or would be. */
export function candidatesOfObject({ kind }: ObjectName, value: Fields): Candidate[] {
  if (kind === 'ConfigMap') {
    if (!isRecord(value['data']) || !('mesh' in value['data'])) return [];
    return [{ kind: 'configMap', path: ['data', 'mesh'], isText: true }];
  }
  const places: Candidate[] = [];
  const spec = isRecord(value['spec']) ? value['spec'] : {};
  if (operatorKinds.has(kind)) {
    if ('meshConfig' in spec) places.push({ kind: 'istioOperator', path: ['spec', 'meshConfig'], isText: false });
    for (const values of ['values', 'unvalidatedValues']) {
      places.push(...candidatesOfValues(spec[values]).map((at) => under(at, ['spec', values])));
    }
  } else if (kind === 'HelmRelease') {
    places.push(...candidatesOfValues(spec['values']).map((at) => under(at, ['spec', 'values'])));
  } else if (kind === 'Istio' || kind === 'IstioRevision') {
    places.push(...candidatesOfValues(spec['values']).map((at) => under(at, ['spec', 'values'])));
  }
  return places;
}

function under(candidate: Candidate, path: Path): Candidate {
  return { ...candidate, path: [...path, ...candidate.path] };
}

/** Values of Helm: `meshConfig` at the top, or in those of one chart of several (`istiod: { meshConfig: … }`). */
export function candidatesOfValues(values: unknown): Candidate[] {
  if (!isRecord(values)) return [];
  const found: Candidate[] = [];
  if ('meshConfig' in values) found.push({ kind: 'helmValues', path: ['meshConfig'], isText: false });
  for (const [chart, inner] of Object.entries(values)) {
    if (chart === 'meshConfig' || !isRecord(inner) || !('meshConfig' in inner)) continue;
    found.push({ kind: 'helmValues', path: [chart, 'meshConfig'], isText: false });
  }
  return found;
}

/** Values of charts up to 1.23 that put Galley, or another MCP server, in the place of Kubernetes. */
export const switchPaths: readonly (readonly string[])[] = [
  ['global', 'useMCP'],
  ['pilot', 'useMCP'],
  ['pilot', 'configSource'],
  ['galley', 'enabled'],
  ['galley', 'enableServiceDiscovery'],
  ['galley', 'enableAnalysis'],
  ['mixer', 'policy', 'enabled'],
  ['mixer', 'telemetry', 'enabled'],
];

/** The switches that a set of Helm values has, in an operator's object or by itself. */
export function switchesOf(value: unknown, base: Path): SwitchAt[] {
  return switchPaths.flatMap((path) => {
    let at: unknown = value;
    for (const step of path) at = isRecord(at) ? at[step] : undefined;
    return at === undefined ? [] : [{ path: [...base, ...path], value: at }];
  });
}

/**
 * Fields of MeshConfig, of api 1.1 to 1.30, by which a document without `kind` is told from anything else. Names that
 * say little alone (ca, certificates, connectTimeout) are not among them.
 */
const meshFields = new Set(
  (
    'accessLogEncoding accessLogFile accessLogFormat authPolicy configSources defaultConfig defaultDestinationRuleExportTo ' +
    'defaultHttpRetryPolicy defaultProviders defaultServiceExportTo defaultVirtualServiceExportTo disableEnvoyListenerLog ' +
    'disableMixerHttpReports disablePolicyChecks discoverySelectors dnsRefreshRate enableAutoMtls enableClientSidePolicyCheck ' +
    'enableEnvoyAccessLogService enablePrometheusMerge enableSdsTokenMount enableTracing extensionProviders hboneIdleTimeout ' +
    'h2UpgradePolicy inboundClusterStatName inboundTrafficPolicy ingressClass ingressControllerMode ingressSelector ' +
    'ingressService localityLbSetting meshMTLS mixerAddress mixerCheckServer mixerReportServer outboundClusterStatName ' +
    'outboundTrafficPolicy pathNormalization policyCheckFailOpen protocolDetectionTimeout proxyHttpPort ' +
    'proxyInboundListenPort proxyListenPort rdsRefreshDelay reportBatchMaxEntries reportBatchMaxTime rootNamespace ' +
    'sdsRefreshDelay sdsUdsPath sdsUseK8sSaJwt serviceScopeConfigs serviceSettings sidecarToTelemetrySessionAffinity ' +
    'thriftConfig tlsDefaults trustDomain trustDomainAliases verifyCertificateAtClient'
  ).split(' '),
);

/** True of a map that has a field of MeshConfig, in either of the spellings that istiod reads, and is no Kubernetes object. */
export function isMeshConfig(value: unknown): boolean {
  if (!isRecord(value) || 'kind' in value || 'apiVersion' in value) return false;
  return Object.keys(value).some((key) => meshFields.has(camelCase(key)));
}

/** protobuf's JSON reader takes `config_sources` as well as `configSources`. */
function camelCase(key: string): string {
  return key.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
