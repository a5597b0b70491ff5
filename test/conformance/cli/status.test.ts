import { parse } from 'yaml';
import { describe, expect, test } from 'vitest';
import type { Finding } from '../../../src/cli/check-findings.ts';
import type { ConfigInput } from '../../../src/config/schema.ts';
import { Bridge } from '../../support/bridge.ts';
import { IstioConsul } from '../../support/servers/istio-consul.ts';
import { service } from '../../support/servers/server.ts';
import { failure, run } from '../../support/cli.ts';
import { viewOf } from '../../support/legacy-states.ts';
import { answerWith } from '../../support/listeners.ts';
import { labelledResource } from '../../support/resources.ts';
import { until } from '../../support/until.ts';
import { XdsPeer } from '../../support/xds-peer.ts';

const se = 'networking.istio.io/v1/ServiceEntry';

async function start(entries: Readonly<Record<string, string>> = { 'shop/orders': 'a' }): Promise<Bridge> {
  const bridge = await Bridge.start({ galley: viewOf(entries) });
  await bridge.complete();
  return bridge;
}

test('all is well: exit code 0', async () => {
  const { code, stdout, stderr } = await run('status', (await start()).adminUrl);
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(/^SOURCE +ADDRESS +STATE/);
  expect(stdout).toMatch(/^galley +mcp:\/\/127\.0\.0\.1:\d+ +connected/m);
  expect(stdout).toMatch(/^galley +ServiceEntry +synced +1 +1 +1 +0$/m);
  expect(stdout).toMatch(/^ServiceEntry +yes +1 +\d+ /m);
  expect(stdout).toContain('no istiod is connected');
  expect(stdout.endsWith('\nall is well\n')).toBe(true);
});

test('-o json and -o yaml say the same', async () => {
  const bridge = await start();
  const json: unknown = JSON.parse((await run('status', bridge.adminUrl, '-o', 'json')).stdout);
  expect(json).toMatchObject({
    origins: [{ name: 'galley', connection: { state: 'connected' } }],
    snapshot: expect.arrayContaining([expect.objectContaining({ kind: 'ServiceEntry', resources: 1 })]),
    streams: [],
    quarantine: [],
    findings: [],
  });
  expect(parse((await run('status', bridge.adminUrl, '-o', 'yaml')).stdout)).toEqual(json);
});

describe('something is not as it should be: exit code 1, and what it is', () => {
  test('a source is one that loses services without its profile', async () => {
    const server = await new IstioConsul().listen();
    server.change(service('web', '10.0.0.1'));
    const bridge = await Bridge.of({ sources: [server.at()] });
    await bridge.complete();
    const { code, stdout } = await run('status', bridge.adminUrl);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^registry +auto +istio-consul +its nonces are times of Go; every version is "1" +state$/m);
    expect(stdout).toMatch(/^! source registry looks like istio-consul, .*: set its profile, or services are lost$/m);
    await bridge.reload({ sources: [server.at({ profile: 'istio-consul' })] });
    await bridge.complete();
    const after = await run('status', bridge.adminUrl);
    expect([after.code, after.stdout]).toEqual([0, expect.stringMatching(/^registry +istio-consul +- +- +-$/m)]);
  });

  test('a source is gone, and what it may have is not sent', async () => {
    const bridge = await Bridge.of({ sources: [{ name: 'gone', address: 'mcp://127.0.0.1:1' }] });
    const { code, stdout } = await run('status', bridge.adminUrl);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^! source gone is not connected: /m);
    expect(stdout).toMatch(/^! not sent yet: ServiceEntry, .*; waiting for gone$/m);
  });

  test('a resource is quarantined; its name cannot command the terminal', async () => {
    const bridge = await start({ 'shop/orders': 'a', 'a/b/\u001b[31mred\u0007\n': 'b' });
    const { code, stdout } = await run('status', bridge.adminUrl);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^! 1 resource is quarantined$/m);
    expect(stdout).toContain('red');
    expect(stdout.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
  });

  test('an istiod refuses a push', async () => {
    const bridge = await start();
    const peer = XdsPeer.connect(bridge.ports.xds);
    peer.subscribe(se);
    peer.nack(await peer.response(se), 'no \u001b[2J room');
    await until('the refusal is read', async () => {
      const [stream] = await bridge.page<{ types: { nack: string | null }[] }[]>('/debug/streams');
      return stream?.types[0]?.nack !== null;
    });
    const { code, stdout } = await run('status', bridge.adminUrl);
    expect(stdout).toMatch(/^ISTIOD +PEER +PROFILE/m);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^! 127\.0\.0\.1:\d+ refused networking\.istio\.io\/v1\/ServiceEntry: no {2}\[2J room$/m);
  });
});

describe('what istiods make of the label istio.io/rev', () => {
  async function labelled(settings: ConfigInput): Promise<Bridge> {
    const view = new Map(viewOf({}));
    const resources = ['a', 'b'].map((name) => labelledResource(`shop/${name}`, { 'istio.io/rev': 'canary' }));
    view.set('istio/networking/v1alpha3/serviceentries', { version: 'labelled', resources });
    const bridge = await Bridge.start({ galley: view }, settings);
    await bridge.complete();
    const peer = XdsPeer.connect(bridge.ports.xds);
    peer.subscribe(se);
    peer.ack(await peer.response(se));
    return bridge;
  }

  test.each<[string, ConfigInput['istiod'], number, RegExp, string]>([
    [
      'dropped, all of them',
      { version: '1.16', revision: '' },
      1,
      /^! 2 ServiceEntry \(canary 2\) are dropped by 1 /m,
      'warning REVISION_DROPS',
    ],
    [
      'taken by nobody',
      { version: '1.24', revision: 'stable' },
      1,
      /^! ServiceEntry .*\(canary 2\): no istiod/m,
      'warning REVISION_DROPS',
    ],
    [
      'of an unknown revision',
      { version: '1.24' },
      1,
      /^! 2 ServiceEntry .* may be dropped by 1 /m,
      'warning REVISION_UNKNOWN',
    ],
    [
      'taken, whatever it says',
      { version: '1.12' },
      0,
      /^taken +ServiceEntry +\S+ +2 +canary 2 +istiod up to 1\.12/m,
      'info REVISION',
    ],
  ])('%s', async (_what, istiod, code, text, finding) => {
    const bridge = await labelled({ istiod: istiod ?? {} });
    const status = await run('status', bridge.adminUrl);
    expect([status.code, status.stdout]).toEqual([code, expect.stringMatching(text)]);
    expect(status.stdout).toMatch(/^LABELLED istio\.io\/rev +KIND +BY +RESOURCES +VALUES +WHY/m);
    const check = await run('check', '--admin', bridge.adminUrl, '-o', 'json');
    const { findings } = JSON.parse(check.stdout) as { findings: Finding[] };
    const found = findings.filter((one) => one.code.startsWith('REVISION'));
    expect(found.map((one) => `${one.severity} ${one.code}`)).toEqual([finding]);
    expect(check.code).toBe(code);
  });

  test('not a word where nothing has it', async () => {
    const { stdout } = await run('status', (await start()).adminUrl);
    expect(stdout).not.toContain('LABELLED');
  });
});

describe('nobody to ask', () => {
  test('because the bridge is not there: exit code 3', async () => {
    const bridge = await Bridge.of({});
    await bridge.app.stop();
    const { code, stderr } = await failure('status', bridge.adminUrl);
    expect(code).toBe(3);
    expect(stderr).toMatch(/^isthmus: http:\/\/127\.0\.0\.1:\d+: .*ECONNREFUSED/);
    expect(stderr).toContain('--admin-listen');
  });

  test.each([
    ['another site', 200, '<h1>hello</h1>'],
    ['another API', 200, '{"status":"ok"}'],
    ['a site that has no such page', 404, '{}'],
    ['a server in trouble', 500, 'no'],
  ])('because it is %s: exit code 3, and no bug', async (_what, status, body) => {
    const { code, stderr } = await failure('status', `http://127.0.0.1:${await answerWith(status, body)}`);
    expect(code).toBe(3);
    expect(stderr).not.toMatch(/^ +at /m);
  });

  test.each(['127.0.0.1:15480', 'xds://127.0.0.1:15410', 'http://', 'nowhere'])(
    'because %s is no address of pages: exit code 2',
    async (url) => {
      const { code, stderr } = await failure('status', url);
      expect([code, stderr]).toEqual([2, expect.stringContaining(`URL: "${url}" is no http:// address`)]);
    },
  );
});

test('what several sources have is counted and listed; it is a finding where something is left out', async () => {
  const states = {
    first: viewOf({ 'shop/orders': 'a', 'shop/same': 's' }),
    second: viewOf({ 'shop/orders': 'b', 'shop/same': 's' }),
  };
  const bridge = await Bridge.start(states);
  await bridge.complete();
  const { code, stdout } = await run('status', bridge.adminUrl);
  expect(code).toBe(1);
  expect(stdout).toMatch(/^1 +ServiceEntry +precedence +the first one is sent, whole$/m);
  expect(stdout).toMatch(/^shop\/orders +ServiceEntry +first, second +\S+Z +precedence$/m);
  expect(stdout).toMatch(/^shop\/same +ServiceEntry +first, second +\S+Z +equal$/m);
  expect(stdout).toMatch(
    /^! several sources hold 1 ServiceEntry: the first one is sent, whole; see \/debug\/conflicts$/m,
  );
  expect(stdout.match(/^! /gm)).toHaveLength(1);
  const { conflicts } = JSON.parse((await run('status', bridge.adminUrl, '-o', 'json')).stdout) as Record<
    string,
    object
  >;
  expect(conflicts).toMatchObject({ counts: expect.any(Array), conflicts: expect.any(Array) });
});
