import { onTestFinished, describe, expect, test } from 'vitest';
import {
  listen as listenGrpc,
  nameOf,
  newServer,
  type RawServerStream,
  serviceOf,
  stopServer,
} from '../../../src/net/grpc.ts';
import { aggregatedDiscovery } from '../../../src/wire/services.ts';
import { codec } from '../../peers/support/contract.ts';
import { Bridge, startSource } from '../../support/bridge.ts';
import { failure, run } from '../../support/cli.ts';
import { silentView, viewOf } from '../../support/legacy-states.ts';
import { answerWith, hangUp, occupyPort } from '../../support/listeners.ts';
import { legacyResource } from '../../support/resources.ts';
import { strangers } from '../../support/strangers.ts';
import { until } from '../../support/until.ts';
import { XdsPeer } from '../../support/xds-peer.ts';

type Finding = { code: string; severity: string; subject: string; what: string; data?: Record<string, unknown> };

const se = 'networking.istio.io/v1/ServiceEntry';

async function check(
  ...args: readonly string[]
): Promise<{ code: number | null; findings: Finding[]; codes: string[] }> {
  const { code, stdout, stderr } = await run('check', ...args, '-o', 'json');
  if (stdout === '') throw new Error(stderr);
  const { findings } = JSON.parse(stdout) as { findings: Finding[] };
  return { code, findings, codes: findings.map((one) => `${one.severity} ${one.code}`) };
}

describe('a running bridge', () => {
  test('is asked for its own view, and its sources are left alone', async () => {
    const { server, address } = await startSource(viewOf({ 'shop/orders': 'a' }));
    const bridge = await Bridge.of({ sources: [{ name: 'galley', address }] });
    await bridge.complete();
    const { code, codes, findings } = await check('--admin', bridge.adminUrl, '--direct');
    expect(code).toBe(0);
    expect(codes).toEqual([
      'ok BRIDGE_RUNNING',
      'ok SOURCE_CONNECTED',
      'ok COLLECTIONS_SERVED',
      'ok SIZE',
      'info ISTIODS',
      'info DIRECT_NEEDLESS',
    ]);
    expect(findings[2]).toMatchObject({
      subject: `source galley (${address})`,
      what: 'it has ServiceEntry 1, nothing of 10 other kinds',
    });
    expect(server.connected).toBe(1);
  });

  test('whose source is gone: what the bridge says, and what is seen from here', async () => {
    const bridge = await Bridge.of({ sources: [{ name: 'gone', address: 'mcp://127.0.0.1:1' }] });
    const { code, findings } = await check(bridge.adminUrl);
    expect(code).toBe(1);
    const subject = 'source gone (mcp://127.0.0.1:1)';
    expect(findings.filter((one) => one.subject === subject).map((one) => one.code)).toEqual([
      'UNREACHABLE',
      'SOURCE_NOT_CONNECTED',
    ]);
  });

  test('with quarantined resources and a refused push', async () => {
    const bridge = await Bridge.start({ galley: viewOf({ 'shop/orders': 'a', 'a/b/c': 'b' }) });
    await bridge.complete();
    const peer = XdsPeer.connect(bridge.ports.xds);
    peer.subscribe(se);
    peer.nack(await peer.response(se), 'no room');
    await until('the refusal is read', async () => {
      const [stream] = await bridge.page<{ types: { nack: string | null }[] }[]>('/debug/streams');
      return stream?.types[0]?.nack !== null;
    });
    const { code, findings } = await check('--admin', bridge.adminUrl);
    expect(code).toBe(1);
    expect(findings.find((one) => one.code === 'QUARANTINED')?.severity).toBe('warning');
    expect(findings.find((one) => one.code === 'ISTIOD_REFUSED')?.what).toContain('no room');
  });

  test('with resources that several sources have', async () => {
    const states = {
      one: viewOf({ 'shop/orders': 'a', 'shop/carts': 'a' }),
      two: viewOf({ 'shop/orders': 'b', 'shop/carts': 'a' }),
    };
    const bridge = await Bridge.start(states);
    await bridge.complete();
    const { code, findings } = await check('--admin', bridge.adminUrl);
    expect(code).toBe(1);
    const of = (wanted: string) =>
      findings.filter((one) => one.code === wanted).map(({ severity, what }) => [severity, what]);
    expect(of('LEFT_OUT')).toEqual([['warning', expect.stringContaining('1 ServiceEntry (precedence)')]]);
    expect(of('SHARED')).toEqual([['info', expect.stringContaining('1 ServiceEntry (equal)')]]);
  });

  test('with a message that comes near to what is taken', async () => {
    const { address } = await startSource(viewOf({ 'shop/orders': 'a'.repeat(750) }));
    const bridge = await Bridge.of({ sources: [{ name: 'galley', address, maxMessage: '1KiB' }] });
    await bridge.complete();
    const { code, findings } = await check('--admin', bridge.adminUrl);
    expect([code, findings.find((one) => one.code === 'NEARLY_TOO_LARGE')?.what]).toEqual([
      1,
      expect.stringContaining('maxMessage is 1.0 KiB'),
    ]);
  });

  test.each([
    ['is not there', async () => 'http://127.0.0.1:3', /ECONNREFUSED/],
    ['is another site', async () => `http://127.0.0.1:${await answerWith(200, '<h1>hello</h1>')}`, /without JSON/],
    ['is another API', async () => `http://127.0.0.1:${await answerWith(200, '{"a":1}')}`, /something else/],
    [
      'looks like one',
      async () => `http://127.0.0.1:${await answerWith(200, '{"version":"1","routes":{}}')}`,
      /not those of a bridge/,
    ],
    ['hangs up', async () => `http://127.0.0.1:${await hangUp()}`, /no answer within 1 s/],
    ['says nothing', async () => `http://127.0.0.1:${await occupyPort()}`, /no answer within 1 s/],
  ])('that was named and %s is exit code 3', async (_what, start, text) => {
    const { code, findings } = await check('--admin', await start(), '--timeout', '1');
    expect([code, findings.map((one) => one.code)]).toEqual([3, ['BRIDGE_UNREACHABLE']]);
    expect(findings[0]?.what).toMatch(text);
  });
});

/** An xDS server that answers every request with what `answer` gives, once for each type. */
async function xdsServer(answer: (typeUrl: string) => readonly Buffer[] | undefined): Promise<string> {
  const requests = codec('envoy.service.discovery.v3.DiscoveryRequest');
  const responses = codec('envoy.service.discovery.v3.DiscoveryResponse');
  const server = newServer();
  const method = aggregatedDiscovery();
  const serve = (call: RawServerStream) => {
    const seen = new Set<string>();
    call.on('error', () => {});
    call.on('data', (bytes: Buffer) => {
      const { typeUrl } = requests.decode(bytes) as { typeUrl: string };
      const resources = seen.has(typeUrl) ? undefined : answer(typeUrl);
      seen.add(typeUrl);
      if (resources === undefined) return;
      const entries = resources.map((value) => ({
        type_url: 'type.googleapis.com/istio.mcp.v1alpha1.Resource',
        value,
      }));
      call.write(responses.encode({ typeUrl, nonce: '1', versionInfo: '1', resources: entries }));
    });
    call.on('end', () => call.end());
  };
  server.addService(serviceOf(method), { [nameOf(method)]: serve });
  onTestFinished(() => stopServer(server, 0));
  return `xds://127.0.0.1:${await listenGrpc(server, { host: '127.0.0.1', port: 0 }, 'test')}`;
}

describe('an address where istiod would come', () => {
  test('that a bridge serves is as it should be', async () => {
    const bridge = await Bridge.start({ galley: viewOf({ 'shop/orders': 'a' }) });
    await bridge.complete();
    const { code, codes, findings } = await check(`xds://127.0.0.1:${bridge.ports.xds}`);
    expect([code, codes]).toEqual([0, ['ok HTTP2_SPOKEN', 'ok XDS_SPOKEN', 'ok SIZE']]);
    const [{ bytes }] = await bridge.page<[{ bytes: number }]>('/debug/snapshot');
    expect(findings[2]?.data).toEqual({ kind: 'ServiceEntry', resources: 1, bytes });
  });

  test('that says nothing of a kind keeps istiod unready', async () => {
    const bridge = await Bridge.start({ late: silentView() });
    const { code, findings } = await check(`xds://127.0.0.1:${bridge.ports.xds}`, '--timeout', '2');
    expect(code).toBe(1);
    const finding = findings.find((one) => one.code === 'XDS_SILENT');
    expect(finding?.data?.['kinds']).toEqual(expect.arrayContaining(['ServiceEntry', 'WorkloadEntry']));
    expect(finding?.data?.['kinds']).not.toContain('Telemetry');
  });

  test('of another server is held to what istiods take', async () => {
    const good = legacyResource('shop/orders');
    const address = await xdsServer((typeUrl) => {
      if (typeUrl !== se) return [];
      return [
        good,
        good,
        legacyResource('bare'),
        legacyResource('shop/other', 'a', 'istio.networking.v1beta1.Gateway'),
      ];
    });
    const { code, findings } = await check(address);
    expect(code).toBe(1);
    const bad = findings.find((one) => one.code === 'XDS_BAD_RESOURCES');
    expect(bad?.data?.['resources']).toEqual([
      { name: 'shop/orders', why: 'it is there twice' },
      { name: 'bare', why: 'its name is no namespace/name' },
      { name: 'shop/other', why: expect.stringContaining('its body is a istio.networking.v1beta1.Gateway') },
    ]);
    expect(findings.find((one) => one.code === 'XDS_UNVERSIONED')?.severity).toBe('warning');
    expect(findings.find((one) => one.code === 'XDS_MESH_CONFIG')?.severity).toBe('error');
    const recent = await check(address, '--istiod-version', '1.24');
    expect(recent.findings.find((one) => one.code === 'XDS_MESH_CONFIG')?.severity).toBe('info');
  });

  test('is asked as the version of istiod asks that was named', async () => {
    const asked: string[] = [];
    const address = await xdsServer((typeUrl) => {
      asked.push(typeUrl);
      return typeUrl === 'core/v1alpha1/MeshConfig' ? undefined : [];
    });
    expect((await check(address, '--istiod-version', '1.9')).code).toBe(0);
    expect(asked).toHaveLength(12);
    expect(asked).toContain('networking.istio.io/v1alpha3/ServiceEntry');
    asked.length = 0;
    expect((await check(address, '--istiod-version', '1.30.3')).code).toBe(0);
    expect(asked).toHaveLength(16);
    expect(asked).toContain(se);
  });

  test('where something else is', async () => {
    const { address } = await startSource(viewOf({}));
    const legacy = address.replace('mcp:', 'xds:');
    const [web, tls] = [`xds://127.0.0.1:${await strangers.http1()}`, `xds://127.0.0.1:${await strangers.tls()}`];
    const { code, findings } = await check(legacy, web, tls);
    expect(code).toBe(1);
    const errors = findings.filter(({ severity }) => severity === 'error');
    expect(errors.map(({ subject, code: what }) => `${subject} ${what}`)).toEqual([
      `${legacy} XDS_NOT_SPOKEN`,
      `${web} WRONG_PROTOCOL`,
      `${tls} TLS_UNEXPECTED`,
    ]);
  });

  test('where nothing is: exit code 3, as for the admin pages of a bridge', async () => {
    for (const scheme of ['xds', 'http'])
      expect([scheme, (await check(`${scheme}://127.0.0.1:1`)).code]).toEqual([scheme, 3]);
  });
});

test('an address of another scheme is exit code 2', async () => {
  const { code, stderr } = await failure('check', 'grpc://127.0.0.1:1');
  expect([code, stderr]).toEqual([2, expect.stringContaining('has no scheme that is known')]);
});
