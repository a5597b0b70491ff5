const networking = (...names: readonly string[]) => names.map((name) => `istio/networking/v1alpha3/${name}`);
const security = (...names: readonly string[]) => names.map((name) => `istio/security/v1beta1/${name}`);

const routes = networking(
  'virtualservices',
  'gateways',
  'serviceentries',
  'destinationrules',
  'envoyfilters',
  'sidecars',
);
const mixer = [
  'istio/config/v1alpha2/httpapispecs',
  'istio/config/v1alpha2/httpapispecbindings',
  'istio/mixer/v1/config/client/quotaspecs',
  'istio/mixer/v1/config/client/quotaspecbindings',
];
const authentication = ['istio/authentication/v1alpha1/policies', 'istio/authentication/v1alpha1/meshpolicies'];
const rbac = ['serviceroles', 'servicerolebindings', 'rbacconfigs', 'clusterrbacconfigs'].map(
  (name) => `istio/rbac/v1alpha1/${name}`,
);
const base = [...routes, ...mixer, ...authentication, ...rbac];
const newer = security('authorizationpolicies', 'peerauthentications', 'requestauthentications');

/** What each Pilot asks for on one stream, in no order (collections.Pilot, or IstioConfigTypes, of x.y.0 and the last patch). */
export const pilotCollections: Readonly<Record<string, readonly string[]>> = {
  '1.1': base,
  '1.2': [...base, 'istio/rbac/v1alpha1/authorizationpolicies'],
  '1.3': base,
  '1.4': [...base, ...security('authorizationpolicies')],
  '1.5': [...base, ...newer],
  '1.6': [...routes, ...networking('workloadentries'), ...mixer, ...rbac, ...newer],
  '1.7': [...routes, ...networking('workloadentries'), ...mixer, ...newer],
  '1.8': [...routes, ...networking('workloadentries', 'workloadgroups'), ...newer],
};

/** What the second client of Pilot 1.4 and 1.5 asks for, where it is told to (subscribedResources). */
export const syntheticEntries = 'istio/networking/v1alpha3/synthetic/serviceentries';
