import { beforeAll, expect, it } from 'vitest';
import type { SinkStreamView } from '../../src/legacy/source-listener.ts';
import { checkHoldsFolder } from './checks.ts';
import { type BridgedChain, bridgedChain } from './support/chain.ts';
import { useLab } from './support/lab.ts';
import { differences, type HeldConfig } from './support/manifest.ts';
import { describeWithPeers } from './support/peers.ts';
import { hostsOf, Pilot } from './support/pilot.ts';
import { freePort } from './support/ports.ts';
import { until } from './support/until.ts';

const peers = ['galley', 'istiod', 'pilot-1.5.10', 'pilot-1.8-dev'] as const;

describeWithPeers('Galley 1.5.10 → Isthmus → istiod 1.24.0, Pilot 1.5.10 and Pilot 1.8-dev', peers, (binaries) => {
  const lab = useLab();
  let chain: BridgedChain;
  let oldest: Pilot;
  let newest: Pilot;
  let all: Pilot[];

  beforeAll(async () => {
    const legacyPort = await freePort();
    chain = await bridgedChain(lab, binaries, { legacyPort });
    oldest = await Pilot.create(lab, binaries['pilot-1.5.10'], '1.5.10', legacyPort, { synthetic: true });
    newest = await Pilot.create(lab, binaries['pilot-1.8-dev'], '1.8-dev', legacyPort, { incremental: true });
    all = [oldest, newest];
    await chain.galley.start();
    await chain.isthmus.start();
    for (const one of [chain.istiod, ...all]) one.launch();
  });

  /** All hold what the folder says, under the same versions; returns what that is. */
  async function checkAllHold(): Promise<ReadonlyMap<string, HeldConfig>> {
    const held = await checkHoldsFolder(chain);
    for (const pilot of all) {
      const theirs = await until(`${pilot.name} holds what the folder says`, async () => {
        const found = await pilot.configz();
        const wrong = differences(chain.folder.manifests(), found);
        if (wrong.length > 0) throw new Error(wrong.join('\n'));
        return found;
      });
      const versions = (of: ReadonlyMap<string, HeldConfig>) =>
        Object.fromEntries(Array.from(of, ([key, { resourceVersion }]) => [key, resourceVersion]));
      expect(versions(theirs), pilot.name).toEqual(versions(held));
    }
    return held;
  }

  /** Hosts of the folder's ServiceEntries. */
  function hosts(): Set<string> {
    const entries = [...chain.folder.manifests().values()].filter(({ kind }) => kind === 'ServiceEntry');
    return new Set(entries.flatMap(({ spec }) => (spec as { hosts: string[] }).hosts));
  }

  async function sinks(): Promise<SinkStreamView[]> {
    return (await chain.isthmus.page('/debug/sinks')) as SinkStreamView[];
  }

  it('lets both Pilots finish their start', async () => {
    for (const pilot of all) await until(`${pilot.name} is ready`, () => pilot.ready());
  });

  it('brings all the same: every kind that Galley has, equal in spec, labels, annotations and version', async () => {
    const held = await checkAllHold();
    expect(held.size).toBeGreaterThan(5);
    for (const [key, { resourceVersion }] of held) expect(resourceVersion, key).not.toBe('');
  });

  it('gives all the same services', async () => {
    const wanted = hosts();
    expect(wanted.size).toBeGreaterThan(2);
    const views = [
      { name: 'istiod', known: async () => hostsOf(await chain.istiod.debug('/debug/registryz')) },
      ...all.map((pilot) => ({ name: pilot.name, known: () => pilot.hosts() })),
    ];
    for (const { name, known } of views) {
      await until(`${name} knows all services`, async () => {
        const hostsThere = await known();
        const missing = [...wanted].filter((host) => !hostsThere.has(host));
        if (missing.length > 0) throw new Error(`without ${missing.join(', ')}`);
        return true;
      });
    }
  });

  it('carries additions, changes and removals to all', async () => {
    const added = (address: string) =>
      'apiVersion: networking.istio.io/v1alpha3\nkind: ServiceEntry\nmetadata: {name: added, namespace: later}\n' +
      'spec:\n  hosts: [added.later.example.com]\n  addresses: [240.0.30.1]\n' +
      `  ports: [{number: 80, name: http, protocol: HTTP}]\n  resolution: STATIC\n  endpoints: [{address: ${address}}]\n`;
    chain.folder.write('added.yaml', added('10.30.0.1'));
    await checkAllHold();
    for (const pilot of all) {
      await until(`${pilot.name} has the endpoint`, async () =>
        (await pilot.endpoints('added.later.example.com')).includes('10.30.0.1:80'),
      );
    }
    chain.folder.write('added.yaml', added('10.30.0.2'));
    await checkAllHold();
    for (const pilot of all) {
      await until(`${pilot.name} has the other endpoint`, async () => {
        const endpoints = await pilot.endpoints('added.later.example.com');
        return endpoints.includes('10.30.0.2:80') && !endpoints.includes('10.30.0.1:80');
      });
    }
    chain.folder.remove('added.yaml');
    const held = await checkAllHold();
    expect(held.has('ServiceEntry/later/added')).toBe(false);
    for (const pilot of all) {
      await until(
        `${pilot.name} knows no such service`,
        async () => !(await pilot.hosts()).has('added.later.example.com'),
      );
    }
  });

  it('takes from a Pilot what left while Isthmus was away, also where it asks for changes', async () => {
    chain.folder.write(
      'gone.yaml',
      'apiVersion: networking.istio.io/v1alpha3\nkind: ServiceEntry\nmetadata: {name: gone, namespace: later}\n' +
        'spec:\n  hosts: [gone.later.example.com]\n  ports: [{number: 80, name: http, protocol: HTTP}]\n  resolution: DNS\n',
    );
    const before = await checkAllHold();
    expect(before.has('ServiceEntry/later/gone')).toBe(true);
    await chain.isthmus.kill();
    for (const pilot of all) expect((await pilot.configz()).size, pilot.name).toBe(before.size);
    chain.folder.remove('gone.yaml');
    await chain.isthmus.start();
    const after = await checkAllHold();
    expect(after.size).toBe(before.size - 1);
  });

  it('gives a Pilot everything again after its own restart, while the others go on', async () => {
    for (const pilot of all) {
      await pilot.kill();
      await pilot.start();
      await checkAllHold();
    }
  });

  it('says which collections of each Pilot it does not carry, and hears no refusal', async () => {
    const streams = await until('all has been answered and acknowledged', async () => {
      const found = await sinks();
      const open = found.flatMap(({ collections }) => collections.filter(({ awaitingAck }) => awaitingAck));
      return found.length === 3 && open.length === 0 && found;
    });
    expect(streams.flatMap(({ collections }) => collections.filter(({ nack }) => nack !== null))).toEqual([]);
    const counts = streams.map(({ node, collections }) => ({
      node,
      asked: collections.length,
      uncarried: collections.filter(({ carried }) => !carried).length,
      incremental: collections.every(({ incremental }) => incremental),
    }));
    expect(counts.toSorted((a, b) => a.asked - b.asked)).toEqual([
      { node: 'SSEMCP', asked: 1, uncarried: 1, incremental: true },
      { node: '', asked: expect.any(Number), uncarried: expect.any(Number), incremental: true },
      { node: '', asked: 19, uncarried: 10, incremental: false },
    ]);
    for (const pilot of all) expect(pilot.log(), pilot.name).not.toMatch(/panic:/);
  });
});
