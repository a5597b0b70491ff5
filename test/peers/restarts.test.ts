import { beforeAll, describe, expect, it } from 'vitest';
import { checkAlive, checkFinishesStart, checkHoldsFolder, checkLosesNothing } from './checks.ts';
import { type BridgedChain, bridgedChain } from './support/chain.ts';
import { useLab } from './support/lab.ts';
import { differences } from './support/manifest.ts';
import { describeWithPeers } from './support/peers.ts';
import { until } from './support/until.ts';

type Server = 'Isthmus' | 'Galley' | 'istiod';
type Order = readonly [Server, Server, Server];

const orders: readonly Order[] = [
  ['Isthmus', 'Galley', 'istiod'],
  ['Isthmus', 'istiod', 'Galley'],
  ['Galley', 'Isthmus', 'istiod'],
  ['Galley', 'istiod', 'Isthmus'],
  ['istiod', 'Isthmus', 'Galley'],
  ['istiod', 'Galley', 'Isthmus'],
];

const inWords = (order: readonly Server[]): string => order.join(', then ');

function kill(chain: BridgedChain, server: Server): Promise<unknown> {
  if (server === 'Isthmus') return chain.isthmus.kill();
  if (server === 'Galley') return chain.galley.kill();
  return chain.istiod.kill();
}

function start(chain: BridgedChain, server: Server): Promise<void> {
  if (server === 'Isthmus') return chain.isthmus.start();
  if (server === 'Galley') return chain.galley.start();
  return chain.istiod.start();
}

const spareFile = 'spare.yaml';
const spare = (name: string): string => `apiVersion: networking.istio.io/v1alpha3
kind: ServiceEntry
metadata: {name: ${name}, namespace: spare}
spec:
  hosts: [${name}.spare.example.com]
  addresses: [240.0.60.1]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 10.60.0.1}]
`;

describeWithPeers('kill -9 and restart', ['galley', 'istiod'], (binaries) => {
  describe.each([
    ['without a state directory', false],
    ['with a state directory', true],
  ] as const)('%s', (_memory, remember) => {
    const lab = useLab();
    let chain: BridgedChain;

    beforeAll(async () => {
      chain = await bridgedChain(lab, binaries, { remember });
      await chain.galley.start();
      await chain.isthmus.start();
      await chain.istiod.start();
      await checkHoldsFolder(chain);
    });

    it.each(orders.map((order) => [inWords(order), order] as const))(
      'one after the other loses nothing: %s',
      async (_words, order) => {
        const samples = await checkLosesNothing(chain, {
          minSamples: 50,
          disturb: async () => {
            for (const server of order) {
              expect(await kill(chain, server)).toEqual({ code: null, signal: 'SIGKILL' });
              await start(chain, server);
              await checkAlive(chain);
            }
          },
        });
        expect(samples.lacking).toEqual([]);
      },
    );

    it.each(orders.map((order) => [inWords(order), order] as const))(
      'all of them at once loses nothing but what was removed meanwhile: %s',
      async (_words, order) => {
        chain.folder.write(spareFile, spare('old'));
        await checkHoldsFolder(chain);
        const samples = await checkLosesNothing(chain, {
          minSamples: 20,
          disturb: async (sampler) => {
            for (const server of order) await kill(chain, server);
            // While nobody looks, one resource goes and another comes.
            sampler.release('ServiceEntry/spare/old');
            chain.folder.write(spareFile, spare('new'));
            const started: Promise<void>[] = [];
            const startsBefore = chain.istiod.starts;
            for (const server of order) {
              const up = start(chain, server);
              up.catch(() => {});
              started.push(up);
              // istiod is not up before the other two are: it ends at once as long as nobody listens for it.
              if (server !== 'istiod') await up;
              else if (order[0] === 'istiod')
                await until('istiod is tried again', () => chain.istiod.starts > startsBefore + 1);
            }
            await Promise.all(started);
            const held = await checkHoldsFolder(chain);
            expect(held.has('ServiceEntry/spare/new')).toBe(true);
            expect(held.has('ServiceEntry/spare/old')).toBe(false);
          },
        });
        expect(samples.lacking).toEqual([]);
      },
    );

    it('loses nothing when Isthmus restarts while Galley is down', async () => {
      const samples = await checkLosesNothing(chain, {
        minSamples: 100,
        disturb: async (sampler) => {
          await kill(chain, 'Galley');
          // What came in the last seconds before it is killed, a process may lose (ADR 5).
          await until('all is saved', () => chain.isthmus.saved());
          await kill(chain, 'Isthmus');
          await start(chain, 'Isthmus');
          // No legacy server can hold this kind, so that Isthmus answers for it even now.
          const answered = chain.istiod.responses('Telemetry');
          await until('istiod has an answer again', () => chain.istiod.responses('Telemetry') > answered);
          const counted = sampler.counted;
          await until('istiod was looked at for a while', () => sampler.counted >= counted + 50);
          expect(await chain.istiod.serving()).toBe(true);
          await start(chain, 'Galley');
        },
      });
      expect(samples.lacking).toEqual([]);
    });
  });

  describe('an istiod that starts while no origin is up', () => {
    const lab = useLab();

    it('keeps its gRPC port closed until the first complete state came, and then has all of it', async () => {
      const chain = await bridgedChain(lab, binaries);
      await chain.isthmus.start();
      chain.istiod.launch();
      // istiod says so when it has looked 50 times, about four seconds long, for what it still lacks.
      await until('istiod waits for its configuration', async () => {
        expect(await chain.istiod.serving()).toBe(false);
        return /waiting for sync\.\.\.\s+name=server attempt=50/.test(chain.istiod.log());
      });
      expect(await chain.istiod.serving()).toBe(false);
      expect(chain.istiod.exit).toBeUndefined();
      expect(await chain.isthmus.ready()).toBe(true);
      expect(await chain.isthmus.synced()).toBe(false);

      await chain.galley.start();
      await checkFinishesStart(chain);
      // The first look at the open port, not the first that pleases.
      expect(differences(chain.folder.manifests(), await chain.istiod.configz())).toEqual([]);
      expect(await chain.isthmus.synced()).toBe(true);
    });
  });
});
