import { droppedCollection } from '../../src/model/dropped.ts';
import { objectText } from '../scan/objects.ts';
import type { Check } from './check.ts';

export const collectionDropped: Check = {
  code: 'COLLECTION_DROPPED',
  severities: ['error', 'warning'],
  finds:
    'Resources of the APIs that 1.9 does not know (`authentication.istio.io`, `rbac.istio.io`, `config.istio.io`). Mixer’s are a warning.',
  left: [
    {
      from: 9,
      what: 'has no place for it, over MCP-over-xDS or in Kubernetes: it stops to have an effect without a word',
    },
  ],
  fix: 'Write what replaces it: docs/dropped-collections.md.',
  source: 'collections of Pilot 1.1 to 1.9; docs/dropped-collections.md',
  applicable: ({ resources }) => resources.some(({ kind }) => kind === undefined),
  run: ({ resources }) =>
    resources
      .filter(({ kind }) => kind === undefined)
      .map(({ object, collection = '', at }) => {
        const dropped = droppedCollection(collection);
        const isSecurity = !object.apiVersion.startsWith('config.');
        const reader = dropped === undefined ? '' : ` (read by ${dropped.reader})`;
        return {
          at,
          message: `${objectText(object)} of ${object.apiVersion} has no place in istiod${reader}`,
          fix: dropped === undefined ? 'see docs/dropped-collections.md' : `what replaces it: ${dropped.instead}`,
          severity: isSecurity ? ('error' as const) : ('warning' as const),
        };
      }),
};
