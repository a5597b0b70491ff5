import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { checkHolds } from './checks.ts';
import { Isthmus } from './support/isthmus.ts';
import { Istiod } from './support/istiod.ts';
import { useLab } from './support/lab.ts';
import { McpSource } from './support/mcp-source.ts';
import { describeWithPeers } from './support/peers.ts';
import { Sidecar } from './support/sidecar.ts';
import { until } from './support/until.ts';

const updates = 300;
const apartMs = 50;
/** istiod pushes when it has heard nothing for so long (PILOT_DEBOUNCE_AFTER) … */
const istiodQuietMs = 100;
/**
 * … or 10 s after the first change (PILOT_DEBOUNCE_MAX). Isthmus holds changes back for 1 s at most (debounce.max), so
 * that a sidecar should wait little more than 1.1 s for one. Half of istiod's 10 s tells the two apart on any machine.
 */
const boundMs = 5_000;

const cluster = 'outbound|80||paced.example.com';
const address = (update: number): string => `10.80.${update >> 8}.${update & 255}`;
const service = (update: number): string => `apiVersion: networking.istio.io/v1alpha3
kind: ServiceEntry
metadata: {name: paced, namespace: pace}
spec:
  hosts: [paced.example.com]
  addresses: [240.0.80.1]
  ports: [{number: 80, name: http, protocol: HTTP}]
  location: MESH_INTERNAL
  resolution: STATIC
  endpoints: [{address: ${address(update)}}]
`;

type Mesh = { readonly istiod: Istiod; readonly sidecar: Sidecar };

/** The longest time, from `start` on, in which the sidecar was shown nothing new. */
function longestWaitMs({ sidecar }: Mesh, start: number): number {
  const changes = sidecar.pushes
    .filter((push) => 'endpoints' in push && push.endpoints.has(cluster) && push.at >= start)
    .map(({ at }) => at);
  return Math.max(...changes.map((at, index) => at - (changes[index - 1] ?? start)));
}

/** The longest time in which istiod got ServiceEntries over and over, each less than its quiet time after the other. */
function longestUnrestMs({ istiod }: Mesh): number {
  const times = [...istiod.log().matchAll(/^(\S+)\s.*Received\s.*\/ServiceEntry\s/gm)].map(([, time = '']) =>
    Date.parse(time),
  );
  let [longest, since] = [0, times[0] ?? 0];
  for (const [index, at] of times.entries()) {
    if (at - (times[index - 1] ?? at) >= istiodQuietMs) since = at;
    longest = Math.max(longest, at - since);
  }
  return longest;
}

const peers = ['mcp-source-1.8-dev', 'istiod'] as const;

describeWithPeers(`${updates} updates ${apartMs} ms apart from a source without a limiter`, peers, (binaries) => {
  const lab = useLab();
  let source: McpSource;
  let paced: Mesh;
  let unpaced: Mesh;
  let start: number;

  async function mesh(name: string, settings: object): Promise<Mesh> {
    const isthmus = await Isthmus.create(lab, { sourcePort: source.port, settings, name: `isthmus-${name}` });
    await isthmus.start();
    const istiod = await Istiod.create(lab, binaries.istiod, `xds://127.0.0.1:${isthmus.xdsPort}`, `istiod-${name}`);
    await istiod.start();
    const sidecar = new Sidecar(istiod.grpcPort);
    await until('the sidecar has the endpoint', () => sidecar.endpoints(cluster).includes(address(0)));
    return { istiod, sidecar };
  }

  beforeAll(async () => {
    source = await McpSource.create(lab, binaries['mcp-source-1.8-dev']);
    await source.put(service(0));
    await source.start();
    paced = await mesh('paced', {});
    // The control, beside it: the same source and the same istiod, but an Isthmus that passes on each change at once.
    unpaced = await mesh('unpaced', { xds: { minGap: '0s' }, debounce: { after: '0s', max: '0s' } });

    start = performance.now();
    for (let update = 1; update <= updates; update++) {
      await source.put(service(update));
      await sleep(Math.max(0, start + update * apartMs - performance.now()));
    }
  });
  afterAll(() => {
    paced?.sidecar.close();
    unpaced?.sidecar.close();
  });

  it('reach a sidecar of istiod all along, and the last one is right', async () => {
    const last = () => paced.sidecar.endpoints(cluster);
    await until('the last update has arrived', () => last().join() === address(updates));
    expect(longestWaitMs(paced, start)).toBeLessThan(boundMs);
    await checkHolds(source, paced.istiod);
  });

  it('starve it when Isthmus does not pace them (the control)', async ({ skip }) => {
    await until('the last update has arrived', () => unpaced.sidecar.endpoints(cluster).join() === address(updates));
    const unrest = longestUnrestMs(unpaced);
    skip(unrest < boundMs, `istiod was left in peace after ${unrest} ms: this machine is too slow for the control`);
    expect(longestWaitMs(unpaced, start)).toBeGreaterThan(boundMs);
  });
});
