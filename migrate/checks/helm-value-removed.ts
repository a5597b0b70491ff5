import { listOf, mapOf, textOf } from '../scan/json.ts';
import type { Check } from './check.ts';

const mcpSwitches = ['global.useMCP', 'pilot.useMCP', 'pilot.configSource'];

const isOn = (value: unknown): boolean => value === true || value === 'true';

/** `subscribedResources` with nothing in it is what the charts have by default. */
function isDefault(value: unknown): boolean {
  const { subscribedResources, ...others } = mapOf(value);
  return Object.keys(others).length === 0 && listOf(subscribedResources).length === 0 && !textOf(subscribedResources);
}

export const helmValueRemoved: Check = {
  code: 'HELM_VALUE_REMOVED',
  severities: ['warning', 'info'],
  finds:
    'Helm values that chose legacy MCP: `global.useMCP`, `pilot.useMCP`, `pilot.configSource`. A warning where they are in use.',
  left: [
    { from: 8, to: 23, what: 'has charts that pass over it: no configSources is written into the mesh config' },
    { from: 24, what: 'does not have it among its values any more: no configSources is written into the mesh config' },
  ],
  fix: 'Remove it, and write `meshConfig.configSources`.',
  source: 'Istio charts 1.1 to 1.24: templates/configmap.yaml; release note 51987 of 1.24',
  applicable: ({ values }) => values.some(({ switches }) => switches.length > 0),
  run: ({ values }) =>
    values.flatMap(({ switches, subject }) =>
      switches
        .filter(({ name }) => mcpSwitches.includes(name))
        .map(({ name, value, at }) => {
          const inUse = name === 'pilot.configSource' ? !isDefault(value) : isOn(value);
          const message = `${subject}: ${name} ${inUse ? 'made the charts up to 1.7 write configSources; newer ones do not' : 'has no effect'}`;
          const fix = inUse
            ? 'remove it, and write meshConfig.configSources with the bridge and k8s:// (isthmus migrate patch does so)'
            : 'remove it';
          return { at, message, fix, severity: inUse ? 'warning' : 'info' } as const;
        }),
    ),
};
