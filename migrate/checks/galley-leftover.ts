import { flagValue, type Program } from '../scan/workloads.ts';
import type { Check } from './check.ts';

export const isServer = (program: Program): boolean => flagValue(program, 'enable-server') !== 'false';

export const galleyLeftover: Check = {
  code: 'GALLEY_LEFTOVER',
  severities: ['warning', 'info'],
  finds: 'Galley, as a Deployment or switched on in Helm values. Info where it validates only.',
  left: [{ from: 9, what: 'does not read it, and istiod validates resources itself' }],
  fix: 'Keep it as a source of the bridge until nothing needs it, then remove it with its webhook.',
  source: 'Galley served MCP up to 1.6 (galley/pkg/server/components/processing.go); the client went in 1.9',
  applicable: ({ programs, values }) =>
    programs.some(({ role }) => role === 'galley') || values.some(({ switches }) => switches.length > 0),
  run({ programs, values }) {
    const running = programs
      .filter(({ role }) => role === 'galley')
      .map((galley) => {
        const version = galley.version === undefined ? 'Galley' : `Galley ${galley.version.text}`;
        if (!isServer(galley)) {
          const message = `${galley.subject}: ${version} validates only (--enable-server=false); istiod does that itself`;
          return {
            at: galley.at,
            message,
            severity: 'info' as const,
            fix: 'remove it with its ValidatingWebhookConfiguration after the upgrade',
          };
        }
        return {
          at: galley.at,
          message: `${galley.subject}: ${version} feeds Pilot over legacy MCP; no istiod since 1.9 reads it`,
          fix: 'what it has is Kubernetes’ own: with k8s:// in configSources istiod reads that itself, and Galley can go, its ValidatingWebhookConfiguration with it; or it stays as a source of the bridge, and k8s:// is not listed: never both',
        };
      });
    const wanted = values.flatMap(({ switches, subject }) =>
      switches
        .filter(({ name, value }) => name === 'galley.enabled' && value === true)
        .map(({ at }) => ({
          at,
          message: `${subject}: galley.enabled installs Galley, which charts since 1.6 do not have`,
          severity: 'info' as const,
          fix: 'remove it when you install 1.6 or newer',
        })),
    );
    return [...running, ...wanted];
  },
};
