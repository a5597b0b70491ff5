import { fieldOf } from '../scan/mesh-config.ts';
import type { Check } from './check.ts';

export const trustDomainEmpty: Check = {
  code: 'TRUST_DOMAIN_EMPTY',
  severities: ['error'],
  finds: 'A `trustDomain` of `""`, as old mesh configs have it.',
  left: [{ from: 16, what: 'does not start: “empty domain name not allowed”; what is older may not start either' }],
  fix: 'Write `cluster.local`, or take it out.',
  source: 'seen on istiod 1.16.5 and 1.24.0',
  applicable: ({ meshConfigs }) => meshConfigs.length > 0,
  run: ({ meshConfigs }) =>
    meshConfigs.flatMap((mesh) => {
      const field = fieldOf(mesh, 'trustDomain');
      if (mesh.json[field] !== '') return [];
      const message = `${mesh.subject}: ${field} is empty, which istiod takes for a mistake`;
      return [{ at: mesh.at([field], true), message }];
    }),
};
