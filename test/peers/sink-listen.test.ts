import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { assertOnlyChanged, checkHolds, checkHoldsFolder } from './checks.ts';
import { ConfigFolder } from './support/config-folder.ts';
import { Galley } from './support/galley.ts';
import { Isthmus } from './support/isthmus.ts';
import { Istiod } from './support/istiod.ts';
import { kinds, workloadKinds } from './support/kinds.ts';
import { type Lab, useLab } from './support/lab.ts';
import { McpSource } from './support/mcp-source.ts';
import { describeWithPeers } from './support/peers.ts';
import { freePort } from './support/ports.ts';
import { ConfigzSampler } from './support/sampler.ts';
import { patienceMs, until } from './support/until.ts';

const mesh = join(import.meta.dirname, 'fixtures/mesh');
const fixtures = readdirSync(mesh)
  .sort()
  .map((file) => readFileSync(join(mesh, file), 'utf8'));

const service = (name: string, address: string): string => `apiVersion: networking.istio.io/v1alpha3
kind: ServiceEntry
metadata: {name: ${name}, namespace: go, labels: {from: pkg-mcp}}
spec:
  hosts: [${name}.go.example.com]
  addresses: [240.0.70.1]
  ports: [{number: 80, name: http, protocol: HTTP}]
  location: MESH_INTERNAL
  resolution: STATIC
  endpoints: [{address: ${address}}]
`;

/** With which header the source of these suites is known. */
const meta = { cluster: 'east' };

/**
 * The first state takes its time: a source that dials leaves a stream over each collection that it does not know, and
 * opens the next one a second later.
 */
const firstState = { timeoutMs: 2 * patienceMs };

type Origin = {
  readonly name: string;
  readonly connection: {
    readonly state: string;
    readonly streams: number;
    readonly peer: string | null;
    readonly version: string | null;
    readonly unsupportedCollections: Readonly<Record<string, string>>;
  };
};

async function originOf(isthmus: Isthmus): Promise<Origin> {
  const [origin] = (await isthmus.page('/debug/origins')) as readonly Origin[];
  if (origin === undefined) throw new Error('there is no source');
  return origin;
}

/** Until all that the source may have is there, or known not to be, and its stream stays. */
async function settled(isthmus: Isthmus): Promise<void> {
  const isSettled = async () => (await isthmus.synced()) && (await originOf(isthmus)).connection.state === 'connected';
  await until('the source has taken all that it is asked for', isSettled, firstState);
}

/** A bridge that listens for the one source of these suites. */
async function listening(lab: Lab): Promise<{ isthmus: Isthmus; sink: { port: number; meta: typeof meta } }> {
  const port = await freePort();
  const settings = { sink: { listen: `127.0.0.1:${port}` }, sources: [{ name: 'origin', match: { meta } }] };
  return { isthmus: await Isthmus.create(lab, { sourcePort: port, settings }), sink: { port, meta } };
}

const versions = [
  { version: '1.5.10', peer: 'mcp-source-1.5.10', known: kinds },
  // From 1.6 on there are WorkloadEntries.
  { version: '1.8-dev', peer: 'mcp-source-1.8-dev', known: [...kinds, ...workloadKinds] },
] as const;

for (const { version, peer, known } of versions) {
  describeWithPeers(`Istio's pkg/mcp ${version} dials Isthmus → istiod 1.24.0`, [peer, 'istiod'], (binaries) => {
    const lab = useLab();
    const collections = known.map(({ collection }) => collection);
    let source: McpSource;
    let isthmus: Isthmus;
    let istiod: Istiod;
    let sink: { port: number; meta: typeof meta };

    beforeAll(async () => {
      ({ isthmus, sink } = await listening(lab));
      source = await McpSource.create(lab, binaries[peer], { collections, sink });
      await source.put(fixtures.join('\n---\n'));
      istiod = await Istiod.create(lab, binaries.istiod, `xds://127.0.0.1:${isthmus.xdsPort}`);
      await isthmus.start();
      istiod.launch();
      await source.start();
    });

    const held = () => checkHolds(source, istiod);

    it('brings istiod the first state whole, and in the end it is known what it has', async () => {
      expect((await checkHolds(source, istiod, firstState)).size).toBeGreaterThan(5);
      await settled(isthmus);
    });

    it('begins each stream with its trigger, which is refused before anything is asked', async () => {
      const events = await source.journal();
      const streams = new Set(events.map(({ stream }) => stream));
      for (const stream of streams) {
        const first = events.filter((event) => event.stream === stream && event.what !== 'open').slice(0, 2);
        expect(first.map(({ what, collection, code }) => [what, collection, code])).toEqual([
          ['push', '$triggerCollection', 0],
          ['nack', '$triggerCollection', 12],
        ]);
      }
    });

    it('is asked in the end for all that it knows, and for nothing else', async () => {
      const { connection } = await originOf(isthmus);
      expect(connection).toMatchObject({
        state: 'connected',
        peer: expect.stringMatching(/^127\.0\.0\.1:\d+$/) as string,
      });
      expect(
        Object.keys(connection.unsupportedCollections).filter((one) =>
          collections.some((collection) => collection === one),
        ),
      ).toEqual([]);
      const events = await source.journal();
      const last = Math.max(...events.map(({ stream }) => stream));
      const asked = events.filter(({ stream, what, nonce = '' }) => stream === last && what === 'ask' && nonce === '');
      expect(asked.map(({ collection = '' }) => collection).sort()).toEqual([...collections].sort());
    });

    it('carries additions, changes and removals, and leaves the version of everything else alone', async () => {
      const start = await held();
      await source.put(service('one', '10.70.0.1'));
      const added = await held();
      assertOnlyChanged(start, added, ['ServiceEntry/go/one']);
      await source.put(service('one', '10.70.0.2'));
      assertOnlyChanged(added, await held(), ['ServiceEntry/go/one']);
      await source.remove('ServiceEntry/go/one');
      assertOnlyChanged(start, await held(), []);
    });

    /** While `disturb` runs, and until istiod has everything again, it never lacks what was there and stays. */
    async function losesNothing(disturb: (sampler: ConfigzSampler) => Promise<void>): Promise<void> {
      const before = await held();
      const sampler = new ConfigzSampler(istiod, before.keys());
      try {
        await disturb(sampler);
        await held();
        await until('it was looked at often enough', () => sampler.counted >= 20);
      } finally {
        const { lacking } = await sampler.stop();
        expect(lacking).toEqual([]);
      }
    }

    // It leaves them as they are, and opens others on the same connection.
    it('loses nothing when it leaves its streams, and learns what was removed meanwhile', async () => {
      await source.put(service('leaving', '10.70.0.1'));
      await losesNothing(async (sampler) => {
        const { streams } = (await originOf(isthmus)).connection;
        sampler.release('ServiceEntry/go/leaving');
        await source.cancelStreams();
        await source.remove('ServiceEntry/go/leaving');
        await source.put(service('coming', '10.70.0.1'));
        await until('another stream counts', async () => (await originOf(isthmus)).connection.streams > streams);
      });
      expect((await istiod.configz()).has('ServiceEntry/go/leaving')).toBe(false);
    });

    it('loses nothing when it is killed and started again, and learns what was removed meanwhile', async () => {
      await source.put(service('forgotten', '10.70.0.1'));
      await losesNothing(async (sampler) => {
        await source.kill();
        await until('that is seen', async () => (await originOf(isthmus)).connection.state === 'awaited');
        sampler.release('ServiceEntry/go/forgotten');
        await source.remove('ServiceEntry/go/forgotten');
        await source.put(service('found', '10.70.0.1'));
        await source.start();
      });
      const all = await istiod.configz();
      expect([all.has('ServiceEntry/go/found'), all.has('ServiceEntry/go/forgotten')]).toEqual([true, false]);
    });

    it('is not disturbed by a second one under its name, which is refused again and again', async () => {
      const other = await McpSource.create(lab, binaries[peer], { collections, sink, name: 'mcp-source-other' });
      await losesNothing(async () => {
        const { streams } = (await originOf(isthmus)).connection;
        await other.put(service('foreign', '10.70.0.1'));
        await other.start();
        await until('it has been refused several times', async () => {
          const ends = (await other.journal()).filter(({ what }) => what === 'end');
          return ends.filter(({ code }) => code === 6).length >= 3;
        });
        expect((await originOf(isthmus)).connection.streams).toBe(streams);
        await other.kill();
      });
      expect((await istiod.configz()).has('ServiceEntry/go/foreign')).toBe(false);
    });
  });
}

describeWithPeers('Galley 1.5.10 dials Isthmus → istiod 1.24.0', ['galley', 'istiod'], (binaries) => {
  const lab = useLab();
  let galley: Galley;
  let isthmus: Isthmus;
  let istiod: Istiod;

  beforeAll(async () => {
    const { isthmus: bridge, sink } = await listening(lab);
    isthmus = bridge;
    const folder = new ConfigFolder(lab.folder('galley-files'));
    folder.copyFrom(mesh);
    galley = await Galley.create(lab, binaries.galley, folder, { sink });
    istiod = await Istiod.create(lab, binaries.istiod, `xds://127.0.0.1:${isthmus.xdsPort}`);
    await isthmus.start();
    istiod.launch();
    await galley.start();
  });

  const held = () => checkHoldsFolder({ folder: galley.folder, istiod });

  it('brings istiod everything that its folder says', async () => {
    const all = await checkHoldsFolder({ folder: galley.folder, istiod }, firstState);
    expect(all.size).toBe(galley.folder.manifests().size);
    await settled(isthmus);
  });

  it('says which Istio it is of, and what it does not know', async () => {
    const { connection } = await originOf(isthmus);
    expect(connection).toMatchObject({ state: 'connected', version: expect.any(String) as string });
    expect(Object.keys(connection.unsupportedCollections).sort()).toEqual([
      'istio/networking/v1alpha3/workloadentries',
      'istio/networking/v1alpha3/workloadgroups',
    ]);
  });

  describe('its folder changes', () => {
    it('one service comes, changes and goes, and nothing else is touched', async () => {
      const start = await held();
      galley.folder.write('one.yaml', service('one', '10.70.0.1'));
      const added = await held();
      assertOnlyChanged(start, added, ['ServiceEntry/go/one']);
      galley.folder.edit('one.yaml', '10.70.0.1', '10.70.0.2');
      assertOnlyChanged(added, await held(), ['ServiceEntry/go/one']);
      galley.folder.remove('one.yaml');
      assertOnlyChanged(start, await held(), []);
    });

    it('it is killed, and started again: nothing is lost on the way', async () => {
      const before = await held();
      const sampler = new ConfigzSampler(istiod, before.keys());
      await galley.kill();
      await until('that is seen', async () => (await originOf(isthmus)).connection.state === 'awaited');
      galley.folder.write('two.yaml', service('two', '10.70.0.1'));
      await galley.start();
      await held();
      await until('it was looked at often enough', () => sampler.counted >= 20);
      expect((await sampler.stop()).lacking).toEqual([]);
    });
  });
});
