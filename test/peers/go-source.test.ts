import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { assertOnlyChanged, checkHolds } from './checks.ts';
import { Isthmus } from './support/isthmus.ts';
import { Istiod } from './support/istiod.ts';
import { kinds, workloadKinds } from './support/kinds.ts';
import { useLab } from './support/lab.ts';
import { McpSource, type SourceEvent } from './support/mcp-source.ts';
import { NackingSink } from './support/nacking-sink.ts';
import { describeWithPeers } from './support/peers.ts';
import { ConfigzSampler } from './support/sampler.ts';
import { until } from './support/until.ts';

const mesh = join(import.meta.dirname, 'fixtures/mesh');
const fixtures = readdirSync(mesh)
  .sort()
  .map((file) => readFileSync(join(mesh, file), 'utf8'));
const serviceEntries = 'istio/networking/v1alpha3/serviceentries';

/** Their collections, sorted. */
const names = (events: readonly SourceEvent[]): string[] => events.map(({ collection = '' }) => collection).sort();

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

const workload = `apiVersion: networking.istio.io/v1alpha3
kind: WorkloadEntry
metadata: {name: catalog-3, namespace: shop}
spec: {address: 10.10.0.3, labels: {app: catalog}, ports: {http: 18080}, serviceAccount: catalog, weight: 5}
`;

/** A field that says it is five bytes long and is one. */
const undecodable = Uint8Array.of(0x0a, 0x05, 0x61);

type QuarantinePage = {
  readonly resources: readonly {
    readonly resource: string;
    readonly reason: string;
    readonly lastGoodSent: boolean;
  }[];
};
type OriginsPage = readonly {
  readonly connection: { readonly unsupportedCollections: Readonly<Record<string, string>> };
}[];

const versions = [
  { version: '1.5.10', peer: 'mcp-source-1.5.10', known: kinds, extra: [] },
  // From 1.6 on there are WorkloadEntries.
  { version: '1.8-dev', peer: 'mcp-source-1.8-dev', known: [...kinds, ...workloadKinds], extra: [workload] },
] as const;

for (const { version, peer, known, extra } of versions) {
  describeWithPeers(`Istio's pkg/mcp ${version} → Isthmus → istiod 1.24.0`, [peer, 'istiod'], (binaries) => {
    describe.each([
      ['full states', false],
      ['changes', true],
    ] as const)('asked for %s', (_words, incremental) => {
      const lab = useLab();
      const collections = known.map(({ collection }) => collection);
      let source: McpSource;
      let isthmus: Isthmus;
      let istiod: Istiod;

      beforeAll(async () => {
        source = await McpSource.create(lab, binaries[peer], { collections, incremental });
        await source.put([...fixtures, ...extra].join('\n---\n'));
        isthmus = await Isthmus.create(lab, { sourcePort: source.port, source: { incremental } });
        istiod = await Istiod.create(lab, binaries.istiod, `xds://127.0.0.1:${isthmus.xdsPort}`);
        await source.start();
        await isthmus.start();
        await istiod.start();
      });

      const held = () => checkHolds(source, istiod);

      /** Pushes of one collection since a point in the journal. */
      async function pushes(since: number, collection: string = serviceEntries): Promise<SourceEvent[]> {
        const events = await source.journal(since);
        return events.filter((event) => event.what === 'push' && event.collection === collection);
      }

      const now = async () => (await source.journal()).length;

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

      it('is turned away until Isthmus asks for no collection that the source does not know', async () => {
        const events = await source.journal();
        const ends = events.filter(({ what }) => what === 'end');
        expect(ends.length).toBeGreaterThan(0);
        for (const { code, message } of ends) {
          expect(code).toBe(3);
          expect(message).toMatch(/^unsupported collection "/);
        }
        const last = Math.max(...events.map(({ stream }) => stream));
        const asked = events.filter(({ stream, what }) => stream === last && what === 'ask');
        expect(names(asked)).toEqual([...collections].sort());
        const [origin] = (await isthmus.page('/debug/origins')) as OriginsPage;
        const refused = Object.keys(origin?.connection.unsupportedCollections ?? {});
        expect(refused).toHaveLength(ends.length);
        expect(refused.filter((collection) => collections.some((one) => one === collection))).toEqual([]);
      });

      it('brings istiod the first state whole', async () => {
        const all = await held();
        expect(new Set([...all.values()].map(({ kind }) => kind))).toEqual(new Set(known.map(({ kind }) => kind)));
        const events = await source.journal();
        const last = Math.max(...events.map(({ stream }) => stream));
        const first = events.filter(({ stream, what }) => stream === last && what === 'push');
        expect(names(first)).toEqual([...collections].sort());
        // What Istio's source says of a first push: 1.5 calls each a change, 1.8 all but the first of the stream.
        const flagged = first.filter((push) => push.incremental).length;
        expect(flagged).toBe(incremental ? first.length - (version === '1.5.10' ? 0 : 1) : 0);
      });

      it('carries additions, changes and removals, and leaves the version of everything else alone', async () => {
        const start = await held();
        const since = await now();
        await source.put(service('one', '10.70.0.1'));
        const added = await held();
        assertOnlyChanged(start, added, ['ServiceEntry/go/one']);
        await source.put(service('one', '10.70.0.2'));
        const changed = await held();
        assertOnlyChanged(added, changed, ['ServiceEntry/go/one']);
        await source.remove('ServiceEntry/go/one');
        const removed = await held();
        assertOnlyChanged(changed, removed, []);
        expect(removed.has('ServiceEntry/go/one')).toBe(false);
        const all = [...start.values()].filter(({ kind }) => kind === 'ServiceEntry').length;
        const said = (await pushes(since)).map(({ resources, removed: removedNames }) => [
          resources,
          removedNames ?? [],
        ]);
        expect(said).toEqual(
          incremental
            ? [
                [1, []],
                [1, []],
                [0, ['go/one']],
              ]
            : [
                [all + 1, []],
                [all + 1, []],
                [all, []],
              ],
        );
      });

      it('carries what is removed and added again, with the same content and with other content', async () => {
        await source.put(service('again', '10.70.0.1'), 'v1');
        const first = await held();
        await source.remove('ServiceEntry/go/again');
        expect((await held()).has('ServiceEntry/go/again')).toBe(false);
        // Even the source's own version of it is the old one.
        await source.put(service('again', '10.70.0.1'), 'v1');
        const again = await held();
        expect(again.get('ServiceEntry/go/again')).toEqual(first.get('ServiceEntry/go/again'));

        await source.remove('ServiceEntry/go/again');
        await held();
        await source.put(service('again', '10.70.0.9'));
        const other = await held();
        assertOnlyChanged(again, other, ['ServiceEntry/go/again']);

        // Faster than anyone can look: the source itself may say all of it in one push.
        for (let round = 1; round <= 10; round++) {
          await source.remove('ServiceEntry/go/again');
          await source.put(service('again', `10.70.1.${round}`));
        }
        await held();
        await source.remove('ServiceEntry/go/again');
        await held();
      });

      it('carries a collection that is emptied and filled again', async () => {
        const before = await held();
        const entries = [...before.values()].filter(({ kind }) => kind === 'ServiceEntry');
        await source.clear('ServiceEntry');
        const without = await held();
        expect(without.size).toBe(before.size - entries.length);
        await source.putManifests(entries);
        assertOnlyChanged(
          without,
          await held(),
          entries.map(({ key }) => key),
        );

        // One by one; with the last one Istio's cache forgets the version of the collection.
        for (const { key } of entries) await source.remove(key);
        expect((await held()).size).toBe(without.size);
        await source.putManifests(entries);
        expect(await held()).toEqual(before);
      });

      it('keeps the last good form of what becomes undecodable, and brings everything else', async () => {
        await source.put(service('broken', '10.70.0.1'));
        const good = (await held()).get('ServiceEntry/go/broken');
        const since = await now();
        await source.putRaw('ServiceEntry/go/broken', undecodable);
        await source.put(service('sound', '10.70.0.2'));
        await until('the sound one has arrived', async () => (await istiod.configz()).has('ServiceEntry/go/sound'));
        expect((await istiod.configz()).get('ServiceEntry/go/broken')).toEqual(good);
        const { resources } = (await isthmus.page('/debug/quarantine')) as QuarantinePage;
        expect(resources.map(({ resource, lastGoodSent }) => [resource, lastGoodSent])).toEqual([['go/broken', true]]);
        // It is ACKed: after a NACK the source would keep quiet until its next change.
        const answers = (await source.journal(since)).filter(({ what }) => what === 'ack' || what === 'nack');
        expect(answers.map(({ what }) => what)).toEqual(answers.map(() => 'ack'));

        await source.put(service('broken', '10.70.0.3'));
        await held();
        expect(await isthmus.page('/debug/quarantine')).toEqual({ resources: [], next: null });
        await source.remove('ServiceEntry/go/broken');
        await source.remove('ServiceEntry/go/sound');
        await held();
      });

      it('is not held up by another sink that NACKs everything', async () => {
        const other = new NackingSink(source.port, serviceEntries);
        try {
          await until('the other sink was served', () => other.received.length === 1);
          const since = await now();
          await source.put(service('after-nack', '10.70.0.1'));
          await held();
          // After a NACK Istio's source says nothing until something changes, and then says the change.
          await until('the other sink was served again', () => other.received.length === 2);
          await source.put(service('after-nack', '10.70.0.2'));
          await held();
          await until('and again', () => other.received.length === 3);
          const nacks = (await source.journal(since)).filter(({ what }) => what === 'nack');
          expect(nacks.map(({ stream }) => stream)).toEqual(nacks.map(() => nacks[0]?.stream));
          expect(nacks.length).toBeGreaterThanOrEqual(1);
          expect(other.failure).toBeUndefined();
        } finally {
          other.close();
        }
        await source.remove('ServiceEntry/go/after-nack');
        await held();
      });

      it('loses nothing when the source cancels its streams, and learns what was removed meanwhile', async () => {
        await source.put(service('leaving', '10.70.0.1'));
        await losesNothing(async (sampler) => {
          const since = await now();
          sampler.release('ServiceEntry/go/leaving');
          await source.cancelStreams();
          await source.remove('ServiceEntry/go/leaving');
          await source.put(service('coming', '10.70.0.1'));
          await until('the stream has ended', async () =>
            (await source.journal(since)).some(
              ({ what, code, message }) => what === 'end' && code === 14 && message === 'server canceled watch',
            ),
          );
          await held();
          // In the middle of changes.
          for (let round = 1; round <= 20; round++) {
            await source.put(service('coming', `10.70.2.${round}`));
            if (round === 10) await source.cancelStreams();
          }
        });
        expect((await istiod.configz()).has('ServiceEntry/go/leaving')).toBe(false);
      });

      it('loses nothing when the source is killed and started again, and learns what was removed meanwhile', async () => {
        await source.put(service('forgotten', '10.70.0.1'));
        await losesNothing(async (sampler) => {
          await source.kill();
          sampler.release('ServiceEntry/go/forgotten');
          await source.remove('ServiceEntry/go/forgotten');
          await source.put(service('found', '10.70.0.1'));
          await source.start();
        });
        const all = await istiod.configz();
        expect(all.has('ServiceEntry/go/found')).toBe(true);
        expect(all.has('ServiceEntry/go/forgotten')).toBe(false);
        expect(await isthmus.page('/debug/quarantine')).toEqual({ resources: [], next: null });
        expect(await isthmus.synced()).toBe(true);
      });
    });
  });
}
