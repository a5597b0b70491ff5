import { objectText } from '../scan/objects.ts';
import type { Check } from './check.ts';
import { faultsOf } from './faults.ts';

export const objectUnreadable: Check = {
  code: 'OBJECT_UNREADABLE',
  severities: ['warning'],
  finds: 'A resource of Istio whose spec does not fit its kind, so that the rest of it was not looked at.',
  left: [],
  fix: 'Correct it.',
  source: 'proto/xds/istio',
  applicable: ({ resources, behind = [] }) => resources.length + behind.length > 0,
  run: (scanned) =>
    faultsOf(scanned, 'unreadable').map(({ resource, fault }) => ({
      at: fault.at,
      message: `${objectText(resource.object)}: ${fault.path === '' ? '' : `${fault.path} `}${fault.message}`,
      fix: fault.hint,
    })),
};
