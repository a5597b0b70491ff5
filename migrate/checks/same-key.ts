import { objectText } from '../scan/objects.ts';
import type { Resource } from '../scan/resources.ts';
import type { Check } from './check.ts';

const idOf = ({ kind, key }: Resource): string => `${kind?.id} ${key}`;

const hasEndpoints = ({ kind }: Resource): boolean => kind?.kind === 'ServiceEntry' || kind?.kind === 'WorkloadEntry';

export const sameKey: Check = {
  code: 'SAME_KEY',
  severities: ['error', 'warning'],
  finds:
    'The same namespace/name among the inputs, which istiod reads from Kubernetes, and in what the bridge serves (`--behind`). A warning for kinds without endpoints.',
  left: [
    {
      from: 9,
      to: 29,
      what: 'takes the copy of the first source in its list; for ServiceEntries and WorkloadEntries a change or a removal of the other copy replaces or empties the endpoints (seen with 1.24.0)',
    },
    { from: 30, what: 'takes the copy of the first source in its list (seen with 1.30.3)' },
  ],
  fix: 'Remove one of them.',
  source: 'run on 1.24.0 and 1.30.3',
  applicable: ({ behind }) => behind !== undefined,
  run({ resources, behind = [] }) {
    const served = new Map(behind.map((resource) => [idOf(resource), resource]));
    return resources.flatMap((resource) => {
      const other = resource.kind === undefined ? undefined : served.get(idOf(resource));
      if (other === undefined) return [];
      return [
        {
          at: resource.at,
          message: `${objectText(resource.object)} is in Kubernetes and behind the bridge (${other.at.file}:${other.at.line})`,
          fix: 'remove one of the two before istiod reads both',
          severity: hasEndpoints(resource) ? ('error' as const) : ('warning' as const),
        },
      ];
    });
  },
};
