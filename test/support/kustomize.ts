import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';

const root = join(import.meta.dirname, '../..');

/** A container as a Pod of ours has it. */
export type Container = {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value: string }[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string; readonly readOnly?: boolean }[];
  readonly resources: { readonly requests: object; readonly limits: object };
  readonly securityContext: Readonly<Record<string, unknown>>;
} & { readonly [probe in 'startupProbe' | 'livenessProbe' | 'readinessProbe']?: Probe };

type Probe = { readonly httpGet: { readonly path: string; readonly port: string } };

export type PodSpec = {
  readonly containers: readonly Container[];
  readonly automountServiceAccountToken?: boolean;
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly serviceAccountName?: string;
  readonly terminationGracePeriodSeconds?: number;
  readonly volumes?: readonly {
    readonly name: string;
    readonly configMap?: { readonly name: string };
    readonly emptyDir?: object;
  }[];
};

/** A Kubernetes object, as far as its kind is not looked at. */
export type KubernetesObject = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Record<string, string> };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: unknown;
};

/** Of those kinds that run Pods. */
export type Workload = {
  readonly replicas?: number;
  readonly serviceName?: string;
  readonly template: { readonly metadata: { readonly labels: Record<string, string> }; readonly spec: PodSpec };
  readonly volumeClaimTemplates?: readonly { readonly metadata: { readonly name: string } }[];
};

export type Service = {
  readonly publishNotReadyAddresses: boolean;
  readonly selector: Record<string, string>;
  readonly ports: readonly { readonly name: string; readonly port: number; readonly targetPort: string }[];
};

export type NetworkPolicy = {
  readonly podSelector: { readonly matchLabels: Record<string, string> };
  readonly ingress: readonly { readonly from?: object[]; readonly ports: readonly { readonly port: string }[] }[];
};

/** The specs of the kinds that are looked into. */
type Specs = {
  readonly StatefulSet: Workload;
  readonly Job: Workload;
  readonly Service: Service;
  readonly NetworkPolicy: NetworkPolicy;
  readonly PodDisruptionBudget: object;
  readonly ServiceAccount: undefined;
  readonly ConfigMap: undefined;
};

/** Whether kubectl, which has kustomize in it, is on this machine. */
export const hasKubectl = spawnSync('kubectl', ['version', '--client']).status === 0;

/** What `kubectl apply -k` would send of a folder. @param cwd @default the root of the project */
export function rendered(folder: string, cwd = root): readonly KubernetesObject[] {
  const { status, stdout, stderr } = spawnSync('kubectl', ['kustomize', folder], { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(`kubectl kustomize ${folder}: ${stderr}`);
  return parseAllDocuments(stdout).map((document) => document.toJS() as KubernetesObject);
}

/** The only one of a kind. */
export function only<Kind extends keyof Specs>(
  objects: readonly KubernetesObject[],
  kind: Kind,
): KubernetesObject & { readonly spec: Specs[Kind] } {
  const found = objects.filter((one) => one.kind === kind);
  if (found.length !== 1) throw new Error(`${found.length} objects of kind ${kind}`);
  return found[0] as KubernetesObject & { readonly spec: Specs[Kind] };
}
