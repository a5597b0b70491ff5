import { createServer as createHttp2Server } from 'node:http2';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startSource } from '../../support/bridge.ts';
import { choose, named } from '../../support/choosy-source.ts';
import { failure, run } from '../../support/cli.ts';
import { LegacySource } from '../../support/legacy-source.ts';
import { viewOf } from '../../support/legacy-states.ts';
import { listen, occupyPort } from '../../support/listeners.ts';
import { strangers } from '../../support/strangers.ts';

type Finding = {
  code: string;
  severity: string;
  subject: string;
  what: string;
  next?: string;
  data?: Record<string, unknown>;
};

const establish = '/istio.mcp.v1alpha1.ResourceSource/EstablishResourceStream';

async function check(
  ...args: readonly string[]
): Promise<{ code: number | null; findings: Finding[]; stderr: string }> {
  const { code, stdout, stderr } = await run('check', ...args, '-o', 'json');
  if (stdout === '') throw new Error(stderr);
  return { code, findings: (JSON.parse(stdout) as { findings: Finding[] }).findings, stderr };
}

/** Findings of one address, without those that are about nothing in particular. */
async function checkOne(address: string, ...args: readonly string[]) {
  const { code, findings } = await check(address, ...args);
  return { code, findings, codes: findings.filter(({ subject }) => subject === address).map((one) => one.code) };
}

/** A gRPC server that answers as Go's library does, with these services; remembers the paths that were called. */
async function goServer(...services: readonly string[]): Promise<{ port: number; paths: string[] }> {
  const paths: string[] = [];
  const server = createHttp2Server();
  server.on('session', (session) => session.on('error', () => {}));
  server.on('stream', (stream, headers) => {
    const path = String(headers[':path']);
    paths.push(path);
    const [, service = '', method = ''] = path.split('/');
    const details = services.includes(service)
      ? `unknown method ${method} for service ${service}`
      : `unknown service ${service}`;
    const status = { 'grpc-status': '12', 'grpc-message': details };
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...status }, { endStream: true });
  });
  return { port: await listen(server), paths };
}

/** A scripted legacy server, as long as the test lasts. Like a real one, it knows the methods of MCP only. */
async function scripted(script: (source: LegacySource) => void): Promise<string> {
  const source = await LegacySource.listen();
  onTestFinished(() => source.kill());
  script(source);
  const { onStream } = source;
  source.onStream = (stream) => {
    onStream(stream);
    const { onRequest } = stream;
    stream.onRequest = (request) => {
      if (request.collection !== '') onRequest(request);
      else stream.end(12, 'unknown method IsthmusCheck for service istio.mcp.v1alpha1.ResourceSource');
    };
  };
  return `mcp://127.0.0.1:${source.port}`;
}

describe('from outside, a source is told by its library, and never gets a stream of MCP', () => {
  test('that of Go tells all', async () => {
    const servers = {
      legacy: await goServer('istio.mcp.v1alpha1.ResourceSource'),
      old: await goServer('istio.mcp.v1alpha1.AggregatedMeshConfigService'),
      istiod: await goServer('envoy.service.discovery.v3.AggregatedDiscoveryService'),
      other: await goServer('a.B'),
    };
    const addresses = Object.values(servers).map(({ port }) => `mcp://127.0.0.1:${port}`);
    const { code, findings } = await check(...addresses);
    expect(code).toBe(1);
    const texts = addresses.map((address) =>
      findings.flatMap(({ subject, code: what, what: text }) => (subject === address ? [`${what}: ${text}`] : [])),
    );
    const http2 = 'HTTP2_SPOKEN: it speaks HTTP/2 without TLS, as gRPC servers do';
    expect(texts).toEqual([
      [http2, 'SERVICE_FOUND: it serves legacy MCP (ResourceSource)'],
      [http2, 'SERVICE_MISSING: it serves the MCP of Istio 1.0 and 1.1 only (AggregatedMeshConfigService)'],
      [http2, 'SERVICE_MISSING: it serves xDS and no legacy MCP: an istiod, or another bridge'],
      [http2, 'SERVICE_MISSING: it is a gRPC server without legacy MCP (ResourceSource)'],
    ]);
    for (const { paths } of Object.values(servers)) {
      expect(paths[0]).toBe('/istio.mcp.v1alpha1.ResourceSource/IsthmusCheck');
      expect(paths).not.toContain(establish);
    }
  });

  test('a library that does not tell leaves it open, and --direct is named', async () => {
    const { address, server } = await startSource(viewOf({ 'shop/orders': 'a' }));
    const { code, findings } = await checkOne(address);
    expect(code).toBe(0);
    expect(findings.map((one) => one.code)).toEqual(['HTTP2_SPOKEN', 'SERVICE_UNKNOWN', 'SERVICE_UNKNOWN']);
    expect(findings.at(-1)?.what).toMatch(/--direct asks them.* crash over a second client/);
    expect(server.connected).toBe(0);
  });
});

describe('by its profile in the config', () => {
  const aggregated = 'istio.mcp.v1alpha1.AggregatedMeshConfigService';

  test.each([
    ['has the older service', aggregated, ['HTTP2_SPOKEN', 'SERVICE_FOUND'], 'it serves the MCP of Istio 1.0 and 1.1'],
    [
      'has the newer one instead',
      'istio.mcp.v1alpha1.ResourceSource',
      ['HTTP2_SPOKEN', 'SERVICE_MISSING'],
      'it serves ResourceSource, and not what protocol: aggregated-1.0 names',
    ],
  ])('a server that should have the older service %s', async (_how, service, codes, what) => {
    const { port, paths } = await goServer(service);
    const { findings } = await check('--source', `old=mcp://127.0.0.1:${port}?profile=galley-1.0`);
    const found = findings.filter(({ subject }) => subject.startsWith('source old '));
    expect(found.map(({ code }) => code)).toEqual(codes);
    expect(found.at(-1)?.what).toBe(what);
    expect(paths[0]).toBe(`/${aggregated}/IsthmusCheck`);
  });

  test('--direct says what a second connection may have done to one that has to have one only', async () => {
    const { address } = await startSource(viewOf({ 'shop/orders': 'a' }));
    const { code, findings } = await check('--source', `one=${address}?profile=champly`, '--direct');
    expect(code).toBe(1);
    expect(findings.find((one) => one.code === 'SECOND_CONNECTION')).toMatchObject({
      severity: 'warning',
      subject: `source one (${address})`,
      what: expect.stringContaining('profile champly') as string,
    });
    const other = await check('--source', `one=${address}?profile=galley`, '--direct');
    expect(other.findings.map((one) => one.code)).not.toContain('SECOND_CONNECTION');
  });
});

describe('what is no legacy server is exit code 1, with what it is', () => {
  test('each is told, and none costs another anything', async () => {
    const { http1, smtp, silent, hangsUp, web } = strangers;
    const ports = await Promise.all([http1(), smtp(), silent(), hangsUp(), web()]);
    const addresses = [...ports.map((port) => `mcp://127.0.0.1:${port}`), 'mcp://127.0.0.1:1', 'mcp://no.invalid:1'];
    const { code, findings } = await check(...addresses, '--timeout', '4');
    expect(code).toBe(1);
    const errors = addresses.map((address) =>
      findings.filter(({ subject, severity }) => subject === address && severity === 'error'),
    );
    expect(errors.map((found) => found.map((one) => one.code))).toEqual([
      ['WRONG_PROTOCOL'],
      ['WRONG_PROTOCOL'],
      ['SILENT'],
      ['SILENT'],
      ['SERVICE_MISSING'],
      ['UNREACHABLE'],
      ['UNRESOLVED'],
    ]);
    expect(errors.map(([finding]) => finding?.what)).toEqual([
      expect.stringMatching(/HTTP\/1/),
      expect.stringMatching(/220 mail\.example\.com/),
      expect.stringMatching(/says nothing/),
      expect.stringMatching(/closes them/),
      expect.stringMatching(/did not answer a gRPC call/),
      expect.stringMatching(/ECONNREFUSED/),
      expect.stringMatching(/no\.invalid/),
    ]);
    for (const [finding] of errors) expect(finding?.next).toMatch(/../);
  });

  test('TLS, with the certificate that is offered', async () => {
    const { code, codes, findings } = await checkOne(`mcp://127.0.0.1:${await strangers.tls()}`);
    expect([code, codes]).toEqual([1, ['TLS_UNEXPECTED', 'CERTIFICATE', 'CERTIFICATE_NAME']]);
    expect(findings.find((one) => one.code === 'CERTIFICATE')).toMatchObject({
      severity: 'info',
      data: { subject: 'galley.istio-system.svc', validTo: '2126-11-01T20:49:14.000Z' },
    });
  });

  test('TLS that wants a certificate of ours too', async () => {
    const port = await strangers.tls(0, { requestCert: true, maxVersion: 'TLSv1.2' });
    expect((await checkOne(`mcp://127.0.0.1:${port}`)).codes[0]).toBe('TLS_UNEXPECTED');
  });
});

describe('--direct', () => {
  test('tells what a source has, as the bridge would serve it', async () => {
    const { address } = await startSource(viewOf({ 'shop/orders': 'a', 'shop/carts': 'b' }));
    const { code, findings, stderr } = await check('--source', `galley=${address}`, '--direct');
    expect(code).toBe(0);
    expect(stderr).toContain(`asking ${address} directly`);
    const subject = `source galley (${address})`;
    expect(findings).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ subject, code: 'SOURCE_CONNECTED' }),
        expect.objectContaining({
          subject,
          code: 'COLLECTIONS_SERVED',
          what: expect.stringContaining('ServiceEntry 2,'),
        }),
        expect.objectContaining({
          code: 'SIZE',
          data: expect.objectContaining({ kind: 'ServiceEntry', resources: 2 }),
        }),
      ]),
    );
    expect(findings.map((one) => one.code)).not.toContain('SERVICE_UNKNOWN');
  });

  test('tells which collections it refuses', async () => {
    const known = new Set(['istio/networking/v1alpha3/serviceentries', 'istio/networking/v1alpha3/gateways']);
    const address = await scripted((source) => choose(source, known, named));
    const { code, findings } = await checkOne(address, '--direct');
    const refused = findings.find((one) => one.code === 'COLLECTIONS_REFUSED');
    expect(refused?.data?.['collections']).toHaveLength(9);
    expect(refused?.what).toContain('virtualservices');
    expect(code).toBe(0);
  });

  test('tells what would be quarantined', async () => {
    const { address } = await startSource(viewOf({ 'shop/orders': 'a', 'a/b/c': 'b' }));
    const { code, findings } = await checkOne(address, '--direct');
    expect(code).toBe(1);
    const finding = findings.find((one) => one.code === 'QUARANTINED');
    expect(finding).toMatchObject({ severity: 'warning', subject: address });
    expect(finding?.what).toContain('1 resource quarantined, for example ServiceEntry: metadata.name "a/b/c"');
  });

  test('tells which collections it is silent about', async () => {
    const address = await scripted((source) => {
      source.onStream = (stream) => {
        stream.open();
        stream.onRequest = ({ collection, responseNonce }) => {
          if (responseNonce === '' && collection.endsWith('/gateways')) stream.send({ collection });
        };
      };
    });
    const { code, findings } = await checkOne(address, '--direct', '--timeout', '6');
    expect(code).toBe(1);
    expect(findings.find((one) => one.code === 'COLLECTIONS_SILENT')?.data).toEqual({ kinds: ['ServiceEntry'] });
  });

  test('tells sizes against what istiod up to 1.11 takes', async () => {
    const long = 'x'.repeat(1000);
    const many = Object.fromEntries(Array.from({ length: 4500 }, (_, i) => [`shop/s-${i}`, `${long}${i}`]));
    const { address } = await startSource(viewOf(many));
    const unknown = await checkOne(address, '--direct');
    expect([unknown.code, unknown.findings.find((one) => one.code === 'TOO_LARGE')?.severity]).toEqual([1, 'warning']);
    const old = await checkOne(address, '--direct', '--istiod-version', '1.10');
    expect([old.code, old.findings.find((one) => one.code === 'TOO_LARGE')?.severity]).toEqual([1, 'error']);
    const recent = await checkOne(address, '--direct', '--istiod-version', '1.24');
    expect([recent.code, recent.findings.some((one) => one.code === 'TOO_LARGE')]).toEqual([0, false]);
  });

  test('says where a source breaks off', async () => {
    const address = await scripted((source) => {
      source.onStream = (stream) => {
        stream.onRequest = () => stream.end(7, 'go away');
      };
    });
    const { code, findings } = await checkOne(address, '--direct');
    expect(code).toBe(1);
    const finding = findings.find((one) => one.code === 'SOURCE_NOT_CONNECTED');
    expect(finding).toMatchObject({ severity: 'error', what: expect.stringContaining('go away') });
  });

  test('has nobody to ask where nobody is', async () => {
    const { findings } = await check('mcp://127.0.0.1:1', '--direct');
    expect(findings.at(-1)).toMatchObject({ code: 'DIRECT_NEEDLESS', severity: 'info' });
  });
});

describe('a question that makes no sense is exit code 2', () => {
  test.each([
    ['an address without a scheme', ['127.0.0.1:9901'], 'has no scheme that is known'],
    ['an address without a port', ['mcp://127.0.0.1'], 'is no HOST:PORT'],
    ['two bridges', ['http://127.0.0.1:1', '--admin', 'http://127.0.0.1:2'], 'one bridge is looked at at a time'],
    ['a version that is none', ['--istiod-version', 'new'], '--istiod-version: "new" is no version'],
    ['a time that is none', ['--timeout', 'soon'], '--timeout: a number of seconds'],
  ])('%s', async (_what, args, message) => {
    const { code, stderr } = await failure('check', ...args);
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
  });
});

test('a table is what one gets without -o', async () => {
  const { code, stdout } = await run('check', `mcp://127.0.0.1:${await occupyPort()}`, '--timeout', '0.5');
  expect(code).toBe(1);
  expect(stdout).toMatch(/^mcp:\/\/127\.0\.0\.1:\d+\n {2}error {4}it takes connections and says nothing \[SILENT\]\n/);
  expect(stdout).toMatch(/\n1 error\n$/);
});
