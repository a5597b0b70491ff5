import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { knownCollections } from '../../../src/model/kinds.ts';
import type { StateReport } from '../../../src/admin/views.ts';
import { Bridge, startSource } from '../../support/bridge.ts';
import { run, startServe } from '../../support/cli.ts';
import { SourceServer } from '../../../src/legacy/source-server.ts';
import { viewOf } from '../../support/legacy-states.ts';
import { ServingSource, sourceAt } from '../../support/serving-source.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { until } from '../../support/until.ts';
import { type Response, versionsOf, XdsPeer } from '../../support/xds-peer.ts';

const se = 'networking.istio.io/v1/ServiceEntry';

/** A source that is asked again soon. */
const hasty = { random: () => 0.02 };

/** A bridge that may take its time to save. */
const patient = { shutdownGrace: '60s' };

/** What a new istiod is given. */
async function givenBy(bridge: Bridge): Promise<Response> {
  const peer = XdsPeer.connect(bridge.ports.xds);
  peer.subscribe(se);
  return peer.response(se);
}

/** All of a response but the nonce, which is another one each time. */
function bytesIn({ versionInfo, typeUrl, resources }: Response) {
  return { versionInfo, typeUrl, resources: resources.map(({ type_url, value }) => [type_url, Buffer.from(value)]) };
}

/** Until all that it knows is in the files. */
async function saved(bridge: Bridge): Promise<void> {
  await until('all is saved', async () => {
    const { files } = await bridge.page<StateReport>('/debug/state');
    return files.length > 0 && files.every(({ isDue, savedAt }) => !isDue && savedAt !== null);
  });
}

describe('a bridge that is restarted while its source is down', () => {
  async function restarted(state: Readonly<Record<string, string>>) {
    const stateDir = tempFolder();
    const source = await ServingSource.listen(state);
    const { port } = source;
    const settings = { ...patient, stateDir, sources: [sourceAt('galley', port)] };
    const first = await Bridge.of(settings, hasty);
    await first.complete();
    const before = await givenBy(first);
    await first.app.stop();
    await source.source.kill();
    const bridge = await Bridge.of(settings, hasty);
    return { port, settings, before, bridge };
  }

  test('serves the same response, byte for byte', async () => {
    const { before, bridge } = await restarted({ 'shop/orders': 'a', 'shop/carts': 'b' });
    const after = await givenBy(bridge);
    expect(after.resources).toHaveLength(2);
    expect(bytesIn(after)).toEqual(bytesIn(before));
  });

  test('says everywhere that this is old', async () => {
    const { bridge } = await restarted({ 'shop/orders': 'a' });
    await bridge.complete();
    const syncz = await bridge.fetch('/syncz');
    expect([syncz.status, await syncz.json()]).toEqual([
      200,
      { complete: true, waiting: [], held: [], overdue: [], stale: [{ kind: 'ServiceEntry', sources: ['galley'] }] },
    ]);
    const metrics = await (await bridge.fetch('/metrics')).text();
    expect(metrics).toContain('isthmus_source_stale{source="galley",kind="ServiceEntry"} 1');
    expect(metrics).toContain('isthmus_source_synced{source="galley",kind="ServiceEntry"} 0');
    expect(metrics).toContain('isthmus_state_failing 0');
    const [origin] = await bridge.page<{ kinds: object[] }[]>('/debug/origins');
    expect(origin?.kinds).toMatchObject([{ sync: 'stale', effective: 1, messages: 0 }]);
    const status = await run('status', bridge.adminUrl);
    expect(status.code).toBe(1);
    expect(status.stdout).toMatch(
      /^! source galley has not spoken since the bridge was started; what is served of ServiceEntry is what it said before the restart \(the last change came 20.*Z\)$/m,
    );
    const check = await run('check', bridge.adminUrl, '-o', 'json');
    expect(check.stdout).toContain('COLLECTIONS_STALE');
  });

  test('pushes exactly what has changed, once its source is back', async () => {
    const state = { 'shop/orders': 'a', 'shop/carts': 'b', 'shop/users': 'c' };
    const { bridge, port, before } = await restarted(state);
    const peer = XdsPeer.connect(bridge.ports.xds);
    peer.subscribe(se);
    const stale = await peer.response(se);
    peer.ack(stale);
    await ServingSource.listen({ ...state, 'shop/carts': 'changed' }, port);
    const news = await peer.response(se, 2);
    const [old, now] = [versionsOf(before), versionsOf(news)];
    expect(Object.keys(now)).toEqual(Object.keys(old));
    expect(Object.keys(now).filter((name) => now[name] !== old[name])).toEqual(['shop/carts']);
    expect((await bridge.page<{ stale: string[] }[]>('/debug/snapshot'))[0]?.stale).toEqual([]);
    const unchanged = (response: Response) => response.resources.filter((_, place) => place !== 0);
    expect(unchanged(news).map(({ value }) => Buffer.from(value))).toEqual(
      unchanged(before).map(({ value }) => Buffer.from(value)),
    );
  });

  test('pushes nothing where its source comes back with the same', async () => {
    const state = { 'shop/orders': 'a', 'shop/carts': 'b' };
    const { bridge, port } = await restarted(state);
    const peer = XdsPeer.connect(bridge.ports.xds);
    peer.subscribe(se);
    peer.ack(await peer.response(se));
    const source = await ServingSource.listen(state, port);
    await until('the source was heard', async () => {
      const [snapshot] = await bridge.page<{ stale: string[] }[]>('/debug/snapshot');
      return snapshot?.stale.length === 0;
    });
    // A change that comes later is the second response: there was none for the return.
    source.publish({ ...state, 'shop/orders': 'later' });
    await peer.response(se, 2);
    const { resources } = peer.responses[1] as Response;
    expect(resources).toHaveLength(2);
    expect(versionsOf(peer.responses[1] as Response)['shop/orders']).not.toBe(
      versionsOf(peer.responses[0] as Response)['shop/orders'],
    );
  });

  test('takes away what went meanwhile, once its source has said so', async () => {
    const { bridge, port } = await restarted({ 'shop/orders': 'a', 'shop/carts': 'b' });
    const peer = XdsPeer.connect(bridge.ports.xds);
    peer.subscribe(se);
    peer.ack(await peer.response(se));
    await ServingSource.listen({ 'shop/orders': 'a' }, port);
    expect(Object.keys(versionsOf(await peer.response(se, 2)))).toEqual(['shop/orders']);
  });

  test('and again, and again', async () => {
    const { settings, before, bridge } = await restarted({ 'shop/orders': 'a' });
    let last = bridge;
    for (let i = 0; i < 3; i++) {
      await last.app.stop();
      last = await Bridge.of(settings, hasty);
      expect(bytesIn(await givenBy(last))).toEqual(bytesIn(before));
    }
  });
});

test('of all collections of a source, those with nothing in them too: a starting istiod has not to wait', async () => {
  const stateDir = tempFolder();
  const { server, address } = await startSource(viewOf({ 'shop/orders': 'a' }));
  const settings = { ...patient, stateDir, sources: [{ name: 'galley', address }] };
  const first = await Bridge.of(settings, hasty);
  await first.complete();
  await first.app.stop();
  await server.stop(0);
  const bridge = await Bridge.of(settings, hasty);
  await bridge.complete();
  const { stale } = (await (await bridge.fetch('/syncz')).json()) as { stale: object[] };
  expect(stale).toHaveLength(knownCollections.length);
});

test('a process that was killed: the next one serves what was saved, and ends with what its source says', async () => {
  const stateDir = tempFolder();
  const { server, address } = await startSource(viewOf({ 'shop/orders': 'a' }));
  const args = ['--state-dir', stateDir, '--source', `galley=${address}`];
  const killed = await startServe(...args);
  const page = async (admin: number) =>
    (await (await fetch(`http://127.0.0.1:${admin}/debug/state`)).json()) as StateReport;
  await until('all is saved', async () => {
    const { files } = await page(killed.admin);
    return files.length > 0 && files.every(({ isDue, savedAt }) => !isDue && savedAt !== null);
  });
  killed.cli.signal('SIGKILL');
  await killed.cli.end();
  await server.stop(0);

  const next = await startServe(...args);
  const peer = XdsPeer.connect(next.xds);
  peer.subscribe(se);
  const stale = await peer.response(se);
  expect(Object.keys(versionsOf(stale))).toEqual(['shop/orders']);
  peer.ack(stale);
  const back = new SourceServer(viewOf({ 'shop/orders': 'a', 'shop/new': 'b' }));
  await back.listen({ host: '127.0.0.1', port: Number(address.split(':').at(-1)) });
  try {
    expect(Object.keys(versionsOf(await peer.response(se, 2)))).toEqual(['shop/new', 'shop/orders']);
  } finally {
    await back.stop(0);
  }
});

describe('files that can not be used', () => {
  test('because one is damaged: it is said, and its source is waited for', async () => {
    const stateDir = tempFolder();
    const source = await ServingSource.listen({ 'shop/orders': 'a' });
    const settings = { ...patient, stateDir, sources: [sourceAt('galley', source.port)] };
    const first = await Bridge.of(settings, hasty);
    await first.complete();
    await first.app.stop();
    const file = join(stateDir, 'last-known-good/galley.ServiceEntry.state');
    const bytes = readFileSync(file);
    writeFileSync(file, bytes.subarray(0, -1));
    const look = await run('check', '--source', 'x=mcp://127.0.0.1:1', '--state-dir', stateDir, '-o', 'json');
    expect(look.stdout).toMatch(/STATE_UNREADABLE[\s\S]*galley\.ServiceEntry\.state can't be read: its checksum/);
    const bridge = await Bridge.of(settings, hasty);
    await bridge.complete();
    expect(Object.keys(versionsOf(await givenBy(bridge)))).toEqual(['shop/orders']);
    const { stdout } = await run('status', bridge.adminUrl);
    expect(stdout).toMatch(/^! .*galley\.ServiceEntry\.state could not be read: its checksum is not/m);
    expect(await (await bridge.fetch('/metrics')).text()).toContain('isthmus_state_unreadable_files 1');
    await saved(bridge);
  });

  test('because the folder is in the way: an alarm, and the service goes on', async () => {
    // Nobody may make a folder where a file is, not even root.
    const stateDir = tempFolder({ 'last-known-good': 'a file' });
    const source = await ServingSource.listen({ 'shop/orders': 'a' });
    const bridge = await Bridge.of({ stateDir, sources: [sourceAt('galley', source.port)] }, hasty);
    await bridge.complete();
    expect((await givenBy(bridge)).resources).toHaveLength(1);
    await until('it is an alarm', async () => (await bridge.page<StateReport>('/debug/state')).failing !== null);
    expect(await (await bridge.fetch('/metrics')).text()).toContain('isthmus_state_failing 1');
    const { code, stdout } = await run('status', bridge.adminUrl);
    expect([code, stdout]).toEqual([1, expect.stringMatching(/^! nothing can be saved in .* since 20.*: E/m)]);
    expect((await run('check', bridge.adminUrl, '-o', 'json')).stdout).toContain('STATE_NOT_SAVED');
  });
});
