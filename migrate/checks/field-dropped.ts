import { objectText } from '../scan/objects.ts';
import type { Check } from './check.ts';
import { faultsOf } from './faults.ts';

export const fieldDropped: Check = {
  code: 'FIELD_DROPPED',
  severities: ['warning'],
  finds: 'Fields of Istio’s resources that 1.9 and newer passes over, such as `appendHeaders` of a VirtualService.',
  left: [{ from: 9, what: 'passes over it without a word' }],
  fix: 'Say the same with the fields of today.',
  source: 'istio.io/api 1.1 to 1.30, fields marked deprecated in proto/xds/istio',
  applicable: ({ resources, behind = [] }) => resources.length + behind.length > 0,
  run: (scanned) =>
    faultsOf(scanned, 'dropped')
      .filter(({ resource }) => resource.object.kind !== 'EnvoyFilter')
      .map(({ resource, fault }) => ({
        at: fault.at,
        message: `${objectText(resource.object)}: ${fault.path} ${fault.message}`,
        fix: 'say the same with the fields of today',
      })),
};
