import type { Check } from './check.ts';

type Removed = { readonly what: string; readonly fix: string };

const removed: Readonly<Record<string, Removed>> = {
  PILOT_ENABLE_INCREMENTAL_MCP: {
    what: 'made Pilot 1.6 to 1.8 ask for changes in place of whole states',
    fix: 'remove it; the bridge asks so with "incremental: true" of its source (docs/profiles.md)',
  },
  ENABLE_INCREMENTAL_MCP: {
    what: 'made Galley 1.6 send changes in place of whole states',
    fix: 'keep it as long as that Galley feeds the bridge, which asks so with "incremental: true" of its source',
  },
  USE_MCP_LEGACY: {
    what: 'made Pilot and Mixer 1.1 call the older service of Istio 1.0',
    fix: 'remove it; if it was 1, the server may know that service alone: try "protocol: aggregated-1.1" of the bridge’s source',
  },
};

export const variableRemoved: Check = {
  code: 'VARIABLE_REMOVED',
  severities: ['info'],
  finds: `A variable that nobody reads any more and that says how the legacy server was asked: ${Object.keys(removed)
    .map((name) => `\`${name}\``)
    .join(', ')}.`,
  left: [{ from: 9, what: 'does not read it' }],
  fix: 'Set the same on the bridge’s source.',
  source: 'Istio pilot/pkg/features/pilot.go 1.6 to 1.8, galley/pkg/envvar 1.6, pilot/pkg/bootstrap/server.go 1.1',
  applicable: ({ programs, values }) => programs.length + values.length > 0,
  run: ({ programs, values }) =>
    [...programs, ...values].flatMap(({ env, subject }) =>
      env.flatMap(({ name, value, at }) => {
        const variable = Object.hasOwn(removed, name) ? removed[name] : undefined;
        if (variable === undefined) return [];
        const is = value === '' ? '' : `=${value}`;
        return [
          { at, message: `${subject}: ${name}${is} ${variable.what}; no istiod since 1.9 reads it`, fix: variable.fix },
        ];
      }),
    ),
};
