import { flagValue } from '../scan/workloads.ts';
import type { Check } from './check.ts';
import { isServer } from './galley-leftover.ts';

export const galleyTls: Check = {
  code: 'GALLEY_TLS',
  severities: ['warning'],
  finds: 'Galley that takes mutual TLS only (`--insecure` is false, also by default).',
  left: [{ from: 9, what: 'does not read it; the bridge in its place needs a certificate that Galley accepts' }],
  fix: 'Give the bridge `mcps://` with a certificate whose identity is in Galley’s access list.',
  source: 'Istio galley/pkg/server/settings/args.go; accessListFile',
  applicable: ({ programs }) => programs.some(({ role }) => role === 'galley'),
  run: ({ programs }) =>
    programs
      .filter(
        (program) => program.role === 'galley' && isServer(program) && flagValue(program, 'sinkAddress') === undefined,
      )
      .flatMap((galley) => {
        const flag = galley.flags.findLast(({ name }) => name === 'insecure');
        const isInsecure = flag !== undefined && (flag.value === undefined || flag.value === 'true');
        if (isInsecure) return [];
        const list = flagValue(galley, 'accessListFile');
        return [
          {
            at: flag?.at ?? galley.at,
            message: `${galley.subject}: Galley serves over mutual TLS only${flag === undefined ? ', by default' : ''}`,
            fix: `give the bridge --source galley=mcps://… with tls: { ca, cert, key } in its config; the identity of the certificate has to be in ${list ?? 'Galley’s access list'}`,
          },
        ];
      }),
};
