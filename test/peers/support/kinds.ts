/** The kinds that the suites compare: how Galley names their collection, and how istiod 1.24 asks for them. */
export const kinds = [
  { kind: 'ServiceEntry', collection: 'istio/networking/v1alpha3/serviceentries' },
  { kind: 'VirtualService', collection: 'istio/networking/v1alpha3/virtualservices' },
  { kind: 'DestinationRule', collection: 'istio/networking/v1alpha3/destinationrules' },
  { kind: 'Gateway', collection: 'istio/networking/v1alpha3/gateways' },
  { kind: 'Sidecar', collection: 'istio/networking/v1alpha3/sidecars' },
] as const;

/** istiod 1.24 moved these kinds to v1. */
export function typeUrl(kind: string): string {
  return `networking.istio.io/v1/${kind}`;
}

/** Kinds that Istio's legacy servers have since 1.6 only. */
export const workloadKinds = [
  { kind: 'WorkloadEntry', collection: 'istio/networking/v1alpha3/workloadentries' },
] as const;
