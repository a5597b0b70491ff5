import { kindOfTypeUrl } from '../model/kinds.ts';

/** First minor version of Istio 1 that asks for a kind, where that is not 9 (the source of model/kinds). */
export const firstMinorOf: Readonly<Record<string, number>> = {
  Telemetry: 10,
  WasmPlugin: 12,
  ProxyConfig: 13,
  TrafficExtension: 30,
};

/** The minor version from which on most kinds are asked for as v1. */
export const v1Minor = 24;

/** What 1.9 asks for, and every later one too. A peer that does not ask for all of it shows nothing by what it leaves out. */
const always: readonly string[] = [
  'AuthorizationPolicy',
  'DestinationRule',
  'EnvoyFilter',
  'Gateway',
  'PeerAuthentication',
  'RequestAuthentication',
  'ServiceEntry',
  'Sidecar',
  'VirtualService',
  'WorkloadEntry',
  'WorkloadGroup',
];

/** From this minor version on the kinds are asked for in the order of their names, before by group (collections.gen.go). */
const byNameMinor = 18;

/** Minor versions of grpc-go: 1.18 has 1.54 or 1.56, 1.19 has 1.57 or newer (go.mod of every release up to 1.30). */
const grpcOf119 = 57;

/** Minor versions of Istio 1, both included. `to` is undefined where it may be any newer one. */
export type Minors = { readonly from: number; readonly to: number | undefined };

/** What a stream shows of its peer. */
export type Seen = {
  readonly nodeId: string;
  /** In the order in which they were asked for. */
  readonly typeUrls: readonly string[];
  /** Undefined where it sent none. */
  readonly userAgent: string | undefined;
};

/**
 * Up to 1.11 every istiod calls itself `…~test-1.default~…`, a name that was left in the client by mistake; 1.12 and newer
 * send their pod's name (adsc.go, node id).
 */
export function isUpTo111(nodeId: string): boolean {
  return nodeId.includes('~test-1.default~');
}

/** `1.24.0` is 24. */
export function minorOf(version: string): number {
  return Number(version.split('.')[1]);
}

/**
 * The versions that the peer of a stream may be of, by its name, by what it asks for and in which order, and by its gRPC
 * library; undefined where nothing is known of it. Which kinds, and which version of them: collections.Pilot of Istio.
 *
 * @param version set by the operator: it is this one.
 */
export function minorsOf({ nodeId, typeUrls, userAgent }: Seen, version?: string): Minors | undefined {
  if (version !== undefined) return { from: minorOf(version), to: minorOf(version) };
  if (nodeId === '') return undefined;
  const bounds = isUpTo111(nodeId) ? [{ from: 9, to: 11 }] : [{ from: 12, to: Number.POSITIVE_INFINITY }];
  bounds.push(...boundsOfTypes(typeUrls), ...boundsOfLibrary(userAgent));
  const from = Math.max(...bounds.map((bound) => bound.from));
  const to = Math.min(...bounds.map((bound) => bound.to));
  // What does not fit together is no istiod that we know.
  if (from > to) return undefined;
  return { from, to: Number.isFinite(to) ? to : undefined };
}

type Bound = { readonly from: number; readonly to: number };

function boundsOfTypes(typeUrls: readonly string[]): Bound[] {
  const known = typeUrls.filter((typeUrl) => kindOfTypeUrl(typeUrl) !== undefined);
  const asked = known.map((typeUrl) => kindOfTypeUrl(typeUrl)?.kind ?? '');
  const isAll = always.every((kind) => asked.includes(kind));
  const since = (minor: number, isSeen: boolean): Bound => {
    if (isSeen) return { from: minor, to: Number.POSITIVE_INFINITY };
    return { from: 0, to: isAll ? minor - 1 : Number.POSITIVE_INFINITY };
  };
  const isByName = isAll && asked.indexOf('AuthorizationPolicy') < asked.indexOf('DestinationRule');
  return [
    ...Object.entries(firstMinorOf).map(([kind, minor]) => since(minor, asked.includes(kind))),
    since(byNameMinor, isByName),
    since(
      v1Minor,
      known.some((typeUrl) => typeUrl.split('/')[1] === 'v1'),
    ),
  ];
}

function boundsOfLibrary(userAgent: string | undefined): Bound[] {
  const minor = /^grpc-go\/1\.(\d+)\./.exec(userAgent ?? '')?.[1];
  if (minor === undefined) return [];
  return [Number(minor) < grpcOf119 ? { from: 0, to: 18 } : { from: 19, to: Number.POSITIVE_INFINITY }];
}

/** `1.13 to 1.17`, `1.24 and newer`, `1.9`, `unknown`. */
export function describeMinors(minors: Minors | undefined): string {
  if (minors === undefined) return 'unknown';
  const { from, to } = minors;
  if (to === undefined) return `1.${from} and newer`;
  return from === to ? `1.${from}` : `1.${from} to 1.${to}`;
}
