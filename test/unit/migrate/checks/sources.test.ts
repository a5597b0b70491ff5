import { alreadyMigrated } from '../../../../migrate/checks/already-migrated.ts';
import { bridgeFirst } from '../../../../migrate/checks/bridge-first.ts';
import { discoverySelectors } from '../../../../migrate/checks/discovery-selectors.ts';
import { galleyAndKubernetes } from '../../../../migrate/checks/galley-and-kubernetes.ts';
import { kubernetesSourceInexact } from '../../../../migrate/checks/kubernetes-source-inexact.ts';
import { kubernetesSourceMissing } from '../../../../migrate/checks/kubernetes-source-missing.ts';
import { noConfigSources } from '../../../../migrate/checks/no-config-sources.ts';
import { sourceOrder } from '../../../../migrate/checks/source-order.ts';
import { sourceTwice } from '../../../../migrate/checks/source-twice.ts';
import { subscribedResources } from '../../../../migrate/checks/subscribed-resources.ts';
import { trustDomainEmpty } from '../../../../migrate/checks/trust-domain-empty.ts';
import { sources, testCheck } from '../../../support/migrate/check-cases.ts';

const virtualService =
  'apiVersion: networking.istio.io/v1alpha3\nkind: VirtualService\nmetadata: { name: a }\nspec: { hosts: [a] }\n';

testCheck(kubernetesSourceMissing, {
  finds: {
    'a server alone, as a warning': {
      in: `«${sources('nacos:18848')}`,
      says: ['- address: k8s://'],
      left: ['1.9 and newer'],
    },
    'Galley, as an error: it read Kubernetes for Pilot': {
      in: `trustDomain: cluster.local\n«${sources('istio-galley.istio-system.svc:9901')}`,
      severity: 'error',
      says: ['Galley gave Pilot what it read there'],
    },
    'a server beside resources of Istio, as an error': {
      in: { 'mesh.yaml': `«${sources('xds://isthmus:15410')}`, 'resources/vs.yaml': virtualService },
      severity: 'error',
      says: ['1 of them'],
    },
    'a folder alone': `«${sources('fs:///etc/istio')}`,
  },
  passes: {
    'k8s://': sources('xds://isthmus:15410', 'k8s://'),
    'another spelling, which is another finding': sources('xds://isthmus:15410', 'k8s:///', 'k8s://x/y'),
    'no sources': 'trustDomain: cluster.local\n',
    'a template, which may become it': sources('xds://isthmus:15410', '{ address: "{{ .Values.second }}" }'),
  },
});

testCheck(kubernetesSourceInexact, {
  finds: {
    'a third slash': { in: sources('«k8s:///'), says: ['write exactly k8s://'] },
    'capitals, and a host': sources('«K8S://', '«k8s://other-cluster'),
    'a path, as an error': { in: sources('«k8s://x/y'), severity: 'error', left: ['1.9 and newer'] },
    'no slashes': sources('«"k8s:"'),
  },
  passes: { 'k8s://': sources('k8s://') },
});

testCheck(sourceTwice, {
  finds: {
    'the same server, however it is written': {
      in: sources('xds://isthmus.x:15410', '«XDS://Isthmus.X:15410/path'),
      says: ['isthmus.x:15410 is the source at 0 too'],
      left: ['1.9 to 1.29', '1.30 and newer'],
    },
    'what an old server was, and the same by another scheme': sources('nacos:18848', 'k8s://', '«xds://nacos:18848'),
    'a target that copes with it, which is told': {
      in: sources('xds://a.b:1', '«xds://a.b:1'),
      target: '1.30',
      left: ['1.30 and newer'],
    },
  },
  passes: { 'other ports': sources('xds://a.b:1', 'xds://a.b:2'), 'k8s:// twice': sources('k8s://', 'k8s://') },
});

testCheck(sourceOrder, {
  finds: {
    'who wins': { in: `«${sources('xds://a.b:1', 'k8s://')}`, says: ['xds://a.b:1, then Kubernetes'] },
  },
  passes: { 'one source': sources('xds://a.b:1'), 'no server': sources('k8s://', 'fs:///x') },
});

testCheck(subscribedResources, {
  finds: {
    it: {
      in: 'configSources:\n- address: istio-galley:9901\n  «subscribedResources:\n  - SERVICE_REGISTRY\n',
      says: ['--direct'],
    },
    'protobuf’s own name': 'configSources:\n- { address: "a:1", «subscribed_resources: [SERVICE_REGISTRY] }\n',
  },
  passes: { none: sources('a:1') },
});

testCheck(discoverySelectors, {
  finds: {
    'them beside a server': {
      in: `${sources('xds://a.b:1')}«discoverySelectors:\n- matchLabels: { mesh: on }\n`,
      left: ['1.10 and newer'],
    },
  },
  passes: {
    'them beside Kubernetes alone': `${sources('k8s://')}discoverySelectors: [{}]\n`,
    'an empty list': `${sources('xds://a.b:1')}discoverySelectors: []\n`,
    'a target that does not know them': { in: `${sources('xds://a.b:1')}discoverySelectors: [{}]\n`, target: '1.9.9' },
  },
});

testCheck(bridgeFirst, {
  finds: {
    'a server, for every version': {
      in: `«${sources('nacos:18848')}`,
      left: ['1.9 and newer', '1.9 to 1.15', '1.16 and newer'],
      says: ['/syncz'],
    },
    'a server, for the target alone': {
      in: `«${sources('xds://a.b:1')}`,
      target: '1.24',
      left: ['1.9 and newer', '1.16 and newer'],
    },
  },
  passes: { 'Kubernetes alone': sources('k8s://') },
});

testCheck(alreadyMigrated, {
  finds: {
    'xds beside Kubernetes': {
      in: sources('«xds://isthmus.x:15410', 'k8s://'),
      says: ['isthmus check xds://isthmus.x:15410'],
    },
  },
  passes: {
    'one that is left': sources('xds://isthmus.x:15410', 'nacos:18848'),
    'Kubernetes alone': sources('k8s://'),
  },
});

testCheck(noConfigSources, {
  finds: {
    none: { in: '«rootNamespace: istio-system\n', says: ['Kubernetes is read'] },
    'an empty list': '«trustDomain: x\nconfigSources: []\n',
  },
  passes: { one: sources('k8s://') },
});

testCheck(galleyAndKubernetes, {
  finds: {
    Galley: {
      in: sources('«istio-galley.istio-system.svc:9901'),
      says: ['--no-k8s'],
      left: ['1.9 to 1.29', '1.30 and newer'],
    },
    'Galley beside k8s://': { in: sources('k8s://', '«galley:9901'), says: ['is listed beside k8s://'] },
  },
  passes: { 'another server': sources('nacos:18848', 'k8s://'), 'Kubernetes alone': sources('k8s://') },
});

testCheck(trustDomainEmpty, {
  finds: {
    'one that is empty': {
      in: `${sources('xds://a.b:1')}«trustDomain: ""\n`,
      left: ['1.16 and newer'],
      says: ['cluster.local'],
    },
    'by its other name': { in: '«trust_domain: ""\n', left: ['1.16 and newer'] },
  },
  passes: {
    'one that is not': 'trustDomain: cluster.local\n',
    none: sources('xds://a.b:1'),
  },
});
