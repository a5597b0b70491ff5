import { beforeAll, expect, it } from 'vitest';
import { checkFinishesStart, checkMovesWithoutFailure, checkReaches, type Route, routeManifests } from './checks.ts';
import { skipWhere } from '../support/skip-where.ts';
import { type Backend, startBackend } from './support/backend.ts';
import { type BridgedChain, bridgedChain } from './support/chain.ts';
import { Envoy } from './support/envoy.ts';
import { useLab } from './support/lab.ts';
import { listeners, listenersKnown } from './support/listeners.ts';
import { describeWithPeers } from './support/peers.ts';
import { freePort } from './support/ports.ts';

const routeFile = 'route.yaml';

describeWithPeers('Envoy → istiod 1.24.0 → Isthmus → Galley 1.5.10', ['galley', 'istiod', 'envoy'], (binaries) => {
  const lab = useLab();
  let chain: BridgedChain;
  let envoy: Envoy;
  let route: Route;
  let first: Backend;
  let second: Backend;

  beforeAll(async () => {
    [first, second] = await Promise.all([startBackend(lab, 'first'), startBackend(lab, 'second')]);
    chain = await bridgedChain(lab, binaries, { withFixtures: false });
    route = { listenPort: await freePort(), host: 'only-galley-knows.example.com', endpointPort: first.port };
    chain.folder.write(routeFile, routeManifests(route));
    await chain.galley.start();
    await chain.isthmus.start();
    chain.istiod.launch();
    await checkFinishesStart(chain);
    envoy = new Envoy(lab, binaries.envoy, chain.istiod.grpcPort);
    await envoy.start();
  });

  it('takes a request to a backend that only a ServiceEntry in Galley names', async () => {
    expect(first.requests()).toBe(0);
    await checkReaches(route, first.name);
    expect(first.requests()).toBeGreaterThan(0);
    expect(second.requests()).toBe(0);
  });

  it('moves requests to the new endpoint, and not one of them fails', async () => {
    for (const [from, to] of [
      [first, second],
      [second, first],
      [first, second],
    ] as const) {
      const tally = await checkMovesWithoutFailure(route, {
        from: from.name,
        to: to.name,
        move: () => chain.folder.write(routeFile, routeManifests({ ...route, endpointPort: to.port })),
        minRequests: 500,
      });
      expect(tally.failures).toEqual([]);
      expect(tally.total).toBeGreaterThanOrEqual(1_500);
    }
  });

  it('keeps serving while Isthmus and Galley are gone', async () => {
    await chain.isthmus.kill();
    await chain.galley.kill();
    const asked = second.requests();
    await checkReaches(route, second.name);
    expect(second.requests()).toBeGreaterThan(asked);
    await Promise.all([chain.galley.start(), chain.isthmus.start()]);
    const tally = await checkMovesWithoutFailure(route, {
      from: second.name,
      to: first.name,
      move: () => chain.folder.write(routeFile, routeManifests(route)),
      minRequests: 500,
    });
    expect(tally.failures).toEqual([]);
  });

  it('runs on a proxy that listens on 127.0.0.1 only', (context) => {
    skipWhere(!listenersKnown, 'only Linux says what a process listens on, in /proc', context);
    const open = listeners(envoy.pid);
    expect(open.map(({ port }) => port)).toContain(route.listenPort);
    expect(open.filter(({ loopback }) => !loopback)).toEqual([]);
  });
});
