import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { checkHolds } from './checks.ts';
import { Isthmus } from './support/isthmus.ts';
import { Istiod } from './support/istiod.ts';
import { useLab } from './support/lab.ts';
import { McpSource } from './support/mcp-source.ts';
import { describeWithPeers } from './support/peers.ts';
import { ConfigzSampler } from './support/sampler.ts';
import { Sidecar } from './support/sidecar.ts';
import { until } from './support/until.ts';

const steadyServices = 20;
/** Streams that have to end, of both istiods together. */
const recycles = 8;

const steadyHost = (index: number): string => `steady-${index}.example.com`;
const steadyCluster = (index: number): string => `outbound|80||${steadyHost(index)}`;
const steadyAddress = (index: number): string => `10.90.0.${index}`;
const entry = (
  name: string,
  index: number,
  addresses: readonly string[],
): string => `apiVersion: networking.istio.io/v1alpha3
kind: ServiceEntry
metadata: {name: ${name}, namespace: recycle}
spec:
  hosts: [${name}.example.com]
  addresses: [240.0.90.${index}]
  ports: [{number: 80, name: http, protocol: HTTP}]
  location: MESH_INTERNAL
  resolution: STATIC
  endpoints: [${addresses.map((address) => `{address: ${address}}`).join(', ')}]
`;
/** One endpoint stays for ever; a second one is another in every round. */
const steady = (index: number, round: number): string =>
  entry(`steady-${index}`, index, [steadyAddress(index), `10.91.${index}.${round % 256}`]);
const passing = (round: number): string => entry(`passing-${round}`, 100 + (round % 100), [`10.92.0.${round % 256}`]);

const peers = ['mcp-source-1.8-dev', 'istiod', 'istiod-1.16.5'] as const;

describeWithPeers('streams that are recycled while changes flow', peers, (binaries) => {
  const lab = useLab();
  let source: McpSource;
  let isthmus: Isthmus;
  let istiods: readonly Istiod[];
  let sidecars: readonly Sidecar[] = [];
  let round = 0;

  const recycled = () => isthmus.metric('isthmus_xds_stream_ends_total', { reason: 'recycled' });

  beforeAll(async () => {
    source = await McpSource.create(lab, binaries['mcp-source-1.8-dev']);
    await source.put(Array.from({ length: steadyServices }, (_, index) => steady(index, 0)).join('---\n'));
    isthmus = await Isthmus.create(lab, { sourcePort: source.port, settings: { xds: { recycle: '2s' } } });
    const address = `xds://127.0.0.1:${isthmus.xdsPort}` as const;
    istiods = [
      await Istiod.create(lab, binaries.istiod, address, 'istiod-1.24.0'),
      await Istiod.create(lab, binaries['istiod-1.16.5'], address, 'istiod-1.16.5'),
    ];
    await source.start();
    await isthmus.start();
    await Promise.all(istiods.map((istiod) => istiod.start()));
    sidecars = istiods.map(({ grpcPort }) => new Sidecar(grpcPort));
    for (const sidecar of sidecars) {
      await until('the sidecar has every endpoint', () =>
        Array.from({ length: steadyServices }, (_, index) => index).every((index) =>
          sidecar.endpoints(steadyCluster(index)).includes(steadyAddress(index)),
        ),
      );
    }
  });
  afterAll(() => {
    for (const sidecar of sidecars) sidecar.close();
  });

  /** A change, an addition and a removal. */
  async function changeSomething(): Promise<void> {
    round += 1;
    await source.put(steady(round % steadyServices, round));
    await source.put(passing(round));
    if (round > 3) await source.remove(`ServiceEntry/recycle/passing-${round - 3}`);
  }

  it('take nothing away from istiod, and bring every change', async () => {
    const keys = [...source.manifests().keys()];
    const samplers = istiods.map((istiod) => new ConfigzSampler(istiod, keys));
    const before = await recycled();
    while ((await recycled()) < before + recycles) {
      await changeSomething();
      // Changes flow, they are not a flood.
      await sleep(100);
    }
    for (const istiod of istiods) await checkHolds(source, istiod);
    for (const sampler of samplers) {
      const { counted, lacking } = await sampler.stop();
      expect(lacking).toEqual([]);
      expect(counted).toBeGreaterThan(20);
    }
  });

  it('never took an endpoint or a cluster away from a sidecar', async () => {
    for (const sidecar of sidecars) {
      const changed = steadyCluster(round % steadyServices);
      const address = `10.91.${round % steadyServices}.${round % 256}`;
      await until('the last change has arrived', () => sidecar.endpoints(changed).includes(address));
      let assignments = 0;
      for (const push of sidecar.pushes) {
        for (let index = 0; index < steadyServices; index++) {
          const cluster = steadyCluster(index);
          if ('clusters' in push) expect(push.clusters).toContain(cluster);
          else if (push.endpoints.has(cluster)) {
            assignments += 1;
            expect(push.endpoints.get(cluster)).toContain(steadyAddress(index));
            expect(push.endpoints.get(cluster)).toHaveLength(2);
          }
        }
      }
      // All of them at first, and then those that changed.
      expect(assignments).toBeGreaterThan(steadyServices + recycles);
      expect(sidecar.pushes.filter((push) => 'clusters' in push).length).toBeGreaterThan(recycles);
    }
  });

  it('cost a sidecar nothing while nothing changes', async () => {
    for (const istiod of istiods) await checkHolds(source, istiod);
    const marker = entry('marker', 99, ['10.93.0.1']);
    await source.put(marker);
    for (const sidecar of sidecars) {
      await until('the marker has arrived', () => sidecar.endpoints('outbound|80||marker.example.com').length === 1);
    }
    const pushes = sidecars.map((sidecar) => sidecar.pushes.length);
    const answered = istiods.map((istiod) => istiod.responses('ServiceEntry'));
    const goal = (await recycled()) + 4;
    await until('streams were recycled', async () => (await recycled()) >= goal);
    await until('and begun anew', () =>
      istiods.every((istiod, index) => istiod.responses('ServiceEntry') > (answered[index] ?? 0)),
    );
    expect(sidecars.map((sidecar) => sidecar.pushes.length)).toEqual(pushes);
  });
});
