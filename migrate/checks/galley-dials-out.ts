import { flagValue } from '../scan/workloads.ts';
import type { Check } from './check.ts';

export const galleyDialsOut: Check = {
  code: 'GALLEY_DIALS_OUT',
  severities: ['error'],
  finds: 'Galley’s `--sinkAddress`: it dials who wants its resources, and not the other way round.',
  left: [{ from: 9, what: 'has no legacy sink to be dialled: Galley finds nobody' }],
  fix: 'Let the bridge listen (`--sink-listen`), and give its address to `--sinkAddress`.',
  source: 'Istio galley/pkg/server/settings; docs/sink-listen.md',
  applicable: ({ programs }) => programs.some(({ role }) => role === 'galley'),
  run: ({ programs }) =>
    programs
      .filter(({ role }) => role === 'galley')
      .flatMap((galley) => {
        const flag = galley.flags.findLast(({ name }) => name === 'sinkAddress');
        if (flag?.value === undefined || flag.value === '') return [];
        const meta = flagValue(galley, 'sinkMeta');
        const match = meta === undefined ? '"match"' : '"match: { meta: … }" for its --sinkMeta';
        return [
          {
            at: flag.at,
            message: `${galley.subject}: --sinkAddress ${flag.value} is dialled by Galley itself`,
            fix: `start the bridge with --sink-listen 0.0.0.0:15411, a source with ${match}, and set --sinkAddress to the bridge (docs/sink-listen.md)`,
          },
        ];
      }),
};
