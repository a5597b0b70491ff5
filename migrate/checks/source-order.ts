import { isKubernetes, isNetwork } from '../scan/address.ts';
import { fieldOf } from '../scan/mesh-config.ts';
import type { Check } from './check.ts';

export const sourceOrder: Check = {
  code: 'SOURCE_ORDER',
  severities: ['info'],
  finds: 'Several sources: which one wins where two have the same namespace/name.',
  left: [
    {
      from: 9,
      what: 'takes the first that has a namespace/name, whole; and dials in this order: where one does not answer, the later ones are not tried',
    },
  ],
  fix: 'Never let two have the same namespace/name; else put the one that shall win first.',
  source: 'Istio pilot/pkg/config/aggregate/config.go; initConfigSources',
  applicable: ({ meshConfigs }) => meshConfigs.some(({ sources }) => sources.length > 1),
  run: ({ meshConfigs }) =>
    meshConfigs
      .filter(({ sources }) => sources.length > 1 && sources.some(({ address }) => isNetwork(address)))
      .map((mesh) => {
        const names = mesh.sources.map(({ address }) =>
          isKubernetes(address) ? 'Kubernetes' : address.shown || '(empty)',
        );
        return {
          at: mesh.at([fieldOf(mesh, 'configSources')], true),
          message: `where two have the same namespace/name, the earlier wins: ${names.join(', then ')}`,
          fix: 'let no two have the same namespace/name: istiod up to 1.29 then serves wrong endpoints; else put the one that shall win first',
        };
      }),
};
