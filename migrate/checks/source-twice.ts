import { isNetwork, targetText } from '../scan/address.ts';
import type { Check } from './check.ts';

export const sourceTwice: Check = {
  code: 'SOURCE_TWICE',
  severities: ['error'],
  finds: 'The same server twice in one list.',
  left: [
    {
      from: 9,
      to: 29,
      what: 'has every resource twice: a change or a removal of one copy replaces or empties the endpoints that the other gave (seen with 1.24.0)',
    },
    { from: 30, what: 'has every resource twice; the first copy counts (seen with 1.30.3)' },
  ],
  fix: 'Keep one of them; replicas of the bridge belong behind one Service.',
  source: 'endpoint index fed by shadowed copies; run on 1.24.0 and 1.30.3',
  applicable: ({ meshConfigs }) => meshConfigs.some(({ sources }) => sources.length > 1),
  run: ({ meshConfigs }) =>
    meshConfigs.flatMap(({ sources }) => {
      const dialled = sources.filter(({ address }) => isNetwork(address));
      return dialled.flatMap((source, index) => {
        const target = targetText(source.address);
        const earlier = dialled.slice(0, index).find(({ address }) => targetText(address) === target);
        if (earlier === undefined) return [];
        const at = source.at(['address']);
        const message = `${target} is the source at ${earlier.index} too (counted from 0): each resource would come twice`;
        return [
          {
            at,
            message,
            fix: 'remove this entry; replicas of one bridge belong behind one Service, which is listed once',
          },
        ];
      });
    }),
};
