import type { TlsOptions } from 'node:tls';
import { beforeAll, describe, expect, test } from 'vitest';
import type { OriginView } from '../../../src/admin/views.ts';
import type { ConfigInput } from '../../../src/config/schema.ts';
import { Bridge } from '../../support/bridge.ts';
import { inDays, issue, type KeyPair, newAuthority } from '../../support/certificates.ts';
import { hastyClock } from '../../support/hasty-clock.ts';
import { ServingSource, sourceAt } from '../../support/serving-source.ts';
import { TlsFolder } from '../../support/tls-folder.ts';
import { TlsFront } from '../../support/tls-relay.ts';
import { until } from '../../support/until.ts';
import { WatchingIstiod } from '../../support/watching-istiod.ts';

const galleyId = 'spiffe://cluster.local/ns/istio-system/sa/galley';
const bridgeId = 'spiffe://cluster.local/ns/istio-system/sa/isthmus';

type SourceTls = NonNullable<NonNullable<ConfigInput['sources']>[number]['tls']>;

let authority: KeyPair;
let strangers: KeyPair;
let server: KeyPair;
let client: KeyPair;
let renewed: KeyPair;

beforeAll(async () => {
  authority = await newAuthority('mesh CA');
  strangers = await newAuthority('another CA');
  server = await issue(authority, ['127.0.0.1', 'galley.istio-system', galleyId]);
  client = await issue(authority, [bridgeId]);
  renewed = await issue(authority, [bridgeId, 'renewed.istio-system']);
});

/** A legacy server behind TLS, a bridge that dials it, and an istiod that has what a second, plain source has. */
async function start(front: TlsOptions, tls: (folder: TlsFolder) => SourceTls | undefined, times = 5) {
  const folder = new TlsFolder();
  const galley = await ServingSource.listen({ 'shop/mine': 'one' });
  const plain = await ServingSource.listen({ 'shop/other': 'two' });
  const secure = await TlsFront.of(galley.port, front);
  const settings = tls(folder);
  const sources = [
    sourceAt('galley', secure.port, settings === undefined ? {} : { tls: settings }),
    // What is wrong with one source is nothing to the other.
    sourceAt('plain', plain.port),
  ];
  const bridge = await Bridge.of({ sources }, { clock: hastyClock(times), random: () => 0.1 });
  return { folder, galley, plain, secure, bridge };
}

async function originOf(bridge: Bridge, wanted: string): Promise<OriginView> {
  const origins = await bridge.page<OriginView[]>('/debug/origins');
  const found = origins.find(({ name }) => name === wanted);
  if (found === undefined) throw new Error('no such source');
  return found;
}

/** The bridge says why there is no stream to galley; nothing is wrong with the other source. */
async function expectFailure(bridge: Bridge, says: RegExp, hint: RegExp): Promise<void> {
  const line = await until(`the log says ${says}`, () =>
    bridge.log.lines.find(({ level, message }) => level === 'warn' && says.test(message)),
  );
  expect(line.message).toContain('the stream of a legacy source ended: source galley (127.0.0.1:');
  expect((line.fields as { hint: string }).hint).toMatch(hint);
  const { connection, address } = await originOf(bridge, 'galley');
  expect(connection.state).not.toBe('connected');
  expect(connection.lastError).toMatch(says);
  expect(address).toMatch(/^mcps:/);
  await until(
    'the other one is connected',
    async () => (await originOf(bridge, 'plain')).connection.state === 'connected',
  );
}

describe('a server that proves who it is', () => {
  test.each<[string, (folder: TlsFolder) => SourceTls]>([
    ['to its address', () => ({})],
    ['to a name that is given', () => ({ serverName: 'galley.istio-system' })],
    ['by its SPIFFE id', () => ({ subjectAltNames: ['spiffe://other', galleyId] })],
  ])('%s is believed, and served', async (_what, more) => {
    const { bridge } = await start(server, (folder) => ({
      ca: folder.write('ca.crt', authority.cert),
      ...more(folder),
    }));
    await WatchingIstiod.connect(bridge.ports.xds).hasOnly({ 'shop/mine': 'one', 'shop/other': 'two' });
    expect((await originOf(bridge, 'galley')).address).toMatch(/^mcps:\/\/127\.0\.0\.1:\d+$/);
  });

  test('by a certificate that is trusted by itself', async () => {
    const own = await issue(undefined, ['127.0.0.1']);
    const { bridge } = await start(own, (folder) => ({ ca: folder.write('ca.crt', own.cert) }));
    await WatchingIstiod.connect(bridge.ports.xds).hasOnly({ 'shop/mine': 'one', 'shop/other': 'two' });
  });

  test('mcps:// alone asks the CAs of this host', async () => {
    const galley = await ServingSource.listen({ 'shop/mine': 'one' });
    const { port } = await TlsFront.of(galley.port, server);
    const source = { ...sourceAt('galley', port), address: `mcps://127.0.0.1:${port}` };
    const plain = await ServingSource.listen({});
    const bridge = await Bridge.of({ sources: [source, sourceAt('plain', plain.port)] });
    await expectFailure(
      bridge,
      /signed by "mesh CA", is signed by none of the CAs of this host/,
      /give the CA of the server as tls\.ca/,
    );
  });

  test('with insecureSkipVerify anybody is taken for it, and that is said aloud', async () => {
    const { bridge } = await start(server, () => ({ insecureSkipVerify: true }));
    await WatchingIstiod.connect(bridge.ports.xds).hasOnly({ 'shop/mine': 'one', 'shop/other': 'two' });
    const line = bridge.log.lines.find(({ message }) => message.startsWith('INSECURE: '));
    expect(line).toMatchObject({ level: 'warn', fields: { source: 'galley' } });
  });
});

describe('a server that does not is not spoken to, and what is wrong is said', () => {
  const withCa = (folder: TlsFolder): SourceTls => ({ ca: folder.write('ca.crt', authority.cert) });

  test.each<[string, () => Promise<KeyPair>, (folder: TlsFolder) => SourceTls, RegExp, RegExp]>([
    [
      'signed by another CA',
      () => issue(strangers, ['127.0.0.1']),
      withCa,
      /its certificate \(127\.0\.0\.1\), signed by "another CA", is signed by none of the CAs in .*ca\.crt/,
      /tls\.ca/,
    ],
    [
      'self-signed',
      () => issue(undefined, ['127.0.0.1']),
      withCa,
      /its certificate \(127\.0\.0\.1\) is self-signed/,
      /that very certificate as tls\.ca/,
    ],
    [
      'of another name',
      () => issue(authority, ['other.istio-system']),
      withCa,
      /is for other\.istio-system, and not for 127\.0\.0\.1/,
      /tls\.serverName/,
    ],
    [
      'of a SPIFFE id alone',
      () => issue(authority, [galleyId]),
      withCa,
      /is for spiffe:.*, and not for 127\.0\.0\.1/,
      /tls\.subjectAltNames/,
    ],
    [
      'of another SPIFFE id',
      () => issue(authority, [bridgeId]),
      (f) => ({ ...withCa(f), subjectAltNames: [galleyId] }),
      /for none of tls\.subjectAltNames/,
      /right server/,
    ],
    [
      'that has ended',
      () => issue(authority, ['127.0.0.1'], { from: inDays(-9), to: inDays(-1) }),
      withCa,
      /its certificate \(127\.0\.0\.1\) ended on /,
      /renew it at the server, or set the clock/,
    ],
    [
      'that has not begun',
      () => issue(authority, ['127.0.0.1'], { from: inDays(1) }),
      withCa,
      /begins only on /,
      /clocks of both hosts/,
    ],
    [
      'made for clients alone',
      () => issue(authority, ['127.0.0.1'], { usage: 'client' }),
      withCa,
      /is not made for a server/,
      /serverAuth/,
    ],
  ])('a certificate %s', async (_what, makePair, tls, says, hint) => {
    const { bridge } = await start(await makePair(), tls);
    await expectFailure(bridge, says, hint);
  });

  test('a plaintext server', async () => {
    const galley = await ServingSource.listen({ 'shop/mine': 'one' });
    const plain = await ServingSource.listen({});
    const sources = [sourceAt('galley', galley.port, { tls: {} }), sourceAt('plain', plain.port)];
    const bridge = await Bridge.of({ sources });
    await expectFailure(bridge, /it does not speak TLS/, /mcp:\/\/ in place of mcps:\/\//);
  });

  test('a server that speaks no TLS 1.2', async () => {
    const old = { ...server, minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    const { bridge } = await start(old, withCa);
    await expectFailure(bridge, /no TLS 1\.2 or newer/, /upgrade/);
  });

  test('and with the right certificate it is, without a restart', async () => {
    const { bridge, secure } = await start(await issue(authority, ['127.0.0.1'], { to: inDays(-0.01) }), withCa);
    await expectFailure(bridge, /ended on/, /renew/);
    secure.renew(server);
    await WatchingIstiod.connect(bridge.ports.xds).hasOnly({ 'shop/mine': 'one', 'shop/other': 'two' });
  });
});

describe('a server that wants to know who we are', () => {
  const wanting = (): TlsOptions => ({ ...server, ca: authority.cert, requestCert: true });
  const mutual = (pair: KeyPair) => (folder: TlsFolder) => ({
    ca: folder.write('ca.crt', authority.cert),
    ...folder.put('bridge', pair),
  });

  test('is shown our certificate', async () => {
    const { bridge, secure } = await start(wanting(), mutual(client));
    await WatchingIstiod.connect(bridge.ports.xds).hasOnly({ 'shop/mine': 'one', 'shop/other': 'two' });
    expect(secure.clients.map((one) => one?.subjectAltName)).toEqual([`URI:${bridgeId}`]);
    const metrics = await (await bridge.fetch('/metrics')).text();
    expect(metrics).toMatch(
      /isthmus_certificate_expiry_timestamp_seconds\{use="source\/galley",role="certificate"\} \d/,
    );
  });

  test.each([['TLSv1.2'], ['TLSv1.3']] as const)('by %s and gets none, says so', async (maxVersion) => {
    const { bridge } = await start({ ...wanting(), maxVersion }, (f) => ({ ca: f.write('ca.crt', authority.cert) }));
    await expectFailure(
      bridge,
      /it wants a certificate of us, and we have none|closed the connection|ended the TLS handshake/,
      /tls\.cert/,
    );
  });

  test('and does not believe ours, says why', async () => {
    const { bridge } = await start(wanting(), mutual(await issue(strangers, [bridgeId])));
    await expectFailure(
      bridge,
      /refuses our certificate|closed the connection/,
      /tls\.cert|not believe our certificate/,
    );
  });

  test('is shown the renewed one on the next connection; the stream that is open lives on', async () => {
    const { bridge, secure, folder, galley } = await start(wanting(), mutual(client));
    const istiod = WatchingIstiod.connect(bridge.ports.xds);
    await istiod.hasOnly({ 'shop/mine': 'one', 'shop/other': 'two' });
    const { connection } = await originOf(bridge, 'galley');
    folder.put('bridge', renewed);
    await until('it is in use', () =>
      bridge.log.of('info').includes('renewed TLS files are in use; open streams stay'),
    );
    galley.publish({ 'shop/mine': 'one', 'shop/more': 'three' });
    await istiod.hasOnly({ 'shop/mine': 'one', 'shop/more': 'three', 'shop/other': 'two' });
    expect((await originOf(bridge, 'galley')).connection.streams).toBe(connection.streams);
    expect(secure.clients).toHaveLength(1);

    galley.source.dropConnections();
    await until('it is back', () => secure.clients.length > 1);
    expect(secure.clients.at(-1)?.subjectAltName).toContain('renewed.istio-system');
    galley.publish({ 'shop/mine': 'four' });
    await istiod.hasOnly({ 'shop/mine': 'four', 'shop/other': 'two' });
    expect(istiod.lost('shop/mine', 'shop/other')).toEqual([]);
  });

  test('is shown the last good one while what should take its place is torn', async () => {
    const { bridge, secure, folder, galley } = await start(wanting(), mutual(client));
    const istiod = WatchingIstiod.connect(bridge.ports.xds);
    await istiod.hasOnly({ 'shop/mine': 'one', 'shop/other': 'two' });
    folder.write('bridge.key', renewed.key);
    await until('it is refused', () =>
      bridge.log.of('error').some((line) => /bridge\.crt: the key is that of another/.test(line)),
    );
    galley.source.dropConnections();
    await until('it is back', () => secure.clients.length > 1);
    expect(secure.clients.at(-1)?.subjectAltName).toBe(`URI:${bridgeId}`);
    folder.write('bridge.crt', renewed.cert);
    await until('it is in use', () =>
      bridge.log.of('info').includes('renewed TLS files are in use; open streams stay'),
    );
    galley.source.dropConnections();
    await until('the renewed one is shown', () => secure.clients.at(-1)?.subjectAltName?.includes('renewed') === true);
    expect(istiod.lost('shop/mine', 'shop/other')).toEqual([]);
  });

  test('waits for our files where they are not there at the start', async () => {
    const { bridge, folder } = await start(wanting(), (f) => ({
      ca: f.write('ca.crt', authority.cert),
      cert: `${f.path}/bridge.crt`,
      key: `${f.path}/bridge.key`,
    }));
    await expectFailure(bridge, /our own TLS files can't be used: .*bridge\.crt: there is no such file/, /mounted/);
    folder.put('bridge', client);
    await WatchingIstiod.connect(bridge.ports.xds).hasOnly({ 'shop/mine': 'one', 'shop/other': 'two' });
  });
});

test.each([['ECDHE-RSA-AES128-GCM-SHA256'], ['ECDHE-RSA-AES256-GCM-SHA384']])(
  'a Cloud Foundry copilot, with TLS 1.2, mutual, and %s, is spoken to',
  async (ciphers) => {
    const ca = await newAuthority('copilot CA', { keyType: 'rsa' });
    const pair = await issue(ca, ['127.0.0.1'], { keyType: 'rsa' });
    const ours = await issue(ca, ['isthmus.cf.internal'], { keyType: 'rsa' });
    const options = {
      ...pair,
      ca: ca.cert,
      requestCert: true,
      minVersion: 'TLSv1.2',
      maxVersion: 'TLSv1.2',
      ciphers,
    } as const;
    const { bridge } = await start(options, (f) => ({ ca: f.write('ca.crt', ca.cert), ...f.put('ours', ours) }));
    await WatchingIstiod.connect(bridge.ports.xds).hasOnly({ 'shop/mine': 'one', 'shop/other': 'two' });
  },
);

test('settings of TLS that are changed by a reload are in force, and the source is dialled anew', async () => {
  const { bridge, secure, folder, plain } = await start(server, () => ({}));
  await expectFailure(bridge, /none of the CAs of this host/, /tls\.ca/);
  const ca = folder.write('ca.crt', authority.cert);
  await bridge.reload({ sources: [sourceAt('galley', secure.port, { tls: { ca } }), sourceAt('plain', plain.port)] });
  await WatchingIstiod.connect(bridge.ports.xds).hasOnly({ 'shop/mine': 'one', 'shop/other': 'two' });
});
