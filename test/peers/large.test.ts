import { beforeAll, expect, it } from 'vitest';
import { assertOnlyChanged, checkHolds } from './checks.ts';
import { Isthmus } from './support/isthmus.ts';
import { Istiod } from './support/istiod.ts';
import { useLab } from './support/lab.ts';
import type { HeldConfig, Manifest } from './support/manifest.ts';
import { McpSource } from './support/mcp-source.ts';
import { describeWithPeers } from './support/peers.ts';
import { until } from './support/until.ts';

const count = 20_000;
/** What gRPC takes by default, in both directions' clients: old Pilots and istiod up to 1.11. */
const grpcDefaultBytes = 4 * 2 ** 20;
/** A look at so much takes seconds where the machine is slow. */
const limits = { timeoutMs: 150_000, everyMs: 500 };

function service(index: number, endpoint = `10.${100 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`): Manifest {
  const name = `service-${index.toString().padStart(5, '0')}`;
  return {
    key: `ServiceEntry/large/${name}`,
    kind: 'ServiceEntry',
    labels: { 'app.kubernetes.io/name': name },
    annotations: { 'example.com/description': 'one of so many that they do not fit into four mebibytes' },
    spec: {
      hosts: [`${name}.large.example.com`, `${name}.large.svc.cluster.internal`],
      // istiod itself has room for 65,024 services without one.
      addresses: [`240.1.${index >> 8}.${index & 255}`],
      ports: [{ number: 8080, name: 'http', protocol: 'HTTP' }],
      location: 'MESH_INTERNAL',
      resolution: 'STATIC',
      subjectAltNames: [`spiffe://cluster.local/ns/large/sa/${name}`],
      endpoints: [{ address: endpoint, labels: { version: 'v1' }, locality: 'eu-west/eu-west-1/rack-3', weight: 70 }],
    },
  };
}

type SnapshotPage = readonly {
  readonly kind: string;
  readonly version: string | null;
  readonly resources: number;
  readonly bytes: number;
}[];
type StreamPage = readonly {
  readonly types: readonly { readonly typeUrl: string; readonly ackedVersion: string | null }[];
}[];

const peers = ['mcp-source-1.5.10', 'istiod', 'istiod-1.16.5'] as const;

describeWithPeers("20,000 ServiceEntries from Istio's pkg/mcp 1.5.10", peers, (binaries) => {
  const lab = useLab();
  let source: McpSource;
  let isthmus: Isthmus;
  let istiods: readonly Istiod[];
  let first: readonly ReadonlyMap<string, HeldConfig>[];

  beforeAll(async () => {
    source = await McpSource.create(lab, binaries['mcp-source-1.5.10']);
    await source.putManifests(Array.from({ length: count }, (_, index) => service(index)));
    isthmus = await Isthmus.create(lab, { sourcePort: source.port });
    const address = `xds://127.0.0.1:${isthmus.xdsPort}` as const;
    istiods = [
      await Istiod.create(lab, binaries.istiod, address, 'istiod-1.24.0'),
      await Istiod.create(lab, binaries['istiod-1.16.5'], address, 'istiod-1.16.5'),
    ];
    await source.start();
    await isthmus.start();
    for (const istiod of istiods) istiod.launch();
  });

  const entries = async () =>
    ((await isthmus.page('/debug/snapshot')) as SnapshotPage).find(({ kind }) => kind.endsWith('ServiceEntry'));

  /** A look at so much costs seconds, so that it is taken when each istiod has acknowledged the latest of Isthmus. */
  async function checkAllHold(): Promise<readonly ReadonlyMap<string, HeldConfig>[]> {
    const acknowledged = async (): Promise<boolean> => {
      const version = (await entries())?.version ?? undefined;
      const streams = (await isthmus.page('/debug/streams')) as StreamPage;
      const acked = streams.map(
        ({ types }) => types.find(({ typeUrl }) => typeUrl.endsWith('/ServiceEntry'))?.ackedVersion,
      );
      return version !== undefined && acked.length === istiods.length && acked.every((one) => one === version);
    };
    await until('all is acknowledged', acknowledged, limits);
    return Promise.all(istiods.map((istiod) => checkHolds(source, istiod, limits)));
  }

  it('reach istiod 1.24.0 and 1.16.5 whole, in one response of more than 4 MiB', async () => {
    for (const istiod of istiods) await until(`${istiod.name} serves`, () => istiod.serving(), limits);
    first = await checkAllHold();
    for (const held of first) expect(held.size).toBe(count);
    const { resources = 0, bytes = 0 } = (await entries()) ?? {};
    expect(resources).toBe(count);
    expect(bytes / count).toBeGreaterThan(300);
    expect(bytes).toBeGreaterThan(grpcDefaultBytes);
    for (const istiod of istiods) expect(istiod.responses('ServiceEntry'), istiod.name).toBe(1);
  });

  it('are followed by a change, a removal and an addition, which leave the versions of all others alone', async () => {
    const [changed, removed, added] = [service(12_345, '10.250.0.1'), service(7), service(count)];
    await source.putManifests([changed]);
    await until(
      'the change is on its way',
      () => istiods.every((istiod) => istiod.responses('ServiceEntry') > 1),
      limits,
    );
    await source.remove(removed.key);
    await source.putManifests([added]);
    await until(
      'Isthmus has the addition',
      () => isthmus.page('/debug/snapshot/ServiceEntry/large/service-20000'),
      limits,
    );
    for (const [at, held] of (await checkAllHold()).entries()) {
      assertOnlyChanged(first[at] ?? new Map(), held, [changed.key, added.key]);
      expect(held.size).toBe(count);
      expect(held.has(removed.key)).toBe(false);
    }
  });
});
