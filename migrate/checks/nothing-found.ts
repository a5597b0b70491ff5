import type { Check } from './check.ts';

export const nothingFound: Check = {
  code: 'NOTHING_FOUND',
  severities: ['warning'],
  finds: 'Inputs without a mesh config, Helm values, a Deployment of Istio or a resource of Istio.',
  left: [],
  fix: 'Give the ConfigMap `istio`, or what Istio is installed from.',
  source: 'the inputs',
  applicable: ({ meshConfigs, values, programs, resources }) =>
    meshConfigs.length + values.length + programs.length + resources.length === 0,
  run: ({ top }) => [
    {
      at: top,
      message: 'there is nothing of Istio in it: no mesh config, no values, no Deployment, no resource',
      fix: 'give the mesh config: kubectl -n istio-system get configmap istio -o yaml; or the Helm values or IstioOperator that Istio is installed from',
    },
  ],
};
