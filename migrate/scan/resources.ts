import { type Collection, type Kind, kindOf } from '../../src/model/kinds.ts';
import { bodyFromJson } from '../../src/schema/json.ts';
import { pathText, type Problem } from '../../src/schema/problem.ts';
import type { Place } from '../finding.ts';
import type { KubeObject } from './objects.ts';

/** Of one of Istio's resources in the inputs. */
export type Resource = {
  readonly object: KubeObject;
  /** `namespace/name`, as MCP carries it. */
  readonly key: string;
  /** Undefined where istiod 1.9 and newer has no place for it. */
  readonly kind: Kind | undefined;
  /** The legacy collection that carried it; undefined for kinds that legacy MCP never had. */
  readonly collection: Collection | undefined;
  readonly at: Place;
  /** What is wrong with its spec; empty for kinds that have no place. */
  readonly faults: readonly ResourceFault[];
  /** Bytes that it takes in a message, about; 0 where its spec can't be read. */
  readonly bytes: number;
};

export type ResourceFault = {
  /** `dropped`: a field that 1.9 and newer passes over. `unreadable`: the spec is no resource of its kind. */
  readonly type: 'dropped' | 'unreadable';
  /** Such as `spec.filters`. */
  readonly path: string;
  readonly message: string;
  readonly hint: string;
  readonly at: Place;
};

/** Kinds of the APIs that 1.9 has no place for, with the collections that carried them. */
const oldKinds: Readonly<Record<string, Readonly<Record<string, Collection>>>> = {
  'authentication.istio.io': {
    Policy: 'istio/authentication/v1alpha1/policies',
    MeshPolicy: 'istio/authentication/v1alpha1/meshpolicies',
  },
  'rbac.istio.io': {
    ServiceRole: 'istio/rbac/v1alpha1/serviceroles',
    ServiceRoleBinding: 'istio/rbac/v1alpha1/servicerolebindings',
    RbacConfig: 'istio/rbac/v1alpha1/rbacconfigs',
    ClusterRbacConfig: 'istio/rbac/v1alpha1/clusterrbacconfigs',
    AuthorizationPolicy: 'istio/rbac/v1alpha1/authorizationpolicies',
  },
  'config.istio.io': {
    HTTPAPISpec: 'istio/config/v1alpha2/httpapispecs',
    HTTPAPISpecBinding: 'istio/config/v1alpha2/httpapispecbindings',
    QuotaSpec: 'istio/mixer/v1/config/client/quotaspecs',
    QuotaSpecBinding: 'istio/mixer/v1/config/client/quotaspecbindings',
    attributemanifest: 'istio/policy/v1beta1/attributemanifests',
    handler: 'istio/policy/v1beta1/handlers',
    instance: 'istio/policy/v1beta1/instances',
    rule: 'istio/policy/v1beta1/rules',
    adapter: 'istio/config/v1alpha2/adapters',
    template: 'istio/config/v1alpha2/templates',
  },
};

/** The object as a resource; none where it is no configuration of Istio. */
export function resourcesOf(object: KubeObject): Resource[] {
  const [group = ''] = object.apiVersion.split('/');
  const kind = kindOf(group, object.kind);
  const old = kind === undefined ? oldCollection(group, object.kind) : undefined;
  if (kind === undefined && old === undefined) return [];
  const { faults, bytes } = kind === undefined ? { faults: [], bytes: 0 } : readSpec(kind, object);
  const namespace = object.namespace === '' ? 'default' : object.namespace;
  const key = `${namespace}/${object.name}`;
  return [
    {
      object,
      key,
      kind,
      collection: old ?? kind?.collection,
      // Of an object of a cluster, its text is made when somebody asks for a place in it.
      get at() {
        return object.at(['kind']);
      },
      faults,
      bytes,
    },
  ];
}

/** Mixer's own kinds before `handler` and `instance`, such as `prometheus` and `metric`, are those. */
function oldCollection(group: string, kind: string): Collection | undefined {
  const ofGroup = oldKinds[group];
  if (ofGroup === undefined) return undefined;
  if (Object.hasOwn(ofGroup, kind)) return ofGroup[kind];
  return group === 'config.istio.io' && /^[a-z]/.test(kind) ? `istio/config/v1alpha2/legacy/${kind}` : undefined;
}

/** Type URLs, version, create time, and what says how long everything is, as they are with names of usual length. */
const envelopeBytes = 200;

function readSpec(kind: Kind, object: KubeObject): { faults: ResourceFault[]; bytes: number } {
  const { spec } = object.json;
  if (spec === undefined || spec === null) return { faults: [], bytes: 0 };
  const { body, problems } = bodyFromJson(kind, spec);
  const faults = problems.flatMap((problem): ResourceFault[] => {
    const type = typeOf(problem);
    if (type === undefined) return [];
    const { path, onKey, message, hint } = problem;
    return [{ type, path: pathText(path), message, hint, at: object.at(path, onKey) }];
  });
  return { faults, bytes: body === undefined ? 0 : sizeOf(object, body) };
}

function sizeOf({ namespace, name, labels, annotations }: KubeObject, body: Buffer): number {
  const texts = [namespace, name, ...Object.entries({ ...labels, ...annotations }).flat()];
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text) + 3, envelopeBytes + body.length);
}

function typeOf({ severity, isDropped }: Problem): ResourceFault['type'] | undefined {
  if (severity === 'error') return 'unreadable';
  return isDropped === true ? 'dropped' : undefined;
}
