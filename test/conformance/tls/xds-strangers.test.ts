import { connect, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../../src/model/clock.ts';
import type { DoorLimits } from '../../../src/net/door.ts';
import type { TlsFiles } from '../../../src/net/tls-files.ts';
import { Identity } from '../../../src/net/tls-identity.ts';
import { inDays, issue, type KeyPair, newAuthority } from '../../support/certificates.ts';
import { MemoryLogger } from '../../support/memory-logger.ts';
import { exchangeBytes } from '../../support/raw-http.ts';
import { TlsFolder } from '../../support/tls-folder.ts';
import { TlsBack } from '../../support/tls-relay.ts';
import { until } from '../../support/until.ts';
import { XdsLab } from '../../support/xds-lab.ts';
import { XdsPeer } from '../../support/xds-peer.ts';

const host = 'isthmus.istio-system';
const galleyId = 'spiffe://cluster.local/ns/istio-system/sa/galley';

let authority: KeyPair;
let strangers: KeyPair;
let server: KeyPair;
let client: KeyPair;

beforeAll(async () => {
  authority = await newAuthority('mesh CA');
  strangers = await newAuthority('another CA');
  server = await issue(authority, [host]);
  client = await issue(authority, [galleyId]);
});

type Settings = {
  readonly mutual?: boolean;
  readonly allowedIdentities?: readonly string[];
  readonly door?: DoorLimits;
};

/** An xDS listener with TLS whose clock stands still, and a peer that was there all along. */
class TlsLab {
  readonly lab: XdsLab;
  readonly log: MemoryLogger;
  readonly kept: XdsPeer;

  private constructor(lab: XdsLab, log: MemoryLogger, kept: XdsPeer) {
    this.lab = lab;
    this.log = log;
    this.kept = kept;
  }

  static async start({ mutual = false, ...settings }: Settings = {}): Promise<TlsLab> {
    const folder = new TlsFolder();
    const ca = mutual ? { ca: folder.write('client-ca.crt', authority.cert) } : {};
    const files: TlsFiles = { ...folder.put('xds', server), ...ca };
    const log = new MemoryLogger();
    const identity = new Identity({ use: 'xds', files, clock: systemClock, log });
    await identity.start();
    onTestFinished(() => identity.stop());
    const { allowedIdentities, ...options } = settings;
    const lab = await XdsLab.start({ log, tls: { identity, allowedIdentities }, ...options });
    const { port } = await TlsBack.to(lab.port, { ca: authority.cert, servername: host, ...client });
    const tls = new TlsLab(lab, log, peerOf(port));
    await lab.settled(tls.kept);
    return tls;
  }

  dial(options: ConnectionOptions): Promise<TlsBack> {
    return TlsBack.to(this.lab.port, { ca: authority.cert, servername: host, ...options });
  }

  /** Reasons of all that were turned away. */
  get refused(): string[] {
    return this.lab.reported.of('connectionRefused').map(([listener, reason]) => `${listener} ${reason}`);
  }

  /** The last warning that says so; waits for it. */
  warning(pattern: RegExp): Promise<{ readonly fields: { readonly said?: string; readonly hint?: string } }> {
    return until(`the log says ${pattern}`, () =>
      this.log.lines.findLast(({ level, message }) => level === 'warn' && pattern.test(message)),
    );
  }

  /** The peer that was there all along is served as before, and no key was told. */
  async expectServed(): Promise<void> {
    await this.lab.settled(this.kept);
    expect(this.kept.ended).toBeUndefined();
    const said = JSON.stringify(this.log.lines);
    for (const line of [server, client].flatMap(({ key }) => key.split('\n')).filter((one) => one.length > 20)) {
      expect(said).not.toContain(line);
    }
  }
}

/** A peer that acknowledges all that comes. */
function peerOf(port: number): XdsPeer {
  const peer = XdsPeer.connect(port);
  peer.onResponse = (response) => peer.ack(response);
  return peer;
}

/** Settles once it is closed, in whatever way. */
function closeOf(socket: Socket): Promise<unknown> {
  return new Promise((resolve) => socket.once('close', resolve));
}

/** Opens TLS by hand; settles once the connection is closed. */
function openTls(port: number, options: ConnectionOptions, bytes = ''): Promise<unknown> {
  const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false, ALPNProtocols: ['h2'], ...options });
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => {});
  socket.on('secureConnect', () => bytes !== '' && socket.write(bytes));
  socket.resume();
  return closeOf(socket);
}

test('a client is served over TLS 1.3, and over 1.2; it needs no certificate', async () => {
  const tls = await TlsLab.start();
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const { port, errors } = await tls.dial({ maxVersion });
    await tls.lab.settled(peerOf(port));
    expect(errors).toEqual([]);
  }
  expect(tls.refused).toEqual([]);
  await tls.expectServed();
});

describe('without TLS', () => {
  test('a gRPC client is told so, and named', async () => {
    const tls = await TlsLab.start();
    expect(await XdsPeer.connect(tls.lab.port).end()).toMatchObject({ code: 7 });
    const greeting = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u0004\0\0\0\0\0';
    expect(await exchangeBytes(tls.lab.port, greeting)).toMatch(/This port speaks gRPC \(MCP-over-xDS\), with TLS\.$/);
    const { fields } = await tls.warning(
      /a peer speaks no TLS on the xDS port, which has TLS; its connection was closed/,
    );
    expect(fields).toMatchObject({
      peer: expect.stringMatching(/^127\.0\.0\.1:\d+$/) as string,
      hint: expect.stringContaining('tlsSettings with mode SIMPLE') as string,
    });
    expect(tls.refused).toEqual(['xds plaintext', 'xds plaintext']);
    await tls.expectServed();
  });

  test('the same where its greeting comes byte by byte', async () => {
    const tls = await TlsLab.start();
    const socket = connect({ host: '127.0.0.1', port: tls.lab.port, noDelay: true });
    socket.on('error', () => {});
    socket.resume();
    for (const byte of Buffer.from('PRI * HTTP/2.0\r\n')) {
      await new Promise((resolve) => socket.write(Buffer.of(byte), resolve));
    }
    await closeOf(socket);
    expect(tls.refused).toEqual(['xds plaintext']);
    await tls.expectServed();
  });

  test('HTTP/1 is answered in words, and so is what is no protocol at all', async () => {
    const tls = await TlsLab.start();
    const answer = await exchangeBytes(tls.lab.port, 'GET /metrics?token=secret HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 505 .*\r\n\r\nThis port speaks gRPC \(MCP-over-xDS\), with TLS\.\n$/s);
    expect((await tls.warning(/speaks HTTP\/1 on the xDS port/)).fields.said).toBe('GET /metrics');
    await exchangeBytes(tls.lab.port, 'EHLO mail.example.com\r\n');
    expect((await tls.warning(/neither gRPC nor HTTP/)).fields.said).toBe('EHLO mail.example.com');
    expect(tls.refused).toEqual(['xds http1', 'xds other']);
    await tls.expectServed();
  });
});

describe('a client that does not get along with our TLS', () => {
  test.each([['another CA'], ['another name']])('and expects %s is named', async (what) => {
    const tls = await TlsLab.start();
    const back = await tls.dial(
      what === 'another CA' ? { ca: strangers.cert } : { servername: 'another.istio-system' },
    );
    expect((await XdsPeer.connect(back.port).end()).code).toBe(14);
    expect(back.errors[0]).toMatch(/CERT|UNABLE_TO/);
    const { fields } = await tls.warning(/a TLS handshake on the xDS port has failed/);
    expect(fields).toMatchObject({
      said: expect.stringContaining('it may not believe our certificate') as string,
      hint: expect.stringContaining('has to know the CA of xds.tls.cert') as string,
    });
    expect(new Set(tls.refused)).toEqual(new Set(['xds handshake']));
    await tls.expectServed();
  });

  test.each<[string, ConnectionOptions, RegExp]>([
    [
      'TLS 1.1',
      { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' },
      /no TLS 1\.2 or newer/,
    ],
    ['HTTP/1 within TLS', { ALPNProtocols: ['http/1.1'] }, /ALPN h2/],
    ['something without a name within TLS', { ALPNProtocols: [] }, /ALPN h2/],
  ])('and speaks %s is named', async (_what, options, says) => {
    const tls = await TlsLab.start();
    await openTls(tls.lab.port, options);
    await until('it is turned away', () => tls.refused.length === 1);
    expect((await tls.warning(/on the xDS port/)).fields.said).toMatch(says);
    await tls.expectServed();
  });

  test('and speaks no HTTP/2 in spite of its word is answered within', async () => {
    const tls = await TlsLab.start();
    await openTls(tls.lab.port, {}, 'GET / HTTP/1.1\r\n\r\n');
    expect(tls.refused).toEqual(['xds http1']);
    await tls.expectServed();
  });
});

describe('one that keeps us waiting is closed after 10 s', () => {
  test.each<[string, (port: number) => Promise<unknown>]>([
    ['with half of a hello', (port) => exchangeBytes(port, Buffer.from([0x16, 3, 1, 2, 0, 1]))],
    ['behind the handshake', (port) => openTls(port, {})],
    ['with half of a greeting', (port) => openTls(port, {}, 'PRI * HT')],
  ])('%s', async (_what, open) => {
    const tls = await TlsLab.start();
    let isClosed = false;
    const watch = async () => {
      await open(tls.lab.port);
      isClosed = true;
    };
    void watch();
    await until('it is closed', () => {
      tls.lab.clock.advance(1000);
      return isClosed;
    });
    expect(tls.refused).toEqual(['xds silent']);
    await tls.expectServed();
  });
});

describe('with clientCa, clients have to show a certificate', () => {
  test('one that does is served', async () => {
    const tls = await TlsLab.start({ mutual: true });
    expect(tls.refused).toEqual([]);
    await tls.expectServed();
  });

  test('TestListAuthChecker: who shows none, one of a stranger, or one that is not in the list, stays outside', async () => {
    const tls = await TlsLab.start({ mutual: true, allowedIdentities: ['spiffe://cluster.local/ns/istio-system/*'] });
    const bad = (why: string) => `the client certificate of ${galleyId} ${why}`;
    const cases: readonly [string, () => Promise<KeyPair> | undefined, string][] = [
      ['no-certificate', () => undefined, 'a client certificate is required'],
      ['bad-certificate', () => issue(strangers, [galleyId]), bad('is signed by a CA that is not known here')],
      ['bad-certificate', () => issue(undefined, [galleyId]), bad('is self-signed')],
      ['bad-certificate', () => issue(authority, [galleyId], { from: inDays(-9), to: inDays(-1) }), bad('has ended')],
      ['bad-certificate', () => issue(authority, [galleyId], { from: inDays(1) }), bad('has not begun')],
      [
        'bad-certificate',
        () => issue(authority, [galleyId], { usage: 'server' }),
        bad('is not made for a client (clientAuth)'),
      ],
      [
        'unknown-identity',
        () => issue(authority, ['spiffe://cluster.local/ns/shop/sa/x', 'x.shop']),
        'spiffe://cluster.local/ns/shop/sa/x, x.shop is not in allowedIdentities',
      ],
      ['unknown-identity', () => issue(authority, ['10.0.0.7']), 'CN=leaf is not in allowedIdentities'],
    ];
    for (const [reason, makePair, said] of cases) {
      // Of each sort, one line a minute is written.
      tls.lab.clock.advance(60_000);
      const back = await tls.dial((await makePair()) ?? {});
      const ended = await XdsPeer.connect(back.port).end();
      expect([ended.code, said]).toEqual([7, said]);
      expect(tls.refused.at(-1)).toBe(`xds ${reason}`);
      const { fields } = await tls.warning(/on the xDS port.*its connection was closed/);
      expect(fields.said).toBe(said);
      expect(fields.hint).toMatch(/xds\.tls\.(clientCa|allowedIdentities)/);
    }
    expect(tls.refused).toHaveLength(cases.length);
    await tls.expectServed();
  });
});

test('connections over TLS count against the limits, and make room when they are gone', async () => {
  const tls = await TlsLab.start({ door: { connections: 10, connectionsPerPeer: 3, greetingMs: 10_000 } });
  const backs = [await tls.dial({}), await tls.dial({})];
  for (const { port } of backs) await tls.lab.settled(peerOf(port));
  const isServed = async () => {
    const peer = peerOf((await tls.dial({})).port);
    peer.subscribe('a.example/v1/B');
    const outcome = () => (peer.ended === undefined ? peer.responses.length > 0 && 'served' : 'refused');
    return (await tls.lab.flow('it is served or not', outcome)) === 'served';
  };
  expect(await isServed()).toBe(false);
  expect(tls.refused).toContain('xds too-many-of-peer');
  backs[0]?.drop();
  await until('there is room', isServed);
  await tls.expectServed();
});
