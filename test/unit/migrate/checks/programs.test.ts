import { configDirIgnored } from '../../../../migrate/checks/config-dir-ignored.ts';
import { flagRemoved } from '../../../../migrate/checks/flag-removed.ts';
import { galleyDialsOut } from '../../../../migrate/checks/galley-dials-out.ts';
import { galleyLeftover } from '../../../../migrate/checks/galley-leftover.ts';
import { galleyTls } from '../../../../migrate/checks/galley-tls.ts';
import { helmValueRemoved } from '../../../../migrate/checks/helm-value-removed.ts';
import { messageLimitRaised } from '../../../../migrate/checks/message-limit-raised.ts';
import { mixerLeftover } from '../../../../migrate/checks/mixer-leftover.ts';
import { mixerMeshField } from '../../../../migrate/checks/mixer-mesh-field.ts';
import { registriesEmpty } from '../../../../migrate/checks/registries-empty.ts';
import { registryRemoved } from '../../../../migrate/checks/registry-removed.ts';
import { revisionUnseen } from '../../../../migrate/checks/revision-unseen.ts';
import { variableRemoved } from '../../../../migrate/checks/variable-removed.ts';
import { webhookLeftover } from '../../../../migrate/checks/webhook-leftover.ts';
import { deployment, sources, testCheck } from '../../../support/migrate/check-cases.ts';

const pilot = (...args: readonly string[]) => deployment('istio-pilot', { image: 'istio/pilot', args });
const galley = (...args: readonly string[]) => deployment('istio-galley', { image: 'istio/galley:1.4.10', args });

testCheck(registryRemoved, {
  finds: {
    Consul: { in: pilot('discovery', '«--registries=Consul,Kubernetes'), says: ['1.7'], left: ['1.8 and newer'] },
    'MCP, as an argument of its own': {
      in: pilot('«--registries', 'Kubernetes,MCP'),
      says: ['MCP (the last Istio with it was 1.4)'],
    },
    'another one': { in: pilot('«--registries=ZooKeeper'), says: ['names ZooKeeper'] },
    'in what a shell is given':
      'apiVersion: v1\nkind: Pod\nmetadata: { name: p }\nspec:\n  containers:\n  - command: [sh, -c, «"exec /usr/local/bin/pilot-discovery discovery --registries Eureka --domain x"]\n',
  },
  passes: {
    Kubernetes: pilot('--registries=Kubernetes'),
    none: pilot('discovery'),
    'another program': deployment('x', { image: 'x/y', args: ['--registries=Consul'] }),
  },
});

testCheck(registriesEmpty, {
  finds: { 'an empty one': { in: pilot('«--registries='), left: ['1.30 and newer'] } },
  passes: {
    'a target before': { in: pilot('--registries='), target: '1.29' },
    Kubernetes: pilot('--registries=Kubernetes'),
  },
});

testCheck(flagRemoved, {
  finds: {
    'those of legacy MCP and Consul': {
      in: pilot(
        '«--mcpServerAddrs=mcp://istio-galley:9901',
        '«--consulserverURL',
        'http://consul:8500',
        '«--mcpMaxMsgSize=8388608',
      ),
      left: ['1.9 to 1.14', '1.15 and newer'],
      says: ['the last Istio with --mcpServerAddrs was 1.1'],
    },
    'them as a warning where they are passed over': {
      in: pilot('«--mcpInitialWindowSize=1'),
      target: '1.24',
      severity: 'warning',
      left: ['1.15 and newer'],
    },
  },
  passes: { 'flags of today': pilot('discovery', '--monitoringAddr=:15014', '--domain', 'cluster.local') },
});

testCheck(configDirIgnored, {
  finds: {
    'it beside configSources': {
      in: { 'mesh.yaml': sources('k8s://'), 'pilot.yaml': pilot('«--configDir=/etc/more') },
      says: ['fs:///etc/more'],
    },
  },
  passes: {
    'it without configSources': {
      in: { 'mesh.yaml': 'trustDomain: x\n', 'pilot.yaml': pilot('--configDir=/etc/more') },
    },
    'an empty one': { in: { 'mesh.yaml': sources('k8s://'), 'pilot.yaml': pilot('--configDir=') } },
  },
});

testCheck(variableRemoved, {
  finds: {
    'of Pilot': {
      in: deployment('istiod', {
        image: 'istio/pilot:1.8.6',
        env: ['{ «name: A, value: b }', '{ name: «PILOT_ENABLE_INCREMENTAL_MCP, value: "true" }'].slice(1),
      }),
      says: ['PILOT_ENABLE_INCREMENTAL_MCP=true', 'incremental: true'],
    },
    'in Helm values': {
      in: 'pilot:\n  env:\n    «USE_MCP_LEGACY: 1\nglobal:\n  useMCP: true\n',
      says: ['aggregated-1.1'],
    },
    'in an IstioOperator':
      'apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nspec:\n  components:\n    pilot:\n      k8s:\n        env:\n        - name: «PILOT_ENABLE_INCREMENTAL_MCP\n          value: "true"\n',
  },
  passes: { others: deployment('istiod', { image: 'istio/pilot:1.8.6', env: ['{ name: REVISION, value: default }'] }) },
});

testCheck(helmValueRemoved, {
  finds: {
    'useMCP in use': {
      in: 'global:\n  «useMCP: true\n',
      says: ['isthmus migrate patch'],
      left: ['1.8 to 1.23', '1.24 and newer'],
    },
    'what is there by default, as a remark': {
      in: 'global:\n  «useMCP: false\npilot:\n  «configSource:\n    subscribedResources: []\n',
      severity: 'info',
    },
    'pilot.configSource in an IstioOperator':
      'apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nspec:\n  values:\n    pilot:\n      «configSource: { subscribedResources: [SERVICE_REGISTRY] }\n',
  },
  passes: { 'other values': 'global:\n  hub: x\nmeshConfig:\n  trustDomain: x\n' },
});

testCheck(galleyLeftover, {
  finds: {
    'a server': {
      in: galley('galley', 'server', '--insecure=true').replace('image: ', 'image: «'),
      says: ['Galley 1.4.10 feeds Pilot', 'k8s://'],
    },
    'one that validates only, as a remark': {
      in: galley('--enable-server=false').replace('image: ', 'image: «'),
      severity: 'info',
    },
    'a value that installs it, as a remark': { in: 'galley:\n  «enabled: true\n', severity: 'info' },
  },
  passes: { none: pilot('discovery'), 'a value that does not': 'galley:\n  enabled: false\n' },
});

testCheck(galleyDialsOut, {
  finds: {
    it: {
      in: galley('«--sinkAddress=pilot:15019', '--sinkMeta=cluster=a'),
      says: ['--sink-listen', 'match: { meta: … }'],
    },
  },
  passes: { 'a server': galley('--insecure=true'), 'an empty one': galley('--sinkAddress=') },
});

testCheck(galleyTls, {
  finds: {
    'TLS by its flag': { in: galley('«--insecure=false'), says: ['mcps://', 'Galley’s access list'] },
    'TLS by default': {
      in: galley('--accessListFile=/etc/list.yaml').replace('image: ', 'image: «'),
      says: ['by default', '/etc/list.yaml'],
    },
  },
  passes: {
    plaintext: galley('--insecure=true'),
    'the flag alone': galley('--insecure'),
    'one that serves nobody': galley('--enable-server=false'),
    'one that dials': galley('--sinkAddress=pilot:15019'),
  },
});

testCheck(webhookLeftover, {
  finds: {
    'that of Galley': {
      in: 'apiVersion: admissionregistration.k8s.io/v1beta1\nkind: ValidatingWebhookConfiguration\nmetadata: { name: istio-galley }\nwebhooks:\n- clientConfig:\n    service:\n      name: «istio-galley\n',
      says: ['kubectl delete validatingwebhookconfiguration istio-galley'],
    },
  },
  passes: {
    'that of istiod':
      'apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingWebhookConfiguration\nmetadata: { name: istiod }\nwebhooks:\n- clientConfig: { service: { name: istiod } }\n',
  },
});

testCheck(mixerLeftover, {
  finds: {
    'one that reads Galley': {
      in: deployment('istio-policy', {
        image: 'istio/mixer:1.4.10',
        args: ['«--configStoreURL=mcps://istio-galley.istio-system.svc:9901'],
      }),
      says: ['mcps://istio-galley.istio-system.svc:9901 over legacy MCP'],
    },
    'one that reads Kubernetes': deployment('istio-policy', {
      image: '«istio/mixer:1.4.10',
      args: ['--configStoreURL=k8s://'],
    }),
    'values that install it, as remarks': {
      in: 'mixer:\n  policy: { «enabled: true }\n  telemetry: { «enabled: true }\n',
      severity: 'info',
    },
  },
  passes: { none: pilot('discovery'), 'values that do not': 'mixer:\n  policy: { enabled: false }\n' },
});

testCheck(mixerMeshField, {
  finds: {
    'them, at the first one': {
      in: 'trustDomain: x\n«mixerCheckServer: a:1\ndisable_policy_checks: true\n',
      says: ['mixerCheckServer, disable_policy_checks were Mixer’s'],
    },
  },
  passes: { others: 'trustDomain: x\n' },
});

testCheck(messageLimitRaised, {
  finds: { 'more than 4 MiB': { in: pilot('«--mcpMaxMsgSize=8388608'), left: ['1.9 to 1.11'] } },
  passes: {
    'the default': pilot('--mcpMaxMsgSize=4194304'),
    'a target without that limit': { in: pilot('--mcpMaxMsgSize=8388608'), target: '1.12' },
  },
});

const canary = deployment('istiod-canary', { image: 'istio/pilot:1.7.8', env: ['{ name: «REVISION, value: canary }'] });
const configMap = (name: string) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name}, namespace: istio-system }\ndata:\n  mesh: |\n    trustDomain: x\n`;

testCheck(revisionUnseen, {
  finds: {
    'a revision whose ConfigMap is not there': {
      in: { 'istio.yaml': configMap('istio'), 'istiod.yaml': canary },
      says: ['istio-canary', 'kubectl -n istio-system get configmap istio-canary'],
    },
  },
  passes: {
    'one whose ConfigMap is': { in: { 'istio.yaml': configMap('istio-canary'), 'istiod.yaml': canary } },
    'the default revision': {
      in: { 'istio.yaml': configMap('istio'), 'istiod.yaml': canary.replace('value: canary', 'value: default') },
    },
    'inputs without any ConfigMap': canary,
  },
});
