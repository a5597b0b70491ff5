import { describe, expect, it } from 'vitest';
import { openCluster } from '../../../../src/kube/cluster.ts';
import { KubeError } from '../../../../src/kube/failure.ts';
import { analyze } from '../../../../migrate/analyze.ts';
import { readCluster } from '../../../../migrate/live/inputs.ts';
import { objectText } from '../../../../migrate/live/object-text.ts';
import { type FakeAnswer, fakeKubeApi, statusBody } from '../../../support/fake-kube-api.ts';
import { tempFolder } from '../../../support/temp-folder.ts';

const meta = (name: string, namespace = 'istio-system') => ({ name, namespace, uid: 'u', resourceVersion: '1' });
const list = (...items: readonly object[]): FakeAnswer => ({ body: { metadata: {}, items } });
const mesh = { metadata: meta('istio'), data: { mesh: 'configSources:\n- address: a.b:1\n' } };

const group = (...versions: readonly string[]): FakeAnswer => {
  const all = versions.map((version) => ({ version }));
  return { body: { kind: 'APIGroup', versions: all, preferredVersion: all[0] } };
};
const kinds = (...names: readonly (readonly [string, string])[]): FakeAnswer => ({
  body: {
    resources: names.flatMap(([name, kind]) => [
      { name, kind, verbs: ['get', 'list'] },
      { name: `${name}/status`, kind, verbs: ['get'] },
    ]),
  },
});

/** A cluster that answers by path, and has nothing else. */
async function clusterWith(answers: Readonly<Record<string, FakeAnswer>>) {
  const api = await fakeKubeApi(
    ({ path }) => answers[path] ?? { status: 404, type: 'text/plain', body: '404 page not found\n' },
  );
  const kubeconfig = `${tempFolder({ config: api.kubeconfig() })}/config`;
  return { api, kubeconfig, cluster: await openCluster({ kubeconfig }) };
}

const configMaps = '/api/v1/namespaces/istio-system/configmaps';
const deployments = '/apis/apps/v1/namespaces/istio-system/deployments';
const webhooks = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations';
const bare = { [configMaps]: list(mesh), [deployments]: list(), [webhooks]: list() };

describe('what is read of a cluster', () => {
  it('each kind in one version, the preferred one where that has it', async () => {
    const { api, cluster } = await clusterWith({
      ...bare,
      '/apis/networking.istio.io': group('v1', 'v1alpha3'),
      '/apis/networking.istio.io/v1': kinds(['serviceentries', 'ServiceEntry']),
      '/apis/networking.istio.io/v1alpha3': kinds(['serviceentries', 'ServiceEntry'], ['envoyfilters', 'EnvoyFilter']),
      '/apis/networking.istio.io/v1/serviceentries': list({ metadata: meta('se') }),
      '/apis/networking.istio.io/v1alpha3/envoyfilters': list({ metadata: meta('ef') }),
    });
    const { objects, files, unread } = await readCluster(cluster);
    expect(objects.map(({ file, apiVersion }) => [file, apiVersion])).toEqual([
      ['ServiceEntry istio-system/se', 'networking.istio.io/v1'],
      ['EnvoyFilter istio-system/ef', 'networking.istio.io/v1alpha3'],
    ]);
    expect(files.map(({ file }) => file)).toEqual(['ConfigMap istio-system/istio']);
    expect(unread).toEqual([]);
    expect(api.requests.every(({ method }) => method === 'GET')).toBe(true);
  });

  it('kinds of an old cluster, and what an operator installs from', async () => {
    const { kubeconfig } = await clusterWith({
      ...bare,
      '/apis/config.istio.io': group('v1alpha2'),
      '/apis/config.istio.io/v1alpha2': kinds(['rules', 'rule']),
      '/apis/config.istio.io/v1alpha2/rules': list({ metadata: meta('promhttp'), spec: {} }),
      '/apis/install.istio.io': group('v1alpha1'),
      '/apis/install.istio.io/v1alpha1': kinds(['istiooperators', 'IstioOperator']),
      '/apis/install.istio.io/v1alpha1/istiooperators': list({
        metadata: meta('installed'),
        spec: { tag: '1.8.6', values: { global: { useMCP: true } } },
      }),
      [deployments]: list(),
    });
    const { findings, from } = await analyze([], { cluster: { kubeconfig } });
    expect(from?.text).toBe('1.8.6');
    expect(findings).toContainEqual(
      expect.objectContaining({ code: 'COLLECTION_DROPPED', file: 'rule istio-system/promhttp', line: 2, column: 7 }),
    );
    expect(findings).toContainEqual(
      expect.objectContaining({ code: 'HELM_VALUE_REMOVED', file: 'IstioOperator istio-system/installed' }),
    );
  });

  it('a kind that the API server can’t list, or this user may not, is said; the rest is analysed', async () => {
    const { kubeconfig } = await clusterWith({
      ...bare,
      [deployments]: statusBody(403, 'Forbidden', 'deployments.apps is forbidden'),
      '/apis/networking.istio.io': group('v1'),
      '/apis/networking.istio.io/v1': kinds(
        ['gateways', 'Gateway'],
        ['sidecars', 'Sidecar'],
        ['virtualservices', 'VirtualService'],
      ),
      '/apis/networking.istio.io/v1/gateways': statusBody(500, 'InternalError', 'conversion webhook failed'),
      '/apis/networking.istio.io/v1/sidecars': statusBody(403, 'Forbidden', 'no sidecars'),
      '/apis/networking.istio.io/v1/virtualservices': statusBody(403, 'Forbidden', 'no virtualservices'),
    });
    const { findings } = await analyze([], { cluster: { kubeconfig } });
    const unread = findings.filter(({ code }) => code === 'CLUSTER_UNREAD');
    expect(unread.map(({ file, message, fix }) => [file, message, fix])).toEqual([
      [
        'deployments.apps',
        'deployments.apps can’t be read, and is not analysed: deployments.apps is forbidden',
        expect.stringContaining('a Role in istio-system') as string,
      ],
      [
        'gateways.networking.istio.io',
        'gateways.networking.istio.io can’t be read, and is not analysed: the API server failed (500): conversion webhook failed',
        expect.stringContaining('admission webhooks') as string,
      ],
      [
        'networking.istio.io',
        'networking.istio.io can’t be read in full: sidecars, virtualservices are not analysed: no sidecars',
        expect.stringContaining(
          '{apiGroups: ["networking.istio.io"], resources: ["sidecars","virtualservices"], verbs: ["list"]}',
        ) as string,
      ],
    ]);
    expect(findings.map(({ code }) => code)).toContain('ADDRESS_LEGACY');
  });

  it('a namespace without a mesh config is said', async () => {
    const { kubeconfig } = await clusterWith({
      ...bare,
      [configMaps]: list({ metadata: meta('istio-ca-root-cert'), data: {} }),
    });
    const { findings } = await analyze([], { cluster: { kubeconfig } });
    expect(findings).toContainEqual(
      expect.objectContaining({
        code: 'CLUSTER_UNREAD',
        file: 'ConfigMap istio-system/istio',
        fix: expect.stringContaining('-n says another one') as string,
      }),
    );
  });

  it('files count beside it', async () => {
    const { kubeconfig } = await clusterWith(bare);
    const values = `${tempFolder({ 'values.yaml': 'meshConfig:\n  configSources:\n  - address: c.d:2\n' })}/values.yaml`;
    const { findings, inputs } = await analyze([values], { cluster: { kubeconfig } });
    const files = findings.flatMap(({ code, file }) => (code === 'ADDRESS_LEGACY' ? [file] : []));
    expect(files.toSorted()).toEqual([values, 'ConfigMap istio-system/istio'].toSorted());
    expect(inputs).toEqual([values, 'context test, namespace istio-system']);
  });

  it.each([
    ['credentials that are not taken', statusBody(401, 'Unauthorized', 'Unauthorized')],
    ['a page of a proxy', { type: 'text/html', body: '<html>' } as const],
    ['half an answer', 'cut' as const],
  ])('%s ends it: that is no empty cluster', async (_, answer) => {
    const { cluster } = await clusterWith({ ...bare, [deployments]: answer });
    await expect(readCluster(cluster)).rejects.toThrow(KubeError);
  });
});

describe('the text of an object', () => {
  it('is that of kubectl get -o yaml', () => {
    const text = objectText({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { ...meta('istio'), managedFields: [{ manager: 'm' }], labels: { b: '1', a: 'true' } },
      data: { mesh: 'a: 1\nb:\n- c # d', other: '' },
    });
    // As kubectl 1.32 prints it.
    expect(text).toBe(`apiVersion: v1
data:
  mesh: |-
    a: 1
    b:
    - c # d
  other: ""
kind: ConfigMap
metadata:
  labels:
    a: "true"
    b: "1"
  name: istio
  namespace: istio-system
  resourceVersion: "1"
  uid: u
`);
  });
});
