import { beforeAll, expect, it } from 'vitest';
import { Isthmus } from './support/isthmus.ts';
import { Istiod } from './support/istiod.ts';
import { useLab } from './support/lab.ts';
import { patchedMesh } from './support/patched-mesh.ts';
import { describeWithPeers } from './support/peers.ts';
import { serviceEntries, ServiceSource, services } from './support/service-source.ts';
import { until } from './support/until.ts';

/**
 * Mesh configs of each way of writing one, that name legacy servers alone: no Kubernetes is here. Not those of 1.1: their
 * `trustDomain: ""` is one that neither istiod starts with, whatever its sources are.
 */
const goldens = [
  '1.4-synthetic-service-entries.yaml',
  '1.6-consul-mcp.yaml',
  '1.8-istioctl.yaml',
  'plain-proto-names.yaml',
  'plain-mesh-config.json',
  'server-champly.yaml',
  'crlf.yaml',
  'folded-json.yaml',
  'quoted-double-lines.yaml',
  'comments-everywhere.yaml',
  'mesh-empty.yaml',
];

for (const [peer, version] of [
  ['istiod-1.16.5', '1.16.5'],
  ['istiod', '1.24.0'],
] as const) {
  describeWithPeers(`istiod ${version} starts with what isthmus migrate patch writes`, [peer], (binaries) => {
    const lab = useLab();
    let isthmus: Isthmus;
    let source: ServiceSource;

    beforeAll(async () => {
      source = await ServiceSource.create(lab);
      source.change(services(3));
      isthmus = await Isthmus.create(lab, { sourcePort: source.port, source: { collections: [serviceEntries] } });
      await isthmus.start();
    });

    it.each(goldens)('%s: and has the services of the bridge', async (golden) => {
      const mesh = patchedMesh(golden, isthmus.xdsPort, false);
      const address = `xds://127.0.0.1:${isthmus.xdsPort}` as const;
      expect(mesh).toContain(address);
      const istiod = await Istiod.create(lab, binaries[peer], address, `istiod-${golden}`, undefined, mesh);
      istiod.launch();
      await until(
        `${golden}: istiod serves, or has ended`,
        async () => istiod.exit !== undefined || (await istiod.serving()),
      );
      expect(istiod.exit).toBeUndefined();
      const keys = [...source.manifests().keys()].sort();
      expect(keys).toHaveLength(3);
      expect([...(await istiod.configzKeys())].sort()).toEqual(keys);
      await istiod.kill();
    });
  });
}
