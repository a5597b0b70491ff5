/** A Kubernetes object as its API gives it. Nothing is left out of it, and nothing is read anew. */
export type KubeObject = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: KubeMetadata;
  readonly [field: string]: unknown;
};

/** Of `metadata`, what every object has; the rest is there too. */
export type KubeMetadata = {
  readonly name: string;
  /** Undefined for what is in no namespace. */
  readonly namespace?: string;
  readonly uid: string;
  /** Another one with every write. */
  readonly resourceVersion: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
};

/** A kind, as a path of the API names it. */
export type ResourceType = {
  /** Empty for the core API. */
  readonly group: string;
  readonly version: string;
  /** Such as `configmaps`. */
  readonly plural: string;
  /** Such as `ConfigMap`. */
  readonly kind: string;
};

/** Which object of a kind. */
export type ObjectRef = {
  /** Undefined for what is in no namespace. */
  readonly namespace: string | undefined;
  readonly name: string;
};

export const configMaps: ResourceType = { group: '', version: 'v1', plural: 'configmaps', kind: 'ConfigMap' };
export const deployments: ResourceType = { group: 'apps', version: 'v1', plural: 'deployments', kind: 'Deployment' };

export const validatingWebhooks: ResourceType = {
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  plural: 'validatingwebhookconfigurations',
  kind: 'ValidatingWebhookConfiguration',
};

/** `configmaps istio-system/istio`, for messages. */
export function refText({ plural }: ResourceType, { namespace, name }: ObjectRef): string {
  return `${plural} ${namespace === undefined ? name : `${namespace}/${name}`}`;
}

/** Path of all objects of a kind, or of those of a namespace. */
export function listPath({ group, version, plural }: ResourceType, namespace: string | undefined): string {
  const api = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  return `${api}${namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`}/${plural}`;
}

/** Path of one object. */
export function objectPath(type: ResourceType, { namespace, name }: ObjectRef): string {
  return `${listPath(type, namespace)}/${encodeURIComponent(name)}`;
}
