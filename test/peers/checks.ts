// What Isthmus promises, as functions that reject when it is not so. The suites with Isthmus and the control run
// without it call the same ones.
import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import type { Chain } from './support/chain.ts';
import type { Istiod } from './support/istiod.ts';
import { fetchThrough, Load, type Tally } from './support/load.ts';
import { differences, type HeldConfig, type Manifest } from './support/manifest.ts';
import { ConfigzSampler, type Samples } from './support/sampler.ts';
import { patienceMs, until } from './support/until.ts';
import { Watch } from './support/watch.ts';

export type Limits = {
  /** How long each awaited condition may take. It only bounds a failure. @default {@link patienceMs} */
  readonly timeoutMs?: number;
  /** Time between two looks. */
  readonly everyMs?: number;
};

type Held = ReadonlyMap<string, HeldConfig>;

/** Something that knows what a source has to serve: a folder of Galley, or the source itself. */
export type Truth = { manifests(): ReadonlyMap<string, Manifest> };

/** istiod opens its gRPC port to proxies. */
export async function checkFinishesStart({ istiod }: Chain, { timeoutMs = patienceMs }: Limits = {}): Promise<void> {
  await until("istiod's gRPC port is open", () => istiod.serving(), { timeoutMs });
}

/** configz comes to say what the folder says: the same keys with equal spec, labels and annotations. */
export async function checkHoldsFolder(
  { folder, istiod }: { readonly folder: Truth; readonly istiod: Istiod },
  limits: Limits = {},
): Promise<Held> {
  return until(
    'configz equals the folder',
    async () => {
      const held = await istiod.configz();
      const found = differences(folder.manifests(), held);
      if (found.length > 0) throw new Error(found.join('\n'));
      return held;
    },
    limits,
  );
}

/** The same for a source that is not a folder. */
export async function checkHolds(truth: Truth, istiod: Istiod, limits: Limits = {}): Promise<Held> {
  return checkHoldsFolder({ folder: truth, istiod }, limits);
}

/** Exactly these keys differ in version between two looks, and what is in both is otherwise untouched. */
export function assertOnlyChanged(before: Held, after: Held, changed: readonly string[]): void {
  const moved = [...after]
    .filter(([key, { resourceVersion }]) => before.get(key)?.resourceVersion !== resourceVersion)
    .map(([key]) => key);
  assert.deepEqual(moved.sort(), [...changed].sort(), 'keys whose version changed');
}

const addedFile = 'added.yaml';
const added = `apiVersion: networking.istio.io/v1alpha3
kind: ServiceEntry
metadata:
  name: added
  namespace: later
  labels: {added: "yes"}
spec:
  hosts: [added.later.example.com]
  addresses: [240.0.30.1]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 10.30.0.1}]
---
apiVersion: networking.istio.io/v1alpha3
kind: DestinationRule
metadata: {name: added, namespace: later}
spec:
  host: added.later.example.com
  trafficPolicy: {connectionPool: {tcp: {connectTimeout: 3s}}}
`;

/** A file that is added, changed or removed arrives as just that; what it does not touch keeps its version. */
export async function checkFollowsChanges(chain: Chain, limits: Limits = {}): Promise<void> {
  const { folder } = chain;
  const start = await checkHoldsFolder(chain, limits);
  for (const [key, { resourceVersion }] of start) assert.notEqual(resourceVersion, '', `${key} has a version`);

  folder.write(addedFile, added);
  const withAdded = await checkHoldsFolder(chain, limits);
  assertOnlyChanged(start, withAdded, ['DestinationRule/later/added', 'ServiceEntry/later/added']);

  folder.edit(addedFile, '10.30.0.1', '10.30.0.2');
  const withEndpoint = await checkHoldsFolder(chain, limits);
  assertOnlyChanged(withAdded, withEndpoint, ['ServiceEntry/later/added']);

  folder.edit('sidecars.yaml', 'limits what the frontend sees', 'hides the rest');
  const withAnnotation = await checkHoldsFolder(chain, limits);
  assertOnlyChanged(withEndpoint, withAnnotation, ['Sidecar/shop/frontend']);

  folder.edit('gateways.yaml', 'exposure: public', 'exposure: internet');
  const withLabel = await checkHoldsFolder(chain, limits);
  assertOnlyChanged(withAnnotation, withLabel, ['Gateway/edge/public']);

  folder.edit('virtual-services.yaml', 'timeout: 1.5s', 'timeout: 2s');
  const withTimeout = await checkHoldsFolder(chain, limits);
  assertOnlyChanged(withLabel, withTimeout, ['VirtualService/shop/catalog']);

  // Back to the first content: back to the first version, because it is made of content.
  folder.edit(addedFile, '10.30.0.2', '10.30.0.1');
  const withFirstEndpoint = await checkHoldsFolder(chain, limits);
  assertOnlyChanged(withTimeout, withFirstEndpoint, ['ServiceEntry/later/added']);
  const [first, again] = [withAdded, withFirstEndpoint].map((held) => held.get('ServiceEntry/later/added'));
  assert.equal(again?.resourceVersion, first?.resourceVersion, 'equal content has an equal version');

  folder.remove(addedFile);
  const withoutAdded = await checkHoldsFolder(chain, limits);
  assertOnlyChanged(withFirstEndpoint, withoutAdded, []);
  assert.equal(withoutAdded.has('ServiceEntry/later/added'), false);
}

const markerFile = 'marker.yaml';
const marker = (value: number): string => `apiVersion: networking.istio.io/v1alpha3
kind: ServiceEntry
metadata:
  name: marker
  namespace: probe
  annotations: {probe: "${value}"}
spec:
  hosts: [marker.probe.example.com]
  addresses: [240.0.40.1]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 10.40.0.1}]
`;
let lastMarker = 0;

/** A change that is made in the folder now comes through, and with it the folder is whole. */
export async function checkAlive(chain: Chain, limits: Limits = {}): Promise<Held> {
  lastMarker += 1;
  chain.folder.write(markerFile, marker(lastMarker));
  return checkHoldsFolder(chain, limits);
}

export type Disturbance = {
  readonly disturb: (sampler: ConfigzSampler) => Promise<void>;
  /** Fewer counted samples prove nothing. */
  readonly minSamples: number;
};

/**
 * While `disturb` runs, and until a change comes through again, configz lacks nothing that Galley has whenever
 * istiod's gRPC port is open; and whatever the folder still says has kept its version.
 */
export async function checkLosesNothing(
  chain: Chain,
  { disturb, minSamples }: Disturbance,
  limits: Limits = {},
): Promise<Samples> {
  const before = await checkAlive(chain, limits);
  const sampler = new ConfigzSampler(chain.istiod, before.keys());
  let samples: Samples;
  try {
    await disturb(sampler);
    const after = await checkAlive(chain, limits);
    const changed = [...after.keys()].filter((key) => !before.has(key));
    assertOnlyChanged(before, after, [...changed, 'ServiceEntry/probe/marker']);
    await until('enough samples were counted', () => sampler.counted >= minSamples, limits);
  } finally {
    samples = await sampler.stop();
  }
  assert.deepEqual(samples.lacking, [], 'samples that lack a resource');
  assert.ok(samples.counted >= minSamples, `${samples.counted} counted samples, wanted ${minSamples}`);
  return samples;
}

/** Several istiods that get the same. */
export type Fed = Truth & { readonly istiods: readonly Istiod[] };

/** Each of them comes to hold what is true, and nothing else; by their order. */
export async function checkAllHold(fed: Fed, limits: Limits = {}): Promise<readonly Held[]> {
  return Promise.all(fed.istiods.map((istiod) => checkHolds(fed, istiod, limits)));
}

export type Fault = {
  readonly run: (watch: Watch) => Promise<void>;
  /** Fewer looks at each istiod prove nothing. */
  readonly minLooks: number;
};

/**
 * While the fault runs, and until each istiod holds what is true again, no look at one of them whose gRPC port is open
 * lacks what has been true all along; and what has not changed has kept its version.
 */
export async function checkNeverBelow(fed: Fed, { run, minLooks }: Fault, limits: Limits = {}): Promise<void> {
  const before = await checkAllHold(fed, limits);
  const was = fed.manifests();
  const watch = new Watch(fed.istiods, was.keys());
  let seen: ReadonlyMap<string, Samples>;
  try {
    await run(watch);
    const after = await checkAllHold(fed, limits);
    const changed = [...fed.manifests()].filter(([key, manifest]) => !isDeepStrictEqual(manifest, was.get(key)));
    for (const [at, held] of after.entries()) {
      assertOnlyChanged(
        before[at] ?? new Map(),
        held,
        changed.map(([key]) => key),
      );
    }
    // However slow the machine is: the run itself waits for those looks that have to fall into the fault.
    await watch.counted(minLooks, limits.timeoutMs);
  } finally {
    seen = await watch.stop();
  }
  for (const [name, { counted, lacking }] of seen) {
    assert.deepEqual(lacking, [], `looks at ${name} that lack a resource`);
    assert.ok(counted >= minLooks, `${counted} counted looks at ${name}, wanted ${minLooks}`);
  }
}

export type Route = {
  /** Port on 127.0.0.1 where the proxy is to listen. */
  readonly listenPort: number;
  readonly host: string;
  readonly endpointPort: number;
};

/** A gateway on 127.0.0.1, and behind it a service that has one endpoint there. */
export function routeManifests({ listenPort, host, endpointPort }: Route): string {
  return `apiVersion: networking.istio.io/v1alpha3
kind: ServiceEntry
metadata: {name: routed, namespace: istio-system}
spec:
  hosts: [${host}]
  addresses: [240.0.50.1]
  ports: [{number: 80, name: http, protocol: HTTP}]
  location: MESH_INTERNAL
  resolution: STATIC
  endpoints: [{address: 127.0.0.1, ports: {http: ${endpointPort}}}]
---
apiVersion: networking.istio.io/v1alpha3
kind: Gateway
metadata: {name: routed, namespace: istio-system}
spec:
  servers:
  - port: {number: ${listenPort}, name: http, protocol: HTTP}
    bind: 127.0.0.1
    hosts: ["${host}"]
---
apiVersion: networking.istio.io/v1alpha3
kind: VirtualService
metadata: {name: routed, namespace: istio-system}
spec:
  hosts: [${host}]
  gateways: [routed]
  http:
  - route: [{destination: {host: ${host}, port: {number: 80}}}]
`;
}

/** A request through the proxy is answered by this backend. */
export async function checkReaches(
  route: Route,
  backend: string,
  { timeoutMs = patienceMs }: Limits = {},
): Promise<void> {
  await until(
    `a request for ${route.host} reaches ${backend}`,
    async () => (await fetchThrough(route.listenPort, route.host)) === backend,
    { timeoutMs },
  );
}

export type Move = {
  readonly from: string;
  readonly to: string;
  /** Makes requests go from one to the other. */
  readonly move: () => void;
  /** Requests that each backend has to answer before and after. */
  readonly minRequests: number;
};

/** While requests go on without a pause, `move` takes them from one backend to the other, and none of them fails. */
export async function checkMovesWithoutFailure(
  route: Route,
  { from, to, move, minRequests }: Move,
  { timeoutMs = patienceMs }: Limits = {},
): Promise<Tally> {
  await checkReaches(route, from, { timeoutMs });
  const load = new Load(route.listenPort, route.host);
  let tally: Tally;
  try {
    await until('the first backend answers', () => load.answeredBy(from) >= minRequests, { timeoutMs });
    assert.equal(load.answeredBy(to), 0, `${to} is not asked before the change`);
    move();
    await until('the second backend answers', () => load.answeredBy(to) >= minRequests, { timeoutMs });
    const atChange = load.answeredBy(from);
    await until('the load goes on', () => load.answeredBy(to) >= 2 * minRequests, { timeoutMs });
    assert.equal(load.answeredBy(from), atChange, `${from} is not asked after the change`);
  } finally {
    tally = await load.stop();
  }
  assert.deepEqual(tally.failures, [], `failures among ${tally.total} requests`);
  return tally;
}
