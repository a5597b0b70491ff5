import type { Check } from './check.ts';

export const noConfigSources: Check = {
  code: 'NO_CONFIG_SOURCES',
  severities: ['info'],
  finds: 'A mesh config without `configSources`: istiod reads Kubernetes.',
  left: [],
  fix: 'Nothing to migrate here; to add the bridge, list it and `k8s://`.',
  source: 'Istio pilot/pkg/bootstrap/configcontroller.go, initConfigController',
  applicable: ({ meshConfigs }) => meshConfigs.length > 0,
  run: ({ meshConfigs }) =>
    meshConfigs
      .filter(({ sources }) => sources.length === 0)
      .map((mesh) => ({
        at: mesh.at([]),
        message: `${mesh.subject}: no configSources, so Kubernetes is read, and no other server`,
        fix: 'nothing has to be migrated here; to add the bridge, write configSources with it and k8s:// (isthmus migrate patch does so)',
      })),
};
