import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import type { OriginView, TlsView } from '../../src/admin/views.ts';
import { inDays, issue, type KeyPair, newAuthority } from '../support/certificates.ts';
import { checkAlive, checkFinishesStart, checkFollowsChanges, checkHolds, checkHoldsFolder } from './checks.ts';
import type { BridgedChain } from './support/chain.ts';
import { ConfigFolder } from './support/config-folder.ts';
import { Galley } from './support/galley.ts';
import { Isthmus } from './support/isthmus.ts';
import { Istiod } from './support/istiod.ts';
import { type Lab, useLab } from './support/lab.ts';
import { McpSource } from './support/mcp-source.ts';
import { describeWithPeers } from './support/peers.ts';
import { freePort } from './support/ports.ts';
import { ConfigzSampler } from './support/sampler.ts';
import { until } from './support/until.ts';

const galleyId = 'spiffe://cluster.local/ns/istio-system/sa/istio-galley-service-account';
const bridgeId = 'spiffe://cluster.local/ns/istio-system/sa/isthmus';

const fixtures = join(import.meta.dirname, 'fixtures/mesh');

/** What Galley knows its clients by. */
const accessList = (...allowed: readonly string[]): string =>
  `isblacklist: false\nallowed: ${JSON.stringify(allowed)}\n`;

/** Files of one suite. */
class PemFiles {
  readonly #folder: string;

  constructor(lab: Lab) {
    this.#folder = lab.folder('tls');
  }

  /** Writes a file in place; returns its path. */
  write(name: string, text: string): string {
    writeFileSync(join(this.#folder, name), text, { mode: 0o600 });
    return join(this.#folder, name);
  }

  put(name: string, { cert, key }: KeyPair): { readonly cert: string; readonly key: string } {
    return { cert: this.write(`${name}.crt`, cert), key: this.write(`${name}.key`, key) };
  }
}

/** What TLS a bridge speaks, that is one. */
async function tlsOf(isthmus: Isthmus): Promise<TlsView> {
  const { tls } = (await isthmus.page('/debug/config')) as { readonly tls: readonly TlsView[] };
  const [view] = tls;
  if (view === undefined) throw new Error('it speaks no TLS');
  return view;
}

async function connectionOf(isthmus: Isthmus): Promise<OriginView['connection']> {
  const [origin] = (await isthmus.page('/debug/origins')) as readonly OriginView[];
  if (origin === undefined) throw new Error('there is no source');
  return origin.connection;
}

describeWithPeers(
  'Galley 1.5.10 with mutual TLS and its access list → Isthmus → istiod 1.24.0',
  ['galley', 'istiod'],
  (binaries) => {
    const lab = useLab();
    let chain: BridgedChain;
    let authority: KeyPair;
    let files: PemFiles;

    const connection = () => connectionOf(chain.isthmus);
    const tls = () => tlsOf(chain.isthmus);
    const failure = (pattern: RegExp): Promise<string> =>
      until(`it says ${pattern}`, async () => {
        const { lastError } = await connection();
        return lastError !== null && pattern.test(lastError) && lastError;
      });
    const connected = () => until('it is connected', async () => (await connection()).state === 'connected');

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
      files = new PemFiles(lab);
      authority = await newAuthority('mesh CA');
      const ca = files.write('ca.crt', authority.cert);
      const folder = new ConfigFolder(lab.folder('galley-files'));
      folder.copyFrom(fixtures);
      const served = {
        ...files.put('galley', await issue(authority, [galleyId])),
        ca: files.write('galley-clients.crt', authority.cert),
        accessList: files.write('accesslist.yaml', accessList('spiffe://cluster.local/ns/istio-system/sa/istio-pilot')),
      };
      const galley = await Galley.create(lab, binaries.galley, folder, { tls: served });
      const dialled = { ca, ...files.put('bridge', await issue(authority, [bridgeId])), subjectAltNames: [galleyId] };
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
      files.write('accesslist.yaml', accessList('spiffe://cluster.local/ns/istio-system/sa/istio-pilot', bridgeId));
      await checkFinishesStart(chain);
      await checkHoldsFolder(chain);
      expect((await tls()).certificate?.names).toEqual([bridgeId]);
    });

    it('keeps its stream, on which changes arrive, while its certificate is renewed', async () => {
      const { streams } = await connection();
      const { certificate: before } = await tls();
      files.put('bridge', await issue(authority, [bridgeId], { to: inDays(90) }));
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
      files.write('bridge.crt', next.cert);
      const { refused } = await until('it is refused', async () => {
        const view = await tls();
        return view.refused !== null && view;
      });
      expect(refused?.what).toContain('bridge.crt: the key is that of another certificate');
      await withoutLoss(async () => {
        await restartGalley();
        await connected();
      });
      files.write('bridge.key', next.key);
      await until('it is mended', async () => (await tls()).refused === null);
    });

    it('does not believe a Galley of another CA until its CA file has that, and nothing is lost meanwhile', async () => {
      const nextAuthority = await newAuthority('next mesh CA');
      files.put('galley', await issue(nextAuthority, [galleyId]));
      await withoutLoss(async () => {
        await restartGalley();
        await failure(/signed by "next mesh CA", is signed by none of the CAs in .*ca\.crt/);
        files.write('ca.crt', authority.cert + nextAuthority.cert);
        await connected();
      });
    });

    it('does not believe a server that has another identity, and nothing is lost meanwhile', async () => {
      await withoutLoss(async () => {
        files.put('galley', await issue(authority, ['spiffe://cluster.local/ns/shop/sa/somebody']));
        await restartGalley();
        await failure(/certificate is for spiffe:.*somebody, and for none of tls\.subjectAltNames/);
        files.put('galley', await issue(authority, [galleyId]));
        await restartGalley();
        await connected();
      });
    });
  },
);

const service = (address: string): string => `apiVersion: networking.istio.io/v1alpha3
kind: ServiceEntry
metadata: {name: dialled, namespace: go}
spec:
  hosts: [dialled.go.example.com]
  addresses: [240.0.71.1]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: ${address}}]
`;

describeWithPeers(
  "Istio's pkg/mcp 1.5.10 dials Isthmus with mutual TLS → istiod 1.24.0",
  ['mcp-source-1.5.10', 'istiod'],
  (binaries) => {
    const lab = useLab();
    const host = 'isthmus.istio-system';
    const sourceId = 'spiffe://cluster.local/ns/registries/sa/consul-mcp';
    const collections = ['istio/networking/v1alpha3/serviceentries'];
    let authority: KeyPair;
    let files: PemFiles;
    let isthmus: Isthmus;
    let istiod: Istiod;
    let sinkPort: number;

    /** A source that shows a certificate of these names. */
    async function sourceWith(name: string, ...names: readonly string[]): Promise<McpSource> {
      const pair = files.put(name, await issue(authority, names));
      const tls = { ...pair, ca: files.write('ca.crt', authority.cert), serverName: host };
      return McpSource.create(lab, binaries['mcp-source-1.5.10'], { name, collections, sink: { port: sinkPort, tls } });
    }

    let source: McpSource;

    beforeAll(async () => {
      files = new PemFiles(lab);
      authority = await newAuthority('mesh CA');
      sinkPort = await freePort();
      const tls = {
        ...files.put('sink', await issue(authority, [host])),
        clientCa: files.write('ca.crt', authority.cert),
      };
      const allowedIdentities = ['spiffe://cluster.local/ns/registries/*'];
      const sources = [{ name: 'origin', match: { identity: sourceId }, collections }];
      const sink = { listen: `127.0.0.1:${sinkPort}`, tls: { ...tls, allowedIdentities } };
      isthmus = await Isthmus.create(lab, { sourcePort: sinkPort, settings: { sources, sink } });
      istiod = await Istiod.create(lab, binaries.istiod, `xds://127.0.0.1:${isthmus.xdsPort}`);
      await isthmus.start();
      istiod.launch();
    });

    it('is turned away where its identity is not in the list', async () => {
      const stranger = await sourceWith('stranger', 'spiffe://cluster.local/ns/shop/sa/somebody');
      await stranger.put(service('10.71.0.66'));
      await stranger.start();
      const labels = { listener: 'sink', reason: 'unknown-identity' };
      await until('it is refused', async () => (await isthmus.metric('isthmus_connections_refused_total', labels)) > 0);
      expect((await connectionOf(isthmus)).streams).toBe(0);
      expect(await istiod.serving()).toBe(false);
      await stranger.kill();
    });

    it('is known by its identity: what it has is in istiod', async () => {
      source = await sourceWith('source', sourceId);
      await source.put(service('10.71.0.1'));
      await source.start();
      await until("istiod's gRPC port is open", () => istiod.serving());
      await checkHolds(source, istiod);
    });

    it('keeps its stream, on which changes arrive, while our certificate is renewed', async () => {
      const { streams } = await connectionOf(isthmus);
      const { certificate: before } = await tlsOf(isthmus);
      files.put('sink', await issue(authority, [host], { to: inDays(90) }));
      await until('it is in use', async () => (await tlsOf(isthmus)).certificate?.validTo !== before?.validTo);
      await source.put(service('10.71.0.2'));
      await checkHolds(source, istiod);
      expect((await connectionOf(isthmus)).streams).toBe(streams);
    });

    it('believes the renewed one when it dials again', async () => {
      await source.kill();
      await source.start();
      await source.put(service('10.71.0.3'));
      await checkHolds(source, istiod);
    });
  },
);
