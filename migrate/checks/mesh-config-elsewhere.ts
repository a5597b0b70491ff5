import { fieldOf, type MeshConfig } from '../scan/mesh-config.ts';
import type { Check } from './check.ts';

const isInstalledFrom = ({ kind }: MeshConfig): boolean => kind === 'helmValues' || kind === 'istioOperator';

const listOfAddresses = ({ sources }: MeshConfig): string =>
  sources.map(({ address }) => address.shown).join(', ') || 'none';

export const meshConfigElsewhere: Check = {
  code: 'MESH_CONFIG_ELSEWHERE',
  severities: ['warning'],
  finds:
    'A ConfigMap and what Istio is installed from (Helm values, an IstioOperator) with different `configSources`, where there is one of the latter.',
  left: [],
  fix: 'Make them say the same: the next installation writes the ConfigMap anew.',
  source: 'istioctl, the operator and Helm write the ConfigMap whole',
  applicable: ({ meshConfigs }) => meshConfigs.filter((mesh) => isInstalledFrom(mesh)).length === 1,
  run({ meshConfigs }) {
    const other = meshConfigs.find((mesh) => isInstalledFrom(mesh));
    if (other === undefined) return [];
    const { file, line } = other.at([fieldOf(other, 'configSources')], true);
    const says = listOfAddresses(other);
    return meshConfigs
      .filter((mesh) => mesh.kind === 'configMap' && listOfAddresses(mesh) !== says)
      .map((mesh) => ({
        at: mesh.at([fieldOf(mesh, 'configSources')], true),
        message: `${mesh.subject} has the config sources ${listOfAddresses(mesh)}, and ${other.subject} (${file}:${line}) ${says}`,
        fix: 'make both say the same: the next installation writes the ConfigMap anew from there',
      }));
  },
};
