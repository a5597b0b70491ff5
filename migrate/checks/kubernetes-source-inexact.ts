import { sourceCheck, initConfigSources } from './check.ts';

export const kubernetesSourceInexact = sourceCheck({
  code: 'KUBERNETES_SOURCE_INEXACT',
  severities: ['warning', 'error'],
  finds: 'A `k8s` address that is not exactly `k8s://`. An error with a path.',
  left: [
    {
      from: 9,
      what: 'reads Kubernetes by it only where it has a client for another reason (--registries Kubernetes, the default): the client itself is made for exactly k8s://; it is always istiod’s own cluster, whatever host is named',
    },
  ],
  fix: 'Write exactly `k8s://`.',
  source: `${initConfigSources}; server.go, initKubeClient`,
  look({ source }) {
    const { form, shown } = source.address;
    const at = source.at(['address']);
    const fix = 'write exactly k8s://';
    if (form === 'k8sInexact') return { at, message: `"${shown}" is not exactly k8s://`, fix };
    if (form !== 'k8sPath') return undefined;
    const left = [
      { from: 9, what: 'passes over it with the warning “Not implemented, ignore”: Kubernetes is not read' },
    ];
    return { at, message: `"${shown}" has a path, which no istiod knows`, fix, severity: 'error', left };
  },
});
