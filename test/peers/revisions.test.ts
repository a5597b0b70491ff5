import { beforeAll, expect, it } from 'vitest';
import type { StreamView } from '../../src/xds/ads-server.ts';
import { checkFinishesStart } from './checks.ts';
import { type BridgedChain, bridgedChain } from './support/chain.ts';
import { Istiod } from './support/istiod.ts';
import { useLab } from './support/lab.ts';
import { describeWithPeers } from './support/peers.ts';
import { until } from './support/until.ts';

const peers = ['galley', 'istiod', 'istiod-1.16.5'] as const;

/** What the page says of an istiod, and whether it drops everything that has a label. */
const seats = [
  { binary: 'istiod-1.16.5', version: '1.13 to 1.17', revision: '' },
  { binary: 'istiod-1.16.5', version: '1.13 to 1.17', revision: 'canary' },
  { binary: 'istiod', version: '1.24 to 1.29', revision: '' },
  { binary: 'istiod', version: '1.24 to 1.29', revision: 'canary' },
] as const;

const entry = (name: string, label?: string) => `apiVersion: networking.istio.io/v1alpha3
kind: ServiceEntry
metadata:
  namespace: shop
  name: ${name}
${label === undefined ? '' : `  labels:\n    istio.io/rev: ${label}\n`}spec:
  hosts: [${name}.example]
  ports:
  - { number: 80, name: http, protocol: HTTP }
  resolution: STATIC
  endpoints:
  - address: 192.0.2.1
`;

describeWithPeers('Galley 1.5.10 → Isthmus → istiods of several revisions', peers, (binaries) => {
  const lab = useLab();
  let chain: BridgedChain;
  let istiods: { readonly istiod: Istiod; readonly version: string; readonly revision: string }[];

  beforeAll(async () => {
    chain = await bridgedChain(lab, binaries, { withFixtures: false });
    const { folder, galley, isthmus } = chain;
    folder.write(
      'entries.yaml',
      [entry('plain'), entry('canary', 'canary'), entry('default', 'default'), entry('moving', 'default')].join(
        '---\n',
      ),
    );
    const source = `xds://127.0.0.1:${isthmus.xdsPort}` as const;
    istiods = await Promise.all(
      seats.map(async ({ binary, version, revision }, index) => {
        const set = revision === '' ? undefined : revision;
        return { istiod: await Istiod.create(lab, binaries[binary], source, `seat-${index}`, set), version, revision };
      }),
    );
    await galley.start();
    await isthmus.start();
    for (const { istiod } of istiods) istiod.launch();
    for (const { istiod } of istiods) await checkFinishesStart({ ...chain, istiod });
  });

  /** What each istiod has not that the folder has, by the name of its seat. */
  async function missing(): Promise<Record<string, string[]>> {
    const all = [...chain.folder.manifests().keys()];
    const lists = istiods.map(async ({ istiod, version, revision }) => {
      const held = await istiod.configz();
      return [`${version} "${revision}"`, all.filter((key) => !held.has(key)).toSorted()] as const;
    });
    return Object.fromEntries(await Promise.all(lists));
  }

  /** The same as the bridge says it. */
  async function reported(): Promise<Record<string, string[]>> {
    const streams = (await chain.isthmus.page('/debug/streams')) as readonly StreamView[];
    return Object.fromEntries(
      streams.map(({ version, revision, labelled }) => {
        const dropped = labelled.filter(({ fate }) => fate === 'dropped');
        const names = dropped.flatMap((one) => one.names.map((name) => `${one.kind}/${name}`)).toSorted();
        return [`${version} "${revision}"`, names];
      }),
    );
  }

  it('each of them lacks what the bridge says that it drops, and nothing else', async () => {
    const expected = {
      '1.13 to 1.17 ""': ['ServiceEntry/shop/canary', 'ServiceEntry/shop/default', 'ServiceEntry/shop/moving'],
      '1.13 to 1.17 "canary"': ['ServiceEntry/shop/default', 'ServiceEntry/shop/moving'],
      '1.24 to 1.29 ""': [],
      '1.24 to 1.29 "canary"': ['ServiceEntry/shop/default', 'ServiceEntry/shop/moving'],
    };
    await until('they have what they take', async () => {
      expect(await missing()).toEqual(expected);
      return true;
    });
    expect(await reported()).toEqual(expected);
  });

  it('the same once a label is another one, and another one is gone', async () => {
    chain.folder.write(
      'entries.yaml',
      [entry('plain', 'other'), entry('canary'), entry('default', 'default'), entry('moving', 'canary')].join('---\n'),
    );
    await until('both say the same of what is new', async () => {
      const lacks = await missing();
      expect(lacks).toEqual({
        '1.13 to 1.17 ""': ['ServiceEntry/shop/default', 'ServiceEntry/shop/moving', 'ServiceEntry/shop/plain'],
        '1.13 to 1.17 "canary"': ['ServiceEntry/shop/default', 'ServiceEntry/shop/plain'],
        '1.24 to 1.29 ""': [],
        '1.24 to 1.29 "canary"': ['ServiceEntry/shop/default', 'ServiceEntry/shop/plain'],
      });
      expect(await reported()).toEqual(lacks);
      return true;
    });
  });
});
