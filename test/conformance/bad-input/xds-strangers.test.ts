import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Bridge } from '../../support/bridge.ts';
import { hastyClock } from '../../support/hasty-clock.ts';
import { exchangeBytes } from '../../support/raw-http.ts';
import { ServingSource, sourceAt } from '../../support/serving-source.ts';
import { until } from '../../support/until.ts';
import { seType, WatchingIstiod } from '../../support/watching-istiod.ts';
import { XdsPeer } from '../../support/xds-peer.ts';

async function start(times = 1) {
  const source = await ServingSource.listen({ 'shop/kept': 'one' });
  const bridge = await Bridge.of({ sources: [sourceAt('galley', source.port)] }, { clock: hastyClock(times) });
  const istiod = WatchingIstiod.connect(bridge.ports.xds);
  await istiod.hasOnly({ 'shop/kept': 'one' });
  return { source, bridge, istiod };
}

/** The istiod that was there all along has lost nothing, and gets what is new; another one is served as well. */
async function expectServed({ source, bridge, istiod }: Awaited<ReturnType<typeof start>>): Promise<void> {
  source.publish({ 'shop/kept': 'one', 'shop/new': 'two' });
  await istiod.hasOnly({ 'shop/kept': 'one', 'shop/new': 'two' });
  expect(istiod.lost('shop/kept')).toEqual([]);
  expect(istiod.peer.ended).toBeUndefined();
  await WatchingIstiod.connect(bridge.ports.xds).hasOnly({ 'shop/kept': 'one', 'shop/new': 'two' });
}

const warnings = (bridge: Bridge, pattern: RegExp) =>
  bridge.log.lines.filter(({ level, message }) => level === 'warn' && pattern.test(message));

describe('HTTP/1 on the xDS port', () => {
  const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;

  test('is told what this port speaks; the log names who it is, and where the pages are', async () => {
    const lab = await start();
    const { bridge } = lab;
    const answer = await exchangeBytes(bridge.ports.xds, get('/metrics?token=secret'));
    expect(answer).toMatch(/^HTTP\/1\.1 505 /);
    expect(answer).toMatch(/\r\n\r\nThis port speaks gRPC \(MCP-over-xDS\), without TLS\.\n$/);
    const [line] = warnings(bridge, /a peer speaks HTTP\/1 on the xDS port; it was told that this port speaks gRPC/);
    expect(line?.fields).toMatchObject({
      peer: expect.stringMatching(/^127\.0\.0\.1:\d+$/) as string,
      said: 'GET /metrics',
      hint: 'health, metrics and pages are on the admin port (--admin-listen, --metrics-listen)',
    });
    expect(JSON.stringify(bridge.log.lines)).not.toContain('secret');
    await expectServed(lab);
  });

  test('a hundred times is one line, and one more a minute later that says how many there were', async () => {
    const lab = await start(30);
    const { bridge } = lab;
    await Promise.all(Array.from({ length: 100 }, () => exchangeBytes(bridge.ports.xds, get('/'))));
    const before = warnings(bridge, /HTTP\/1/).length;
    expect(before).toBeLessThan(10);
    await until('a minute passes', async () => {
      await exchangeBytes(bridge.ports.xds, get('/'));
      return warnings(bridge, /HTTP\/1/).length > before;
    });
    const counted = warnings(bridge, /HTTP\/1/).map(({ fields }) => (fields as { before?: number }).before ?? 0);
    expect(counted.reduce((sum, count) => sum + count + 1, 0)).toBeGreaterThanOrEqual(100);
    await expectServed(lab);
  });
});

test('a TLS client on the xDS port is told in words that it knows, and named in the log', async () => {
  const lab = await start();
  const { bridge } = lab;
  const error = await new Promise<NodeJS.ErrnoException>((resolve) => {
    connectTls({ host: '127.0.0.1', port: bridge.ports.xds, rejectUnauthorized: false }).on('error', resolve);
  });
  // What every OpenSSL says to a plaintext answer; Go's says "first record does not look like a TLS handshake".
  expect(error.code).toMatch(/WRONG_VERSION_NUMBER|PACKET_LENGTH/);
  const [line] = warnings(bridge, /a peer speaks TLS on the xDS port, which has no TLS; its connection was closed/);
  expect(line?.fields).toMatchObject({
    hint: expect.stringContaining('take tlsSettings out of this configSource') as string,
  });
  await expectServed(lab);
});

describe('others on the xDS port', () => {
  test.each([
    ['text', 'EHLO mail.example.com\r\n', 'EHLO mail.example.com'],
    ['bytes', Buffer.from([0, 1, 2, 255]), '????'],
    ['a preface that is none in the end', 'PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n', 'PRI * HTTP/2.0'],
  ])('%s', async (_what, bytes, said) => {
    const lab = await start();
    expect(await exchangeBytes(lab.bridge.ports.xds, bytes)).toContain('This port speaks gRPC');
    const [line] = warnings(lab.bridge, /on the xDS port/);
    expect(line?.fields).toMatchObject({ said });
    await expectServed(lab);
  });

  test('one that looks whether the port is open is no news', async () => {
    const lab = await start();
    for (let i = 0; i < 20; i++) {
      const socket = connect({ host: '127.0.0.1', port: lab.bridge.ports.xds }, () => socket.end());
      socket.resume();
      await once(socket, 'close');
    }
    expect(warnings(lab.bridge, /./)).toHaveLength(warnings(lab.bridge, /no state directory/).length);
    await expectServed(lab);
  });

  test('one that says nothing, or not all of a greeting, is closed after 10 s, and named', async () => {
    const lab = await start(20);
    const closed: Promise<unknown>[] = ['', 'PRI * HT'].map((beginning) => {
      const socket: Socket = connect({ host: '127.0.0.1', port: lab.bridge.ports.xds });
      socket.write(beginning);
      onTestFinished(() => void socket.destroy());
      return new Promise((resolve) => socket.on('close', resolve).on('error', () => {}));
    });
    await Promise.all(closed);
    const lines = warnings(lab.bridge, /connected to the xDS port and said nothing; its connection was closed/);
    expect(lines.length).toBeGreaterThan(0);
    await expectServed(lab);
  });

  test('a gRPC stream on which nothing is asked for is ended after 30 s, and its place is free', async () => {
    const lab = await start(20);
    const idle = XdsPeer.connect(lab.bridge.ports.xds);
    expect(await idle.end()).toEqual({ code: 4, details: 'nothing was asked for within 30 s' });
    const streams = () => lab.bridge.page<unknown[]>('/debug/streams');
    await until('it is forgotten', async () => (await streams()).length === 1);
    await expectServed(lab);
  });
});

test('a half-sent greeting that is completed is an HTTP/2 peer like any other', async () => {
  const lab = await start();
  const greeting = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u0004\0\0\0\0\0', 'latin1');
  const socket = connect({ host: '127.0.0.1', port: lab.bridge.ports.xds });
  onTestFinished(() => void socket.destroy());
  let answer = Buffer.alloc(0);
  socket.on('data', (bytes: Buffer) => {
    answer = Buffer.concat([answer, bytes]);
  });
  for (const byte of greeting) {
    await new Promise((resolve) => socket.write(Buffer.of(byte), resolve));
  }
  // SETTINGS, type 4, and the answer to ours.
  await until('it is greeted', () => answer.length >= 18);
  expect(answer[3]).toBe(4);
  await expectServed(lab);
  expect(lab.istiod.peer.types).toContain(seType);
});
