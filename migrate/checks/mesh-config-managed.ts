import type { Path } from '../../src/schema/problem.ts';
import type { KubeObject } from '../scan/objects.ts';
import type { Check } from './check.ts';

type Owner = {
  readonly field: 'labels' | 'annotations';
  readonly key: string;
  readonly value?: string;
  readonly who: string;
  readonly edit: string;
};

const helm = 'change meshConfig in the values of the release, then helm upgrade (or patch both)';
const operator = 'change meshConfig in the IstioOperator, then install it again (or patch both)';
const gitOps = 'change it in the repository that it comes from: isthmus migrate patch edits that file too';

/** Who would write the ConfigMap again; the first that fits is told. */
const owners: readonly Owner[] = [
  { field: 'annotations', key: 'argocd.argoproj.io/tracking-id', who: 'Argo CD', edit: gitOps },
  { field: 'labels', key: 'argocd.argoproj.io/instance', who: 'Argo CD', edit: gitOps },
  { field: 'labels', key: 'kustomize.toolkit.fluxcd.io/name', who: 'Flux', edit: gitOps },
  { field: 'labels', key: 'helm.toolkit.fluxcd.io/name', who: 'Flux, by a HelmRelease', edit: gitOps },
  { field: 'annotations', key: 'objectset.rio.cattle.io/id', who: 'Fleet', edit: gitOps },
  { field: 'annotations', key: 'configmanagement.gke.io/managed', who: 'Config Sync', edit: gitOps },
  { field: 'labels', key: 'addonmanager.kubernetes.io/mode', who: 'the add-on manager', edit: gitOps },
  {
    field: 'labels',
    key: 'install.operator.istio.io/owning-resource',
    who: 'istioctl or the operator of Istio',
    edit: operator,
  },
  { field: 'labels', key: 'operator.istio.io/managed', who: 'the operator of Istio', edit: operator },
  { field: 'annotations', key: 'meta.helm.sh/release-name', who: 'Helm', edit: helm },
  { field: 'labels', key: 'app.kubernetes.io/managed-by', value: 'Helm', who: 'Helm', edit: helm },
  { field: 'labels', key: 'heritage', value: 'Tiller', who: 'Helm 2', edit: helm },
  { field: 'labels', key: 'heritage', value: 'Helm', who: 'Helm', edit: helm },
];

export const meshConfigManaged: Check = {
  code: 'MESH_CONFIG_MANAGED',
  severities: ['warning'],
  finds:
    'A ConfigMap whose labels, annotations or owner say that a tool writes it: Helm, istioctl or the operator, Argo CD, Flux, Fleet, Config Sync, the add-on manager, a controller.',
  left: [],
  fix: 'Change what that tool installs from; what is changed in the ConfigMap alone is undone.',
  source: 'labels of Istio’s charts 1.1 to 1.24, and of those tools',
  applicable: ({ meshConfigs }) => meshConfigs.some(({ kind }) => kind === 'configMap'),
  run: ({ meshConfigs }) =>
    meshConfigs.flatMap(({ kind, object }) => {
      if (kind !== 'configMap' || object === undefined) return [];
      const owner = ownerOf(object);
      if (owner === undefined) return [];
      const message = `ConfigMap ${object.name} is written by ${owner.who} (${owner.sign}), which undoes a change of the ConfigMap alone`;
      return [{ at: object.at(owner.path, true), message, fix: owner.edit }];
    }),
};

/** Who writes an object again, by what sign, and where the change has to be made instead; undefined where nothing says so. */
export function ownerOf(
  object: Pick<KubeObject, 'labels' | 'annotations' | 'json'>,
): { who: string; sign: string; edit: string; path: Path } | undefined {
  for (const { field, key, value, who, edit } of owners) {
    const is = object[field][key];
    if (is === undefined || (value !== undefined && is !== value)) continue;
    return {
      who,
      edit,
      sign: `${field.slice(0, -1)} ${key}${value === undefined ? '' : `: ${value}`}`,
      path: ['metadata', field, key],
    };
  }
  const { metadata } = object.json as {
    metadata?: { ownerReferences?: readonly { kind?: unknown; controller?: unknown }[] };
  };
  const references = Array.isArray(metadata?.ownerReferences) ? metadata.ownerReferences : [];
  const index = references.findIndex((reference) => reference?.controller === true);
  if (index < 0) return undefined;
  const who = `a controller of ${String(references[index]?.kind)}`;
  return {
    who,
    sign: 'ownerReferences',
    edit: 'change it where that controller takes it from',
    path: ['metadata', 'ownerReferences', index],
  };
}
