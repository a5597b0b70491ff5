import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import type { OriginView, TlsView } from '../../src/admin/views.ts';
import { inDays, issue, type KeyPair, newAuthority } from '../support/certificates.ts';
import { checkAlive, checkFinishesStart, checkFollowsChanges, checkHoldsFolder } from './checks.ts';
import type { BridgedChain } from './support/chain.ts';
import { ConfigFolder } from './support/config-folder.ts';
import { Galley } from './support/galley.ts';
import { Isthmus } from './support/isthmus.ts';
import { Istiod } from './support/istiod.ts';
import { useLab } from './support/lab.ts';
import { describeWithPeers } from './support/peers.ts';
import { ConfigzSampler } from './support/sampler.ts';
import { until } from './support/until.ts';

const galleyId = 'spiffe://cluster.local/ns/istio-system/sa/istio-galley-service-account';
const bridgeId = 'spiffe://cluster.local/ns/istio-system/sa/isthmus';

const fixtures = join(import.meta.dirname, 'fixtures/mesh');

/** What Galley knows its clients by. */
const accessList = (...allowed: readonly string[]): string =>
  `isblacklist: false\nallowed: ${JSON.stringify(allowed)}\n`;

describeWithPeers(
  'Galley 1.5.10 with mutual TLS and its access list → Isthmus → istiod 1.24.0',
  ['galley', 'istiod'],
  (binaries) => {
    const lab = useLab();
    let chain: BridgedChain;
    let authority: KeyPair;

    /** Writes a file of the suite in place; returns its path. */
    const write = (name: string, text: string): string => {
      const folder = join(lab.root, 'tls');
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, name), text, { mode: 0o600 });
      return join(folder, name);
    };
    const put = (name: string, { cert, key }: KeyPair) => ({
      cert: write(`${name}.crt`, cert),
      key: write(`${name}.key`, key),
    });

    const connection = async (): Promise<OriginView['connection']> => {
      const [origin] = (await chain.isthmus.page('/debug/origins')) as readonly OriginView[];
      if (origin === undefined) throw new Error('there is no source');
      return origin.connection;
    };
    const failure = (pattern: RegExp): Promise<string> =>
      until(`it says ${pattern}`, async () => {
        const { lastError } = await connection();
        return lastError !== null && pattern.test(lastError) && lastError;
      });
    const connected = () => until('it is connected', async () => (await connection()).state === 'connected');
    const tls = async (): Promise<TlsView> => {
      const { tls: views } = (await chain.isthmus.page('/debug/config')) as { readonly tls: readonly TlsView[] };
      const [view] = views;
      if (view === undefined) throw new Error('it speaks no TLS');
      return view;
    };

    /** Nothing of what istiod has now is missing while `change` happens, and a change comes through afterwards. */
    async function withoutLoss(change: () => Promise<void>): Promise<void> {
      const held = await checkHoldsFolder(chain);
      const sampler = new ConfigzSampler(chain.istiod, held.keys());
      await change();
      await checkAlive(chain);
      const { lacking, counted } = await sampler.stop();
      expect(lacking).toEqual([]);
      expect(counted).toBeGreaterThan(0);
    }

    async function restartGalley(): Promise<void> {
      await chain.galley.kill();
      await chain.galley.start();
    }

    beforeAll(async () => {
      authority = await newAuthority('mesh CA');
      const ca = write('ca.crt', authority.cert);
      const folder = new ConfigFolder(lab.folder('galley-files'));
      folder.copyFrom(fixtures);
      const served = {
        ...put('galley', await issue(authority, [galleyId])),
        ca: write('galley-clients.crt', authority.cert),
        accessList: write('accesslist.yaml', accessList('spiffe://cluster.local/ns/istio-system/sa/istio-pilot')),
      };
      const galley = await Galley.create(lab, binaries.galley, folder, { tls: served });
      const dialled = { ca, ...put('bridge', await issue(authority, [bridgeId])), subjectAltNames: [galleyId] };
      const isthmus = await Isthmus.create(lab, { sourcePort: galley.port, source: { tls: dialled } });
      const istiod = await Istiod.create(lab, binaries.istiod, `xds://127.0.0.1:${isthmus.xdsPort}`);
      chain = { folder, galley, isthmus, istiod };
      await galley.start();
      await isthmus.start();
      istiod.launch();
    });

    it('is not let in while the access list does not name it, and says so; istiod waits', async () => {
      const said = await failure(/it refuses us \(code 16\)/);
      expect(said).toContain('see that its list of those who may come in has a name of our certificate');
      expect(await chain.istiod.serving()).toBe(false);
    });

    it('is let in once it is named: all that Galley has is in istiod', async () => {
      write('accesslist.yaml', accessList('spiffe://cluster.local/ns/istio-system/sa/istio-pilot', bridgeId));
      await checkFinishesStart(chain);
      await checkHoldsFolder(chain);
      expect((await tls()).certificate?.names).toEqual([bridgeId]);
    });

    it('keeps its stream, on which changes arrive, while its certificate is renewed', async () => {
      const { streams } = await connection();
      const { certificate: before } = await tls();
      put('bridge', await issue(authority, [bridgeId], { to: inDays(90) }));
      await until('it is in use', async () => (await tls()).certificate?.validTo !== before?.validTo);
      await checkFollowsChanges(chain);
      expect((await connection()).streams).toBe(streams);
    });

    it('shows the renewed one when it dials again', async () => {
      await withoutLoss(async () => {
        await restartGalley();
        await connected();
      });
    });

    it('shows the last good one while a renewal is torn, and says so until it is whole', async () => {
      const next = await issue(authority, [bridgeId]);
      write('bridge.crt', next.cert);
      const { refused } = await until('it is refused', async () => {
        const view = await tls();
        return view.refused !== null && view;
      });
      expect(refused?.what).toContain('bridge.crt: the key is that of another certificate');
      await withoutLoss(async () => {
        await restartGalley();
        await connected();
      });
      write('bridge.key', next.key);
      await until('it is mended', async () => (await tls()).refused === null);
    });

    it('does not believe a Galley of another CA until its CA file has that, and nothing is lost meanwhile', async () => {
      const nextAuthority = await newAuthority('next mesh CA');
      put('galley', await issue(nextAuthority, [galleyId]));
      await withoutLoss(async () => {
        await restartGalley();
        await failure(/signed by "next mesh CA", is signed by none of the CAs in .*ca\.crt/);
        write('ca.crt', authority.cert + nextAuthority.cert);
        await connected();
      });
    });

    it('does not believe a server that has another identity, and nothing is lost meanwhile', async () => {
      await withoutLoss(async () => {
        put('galley', await issue(authority, ['spiffe://cluster.local/ns/shop/sa/somebody']));
        await restartGalley();
        await failure(/certificate is for spiffe:.*somebody, and for none of tls\.subjectAltNames/);
        put('galley', await issue(authority, [galleyId]));
        await restartGalley();
        await connected();
      });
    });
  },
);
