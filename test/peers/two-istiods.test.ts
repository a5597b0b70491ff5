import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { assertOnlyChanged, checkAlive, checkFinishesStart, checkHoldsFolder } from './checks.ts';
import { type BridgedChain, bridgedChain } from './support/chain.ts';
import { Istiod } from './support/istiod.ts';
import { useLab } from './support/lab.ts';
import type { HeldConfig } from './support/manifest.ts';
import { describeWithPeers } from './support/peers.ts';
import { until } from './support/until.ts';

type StreamPage = readonly { readonly types: readonly { readonly typeUrl: string; readonly nack: string | null }[] }[];

const peers = ['galley', 'istiod', 'istiod-1.16.5'] as const;

describeWithPeers('Galley 1.5.10 → Isthmus → istiod 1.24.0 and istiod 1.16.5', peers, (binaries) => {
  const lab = useLab();
  let chain: BridgedChain;
  let older: Istiod;

  beforeAll(async () => {
    chain = await bridgedChain(lab, binaries);
    chain.folder.copyFrom(join(import.meta.dirname, 'fixtures/policies'));
    older = await Istiod.create(
      lab,
      binaries['istiod-1.16.5'],
      `xds://127.0.0.1:${chain.isthmus.xdsPort}`,
      'istiod-1.16.5',
    );
    await chain.galley.start();
    await chain.isthmus.start();
    chain.istiod.launch();
    older.launch();
  });

  /** Both hold what the folder says, and the same as each other; returns what that is. */
  async function checkBothHold(): Promise<ReadonlyMap<string, HeldConfig>> {
    const [held, heldByOlder] = await Promise.all([
      checkHoldsFolder(chain),
      checkHoldsFolder({ folder: chain.folder, istiod: older }),
    ]);
    expect(Object.fromEntries(heldByOlder)).toEqual(Object.fromEntries(held));
    return held;
  }

  it('lets both finish their start', async () => {
    await checkFinishesStart(chain);
    await checkFinishesStart({ ...chain, istiod: older });
  });

  it('answers each under the names that it asked for', async () => {
    const streams = (await chain.isthmus.page('/debug/streams')) as StreamPage;
    const asked = streams.map(({ types }) => types.map(({ typeUrl }) => typeUrl).filter((url) => url.includes('/v1')));
    expect(streams).toHaveLength(2);
    const entry = (version: string) => `networking.istio.io/${version}/ServiceEntry`;
    expect(asked.filter((urls) => urls.includes(entry('v1')) && !urls.includes(entry('v1alpha3')))).toHaveLength(1);
    expect(asked.filter((urls) => urls.includes(entry('v1alpha3')) && !urls.includes(entry('v1')))).toHaveLength(1);
  });

  it('brings both the same: every kind that Galley has, equal in spec, labels, annotations and version', async () => {
    const held = await checkBothHold();
    expect(new Set([...held.values()].map(({ kind }) => kind))).toEqual(
      new Set([
        'AuthorizationPolicy',
        'DestinationRule',
        'EnvoyFilter',
        'Gateway',
        'PeerAuthentication',
        'RequestAuthentication',
        'ServiceEntry',
        'Sidecar',
        'VirtualService',
      ]),
    );
    for (const [key, { resourceVersion }] of held) expect(resourceVersion, key).not.toBe('');
  });

  it('carries additions, changes and removals to both, and leaves the version of everything else alone', async () => {
    const start = await checkBothHold();
    const policy = chain.folder.read('policies.yaml').split('---\n').at(2) ?? '';
    chain.folder.write('added.yaml', policy.replace('name: strict', 'name: added'));
    const withAdded = await checkBothHold();
    assertOnlyChanged(start, withAdded, ['PeerAuthentication/shop/added']);

    chain.folder.edit('mongo.yml', '10.20.0.3', '10.20.0.4');
    const withEndpoint = await checkBothHold();
    assertOnlyChanged(withAdded, withEndpoint, ['ServiceEntry/data/mongo']);

    chain.folder.edit('policies.yaml', 'lb_policy: RANDOM', 'lb_policy: LEAST_REQUEST');
    const withFilter = await checkBothHold();
    assertOnlyChanged(withEndpoint, withFilter, ['EnvoyFilter/edge/marked']);

    chain.folder.remove('added.yaml');
    const withoutAdded = await checkBothHold();
    assertOnlyChanged(withFilter, withoutAdded, []);
    expect(withoutAdded.has('PeerAuthentication/shop/added')).toBe(false);
  });

  it('gives each of them everything again after its own restart, while the other goes on', async () => {
    for (const [restarted, other] of [
      [older, chain.istiod],
      [chain.istiod, older],
    ] as const) {
      await restarted.kill();
      await checkAlive({ ...chain, istiod: other });
      await restarted.start();
      await checkBothHold();
    }
  });

  it('gives both everything again after a restart of Isthmus', async () => {
    const answered = [chain.istiod, older].map((istiod) => istiod.responses('ServiceEntry'));
    const before = await checkBothHold();
    await chain.isthmus.kill();
    await chain.isthmus.start();
    await until('both have an answer again', () =>
      [chain.istiod, older].every((istiod, at) => istiod.responses('ServiceEntry') > (answered[at] ?? 0)),
    );
    assertOnlyChanged(before, await checkBothHold(), []);
    await checkAlive(chain);
    await checkBothHold();
  });

  it('is never told by an istiod that something was wrong', async () => {
    const streams = (await chain.isthmus.page('/debug/streams')) as StreamPage;
    expect(streams.flatMap(({ types }) => types).filter(({ nack }) => nack !== null)).toEqual([]);
    for (const istiod of [chain.istiod, older]) expect(istiod.log()).not.toMatch(/Invalid data|Error adding|panic/);
  });
});
