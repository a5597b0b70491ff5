import { pilotFlagCheck } from './check.ts';

export const registriesEmpty = pilotFlagCheck({
  code: 'REGISTRIES_EMPTY',
  severities: ['error'],
  finds: '`--registries ""`, as some run istiod without Kubernetes.',
  left: [{ from: 30, what: 'panics at its start (seen with 1.30.3): nothing takes the place of Kubernetes there' }],
  fix: 'Stay at 1.29, or give istiod a Kubernetes API.',
  source: 'run on 1.30.3; serviceentry/controller.go',
  look({ name, value, at }, { subject }) {
    if (name !== 'registries' || value !== '') return undefined;
    return {
      at,
      message: `${subject}: --registries is empty, so istiod has no Kubernetes client`,
      fix: 'stay at 1.29, or give istiod a Kubernetes API (--registries=Kubernetes, --kubeconfig)',
    };
  },
});
