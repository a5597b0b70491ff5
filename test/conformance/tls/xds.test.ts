import { connect as connectTls, type ConnectionOptions } from 'node:tls';
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
async function start(settings: (folder: TlsFolder) => XdsSettings, own: ConnectionOptions = {}, times = 20) {
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

const mutual =
  (...allowedIdentities: string[]) =>
  (folder: TlsFolder): XdsSettings => ({
    tls: {
      ...folder.put('xds', server),
      clientCa: folder.write('client-ca.crt', authority.cert),
      ...(allowedIdentities.length === 0 ? {} : { allowedIdentities }),
    },
  });

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

describe('istiod 1.26 and newer: TLS, and no certificate of the client', () => {
  test('is served over TLS 1.3, and over 1.2', async () => {
    const lab = await start(oneWay);
    const old = await lab.dial({ maxVersion: 'TLSv1.2' });
    await WatchingIstiod.connect(old.port).hasOnly({ 'shop/kept': 'one' });
    await expectServed(lab);
  });

  test('an istiod without TLS is told so, and named', async () => {
    const lab = await start(oneWay);
    expect(await XdsPeer.connect(lab.bridge.ports.xds).end()).toMatchObject({ code: 7 });
    const answer = await exchangeBytes(lab.bridge.ports.xds, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u0004\0\0\0\0\0');
    expect(answer).toMatch(/This port speaks gRPC \(MCP-over-xDS\), with TLS\.$/);
    const { fields } = await warning(lab.bridge, /a peer speaks no TLS on the xDS port, which has TLS/);
    expect(fields).toMatchObject({
      peer: expect.stringMatching(/^127\.0\.0\.1:\d+$/) as string,
      hint: expect.stringContaining('tlsSettings with mode SIMPLE') as string,
    });
    expect(await refusals(lab.bridge, 'plaintext')).toBe(2);
    await expectServed(lab);
  });

  test('HTTP/1 without TLS is answered in words, and so is what is no protocol at all', async () => {
    const lab = await start(oneWay);
    const answer = await exchangeBytes(lab.bridge.ports.xds, 'GET /metrics?token=secret HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 505 .*\r\n\r\nThis port speaks gRPC \(MCP-over-xDS\), with TLS\.\n$/s);
    await exchangeBytes(lab.bridge.ports.xds, 'EHLO mail.example.com\r\n');
    expect((await warning(lab.bridge, /speaks HTTP\/1 on the xDS port/)).fields).toMatchObject({
      said: 'GET /metrics',
    });
    await warning(lab.bridge, /neither gRPC nor HTTP/);
    await expectServed(lab);
  });

  test.each<[string, ConnectionOptions]>([
    ['another CA', {}],
    ['another name', { servername: 'another.istio-system' }],
  ])('an istiod that expects %s does not come in, and is named', async (what, options) => {
    const lab = await start(oneWay);
    const back = await lab.dial(what === 'another CA' ? { ca: strangers.cert } : options);
    expect((await XdsPeer.connect(back.port).end()).code).toBe(14);
    expect(back.errors[0]).toMatch(/CERT|UNABLE_TO/);
    const { fields } = await warning(lab.bridge, /a TLS handshake on the xDS port has failed/);
    expect(fields).toMatchObject({
      said: expect.stringContaining('it may not believe our certificate') as string,
      hint: expect.stringContaining('has to know the CA of xds.tls.cert') as string,
    });
    expect(await refusals(lab.bridge, 'handshake')).toBeGreaterThan(0);
    await expectServed(lab);
  });

  test.each<[string, ConnectionOptions, RegExp]>([
    [
      'TLS 1.1',
      { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' },
      /no TLS 1\.2 or newer/,
    ],
    ['HTTP/1 within TLS', { ALPNProtocols: ['http/1.1'] }, /HTTP\/2 \(ALPN h2\)/],
    ['nothing that it wants within TLS', { ALPNProtocols: [] }, /HTTP\/2 \(ALPN h2\)/],
  ])('%s is turned away', async (_what, options, said) => {
    const lab = await start(oneWay);
    await new Promise((resolve) => {
      const socket = connectTls({
        host: '127.0.0.1',
        port: lab.bridge.ports.xds,
        rejectUnauthorized: false,
        ...options,
      });
      socket.on('error', () => {});
      socket.on('close', resolve);
      socket.resume();
    });
    const line = await until('it is named', () =>
      lab.bridge.log.lines.find(({ fields }) => said.test(JSON.stringify(fields))),
    );
    expect(line.level).toBe('warn');
    await expectServed(lab);
  });

  test.each([['nothing'], ['half of a greeting'], ['half of a TLS hello']])(
    'one that says %s is closed after 10 s',
    async (what) => {
      const lab = await start(oneWay);
      const closed = new Promise((resolve) => {
        if (what === 'half of a TLS hello') {
          void exchangeBytes(lab.bridge.ports.xds, Buffer.from([0x16, 3, 1, 2, 0, 1])).then(resolve);
          return;
        }
        const socket = connectTls({
          host: '127.0.0.1',
          port: lab.bridge.ports.xds,
          rejectUnauthorized: false,
          ALPNProtocols: ['h2'],
        });
        socket.on('error', () => {});
        socket.on('close', resolve);
        if (what !== 'nothing') socket.write('PRI * HT');
      });
      await closed;
      await warning(lab.bridge, /connected to the xDS port and said nothing/);
      await expectServed(lab);
    },
  );
});

describe('with clientCa, clients have to show a certificate', () => {
  const withClient = () => ({ cert: client.cert, key: client.key });

  test('one that has it is served', async () => {
    await expectServed(await start(mutual(), withClient()));
  });

  test('TestListAuthChecker: who shows none, one of a stranger, or one that is not in the list, stays outside', async () => {
    const lab = await start(mutual('spiffe://cluster.local/ns/istio-system/*'), withClient());
    const cases: readonly [string, () => Promise<KeyPair | undefined>, RegExp, string][] = [
      ['no-certificate', async () => undefined, /showed no certificate/, 'a client certificate is required'],
      [
        'bad-certificate',
        () => issue(strangers, [galleyId]),
        /can't be believed/,
        `the client certificate of ${galleyId} is signed by a CA that is not known here`,
      ],
      [
        'bad-certificate',
        () => issue(undefined, [galleyId]),
        /can't be believed/,
        `the client certificate of ${galleyId} is self-signed`,
      ],
      [
        'bad-certificate',
        () => issue(authority, [galleyId], { from: inDays(-9), to: inDays(-1) }),
        /can't be believed/,
        `the client certificate of ${galleyId} has ended`,
      ],
      [
        'bad-certificate',
        () => issue(authority, [galleyId], { from: inDays(1) }),
        /can't be believed/,
        `the client certificate of ${galleyId} has not begun`,
      ],
      [
        'bad-certificate',
        () => issue(authority, [galleyId], { usage: 'server' }),
        /can't be believed/,
        `the client certificate of ${galleyId} is not made for a client (clientAuth)`,
      ],
      [
        'unknown-identity',
        () => issue(authority, ['spiffe://cluster.local/ns/shop/sa/x', 'x.shop']),
        /may not come in/,
        'spiffe://cluster.local/ns/shop/sa/x, x.shop is not in allowedIdentities',
      ],
      ['unknown-identity', () => issue(authority, ['10.0.0.7']), /may not come in/, 'is not in allowedIdentities'],
    ];
    for (const [reason, makePair, line, said] of cases) {
      const before = await refusals(lab.bridge, reason);
      lab.bridge.log.lines.length = 0;
      const back = await lab.dial((await makePair()) ?? {});
      const ended = await XdsPeer.connect(back.port).end();
      expect([ended.code, said]).toEqual([7, said]);
      expect(await refusals(lab.bridge, reason)).toBe(before + 1);
      // Of each sort, one line a minute is written; on this clock a minute is 3 s.
      const found = await until(`${said} is said`, async () => {
        const one = lab.bridge.log.lines.find(({ message }) => line.test(message));
        if (one !== undefined) return one;
        await XdsPeer.connect(back.port).end();
        return undefined;
      });
      expect((found.fields as { said: string }).said).toContain(said);
      expect((found.fields as { hint: string }).hint).toMatch(/xds\.tls\.(clientCa|allowedIdentities)/);
    }
    await expectServed(lab);
  });

  test('another CA that is put in its place is in force for new connections; the open stream stays', async () => {
    const lab = await start(mutual(), withClient());
    lab.folder.write('client-ca.crt', strangers.cert);
    await warning(lab.bridge, /renewed TLS files are in use; open streams stay/);
    const before = await lab.dial(withClient());
    expect((await XdsPeer.connect(before.port).end()).code).toBe(7);
    const after = await lab.dial(await issue(strangers, [galleyId]));
    await WatchingIstiod.connect(after.port).hasOnly({ 'shop/kept': 'one' });
    await expectServed(lab);
  });
});

describe('a renewed certificate', () => {
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
    const bridge = await Bridge.of(settings, { clock: hastyClock(20) });
    await warning(bridge, /no connection is possible until they can: .*xds\.crt: there is no such file/);
    const back = await TlsBack.to(bridge.ports.xds, { ca: authority.cert, servername: host });
    expect((await XdsPeer.connect(back.port).end()).code).toBe(14);
    await warning(bridge, /turned away from the xDS port, as its TLS files can't be used/);
    folder.put('xds', server);
    await warning(bridge, /TLS files are in use/);
    await WatchingIstiod.connect(back.port).hasOnly({ 'shop/kept': 'one' });
  });

  test('shows its end in the metrics, and on the page of the config, without its key', async () => {
    const { bridge } = await start(mutual(), { cert: client.cert, key: client.key });
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
  expect(back.errors[0]).toMatch(/WRONG_VERSION_NUMBER|PACKET_LENGTH/);
  await warning(bridge, /a peer speaks TLS on the xDS port, which has no TLS/);
  expect(await refusals(bridge, 'tls')).toBe(1);
});
