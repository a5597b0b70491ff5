import { objectText } from '../scan/objects.ts';
import type { Check } from './check.ts';
import { faultsOf } from './faults.ts';

export const envoyFilterOld: Check = {
  code: 'ENVOY_FILTER_OLD',
  severities: ['error'],
  finds: 'An EnvoyFilter of the form up to 1.2: `filters`, `workloadLabels`.',
  left: [{ from: 9, what: 'passes over it without a word: the filters are in no listener' }],
  fix: 'Write it anew with `configPatches` and `workloadSelector`.',
  source: 'istio.io/api networking/v1alpha3/envoy_filter.proto, 1.1 to 1.30',
  applicable: ({ resources }) => resources.some(({ object }) => object.kind === 'EnvoyFilter'),
  run: (scanned) =>
    faultsOf(scanned, 'dropped')
      .filter(({ resource }) => resource.object.kind === 'EnvoyFilter')
      .map(({ resource, fault }) => ({
        at: fault.at,
        message: `${objectText(resource.object)}: ${fault.path} is the form of up to 1.2, which istiod passes over`,
        fix: 'write it anew with configPatches and workloadSelector; one without a selector then means the whole namespace',
      })),
};
