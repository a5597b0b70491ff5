import type { Collection } from './kinds.ts';

/** A legacy collection that istiod 1.9 and newer has no place for. */
export type DroppedCollection = {
  readonly collection: Collection;
  /** Who read it, and up to which Istio. */
  readonly reader: string;
  /** What replaces it, or why nothing has to. */
  readonly instead: string;
};

const mixer = 'Mixer and the Pilots that configured it, up to Istio 1.7';

const policy = (collection: Collection, reader: string, instead: string): DroppedCollection => ({
  collection,
  reader,
  instead,
});

const several = (folder: string, names: readonly string[], reader: string, instead: string) =>
  names.map((name) => policy(`${folder}/${name}`, reader, instead));

/**
 * The policy for every collection that Galley or Pilot knew and that has no kind in MCP-over-xDS: none of them is ever
 * sent to an istiod; what is in them is counted where a source is asked for them (`countDropped`), and shown with this.
 * Source: collections of Pilot 1.1 to 1.8, and metadata of Galley 1.5 (pkg/config/schema/metadata.yaml).
 */
export const droppedCollections: readonly DroppedCollection[] = [
  policy(
    'istio/networking/v1alpha3/synthetic/serviceentries',
    'Pilot 1.4 and 1.5, with subscribedResources: [SERVICE_REGISTRY]',
    // Sent as ServiceEntries, they would be the same hosts a second time.
    'nothing, where Galley made them of Kubernetes Services: istiod reads those itself. A server of another registry has to serve them in istio/networking/v1alpha3/serviceentries',
  ),
  ...several(
    'istio/authentication/v1alpha1',
    ['policies', 'meshpolicies'],
    'Pilot 1.1 to 1.5',
    'PeerAuthentication for mutual TLS and RequestAuthentication for JWT (istio/security/v1beta1), with AuthorizationPolicy where a token is required; their meaning is not the same, so they have to be written anew',
  ),
  ...several(
    'istio/rbac/v1alpha1',
    ['serviceroles', 'servicerolebindings', 'rbacconfigs', 'clusterrbacconfigs', 'authorizationpolicies'],
    'Pilot 1.1 to 1.6',
    'AuthorizationPolicy (istio/security/v1beta1); until it is written, nothing of it is enforced',
  ),
  ...several(
    'istio/config/v1alpha2',
    ['httpapispecs', 'httpapispecbindings'],
    mixer,
    'nothing: they named requests for Mixer alone',
  ),
  ...several(
    'istio/mixer/v1/config/client',
    ['quotaspecs', 'quotaspecbindings'],
    mixer,
    'rate limits of Envoy, local or global (EnvoyFilter)',
  ),
  ...several(
    'istio/policy/v1beta1',
    ['attributemanifests', 'handlers', 'instances', 'rules'],
    mixer,
    'Telemetry for metrics, logs and traces; AuthorizationPolicy with action CUSTOM, EnvoyFilter or WasmPlugin for checks and quotas',
  ),
  ...several('istio/config/v1alpha2', ['adapters', 'templates'], mixer, 'nothing: they described Mixer to itself'),
];

/** What is never asked for, by the beginning of its name: there is nothing in it that somebody could miss. */
export const neverAsked: readonly DroppedCollection[] = [
  policy('k8s/', 'Galley alone', 'nothing: istiod reads Kubernetes itself'),
  policy('istio/config/v1alpha2/legacy/', mixer, 'as istio/policy/v1beta1/handlers'),
  policy('istio/mesh/v1alpha1/', 'nobody over MCP', 'the istio configmap'),
];

const byName = new Map(droppedCollections.map((dropped) => [dropped.collection, dropped]));

/** What becomes of a collection that has no kind; undefined where nobody knows it. */
export function droppedCollection(collection: Collection): DroppedCollection | undefined {
  return byName.get(collection) ?? neverAsked.find((one) => collection.startsWith(one.collection));
}
