import { isKubernetes, isNetwork } from '../scan/address.ts';
import { fieldOf, type MeshConfig } from '../scan/mesh-config.ts';
import type { Scanned } from '../scan/scan.ts';
import { type Check, initConfigSources } from './check.ts';
import { isGalley } from './legacy-address.ts';

const candidates = ({ meshConfigs }: Scanned): MeshConfig[] =>
  meshConfigs.filter(
    ({ sources }) =>
      sources.some(({ address }) => isNetwork(address) || address.form.startsWith('fs')) &&
      !sources.some(
        ({ address }) => isKubernetes(address) || address.form === 'k8sPath' || address.form === 'template',
      ),
  );

export const kubernetesSourceMissing: Check = {
  code: 'KUBERNETES_SOURCE_MISSING',
  severities: ['warning', 'error'],
  finds:
    '`configSources` without `k8s://`. An error where Galley was the source, or Istio’s resources are among the inputs.',
  left: [
    {
      from: 9,
      what: 'reads none of Istio’s resources in Kubernetes (VirtualServices, DestinationRules, Gateways, …), runs no Gateway API controller and no auto-registration of VMs: a list takes the place of Kubernetes',
    },
  ],
  fix: 'Add `- address: k8s://`, exactly so, unless Kubernetes shall not be read.',
  source: initConfigSources,
  applicable: (scanned) => candidates(scanned).length > 0,
  run: (scanned) =>
    candidates(scanned).map((mesh) => {
      const count = scanned.resources.filter(({ kind }) => kind !== undefined).length;
      const isFromGalley = mesh.sources.some(({ address }) => isGalley(address));
      let why = '';
      if (isFromGalley) why = '; Galley gave Pilot what it read there, and nobody does so any more';
      else if (count > 0) why = `; ${count} of them ${count === 1 ? 'is' : 'are'} among the inputs`;
      return {
        at: mesh.at([fieldOf(mesh, 'configSources')], true),
        message: `${mesh.subject}: configSources has no k8s://, so Istio’s resources in Kubernetes are not read${why}`,
        severity: why === '' ? 'warning' : 'error',
        fix: isFromGalley
          ? 'write "- address: k8s://" in the place of Galley'
          : 'add a line "- address: k8s://" to configSources (isthmus migrate patch does so), unless Kubernetes shall not be read',
      };
    }),
};
