import { beforeAll, describe, expect, it } from 'vitest';
import {
  checkFinishesStart,
  checkFollowsChanges,
  checkHoldsFolder,
  checkLosesNothing,
  checkMovesWithoutFailure,
  checkReaches,
  type Route,
  routeManifests,
} from './checks.ts';
import { startBackend } from './support/backend.ts';
import { type Chain, unbridgedChain } from './support/chain.ts';
import { Envoy } from './support/envoy.ts';
import { useLab } from './support/lab.ts';
import { readLegacyServer } from './support/legacy-client.ts';
import { describeWithPeers } from './support/peers.ts';
import { freePort } from './support/ports.ts';
import { until } from './support/until.ts';

/** Far more than any of these takes with Isthmus. */
const limits = { timeoutMs: 10_000 };

describeWithPeers('the control run: istiod pointed at Galley itself', ['galley', 'istiod', 'envoy'], (binaries) => {
  const lab = useLab();
  let chain: Chain;
  let route: Route;

  beforeAll(async () => {
    const backend = await startBackend(lab, 'first');
    chain = await unbridgedChain(lab, binaries);
    route = { listenPort: await freePort(), host: 'only-galley-knows.example.com', endpointPort: backend.port };
    chain.folder.write('route.yaml', routeManifests(route));
    await chain.galley.start();
    chain.istiod.launch();
    await new Envoy(lab, binaries.envoy, chain.istiod.grpcPort).start();
  });

  it('has a Galley that serves the whole folder, and an istiod that asks it in vain', async () => {
    const served = await readLegacyServer(chain.galley.port);
    expect([...served.keys()].sort()).toEqual([...chain.folder.manifests().keys()].sort());
    await until('istiod was turned away', () =>
      chain.istiod.log().includes('unknown service envoy.service.discovery.v3.AggregatedDiscoveryService'),
    );
    expect(chain.istiod.exit).toBeUndefined();
    expect((await chain.istiod.configz()).size).toBe(0);
  });

  // Nothing in these depends on what another does to the chain, and most of their time is waiting.
  describe.concurrent('every check fails', () => {
    it('istiod does not finish its start', async () => {
      await expect(checkFinishesStart(chain, limits)).rejects.toThrow("istiod's gRPC port is open");
    });

    it('istiod does not hold what the folder says', async () => {
      await expect(checkHoldsFolder(chain, limits)).rejects.toThrow('ServiceEntry/shop/catalog: missing');
    });

    it('istiod does not follow changes', async () => {
      await expect(checkFollowsChanges(chain, limits)).rejects.toThrow('configz equals the folder');
    });

    it('nothing can be said about a restart of Galley', async () => {
      const restart = async () => {
        await chain.galley.kill();
        await chain.galley.start();
      };
      await expect(checkLosesNothing(chain, { disturb: restart, minSamples: 50 }, limits)).rejects.toThrow(
        'configz equals the folder',
      );
    });

    it('no request reaches the backend, let alone moves to another', async () => {
      const move = () => chain.folder.edit('route.yaml', '127.0.0.1, ports', '127.0.0.2, ports');
      const reaches = checkReaches(route, 'first', limits);
      const moves = checkMovesWithoutFailure(route, { from: 'first', to: 'second', move, minRequests: 500 }, limits);
      await Promise.all([
        expect(reaches).rejects.toThrow('a request for'),
        expect(moves).rejects.toThrow('a request for'),
      ]);
    });
  });
});
