import { targetLegacy } from '../../../../migrate/checks/target-legacy.ts';
import { targetTraits } from '../../../../migrate/checks/target-traits.ts';
import { targetUnknown } from '../../../../migrate/checks/target-unknown.ts';
import { versionSkip } from '../../../../migrate/checks/version-skip.ts';
import { deployment, sources, testCheck } from '../../../support/migrate/check-cases.ts';

testCheck(versionSkip, {
  finds: {
    'what was given': {
      in: `«${sources('a:1')}`,
      from: '1.4.10',
      target: '1.24',
      says: ['20 minor versions', 'istioctl upgrade begins at 1.6', '--legacy-listen'],
    },
    'what was seen in an image, at the oldest': {
      in: {
        'new.yaml': deployment('istiod', { image: 'istio/pilot:1.8.6' }),
        'old.yaml': deployment('istiod-old', { image: '«istio/pilot:1.7.8-distroless' }),
      },
      target: '1.9',
      says: ['from 1.7.8-distroless to 1.9'],
    },
    'what an IstioOperator installs': {
      in: 'apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nspec:\n  tag: «1.6.14\n',
      target: '1.16.5',
    },
    'what Helm values install': { in: 'global:\n  tag: «1.6.14\n  useMCP: true\n', target: '1.16.5' },
  },
  passes: {
    'the next one': { in: sources('a:1'), from: '1.8.6', target: '1.9.0' },
    'the same one': { in: sources('a:1'), from: '1.24.0', target: '1.24.3' },
    'an unknown one': { in: deployment('istiod', { image: 'istio/pilot:latest' }), target: '1.24' },
    'a digest': { in: deployment('istiod', { image: 'istio/pilot@sha256:0123456789abcdef' }), target: '1.24' },
  },
});

testCheck(targetLegacy, {
  finds: { '1.8': { in: `«${sources('a:1')}`, target: '1.8', says: ['still reads legacy MCP'] } },
  passes: { '1.9': { in: sources('a:1'), target: '1.9' }, 'an unknown one': sources('a:1') },
});

testCheck(targetUnknown, {
  finds: { it: { in: `«${sources('a:1')}`, says: ['--to-version'] } },
  passes: {
    'one that is given': { in: sources('a:1'), target: '1.24' },
    'one that runs already': {
      in: { 'a.yaml': sources('a:1'), 'b.yaml': deployment('istiod', { image: 'istio/pilot:1.16.5' }) },
    },
    'Kubernetes alone': sources('k8s://'),
  },
});

testCheck(targetTraits, {
  finds: {
    '1.10': {
      in: 'configSources:\n- «address: xds://a.b:1\n',
      target: '1.10.6',
      left: ['1.9 to 1.11', '1.10 to 1.11', '1.10 to 1.13', '1.9 to 1.15', '1.9 to 1.16', '1.9 to 1.29'],
    },
    '1.30': {
      in: 'configSources:\n- «address: xds://a.b:1\n',
      target: '1.30.3',
      left: ['1.16 and newer', '1.24 and newer'],
    },
  },
  passes: { 'an unknown one': sources('xds://a.b:1'), 'Kubernetes alone': { in: sources('k8s://'), target: '1.24' } },
});
