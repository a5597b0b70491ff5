import type { Check } from './check.ts';

export const revisionUnseen: Check = {
  code: 'REVISION_UNSEEN',
  severities: ['warning'],
  finds: 'An istiod with a revision whose ConfigMap, `istio-REVISION`, is not among the inputs while others are.',
  left: [{ from: 7, what: 'reads the ConfigMap istio-REVISION, and nothing of that called istio' }],
  fix: 'Analyse and patch the ConfigMap of each revision.',
  source: 'Istio pilot/pkg/bootstrap/mesh.go, getMeshConfigMapName',
  applicable: ({ programs, meshConfigs }) =>
    programs.some(({ role }) => role === 'pilot') && meshConfigs.some(({ kind }) => kind === 'configMap'),
  run({ programs, meshConfigs }) {
    const seen = new Set(meshConfigs.flatMap(({ revision }) => (revision === undefined ? [] : [revision])));
    return programs
      .filter(({ role }) => role === 'pilot')
      .flatMap(({ env, subject }) => {
        const variable = env.findLast(({ name }) => name === 'REVISION');
        const revision = variable?.value ?? '';
        if (variable === undefined || revision === '' || revision === 'default' || seen.has(revision)) return [];
        const message = `${subject}: this istiod reads ConfigMap istio-${revision}, which is not among the inputs`;
        const fix = `analyse and patch it as well: kubectl -n istio-system get configmap istio-${revision} -o yaml`;
        return [{ at: variable.at, message, fix }];
      });
  },
};
