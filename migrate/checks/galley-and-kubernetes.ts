import { isKubernetes, isNetwork } from '../scan/address.ts';
import type { Check } from './check.ts';
import { isGalley } from './legacy-address.ts';

export const galleyAndKubernetes: Check = {
  code: 'GALLEY_AND_KUBERNETES',
  severities: ['warning'],
  finds:
    'Galley among the sources: what it has is in Kubernetes, so a bridge that reads it and `k8s://` would give each resource twice.',
  left: [
    {
      from: 9,
      to: 29,
      what: 'has each resource twice where k8s:// is listed beside a bridge that reads Galley: a change of one copy replaces or empties the endpoints that the other gave (seen with 1.24.0)',
    },
    { from: 30, what: 'has each resource twice there; the first copy counts (seen with 1.30.3)' },
  ],
  fix: 'List `k8s://`, or a bridge that reads Galley, but not both.',
  source: 'Galley reads Kubernetes unless it has `--configPath`; run on 1.24.0 and 1.30.3',
  applicable: ({ meshConfigs }) => meshConfigs.some(({ sources }) => sources.length > 0),
  run: ({ meshConfigs }) =>
    meshConfigs.flatMap(({ sources }) => {
      const galley = sources.find(({ address }) => isNetwork(address) && isGalley(address));
      if (galley === undefined) return [];
      const both = sources.some(({ address }) => isKubernetes(address)) ? 'is listed beside k8s://, and ' : '';
      return [
        {
          at: galley.at(['address']),
          message: `${galley.address.shown} ${both}has what is in Kubernetes: never list k8s:// and a bridge that reads Galley`,
          fix: 'list k8s:// without Galley (nothing is left for the bridge then), or the bridge alone while Galley stays (isthmus migrate patch --no-k8s); both only where Galley reads files (--configPath)',
        },
      ];
    }),
};
