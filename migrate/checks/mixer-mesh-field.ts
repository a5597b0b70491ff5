import { fieldOf } from '../scan/mesh-config.ts';
import type { Check } from './check.ts';

const fields = [
  'disableMixerHttpReports',
  'disablePolicyChecks',
  'enableClientSidePolicyCheck',
  'mixerAddress',
  'mixerCheckServer',
  'mixerReportServer',
  'policyCheckFailOpen',
  'reportBatchMaxEntries',
  'reportBatchMaxTime',
  'sidecarToTelemetrySessionAffinity',
] as const;

export const mixerMeshField: Check = {
  code: 'MIXER_MESH_FIELD',
  severities: ['info'],
  finds: `Fields of the mesh config that were Mixer’s: ${fields.map((field) => `\`${field}\``).join(', ')}.`,
  left: [{ from: 9, what: 'passes over it' }],
  fix: 'Remove it.',
  source: 'Istio without Mixer since 1.8; pkg/config/mesh takes unknown fields',
  applicable: ({ meshConfigs }) => meshConfigs.length > 0,
  run: ({ meshConfigs }) =>
    meshConfigs.flatMap((mesh) => {
      const found = fields
        .map((name) => fieldOf(mesh, name))
        .filter((field) => Object.hasOwn(mesh.json, field))
        .map((field) => ({ field, at: mesh.at([field], true) }))
        .toSorted((a, b) => a.at.line - b.at.line);
      const [first] = found;
      if (first === undefined) return [];
      const names = found.map(({ field }) => field).join(', ');
      return [
        {
          at: first.at,
          message: `${mesh.subject}: ${names} ${found.length === 1 ? 'was' : 'were'} Mixer’s, which no Istio since 1.8 has`,
          fix: 'remove what was Mixer’s once no sidecar up to 1.7 is left',
        },
      ];
    }),
};
