import { isNetwork } from '../scan/address.ts';
import { fieldOf } from '../scan/mesh-config.ts';
import { listOf } from '../scan/json.ts';
import type { Check } from './check.ts';

export const discoverySelectors: Check = {
  code: 'DISCOVERY_SELECTORS',
  severities: ['info'],
  finds: '`discoverySelectors` beside a server among the sources.',
  left: [
    {
      from: 10,
      what: 'does not apply them to what comes from a config source: its resources count in every namespace',
    },
  ],
  fix: 'Leave out at the source what shall not be in the mesh.',
  source: 'Istio pilot/pkg/bootstrap/configcontroller.go, a TODO in initConfigSources',
  applicable: ({ meshConfigs }) => meshConfigs.some(({ sources }) => sources.length > 0),
  run: ({ meshConfigs }) =>
    meshConfigs.flatMap((mesh) => {
      const field = fieldOf(mesh, 'discoverySelectors');
      if (listOf(mesh.json[field]).length === 0) return [];
      if (!mesh.sources.some(({ address }) => isNetwork(address))) return [];
      const message = `${mesh.subject}: discoverySelectors do not apply to what comes from a config source`;
      return [{ at: mesh.at([field], true), message, fix: 'leave out at the source what shall not be in the mesh' }];
    }),
};
