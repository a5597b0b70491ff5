import type { ConnectionOptions } from 'node:tls';
import { beforeAll, describe, expect, test } from 'vitest';
import type { ConfigInput } from '../../../src/config/schema.ts';
import { Bridge } from '../../support/bridge.ts';
import { inDays, issue, type KeyPair, newAuthority } from '../../support/certificates.ts';
import { hastyClock } from '../../support/hasty-clock.ts';
import { dialHttp2, RawAds } from '../../support/raw-ads.ts';
import { exchangeBytes } from '../../support/raw-http.ts';
import { ServingSource, sourceAt } from '../../support/serving-source.ts';
import { TlsFolder } from '../../support/tls-folder.ts';
import { TlsBack } from '../../support/tls-relay.ts';
import { until } from '../../support/until.ts';
import { seType, WatchingIstiod } from '../../support/watching-istiod.ts';
import { XdsPeer } from '../../support/xds-peer.ts';

const host = 'isthmus.istio-system';
const galleyId = 'spiffe://cluster.local/ns/istio-system/sa/galley';

let authority: KeyPair;
let strangers: KeyPair;
let server: KeyPair;
let renewed: KeyPair;
let client: KeyPair;

beforeAll(async () => {
  authority = await newAuthority('mesh CA');
  strangers = await newAuthority('another CA');
  server = await issue(authority, [host]);
  renewed = await issue(authority, [host]);
  client = await issue(authority, [galleyId]);
});

type XdsSettings = Partial<NonNullable<ConfigInput['xds']>>;

/** A bridge whose xDS speaks TLS, and an istiod that was there all along. @param times by which its clock is too fast. */
async function start(settings: (folder: TlsFolder) => XdsSettings, own: ConnectionOptions = {}, times = 4) {
  const folder = new TlsFolder();
  const source = await ServingSource.listen({ 'shop/kept': 'one' });
  const xds = { listen: '127.0.0.1:0', ...settings(folder) };
  const bridge = await Bridge.of({ sources: [sourceAt('galley', source.port)], xds }, { clock: hastyClock(times) });
  const dial = (options: ConnectionOptions = {}) =>
    TlsBack.to(bridge.ports.xds, { ca: authority.cert, servername: host, ...options });
  const back = await dial(own);
  const istiod = WatchingIstiod.connect(back.port);
  await istiod.hasOnly({ 'shop/kept': 'one' });
  return { folder, source, bridge, back, istiod, dial };
}

type Lab = Awaited<ReturnType<typeof start>>;

const oneWay = (folder: TlsFolder): XdsSettings => ({ tls: folder.put('xds', server) });

const mutual = (folder: TlsFolder): XdsSettings => ({
  tls: { ...folder.put('xds', server), clientCa: folder.write('client-ca.crt', authority.cert) },
});

const withClient = () => ({ cert: client.cert, key: client.key });

/** The istiod that was there all along has lost nothing, and gets what is new; nobody has noticed anything. */
async function expectServed({ source, istiod, bridge }: Lab): Promise<void> {
  source.publish({ 'shop/kept': 'one', 'shop/new': 'two' });
  await istiod.hasOnly({ 'shop/kept': 'one', 'shop/new': 'two' });
  expect(istiod.lost('shop/kept')).toEqual([]);
  expect(istiod.peer.ended).toBeUndefined();
  expectNoKey(bridge);
}

/** No key, nor a part of one, is in any line of the log. */
function expectNoKey(bridge: Bridge): void {
  const said = JSON.stringify(bridge.log.lines);
  for (const { key } of [server, renewed, client]) {
    for (const line of key.split('\n').filter((one) => one.length > 20)) expect(said).not.toContain(line);
  }
}

/** The line of the log that says so; waits for it. */
function warning(bridge: Bridge, pattern: RegExp) {
  return until(`the log says ${pattern}`, () => bridge.log.lines.find(({ message }) => pattern.test(message)));
}

async function refusals(bridge: Bridge, reason: string): Promise<number> {
  const text = await (await bridge.fetch('/metrics')).text();
  const line = new RegExp(`^isthmus_connections_refused_total\\{listener="xds",reason="${reason}"\\} (\\d+)$`, 'm');
  return Number(line.exec(text)?.[1] ?? 0);
}

describe('a renewed certificate', () => {
  test('another CA that is put in its place is in force for new connections; the open stream stays', async () => {
    const lab = await start(mutual, withClient());
    lab.folder.write('client-ca.crt', strangers.cert);
    await warning(lab.bridge, /renewed TLS files are in use; open streams stay/);
    const before = await lab.dial(withClient());
    expect((await XdsPeer.connect(before.port).end()).code).toBe(7);
    const stranger = await issue(strangers, [galleyId]);
    const after = await lab.dial(stranger);
    await WatchingIstiod.connect(after.port).hasOnly({ 'shop/kept': 'one' });

    // Old and new together, however they were put into one file.
    lab.bridge.log.lines.length = 0;
    lab.folder.write('client-ca.crt', `${authority.cert.trim()}${strangers.cert.trim()}`);
    await warning(lab.bridge, /renewed TLS files are in use/);
    for (const pair of [client, stranger]) {
      await WatchingIstiod.connect((await lab.dial(pair)).port).hasOnly({ 'shop/kept': 'one' });
    }
    await expectServed(lab);
  });

  test('is what new connections see; the stream that is open lives on', async () => {
    const lab = await start(oneWay);
    lab.folder.put('xds', renewed);
    await warning(lab.bridge, /renewed TLS files are in use; open streams stay/);
    const back = await lab.dial();
    await WatchingIstiod.connect(back.port).hasOnly({ 'shop/kept': 'one' });
    expect(back.servers.map((one) => one?.toString().trim())).toEqual([renewed.cert.trim()]);
    expect(lab.back.servers.map((one) => one?.toString().trim())).toEqual([server.cert.trim()]);
    await expectServed(lab);
  });

  test('that is torn is refused, and shown everywhere, until it is whole', async () => {
    const lab = await start(oneWay);
    lab.folder.write('xds.crt', renewed.cert);
    const { level, message, fields } = await warning(
      lab.bridge,
      /TLS files can't be used, those before them stay in use/,
    );
    expect(level).toBe('error');
    expect(message).toContain('xds.crt: the key is that of another certificate');
    expect((fields as { hint: string }).hint).toContain('renew both together');

    const between = await lab.dial();
    await WatchingIstiod.connect(between.port).hasOnly({ 'shop/kept': 'one' });
    expect(between.servers.map((one) => one?.toString().trim())).toEqual([server.cert.trim()]);
    const { tls } = await lab.bridge.page<{ tls: { use: string; refused: { what: string } | null }[] }>(
      '/debug/config',
    );
    expect(tls).toMatchObject([
      { use: 'xds', isUnusable: false, refused: { what: expect.stringContaining('xds.crt') as string } },
    ]);
    expect(await (await lab.bridge.fetch('/metrics')).text()).toContain('isthmus_tls_files_refused{use="xds"} 1');

    lab.folder.write('xds.key', renewed.key);
    await warning(lab.bridge, /renewed TLS files are in use/);
    const after = await lab.dial();
    await WatchingIstiod.connect(after.port).hasOnly({ 'shop/kept': 'one' });
    expect(after.servers.map((one) => one?.toString().trim())).toEqual([renewed.cert.trim()]);
    expect(await (await lab.bridge.fetch('/metrics')).text()).toContain('isthmus_tls_files_refused{use="xds"} 0');
    await expectServed(lab);
  });

  test('that is there only after the start is waited for', async () => {
    const folder = new TlsFolder();
    const source = await ServingSource.listen({ 'shop/kept': 'one' });
    const tls = { cert: `${folder.path}/xds.crt`, key: `${folder.path}/xds.key` };
    const settings = { sources: [sourceAt('galley', source.port)], xds: { listen: '127.0.0.1:0', tls } };
    const bridge = await Bridge.of(settings, { clock: hastyClock(4) });
    await warning(bridge, /no connection is possible until they can: .*xds\.crt: there is no such file/);
    const back = await TlsBack.to(bridge.ports.xds, { ca: authority.cert, servername: host });
    expect((await XdsPeer.connect(back.port).end()).code).toBe(14);
    await warning(bridge, /turned away from the xDS port, as its TLS files can't be used/);
    folder.put('xds', server);
    await warning(bridge, /TLS files are in use/);
    await WatchingIstiod.connect(back.port).hasOnly({ 'shop/kept': 'one' });
  });

  test('shows its end in the metrics, and on the page of the config, without its key', async () => {
    const { bridge } = await start(mutual, { cert: client.cert, key: client.key });
    const metrics = await (await bridge.fetch('/metrics')).text();
    for (const role of ['certificate', 'ca']) {
      const [, seconds] =
        new RegExp(`isthmus_certificate_expiry_timestamp_seconds\\{use="xds",role="${role}"\\} (\\S+)`).exec(metrics) ??
        [];
      expect(Math.abs(Number(seconds) * 1000 - inDays(365).getTime())).toBeLessThan(3_600_000);
    }
    const page = await (await bridge.fetch('/debug/config')).text();
    expect(page).toContain(`"names":["${host}"]`);
    expect(page).not.toContain('PRIVATE KEY');
  });
});

describe('allowedPeers', () => {
  test('others are turned away before anything is read of them, and named; who is in the list is served', async () => {
    const source = await ServingSource.listen({ 'shop/kept': 'one' });
    const xds = { listen: '127.0.0.1:0', allowedPeers: ['127.0.0.2/31', '::1'] };
    const bridge = await Bridge.of({ sources: [sourceAt('galley', source.port)], xds });
    await bridge.complete();
    expect((await XdsPeer.connect(bridge.ports.xds).end()).code).toBe(14);
    expect(await exchangeBytes(bridge.ports.xds, 'GET / HTTP/1.1\r\n\r\n')).toBe('');
    const { fields } = await warning(bridge, /address is not in xds\.allowedPeers connected to the xDS port/);
    expect(fields).toMatchObject({
      peer: expect.stringMatching(/^127\.0\.0\.1:\d+$/) as string,
      hint: expect.stringContaining('add its address') as string,
    });
    expect(await refusals(bridge, 'address')).toBe(2);
    const stream = new RawAds(dialHttp2(bridge.ports.xds, '127.0.0.3'));
    await stream.ask(seType, { node: { id: 'sidecar~127.0.0.3~istiod.istio-system~istio-system.svc.cluster.local' } });
    await until('it is served', () => stream.bytes > 0);
  });
});

test('without TLS, a TLS client is still told in words that it knows', async () => {
  const source = await ServingSource.listen({ 'shop/kept': 'one' });
  const bridge = await Bridge.of({ sources: [sourceAt('galley', source.port)] });
  const back = await TlsBack.to(bridge.ports.xds, { ca: authority.cert, servername: host });
  expect((await XdsPeer.connect(back.port).end()).code).toBe(14);
  expect(back.errors[0]).toMatch(/wrong version number|packet length/);
  await warning(bridge, /a peer speaks TLS on the xDS port, which has no TLS/);
  expect(await refusals(bridge, 'tls')).toBe(1);
});
