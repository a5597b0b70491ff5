import { afterAll, beforeAll, expect, it } from 'vitest';
import { checkFinishesStart, checkFollowsChanges, checkHoldsFolder } from './checks.ts';
import { skipWhere } from '../support/skip-where.ts';
import { AdsClient } from './support/ads-client.ts';
import { type BridgedChain, bridgedChain } from './support/chain.ts';
import { Istiod } from './support/istiod.ts';
import { useLab } from './support/lab.ts';
import { readLegacyServer } from './support/legacy-client.ts';
import { listeners, listenersKnown } from './support/listeners.ts';
import { canonicalSpec, differences, type Manifest } from './support/manifest.ts';
import { describeWithPeers } from './support/peers.ts';
import { until } from './support/until.ts';

/** All copies of a value in which one leaf is another. */
function variations(value: unknown): unknown[] {
  if (Array.isArray(value)) {
    const items = value.flatMap((item, at) => variations(item).map((other) => value.with(at, other)));
    return [...items, value.slice(1), [...value, value[0]]];
  }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value);
    return entries.flatMap(([name, item]) => {
      const { [name]: _dropped, ...rest } = value as Record<string, unknown>;
      return [...variations(item).map((other) => ({ ...value, [name]: other })), rest];
    });
  }
  if (typeof value === 'number') return [value + 1, String(value)];
  if (typeof value === 'boolean') return [!value];
  return [`${String(value)}x`, ''];
}

/** Galley writes the entries of maps in another order whenever it encodes a resource again. */
function inAnyOrder(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(bytes).sort();
}

describeWithPeers('Galley 1.5.10 → Isthmus → istiod 1.24.0', ['galley', 'istiod'], (binaries) => {
  const lab = useLab();
  let chain: BridgedChain;
  let observer: AdsClient;

  beforeAll(async () => {
    chain = await bridgedChain(lab, binaries);
    await chain.galley.start();
    await chain.isthmus.start();
    chain.istiod.launch();
    observer = new AdsClient(chain.isthmus.xdsPort);
  });
  afterAll(() => observer?.close());

  it('lets istiod finish its start', async () => {
    await checkFinishesStart(chain);
    expect(await chain.isthmus.synced()).toBe(true);
  });

  it('brings istiod everything that Galley serves, with equal spec, labels and annotations', async () => {
    const held = await checkHoldsFolder(chain);
    const served = await readLegacyServer(chain.galley.port);
    expect([...held.keys()].sort()).toEqual([...served.keys()].sort());
    expect(served.size).toBe(chain.folder.manifests().size);
    expect(new Set([...held.values()].map(({ kind }) => kind))).toEqual(
      new Set(['ServiceEntry', 'VirtualService', 'DestinationRule', 'Gateway', 'Sidecar']),
    );
  });

  it('gives istiod what it would have read from the same files itself', async () => {
    const reader = await Istiod.create(lab, binaries.istiod, `fs://${chain.folder.path}`, 'istiod-on-files');
    await reader.start();
    const own = await checkHoldsFolder({ folder: chain.folder, istiod: reader });
    const bridged = await chain.istiod.configz();
    const comparable = (held: ReadonlyMap<string, Manifest>) =>
      Object.fromEntries([...held].map(([key, { spec, labels, annotations }]) => [key, { spec, labels, annotations }]));
    expect(comparable(bridged)).toEqual(comparable(own));
  });

  it('passes on the very bytes of every body, under the versions that istiod shows', async () => {
    const served = await readLegacyServer(chain.galley.port);
    const state = await until('every kind was answered', () => observer.state());
    const held = await chain.istiod.configz();
    expect(state.size).toBe(served.size);
    for (const [key, { body, version }] of state) {
      expect(inAnyOrder(body), `body of ${key}`).toEqual(inAnyOrder(served.get(key) ?? new Uint8Array()));
      expect(held.get(key)?.resourceVersion, `version of ${key}`).toBe(version);
      expect(version).not.toBe('');
    }
  });

  it('carries additions, changes and removals, and leaves the version of everything else alone', async () => {
    const before = await until('every kind was answered', () => observer.state());
    await checkFollowsChanges(chain);
    // The check has put back or removed all that it changed, but for these.
    const kept = ['Sidecar/shop/frontend', 'Gateway/edge/public', 'VirtualService/shop/catalog'];
    const after = observer.state();
    expect([...after.keys()].sort()).toEqual([...before.keys()].sort());
    for (const [key, { version }] of after) {
      if (kept.includes(key)) expect(version, key).not.toBe(before.get(key)?.version);
      else expect(version, key).toBe(before.get(key)?.version);
    }
  });

  it('sends only the type that has changed', async () => {
    const sent = observer.received.length;
    chain.folder.edit('mongo.yml', '10.20.0.3', '10.20.0.4');
    await checkHoldsFolder(chain);
    await until('the observer has it too', () => observer.received.length > sent);
    expect(observer.received.slice(sent).map(({ kind }) => kind)).toEqual(['ServiceEntry']);
  });

  it('runs on servers that listen on 127.0.0.1 only', (context) => {
    skipWhere(!listenersKnown, 'only Linux says what a process listens on, in /proc', context);
    for (const { pid } of [chain.galley, chain.isthmus, chain.istiod]) {
      const open = listeners(pid);
      expect(open.length).toBeGreaterThan(0);
      expect(open.filter(({ loopback }) => !loopback)).toEqual([]);
    }
  });

  it('compares strictly: any other leaf in any spec is a difference', () => {
    let compared = 0;
    for (const [key, manifest] of chain.folder.manifests()) {
      for (const spec of variations(manifest.spec)) {
        const other = { ...manifest, spec };
        // A written zero value of an enum, and its absence, are the same by design.
        if (JSON.stringify(canonicalSpec(other)) === JSON.stringify(canonicalSpec(manifest))) continue;
        expect(differences(new Map([[key, manifest]]), new Map([[key, other]]))).not.toEqual([]);
        compared += 1;
      }
    }
    expect(compared).toBeGreaterThan(500);
  });

  it('ends with status 0 on SIGTERM, and istiod keeps what it has', async () => {
    const before = await chain.istiod.configz();
    expect(await chain.isthmus.stop()).toEqual({ code: 0, signal: null });
    expect(await chain.istiod.configz()).toEqual(before);
    expect(await chain.istiod.serving()).toBe(true);
  });
});
