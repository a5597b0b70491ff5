import { autoAddresses } from '../../../../migrate/checks/auto-addresses.ts';
import { collectionDropped } from '../../../../migrate/checks/collection-dropped.ts';
import { envoyFilterOld } from '../../../../migrate/checks/envoy-filter-old.ts';
import { fieldDropped } from '../../../../migrate/checks/field-dropped.ts';
import { meshConfigElsewhere } from '../../../../migrate/checks/mesh-config-elsewhere.ts';
import { meshConfigManaged } from '../../../../migrate/checks/mesh-config-managed.ts';
import { messageSize } from '../../../../migrate/checks/message-size.ts';
import { nothingFound } from '../../../../migrate/checks/nothing-found.ts';
import { objectUnreadable } from '../../../../migrate/checks/object-unreadable.ts';
import { sameKey } from '../../../../migrate/checks/same-key.ts';
import { deployment, sources, testCheck } from '../../../support/migrate/check-cases.ts';

const object = (apiVersion: string, kind: string, name: string, spec: string) =>
  `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: { name: ${name} }\nspec: ${spec}\n`;

const v3 = 'networking.istio.io/v1alpha3';

testCheck(collectionDropped, {
  finds: {
    'what enforced something, as an error': {
      in: [
        object('authentication.istio.io/v1alpha1', '«Policy', 'a', '{}'),
        object('rbac.istio.io/v1alpha1', '«ClusterRbacConfig', 'default', '{}'),
      ].join('---\n'),
      says: ['Pilot 1.1 to 1.5', 'PeerAuthentication'],
    },
    'what was Mixer’s, as a warning': {
      in: [
        object('config.istio.io/v1alpha2', '«rule', 'a', '{}'),
        object('config.istio.io/v1alpha2', '«prometheus', 'b', '{}'),
        object('config.istio.io/v1alpha2', '«QuotaSpec', 'c', '{}'),
      ].join('---\n'),
      severity: 'warning',
      says: ['Telemetry'],
    },
    'one in a list':
      'apiVersion: v1\nkind: List\nitems:\n- apiVersion: rbac.istio.io/v1alpha1\n  kind: «ServiceRole\n  metadata: { name: a }\n',
  },
  passes: {
    'what has a place': object('security.istio.io/v1beta1', 'AuthorizationPolicy', 'a', '{}'),
    'Kubernetes’ own': object('rbac.authorization.k8s.io/v1', 'ClusterRole', 'a', '{}'),
  },
});

testCheck(envoyFilterOld, {
  finds: {
    'both fields of old': {
      in: `apiVersion: ${v3}\nkind: EnvoyFilter\nmetadata: { name: a }\nspec:\n  «workloadLabels: { app: a }\n  «filters:\n  - filterName: envoy.lua\n    filterType: HTTP\n    filterConfig: { inlineCode: x }\n`,
      says: ['spec.workloadLabels', 'configPatches'],
    },
  },
  passes: { configPatches: object(v3, 'EnvoyFilter', 'a', '{ configPatches: [] }') },
});

testCheck(fieldDropped, {
  finds: {
    'one of a VirtualService': {
      in: object(
        v3,
        'VirtualService',
        'a',
        '{ hosts: [a], http: [{ «appendHeaders: { x: y }, route: [{ destination: { host: a } }] }] }',
      ),
      says: ['VirtualService a: spec.http[0].appendHeaders'],
    },
    'one behind the bridge': {
      in: 'trustDomain: x\n',
      behind: object(v3, 'VirtualService', 'a', '{ hosts: [a], http: [{ «websocketUpgrade: true }] }'),
    },
  },
  passes: {
    'fields of today': object(
      v3,
      'VirtualService',
      'a',
      '{ hosts: [a], http: [{ headers: { request: { add: { x: y } } } }] }',
    ),
  },
});

testCheck(objectUnreadable, {
  finds: {
    'a list where there is none': {
      in: object(v3, 'Gateway', 'a', '{ servers: «x }'),
      says: ['Gateway a: spec.servers'],
    },
  },
  passes: { 'a good one': object(v3, 'Gateway', 'a', '{ servers: [] }') },
});

const configMap = (metadata: string, ...addresses: readonly string[]) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: istio\n  namespace: istio-system\n${metadata}data:\n  mesh: |\n    ${sources(
    ...addresses,
  )
    .trimEnd()
    .replaceAll('\n', '\n    ')}\n`;

testCheck(meshConfigManaged, {
  finds: {
    Helm: {
      in: configMap('  labels:\n    «app.kubernetes.io/managed-by: Helm\n', 'k8s://'),
      says: ['by Helm', 'helm upgrade'],
    },
    'Helm 2': configMap('  labels: { app: istio, «heritage: Tiller }\n', 'k8s://'),
    istioctl: {
      in: configMap('  labels:\n    «install.operator.istio.io/owning-resource: installed-state\n', 'k8s://'),
      says: ['IstioOperator'],
    },
    'Argo CD before Helm': {
      in: configMap('  labels:\n    heritage: Helm\n    «argocd.argoproj.io/instance: mesh\n', 'k8s://'),
      says: ['Argo CD'],
    },
    Flux: configMap('  labels:\n    «kustomize.toolkit.fluxcd.io/name: mesh\n', 'k8s://'),
    'a controller': {
      in: configMap('  ownerReferences:\n  - «kind: Istio\n    controller: true\n', 'k8s://'),
      says: ['a controller of Istio'],
    },
  },
  passes: {
    'labels of nobody': configMap('  labels: { app: istio, release: istio }\n', 'k8s://'),
    'no labels': configMap('', 'k8s://'),
  },
});

const operator = `apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nmetadata: { name: installed }\nspec:\n  meshConfig:\n    configSources:\n    - address: k8s://\n`;

testCheck(meshConfigElsewhere, {
  finds: {
    'other sources in an IstioOperator': {
      in: {
        'istio.yaml': configMap('', 'nacos:18848').replace('configSources', '«configSources'),
        'operator.yaml': operator,
      },
      says: ['nacos:18848', 'operator.yaml:6', 'k8s://'],
    },
  },
  passes: {
    'the same sources': { in: { 'istio.yaml': configMap('', 'k8s://'), 'operator.yaml': operator } },
    'a ConfigMap alone': configMap('', 'nacos:18848'),
    'several to install from, of which one can’t know which it is': {
      in: { 'istio.yaml': configMap('', 'nacos:18848'), 'a.yaml': operator, 'b.yaml': operator },
    },
  },
});

const serviceEntry = (name: string, more = '') =>
  object(
    v3,
    '«ServiceEntry',
    name,
    `{ hosts: [${name}.x], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: STATIC${more} }`,
  );
const unmarked = (text: string) => text.replaceAll('«', '');

testCheck(sameKey, {
  finds: {
    'a ServiceEntry in both': {
      in: serviceEntry('a'),
      behind: { 'behind.yaml': `${unmarked(serviceEntry('b'))}---\n${unmarked(serviceEntry('a'))}` },
      says: ['ServiceEntry a', 'behind.yaml:7'],
      left: ['1.9 to 1.29', '1.30 and newer'],
    },
    'another kind in both, as a warning': {
      in: object('networking.istio.io/v1', '«Gateway', 'a', '{}'),
      behind: object(v3, 'Gateway', 'a', '{}'),
      severity: 'warning',
    },
  },
  passes: {
    'other names': { in: unmarked(serviceEntry('a')), behind: unmarked(serviceEntry('b')) },
    'the same name of another kind': { in: object(v3, 'Gateway', 'a', '{}'), behind: unmarked(serviceEntry('a')) },
    'nothing known of the bridge': unmarked(serviceEntry('a')),
  },
});

const many = (count: number, text: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => text(index)).join('---\n');

testCheck(autoAddresses, {
  finds: {
    'those behind the bridge, from 1.25 on, as a remark': {
      in: 'trustDomain: x\n',
      behind: `${serviceEntry('a')}---\n${unmarked(serviceEntry('b'))}`,
      severity: 'info',
      says: ['default/a and 1 others', 'PILOT_ENABLE_IP_AUTOALLOCATE=false'],
      left: ['1.25 and newer'],
    },
  },
  passes: {
    'those with addresses, patterns, and without resolution': {
      in: 'trustDomain: x\n',
      behind: [
        serviceEntry('a', ', addresses: [10.0.0.1]'),
        serviceEntry('b').replace('hosts: [b.x]', 'hosts: ["*.x"]'),
        serviceEntry('c').replace('STATIC', 'NONE'),
      ]
        .map((text) => unmarked(text))
        .join('---\n'),
    },
    'those in Kubernetes': unmarked(serviceEntry('a')),
    'those behind the bridge for a target before 1.25': {
      in: 'trustDomain: x\n',
      behind: unmarked(serviceEntry('a')),
      target: '1.24',
    },
  },
});

const large = (index: number) => unmarked(serviceEntry(`s${index}`, `, subjectAltNames: ["${'x'.repeat(100_000)}"]`));

testCheck(messageSize, {
  finds: {
    'more than 4 MiB of one kind, at the first that is too many': {
      in: 'trustDomain: x\n',
      behind: `${many(41, large)}---\n${serviceEntry('s41', `, subjectAltNames: ["${'x'.repeat(100_000)}"]`)}---\n${large(42)}`,
      says: ['43 resources', '4.1 MiB'],
      left: ['1.9 to 1.11'],
    },
    'three quarters of it, as a warning': {
      in: 'trustDomain: x\n',
      behind: `${many(31, large)}---\n${serviceEntry('s31', `, subjectAltNames: ["${'x'.repeat(100_000)}"]`)}`,
      severity: 'warning',
    },
  },
  passes: {
    less: { in: 'trustDomain: x\n', behind: many(10, large) },
    'a target without that limit': { in: 'trustDomain: x\n', behind: many(43, large), target: '1.12' },
  },
});

testCheck(nothingFound, {
  finds: {
    'something else': { in: '«replicas: 3\n', says: ['get configmap istio'] },
    'another object': 'apiVersion: v1\nkind: Service\nmetadata: { name: a }\n'.replace('a', '«a'),
  },
  passes: {
    'a mesh config': 'trustDomain: x\n',
    'a Deployment': deployment('istiod', { image: 'istio/pilot' }),
    'a resource': object(v3, 'Gateway', 'a', '{}'),
  },
});
