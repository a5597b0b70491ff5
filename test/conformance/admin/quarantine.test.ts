import { beforeEach, describe, expect, test } from 'vitest';
import type { OriginView, QuarantineView } from '../../../src/admin/views.ts';
import type { SourceServer } from '../../../src/legacy/source-server.ts';
import type { SourceView } from '../../../src/legacy/source.ts';
import { startSource } from '../../support/bridge.ts';
import { failure, run, startServe } from '../../support/cli.ts';
import { viewOf } from '../../support/legacy-states.ts';
import { brokenEntry, invalidEntry, validEntry } from '../../support/service-entries.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { until } from '../../support/until.ts';
import { versionsOf, XdsPeer } from '../../support/xds-peer.ts';

// The built command, with the thread that checks resources, between a legacy server and a client in istiod's place.

const collection = 'istio/networking/v1alpha3/serviceentries';
const se = 'networking.istio.io/v1/ServiceEntry';

let revision = 0;

/** A source with these ServiceEntries and nothing else. */
function serving(...resources: readonly Uint8Array[]): SourceView {
  return new Map(viewOf({})).set(collection, { version: `quarantine-${++revision}`, resources });
}

let server: SourceServer;
let address: string;

beforeEach(async () => {
  ({ server, address } = await startSource(serving(validEntry('shop/one', 'one.example'), validEntry('shop/two'))));
});

async function serve(...args: readonly string[]) {
  const { cli, xds, admin } = await startServe('--source', `galley=${address}`, ...args);
  const url = `http://127.0.0.1:${admin}`;
  const page = async <T>(path: string) => (await (await fetch(`${url}${path}`)).json()) as T;
  const quarantined = (count: number) =>
    until(`${count} are shown`, async () => {
      const { resources: all } = await page<{ resources: QuarantineView[] }>('/debug/quarantine');
      return all.length === count && all;
    });
  await until('all is complete', async () => (await fetch(`${url}/syncz`)).ok);
  return { cli, url, page, quarantined, xds };
}

describe('a form that istiod would refuse', () => {
  test.each([
    ['breaks a rule', invalidEntry, 'invalid_duplicates'],
    ['cannot be decoded', brokenEntry, 'malformed'],
  ])('because it %s is not sent: the one before it is, also to an istiod that comes later', async (_, make, reason) => {
    const { xds, url, page, quarantined } = await serve();
    const peer = XdsPeer.connect(xds);
    peer.subscribe(se);
    const before = versionsOf(await peer.response(se));
    server.update(serving(make('shop/one', 'bad.example'), validEntry('shop/two'), validEntry('shop/three')));
    expect(await quarantined(1)).toMatchObject([
      { source: 'galley', kind: 'ServiceEntry', resource: 'shop/one', reason, lastGoodSent: true, sent: 'last_good' },
    ]);
    await until('the rest is sent', async () => (await run('get', url)).stdout.includes('three'));
    const late = XdsPeer.connect(xds);
    late.onResponse = (response) => late.ack(response);
    late.subscribe(se);
    const versions = versionsOf(await late.response(se));
    expect(Object.keys(versions).toSorted()).toEqual(['shop/one', 'shop/three', 'shop/two']);
    expect(versions['shop/one']).toBe(before['shop/one']);
    const [origin] = await page<OriginView[]>('/debug/origins');
    expect(origin?.kinds.find(({ kind }) => kind === 'ServiceEntry')).toMatchObject({
      received: 3,
      effective: 3,
      quarantined: 1,
      invalid: 0,
    });
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toContain(
      `isthmus_quarantined_resources{source="galley",kind="ServiceEntry",reason="${reason}"} 1`,
    );
    server.update(serving(validEntry('shop/one', 'new.example'), validEntry('shop/two'), validEntry('shop/three')));
    await quarantined(0);
    expect(versionsOf(await late.response(se, 2))['shop/one']).not.toBe(before['shop/one']);
  });

  test('is still held back after a restart', async () => {
    const stateDir = tempFolder();
    const first = await serve('--state-dir', stateDir);
    server.update(serving(invalidEntry('shop/one', 'bad.example'), validEntry('shop/two')));
    const [entry] = await first.quarantined(1);
    first.cli.signal('SIGTERM');
    await first.cli.end();
    const second = await serve('--state-dir', stateDir);
    await until('the source has spoken', async () => {
      const [origin] = await second.page<OriginView[]>('/debug/origins');
      return origin?.kinds.every(({ sync }) => sync !== 'stale');
    });
    expect(await second.quarantined(1)).toMatchObject([
      { resource: 'shop/one', sent: 'last_good', since: entry?.since },
    ]);
  });

  test('is sent and shown where the operator says so', async () => {
    const { quarantined, url } = await serve('--quarantine-invalid', 'report');
    server.update(serving(invalidEntry('shop/one', 'bad.example'), validEntry('shop/two')));
    expect(await quarantined(1)).toMatchObject([{ resource: 'shop/one', sent: 'as_received', lastGoodSent: false }]);
    const { stdout } = await run('get', url, '--type', 'ServiceEntry', '-o', 'yaml');
    expect(stdout).toContain('bad.example');
  });

  test('is nobody’s business where the operator says so', async () => {
    const { url, page } = await serve('--quarantine-invalid', 'ignore');
    server.update(serving(invalidEntry('shop/one', 'bad.example'), validEntry('shop/two')));
    await until('it is sent', async () => (await run('get', url, '-o', 'yaml')).stdout.includes('bad.example'));
    expect(await page('/debug/quarantine')).toEqual({ resources: [], next: null });
  });
});

test('a resource that never had a better form is sent as it came, and shown everywhere', async () => {
  server.update(serving(invalidEntry('shop/bad', 'bad.example'), validEntry('shop/two')));
  const { cli, url, quarantined } = await serve();
  expect(await quarantined(1)).toMatchObject([
    { resource: 'shop/bad', reason: 'invalid_duplicates', sent: 'as_received', lastGoodSent: false },
  ]);
  const { stdout } = await run('get', url, '-o', 'yaml');
  expect(stdout).toContain('bad.example');
  await cli.says(
    'stderr',
    /"resource":"shop\/bad","reason":"invalid_duplicates".*a resource is not valid: spec\.ports/,
  );
  const metrics = await (await fetch(`${url}/metrics`)).text();
  expect(metrics).toContain(
    'isthmus_invalid_resources{source="galley",kind="ServiceEntry",reason="invalid_duplicates"} 1',
  );
  const status = await run('status', url);
  expect([status.code, status.stdout]).toEqual([
    1,
    expect.stringMatching(/^! 1 resource breaks a rule of Istio, and no better form is known$/m),
  ]);
});

test('isthmus get --quarantined prints what is held back, and why: exit code 1', async () => {
  const { url, quarantined } = await serve();
  const nothing = await run('get', url, '--quarantined');
  expect([nothing.code, nothing.stdout, nothing.stderr]).toEqual([0, '', 'nothing is quarantined\n']);
  server.update(serving(invalidEntry('shop/one'), brokenEntry('shop/two')));
  const all = await quarantined(2);
  const table = await run('get', url, '--quarantined');
  expect(table.code).toBe(1);
  expect(table.stdout).toMatch(/^QUARANTINED +KIND +SOURCE +SINCE +SENT +REASON +WHY$/m);
  expect(table.stdout).toMatch(/^shop\/one +ServiceEntry +galley +\S+ +its last good form +invalid_duplicates +spec/m);
  const json = await run('get', url, '--quarantined', '--name', 'two', '-o', 'json');
  expect(JSON.parse(json.stdout)).toEqual(all.filter(({ resource }) => resource === 'shop/two'));
  expect((await run('get', url, '--quarantined', '--type', 'WorkloadEntry')).code).toBe(0);
  expect(await failure('get', 'xds://127.0.0.1:1', '--quarantined')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('is for http:// only'),
  });
});

test('a bad form gives way to a good one of another source, and says so everywhere', async () => {
  const other = await startSource(serving(validEntry('shop/bad', 'good.example')));
  server.update(serving(invalidEntry('shop/bad', 'bad.example'), validEntry('shop/two')));
  const { url, page, quarantined } = await serve('--source', `nacos=${other.address}`);
  expect(await quarantined(1)).toMatchObject([
    { source: 'galley', resource: 'shop/bad', reason: 'invalid_duplicates', sent: 'other_source' },
  ]);
  expect((await run('get', url, '-o', 'yaml')).stdout).toContain('good.example');
  expect(await page('/debug/conflicts')).toMatchObject({
    conflicts: [{ resource: 'shop/bad', reason: 'invalid', sources: ['galley', 'nacos'] }],
  });
  const status = await run('status', url);
  expect(status.stdout).toContain('the form of another source');
});
