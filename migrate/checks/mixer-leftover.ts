import type { Check } from './check.ts';

export const mixerLeftover: Check = {
  code: 'MIXER_LEFTOVER',
  severities: ['warning', 'info'],
  finds:
    'Mixer, as a Deployment or switched on in Helm values; and that it is a client of Galley by its `--configStoreURL`.',
  left: [{ from: 9, what: 'has no Mixer and asks none: its policies and telemetry end with the sidecars of 1.7' }],
  fix: 'Replace what it did, then remove it.',
  source: 'Mixer went in 1.8 (no mixer/ in the tree); mixer/pkg/config/mcp/backend.go',
  applicable: ({ programs, values }) =>
    programs.some(({ role }) => role === 'mixer') || values.some(({ switches }) => switches.length > 0),
  run({ programs, values }) {
    const running = programs
      .filter(({ role }) => role === 'mixer')
      .map((mixer) => {
        const store = mixer.flags.findLast(({ name }) => name === 'configStoreURL');
        const reads = /^mcps?:/.test(store?.value ?? '');
        const from = reads ? `Mixer reads its configuration from ${store?.value} over legacy MCP, and ` : '';
        const keep = reads ? '; until then it needs that server, so keep it beside the bridge' : '';
        return {
          at: (reads ? store?.at : undefined) ?? mixer.at,
          message: `${mixer.subject}: ${from}no Istio since 1.8 has ${reads ? 'it' : 'Mixer'}`,
          fix: `replace what its rules do (docs/dropped-collections.md), then remove it${keep}`,
        };
      });
    const wanted = values.flatMap(({ switches, subject }) =>
      switches
        .filter(({ name, value }) => name.startsWith('mixer.') && value === true)
        .map(({ name, at }) => ({
          at,
          message: `${subject}: ${name} installs Mixer, which no Istio since 1.8 has`,
          severity: 'info' as const,
          fix: 'replace what its rules do (docs/dropped-collections.md), then remove it',
        })),
    );
    return [...running, ...wanted];
  },
};
