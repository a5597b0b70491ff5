import { expect, test } from 'vitest';
import { probeProtocol, protocolHint, type Spoken } from '../../../src/net/protocol-hint.ts';
import { issue, newAuthority } from '../../support/certificates.ts';
import { listen } from '../../support/listeners.ts';
import { strangers } from '../../support/strangers.ts';
import { createServer } from 'node:net';
import { Bridge } from '../../support/bridge.ts';
import { TlsFolder } from '../../support/tls-folder.ts';

const wanted = 'a legacy MCP server (istio.mcp.v1alpha1)';

const probe = (port: number, timeoutMs = 10_000) => probeProtocol({ host: '127.0.0.1', port }, { timeoutMs });

async function closedPort(): Promise<number> {
  const server = createServer();
  const port = await listen(server);
  await new Promise((resolve) => {
    server.close(resolve);
  });
  return port;
}

/** The xDS port of a bridge with TLS. It answers those without in HTTP/2, so that they know why. */
async function secureBridge(): Promise<number> {
  const tls = new TlsFolder().put('xds', await issue(await newAuthority('mesh CA'), ['127.0.0.1']));
  return (await Bridge.of({ xds: { listen: '127.0.0.1:0', tls } })).ports.xds;
}

const cases: [string, () => Promise<number>, Spoken, RegExp][] = [
  ['an HTTP/1 server', strangers.http1, { speaks: 'http1', said: 'HTTP/1.1 400 Bad Request' }, /but HTTP\/1/],
  ['a TLS server', strangers.tls, { speaks: 'tls' }, /speaks TLS/],
  [
    'a TLS server that wants a certificate of the client, and no TLS 1.3',
    () => strangers.tls(0, { requestCert: true, rejectUnauthorized: true, maxVersion: 'TLSv1.2' }),
    { speaks: 'tls' },
    /speaks TLS/,
  ],
  [
    'a TLS server that has no protocol of ours',
    () => strangers.tls(0, { ALPNProtocols: ['acme-tls/1'] }),
    { speaks: 'tls' },
    /speaks TLS/,
  ],
  [
    'a mail server',
    strangers.smtp,
    { speaks: 'other', said: '220 mail.example.com ESMTP ready' },
    /it says "220 mail\.example\.com ESMTP ready"/,
  ],
  ['a server that hangs up', strangers.hangsUp, { speaks: 'hangs-up' }, /closes them without a word/],
  ['a web server in HTTP/2', strangers.web, { speaks: 'http2' }, /HTTP\/2/],
  ['an xDS server', strangers.xds, { speaks: 'http2' }, /HTTP\/2/],
  ['Isthmus itself', async () => (await Bridge.of({})).ports.xds, { speaks: 'http2' }, /HTTP\/2/],
  ['Isthmus itself, with TLS', secureBridge, { speaks: 'tls' }, /speaks TLS/],
  ['nobody', closedPort, { speaks: 'unreachable', why: 'ECONNREFUSED' }, /nobody listens there \(ECONNREFUSED\)/],
];

test.each(cases)('%s is known by its first word', async (_who, start, expected, text) => {
  const spoken = await probe(await start());
  expect(spoken).toEqual(expected);
  const { problem, hint } = protocolHint(spoken, wanted);
  expect(problem).toMatch(text);
  expect(hint).toContain(wanted);
});

test('a server that says nothing is told from one that is not there, when time is up', async () => {
  const spoken = await probe(await strangers.silent(), 100);
  expect(spoken).toEqual({ speaks: 'nothing' });
  expect(protocolHint(spoken, wanted)).toEqual({
    problem: 'it takes connections and says nothing',
    hint: `its process may hang, or be none of gRPC; see that ${wanted} listens there`,
  });
});

test('a name that nobody has is told from a server that is down', async () => {
  const spoken = await probeProtocol({ host: 'nobody.invalid', port: 1 }, { timeoutMs: 10_000 });
  expect(spoken.speaks).toBe('unreachable');
  expect(protocolHint(spoken, wanted).problem).toMatch(/name can not be resolved \((ENOTFOUND|EAI_AGAIN)\)|no answer/);
});

test('a question is given up when nobody wants the answer any more, and no connection stays', async () => {
  const server = createServer();
  const port = await listen(server);
  const abort = new AbortController();
  const asked = probeProtocol({ host: '127.0.0.1', port }, { timeoutMs: 60_000, signal: abort.signal });
  server.once('connection', () => abort.abort());
  await asked;
  await expect
    .poll(() => new Promise((resolve) => server.getConnections((_, count) => resolve(count))), { timeout: 40_000 })
    .toBe(0);
});

test('what a server says is shown on one line, without what would command a terminal', async () => {
  const port = await listen(createServer((socket) => socket.write('\u001b[31mred\u0007\r\nsecond')));
  expect(await probe(port)).toEqual({ speaks: 'other', said: '?[31mred?' });
});
