import { chmodSync } from 'node:fs';
import { createServer as createHttp2Server } from 'node:http2';
import { beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import type { ConfigInput } from '../../../src/config/schema.ts';
import { inDays, issue, type KeyPair, newAuthority } from '../../support/certificates.ts';
import { run, startServe } from '../../support/cli.ts';
import { listen } from '../../support/listeners.ts';
import { ServingSource, sourceAt } from '../../support/serving-source.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { TlsFolder } from '../../support/tls-folder.ts';
import { TlsFront } from '../../support/tls-relay.ts';
import { until } from '../../support/until.ts';

type Finding = { code: string; severity: string; subject: string; what: string; next?: string };

let authority: KeyPair;
let server: KeyPair;
let client: KeyPair;

beforeAll(async () => {
  authority = await newAuthority('mesh CA');
  server = await issue(authority, ['127.0.0.1', 'isthmus.istio-system']);
  client = await issue(authority, ['spiffe://cluster.local/ns/istio-system/sa/isthmus']);
});

/** A gRPC server that answers as Go's library does, with ResourceSource. */
function goServer(): Promise<number> {
  const grpc = createHttp2Server();
  grpc.on('session', (session) => session.on('error', () => {}));
  grpc.on('stream', (stream) => {
    const status = { 'grpc-status': '12', 'grpc-message': 'unknown method IsthmusCheck' };
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...status }, { endStream: true });
  });
  return listen(grpc);
}

type Tls = NonNullable<NonNullable<ConfigInput['sources']>[number]['tls']>;

/** A config file with these settings. */
function configOf(folder: TlsFolder, settings: ConfigInput): string {
  const listenAt = '127.0.0.1:0';
  const { xds = {}, ...more } = settings;
  const config = { admin: { listen: listenAt }, stateDir: tempFolder(), ...more, xds: { listen: listenAt, ...xds } };
  return folder.write('isthmus.yaml', stringify(config));
}

/** What `check` finds, and for the texts of one code. */
async function check(...args: readonly string[]) {
  const { code, stdout, stderr } = await run('check', ...args, '-o', 'json');
  if (stdout === '') throw new Error(stderr);
  const { findings } = JSON.parse(stdout) as { findings: Finding[] };
  expect(stdout).not.toContain('PRIVATE KEY');
  const of = (wanted: string) => findings.filter((one) => one.code === wanted);
  return { code, findings, of };
}

/** What is found of one source with these settings. */
async function checkSource(port: number, tls: (folder: TlsFolder) => Tls) {
  const folder = new TlsFolder();
  const sources = [{ name: 'galley', address: `mcps://127.0.0.1:${port}`, tls: tls(folder) }];
  return check('--config', configOf(folder, { sources }));
}

describe('the files of a config', () => {
  test('that are all right are shown with their names and their end', async () => {
    const folder = new TlsFolder();
    const sources = [{ name: 'galley', address: `mcp://127.0.0.1:${await goServer()}` }];
    const tls = { ...folder.put('xds', server), clientCa: folder.write('ca.crt', authority.cert) };
    const { code, of } = await check('--config', configOf(folder, { sources, xds: { tls } }));
    expect(code).toBe(0);
    expect(of('TLS_USABLE').map(({ subject, what }) => `${subject}: ${what}`)).toEqual([
      expect.stringMatching(
        /^xds\.tls: the certificate is for 127\.0\.0\.1, isthmus\.istio-system; it ends in 36\d days, on 20/,
      ),
      expect.stringMatching(/^xds\.tls: peers are verified by mesh CA; it ends in 36\d days, on 20/),
    ]);
  });

  test('that are not are errors, and what is nearly so is a warning', async () => {
    const folder = new TlsFolder();
    const short = await issue(authority, ['short.shop'], { from: inDays(-80), to: inDays(10) });
    const shortFiles = folder.put('short', short);
    chmodSync(shortFiles.key, 0o644);
    const address = `mcp://127.0.0.1:${await goServer()}`;
    const sources = [
      { name: 'short', address, tls: shortFiles },
      { name: 'none', address, tls: { ca: `${folder.path}/none.crt` } },
      { name: 'anybody', address, tls: { insecureSkipVerify: true } },
    ];
    const tls = folder.put('xds', { cert: server.cert, key: client.key });
    const { code, of } = await check('--config', configOf(folder, { sources, xds: { tls } }));
    expect(code).toBe(1);
    expect(of('TLS_UNUSABLE').map(({ subject, what }) => `${subject}: ${what}`)).toEqual([
      expect.stringMatching(
        /^xds\.tls: .*xds\.crt: the key is that of another certificate .*; no connection is possible$/,
      ),
      expect.stringMatching(/^tls of source none .*none\.crt: there is no such file; no connection is possible$/),
    ]);
    expect(of('CERTIFICATE_EXPIRES').map(({ what }) => what)).toEqual([
      expect.stringMatching(/short\.crt ends in 9 days$/),
    ]);
    expect(of('KEY_OPEN_TO_ALL')).toHaveLength(1);
    expect(of('TLS_UNVERIFIED').map(({ subject, severity }) => [subject, severity])).toEqual([
      [expect.stringContaining('source anybody'), 'warning'],
    ]);
  });
});

describe('a source over TLS', () => {
  test('that is the right one is asked whether it serves MCP', async () => {
    const { port } = await TlsFront.of(await goServer(), { ...server, ca: authority.cert, requestCert: true });
    const { code, of } = await checkSource(port, (f) => ({
      ca: f.write('ca.crt', authority.cert),
      ...f.put('us', client),
    }));
    expect([code, of('TLS_SPOKEN').length, of('SERVICE_FOUND').length]).toEqual([0, 1, 1]);
    expect(of('CERTIFICATE')[0]?.what).toContain('by mesh CA');
    expect([...of('TLS_UNEXPECTED'), ...of('CERTIFICATE_NAME')]).toEqual([]);
  });

  test('is asked for all that it has, with --direct', async () => {
    const galley = await ServingSource.listen({ 'shop/a': 'one' });
    const { onStream } = galley.source;
    galley.source.onStream = (stream) => {
      onStream(stream);
      const { onRequest } = stream;
      stream.onRequest = (request) => {
        if (request.collection === '') stream.end(12, 'unknown method IsthmusCheck');
        else onRequest(request);
      };
    };
    const { port } = await TlsFront.of(galley.port, { ...server, ca: authority.cert, requestCert: true });
    const folder = new TlsFolder();
    const tls = { ca: folder.write('ca.crt', authority.cert), ...folder.put('us', client) };
    const { of } = await check(
      '--config',
      configOf(folder, { sources: [sourceAt('galley', port, { tls })] }),
      '--direct',
    );
    expect(of('COLLECTIONS_SERVED').map(({ what }) => what)).toEqual(['it has ServiceEntry 1']);
  });

  test('that is another one, or does not believe us, is an error that says why', async () => {
    const front = await TlsFront.of(await goServer(), { ...server, ca: authority.cert, requestCert: true });
    const { code, of } = await checkSource(front.port, () => ({}));
    expect([code, of('TLS_FAILED')[0]?.what]).toEqual([
      1,
      expect.stringContaining('is signed by none of the CAs of this host'),
    ]);
    const strange = await checkSource(front.port, (f) => ({
      ca: f.write('ca.crt', authority.cert),
      serverName: 'galley',
    }));
    expect(strange.of('TLS_FAILED')[0]?.what).toContain('and not for galley');
    const nameless = await checkSource(front.port, (f) => ({ ca: f.write('ca.crt', authority.cert) }));
    expect(nameless.of('TLS_FAILED')[0]?.next).toContain('tls.cert');
  });

  test('that speaks none is an error', async () => {
    const { of } = await checkSource(await goServer(), () => ({}));
    expect(of('WRONG_PROTOCOL').map(({ what }) => what)).toEqual([
      'it speaks HTTP/2 without TLS, and Isthmus dials over TLS',
    ]);
  });

  test('may be an address alone', async () => {
    const { port } = await TlsFront.of(await goServer(), server);
    const address = `mcps://127.0.0.1:${port}`;
    const { code, of } = await check(address);
    expect([code, of('TLS_FAILED').map(({ subject }) => subject)]).toEqual([1, [address]]);
  });
});

test('the xDS port of a bridge with TLS: its certificate is shown, and which istiod can come in', async () => {
  const folder = new TlsFolder();
  const { xds } = await startServe('--config', configOf(folder, { xds: { tls: folder.put('xds', server) } }));
  const address = `xds://127.0.0.1:${xds}`;
  const any = await check(address);
  expect([any.code, any.of('TLS_UNEXPECTED')[0]?.severity]).toEqual([1, 'error']);
  expect(any.of('TLS_UNEXPECTED')[0]?.next).toContain('--istiod-version');
  const { code, findings, of } = await check(address, '--istiod-version', '1.26');
  expect([code, findings.map((one) => one.code)]).toEqual([0, ['TLS_SPOKEN', 'CERTIFICATE']]);
  expect(of('CERTIFICATE')[0]?.what).toMatch(/DNS:isthmus\.istio-system, by mesh CA, valid from/);
});

test('a bridge that runs says what is wrong with its files, and goes on; status and check tell it', async () => {
  const folder = new TlsFolder();
  const tls = folder.put('xds', server);
  const sources = [{ name: 'anybody', address: `mcps://127.0.0.1:1`, tls: { insecureSkipVerify: true } }];
  const { admin, xds, cli } = await startServe('--config', configOf(folder, { sources, xds: { tls } }));
  await cli.says('stderr', /INSECURE: the certificate of a source is not verified/);
  await cli.says('stderr', /TLS files are in use/);
  folder.write('xds.key', client.key);
  await cli.says('stderr', /TLS files can't be used, those before them stay in use/);
  const url = `http://127.0.0.1:${admin}`;
  const plain = await run('get', `xds://127.0.0.1:${xds}`);
  expect(plain.stderr).toContain('it speaks TLS, and is asked in plaintext here');
  const status = await until('status tells it', async () => {
    const found = await run('status', url);
    return found.stdout.includes("TLS files of xds can't be used") && found;
  });
  expect(status.code).toBe(1);
  expect(status.stdout).toMatch(/TLS +.*CERTIFICATE/);
  expect(status.stdout).toContain('127.0.0.1, isthmus.istio-system');
  expect(status.stdout).toContain('! INSECURE: whoever answers at the address of source anybody is believed');
  const { of } = await check(url);
  expect(of('TLS_PROBLEM').map(({ severity }) => severity)).toEqual(['warning']);
  expect(`${status.stdout}${cli.stderr}`).not.toContain('PRIVATE KEY');
});
