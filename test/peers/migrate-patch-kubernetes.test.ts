import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';
import { Isthmus } from './support/isthmus.ts';
import { Istiod } from './support/istiod.ts';
import { KubeApi } from './support/kube-api.ts';
import { useLab } from './support/lab.ts';
import { patchedMesh } from './support/patched-mesh.ts';
import { describeWithPeers } from './support/peers.ts';
import { serviceEntries, ServiceSource, services } from './support/service-source.ts';
import { until } from './support/until.ts';

const own = readFileSync(join(import.meta.dirname, 'fixtures/journey/own.yaml'), 'utf8');

/** Mesh configs that name legacy servers alone, as they were in use. */
const goldens = [
  '1.4-synthetic-service-entries.yaml',
  '1.6-consul-mcp.yaml',
  '1.8-istioctl.yaml',
  'quoted-double-lines.yaml',
];

for (const [peer, version] of [
  ['istiod-1.16.5', '1.16.5'],
  ['istiod', '1.24.0'],
] as const) {
  const peers = [peer, 'etcd', 'kube-apiserver'] as const;
  describeWithPeers(
    `istiod ${version} in Kubernetes starts with what isthmus migrate patch writes`,
    peers,
    (binaries) => {
      const lab = useLab();
      let isthmus: Isthmus;
      let source: ServiceSource;
      let api: KubeApi;

      beforeAll(async () => {
        source = await ServiceSource.create(lab);
        source.change(services(3));
        isthmus = await Isthmus.create(lab, { sourcePort: source.port, source: { collections: [serviceEntries] } });
        [api] = await Promise.all([KubeApi.start(lab, binaries), isthmus.start()]);
        await api.installIstio();
        await api.must('POST', '/api/v1/namespaces', { metadata: { name: 'istio-system' } });
        await api.must('POST', '/apis/networking.istio.io/v1/namespaces/default/serviceentries', parse(own));
      });

      it.each(goldens)('%s: it is ready, and has the services of the bridge and its own', async (golden) => {
        const mesh = patchedMesh(golden, isthmus.xdsPort, true);
        expect(mesh).toContain('k8s://');
        const address = `xds://127.0.0.1:${isthmus.xdsPort}` as const;
        const kubeconfig = api.kubeconfig('admin');
        const istiod = await Istiod.create(
          lab,
          binaries[peer],
          address,
          `istiod-${golden}`,
          undefined,
          mesh,
          kubeconfig,
        );
        istiod.launch();
        await until(`${golden}: istiod is ready, or has ended`, async () => {
          return istiod.exit !== undefined || (await istiod.debug('/ready')) !== undefined;
        });
        expect(istiod.exit).toBeUndefined();
        const keys = ['ServiceEntry/default/own', ...source.manifests().keys()].toSorted();
        expect(keys).toHaveLength(4);
        expect([...(await istiod.configzKeys())].toSorted()).toEqual(keys);
        await istiod.kill();
      });

      it('without k8s:// in the list, what the cluster has is gone: the control', async () => {
        const address = `xds://127.0.0.1:${isthmus.xdsPort}` as const;
        const mesh = `configSources:\n- address: ${address}\n`;
        const kubeconfig = api.kubeconfig('admin');
        const istiod = await Istiod.create(lab, binaries[peer], address, 'istiod-control', undefined, mesh, kubeconfig);
        istiod.launch();
        await until('istiod is ready', async () => (await istiod.debug('/ready')) !== undefined);
        expect([...(await istiod.configzKeys())].toSorted()).toEqual([...source.manifests().keys()].toSorted());
        await istiod.kill();
      });
    },
  );
}
