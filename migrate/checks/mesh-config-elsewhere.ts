import { fieldOf, type MeshConfig } from '../scan/mesh-config.ts';
import type { Check } from './check.ts';

const isInstalledFrom = ({ kind }: MeshConfig): boolean => kind === 'helmValues' || kind === 'istioOperator';

const listOfAddresses = ({ sources }: MeshConfig): string => sources.map(({ address }) => address.shown).join(', ');

export const meshConfigElsewhere: Check = {
  code: 'MESH_CONFIG_ELSEWHERE',
  severities: ['warning'],
  finds: 'A ConfigMap and what Istio is installed from (Helm values, an IstioOperator) with different `configSources`.',
  left: [],
  fix: 'Make them say the same: the next installation writes the ConfigMap anew.',
  source: 'istioctl, the operator and Helm write the ConfigMap whole',
  applicable: ({ meshConfigs }) =>
    meshConfigs.some(({ kind }) => kind === 'configMap') && meshConfigs.some((mesh) => isInstalledFrom(mesh)),
  run: ({ meshConfigs }) =>
    meshConfigs
      .filter(({ kind }) => kind === 'configMap')
      .flatMap((mesh) => {
        const other = meshConfigs.find((one) => isInstalledFrom(one) && listOfAddresses(one) !== listOfAddresses(mesh));
        if (other === undefined) return [];
        const { file, line } = other.at([fieldOf(other, 'configSources')], true);
        const says = listOfAddresses(other) || 'none';
        return [
          {
            at: mesh.at([fieldOf(mesh, 'configSources')], true),
            message: `${mesh.subject} has the config sources ${listOfAddresses(mesh) || 'none'}, and ${other.subject} (${file}:${line}) ${says}`,
            fix: 'make both say the same: the next installation writes the ConfigMap anew from there',
          },
        ];
      }),
};
