import { describe, expect, test } from 'vitest';
import type { OriginView, StateReport } from '../../../src/admin/views.ts';
import type { ConfigInput } from '../../../src/config/schema.ts';
import { Bridge } from '../../support/bridge.ts';
import { CallingSource, sourceBy } from '../../support/calling-source.ts';
import { run, startServe } from '../../support/cli.ts';
import { DiallingSource } from '../../support/dialling-source.ts';
import { ServingSource, sourceAt } from '../../support/serving-source.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { until } from '../../support/until.ts';
import { seType, WatchingIstiod } from '../../support/watching-istiod.ts';
import { XdsPeer } from '../../support/xds-peer.ts';

// A whole bridge with sources that dial it.

const east = { cluster: 'east' };

/** A bridge that listens for sources. */
function listening(sources: NonNullable<ConfigInput['sources']>, more: ConfigInput = {}): Promise<Bridge> {
  return Bridge.of({ sink: { listen: '127.0.0.1:0' }, sources, shutdownGrace: '60s', ...more });
}

function portOf(bridge: Bridge): number {
  const { sink } = bridge.ports;
  if (sink === undefined) throw new Error('it does not listen for sources');
  return sink;
}

async function originOf(bridge: Bridge, name: string): Promise<OriginView | undefined> {
  const origins = await bridge.page<OriginView[]>('/debug/origins');
  return origins.find((origin) => origin.name === name);
}

async function isConnected(bridge: Bridge, name: string): Promise<boolean> {
  return (await originOf(bridge, name))?.connection.state === 'connected';
}

describe('a kind that a source may have that is to dial in', () => {
  test('is not sent before it has come and spoken, whatever the others say', async () => {
    const served = await ServingSource.listen({ 'a/1': 'x' });
    const bridge = await listening([sourceAt('one', served.port), sourceBy('two', 'east')]);
    const istiod = WatchingIstiod.connect(bridge.ports.xds);
    await until('the other one has spoken', async () => (await originOf(bridge, 'one'))?.kinds[0]?.sync === 'synced');
    const syncz = await bridge.fetch('/syncz');
    expect([syncz.status, await syncz.json()]).toMatchObject([
      503,
      { waiting: [{ kind: 'ServiceEntry', sources: ['two'] }] },
    ]);
    expect(istiod.history).toEqual([]);
    CallingSource.start(portOf(bridge), { 'b/1': 'y' }, east);
    await istiod.hasOnly({ 'a/1': 'x', 'b/1': 'y' });
    expect(istiod.history).toHaveLength(1);
  });

  test('counts as empty once its syncTimeout is over, until it comes', async () => {
    const bridge = await listening([sourceBy('two', 'east', { syncTimeout: '100ms' })]);
    await bridge.complete();
    expect((await originOf(bridge, 'two'))?.kinds[0]?.sync).toBe('overdue');
    const istiod = WatchingIstiod.connect(bridge.ports.xds);
    CallingSource.start(portOf(bridge), { 'b/1': 'y' }, east);
    await istiod.hasOnly({ 'b/1': 'y' });
  });
});

describe('a source that leaves', () => {
  test('is not connected any more; what it said stays, and what it says when it comes again counts', async () => {
    const bridge = await listening([sourceBy('galley', 'east')]);
    const source = CallingSource.start(portOf(bridge), { 'a/1': 'x', 'a/2': 'x' }, east);
    const istiod = WatchingIstiod.connect(bridge.ports.xds);
    await istiod.hasOnly({ 'a/1': 'x', 'a/2': 'x' });
    await source.leave();
    await until('that is seen', async () => !(await isConnected(bridge, 'galley')));
    const { code, stdout } = await run('status', bridge.adminUrl);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^galley +dials in +awaited /m);
    expect(stdout).toMatch(
      /^! source galley is not connected: its connection is gone \(what came before stays in force/m,
    );
    expect(istiod.held).toEqual({ 'a/1': 'x', 'a/2': 'x' });
    CallingSource.start(portOf(bridge), { 'a/1': 'x', 'a/3': 'x' }, east);
    await istiod.hasOnly({ 'a/1': 'x', 'a/3': 'x' });
    expect(istiod.lost('a/1')).toEqual([]);
  });

  test('and takes all away when it comes again is asked once more, by the end of its stream, and then believed', async () => {
    const bridge = await listening([sourceBy('galley', 'east')], { guard: { hold: '500ms' } });
    const source = CallingSource.start(portOf(bridge), { 'a/1': 'x', 'a/2': 'x' }, east);
    const istiod = WatchingIstiod.connect(bridge.ports.xds);
    await istiod.hasOnly({ 'a/1': 'x', 'a/2': 'x' });
    source.publish({});
    await istiod.hasOnly({});
    expect(source.streams.length).toBe(2);
    expect(source.streams[0]?.status).toEqual({ code: 0, details: 'OK' });
  });
});

describe('a bridge that is restarted', () => {
  async function restarted(whileDown: (port: number) => void = () => {}) {
    const stateDir = tempFolder();
    const first = await listening([sourceBy('galley', 'east')], { stateDir });
    const source = CallingSource.start(portOf(first), { 'a/1': 'x', 'a/2': 'x' }, east);
    await first.complete();
    await until('all is saved', async () => {
      const { files } = await first.page<StateReport>('/debug/state');
      return files.length > 0 && files.every(({ isDue }) => !isDue);
    });
    await source.leave();
    await first.app.stop();
    const port = portOf(first);
    whileDown(port);
    const settings = { stateDir, sink: { listen: `127.0.0.1:${port}` } };
    return { port, bridge: await listening([sourceBy('galley', 'east')], settings) };
  }

  test('remembers a source that has not come again, and serves what that has said, as stale', async () => {
    const { bridge } = await restarted();
    const istiod = WatchingIstiod.connect(bridge.ports.xds);
    await istiod.hasOnly({ 'a/1': 'x', 'a/2': 'x' });
    expect(await originOf(bridge, 'galley')).toMatchObject({
      address: 'dials in',
      connection: { state: 'awaited', peer: null },
      kinds: [{ sync: 'stale', effective: 2 }],
    });
    const { stdout } = await run('status', bridge.adminUrl);
    expect(stdout).toMatch(/^! source galley is not connected: it has not dialled in yet$/m);
  });

  test('sends nothing older than what a source says that comes again at once', async () => {
    const { bridge } = await restarted((port) => CallingSource.start(port, { 'a/1': 'x', 'a/3': 'x' }, east));
    const istiod = WatchingIstiod.connect(bridge.ports.xds);
    await istiod.hasOnly({ 'a/1': 'x', 'a/3': 'x' });
    expect(istiod.history).toHaveLength(1);
  });
});

describe('a config that is read again', () => {
  test('a new source may dial in from then on; the streams of the others go on', async () => {
    const bridge = await listening([sourceBy('one', 'west')]);
    const one = CallingSource.start(portOf(bridge), { 'a/1': 'x' }, { cluster: 'west' });
    const two = CallingSource.start(portOf(bridge), { 'b/1': 'y' }, east);
    const istiod = WatchingIstiod.connect(bridge.ports.xds);
    await istiod.hasOnly({ 'a/1': 'x' });
    await until('the other one is refused', () => two.streams[0]?.status?.code === 7);
    await bridge.reload({ sources: [sourceBy('one', 'west'), sourceBy('two', 'east')] });
    await istiod.hasOnly({ 'a/1': 'x', 'b/1': 'y' });
    expect([one.streams.length, istiod.lost('a/1')]).toEqual([1, []]);
  });

  test('another match ends the stream; what was held stays until the one that it is for has spoken', async () => {
    const bridge = await listening([sourceBy('one', 'east')]);
    const before = CallingSource.start(portOf(bridge), { 'a/1': 'x', 'a/2': 'x' }, east);
    const istiod = WatchingIstiod.connect(bridge.ports.xds);
    await istiod.hasOnly({ 'a/1': 'x', 'a/2': 'x' });
    await bridge.reload({ sources: [sourceBy('one', 'west')] });
    expect(await before.streams[0]?.ended()).toMatchObject({ code: 14 });
    await until('it is refused from now on', () => before.streams.at(-1)?.status?.code === 7);
    expect(istiod.held).toEqual({ 'a/1': 'x', 'a/2': 'x' });
    CallingSource.start(portOf(bridge), { 'a/1': 'x', 'a/3': 'x' }, { cluster: 'west' });
    await istiod.hasOnly({ 'a/1': 'x', 'a/3': 'x' });
    expect(istiod.lost('a/1')).toEqual([]);
  });

  test('a source that is dialled from now on, where it has dialled in before, takes nothing away on the way', async () => {
    const bridge = await listening([sourceBy('one', 'east')]);
    CallingSource.start(portOf(bridge), { 'a/1': 'x', 'a/2': 'x' }, east);
    const istiod = WatchingIstiod.connect(bridge.ports.xds);
    await istiod.hasOnly({ 'a/1': 'x', 'a/2': 'x' });
    const served = await ServingSource.listen({ 'a/1': 'x', 'a/2': 'z' });
    await bridge.reload({ sources: [sourceAt('one', served.port)] });
    await istiod.hasOnly({ 'a/1': 'x', 'a/2': 'z' });
    expect(istiod.lost('a/1', 'a/2')).toEqual([]);
  });

  test('a source that is taken out is retired: its stream ends, what it said is served on', async () => {
    const bridge = await listening([sourceBy('one', 'west'), sourceBy('two', 'east')]);
    CallingSource.start(portOf(bridge), { 'a/1': 'x' }, { cluster: 'west' });
    const two = CallingSource.start(portOf(bridge), { 'b/1': 'y' }, east);
    const istiod = WatchingIstiod.connect(bridge.ports.xds);
    await istiod.hasOnly({ 'a/1': 'x', 'b/1': 'y' });
    await bridge.reload({ sources: [sourceBy('one', 'west')] });
    await until('it is refused', () => two.streams.at(-1)?.status?.code === 7);
    expect(await originOf(bridge, 'two')).toMatchObject({ address: null, connection: { state: 'retired' } });
    expect(istiod.held).toEqual({ 'a/1': 'x', 'b/1': 'y' });
    await bridge.reload({ sources: [sourceBy('one', 'west')], confirmRemoval: ['two'] });
    await istiod.hasOnly({ 'a/1': 'x' });
  });

  test('another place to listen needs a restart, which is said', async () => {
    const bridge = await listening([sourceBy('one', 'east')]);
    await bridge.reload({ sink: { listen: '127.0.0.1:1' } });
    const { reload } = await bridge.page<{ reload: { needsRestart: { setting: string }[] } }>('/debug/config');
    expect(reload.needsRestart.map(({ setting }) => setting)).toEqual(['sink.listen']);
  });
});

describe('what an operator sees', () => {
  test('of a source that is connected: where from, its version, and the metrics that every source has', async () => {
    const bridge = await listening([sourceBy('galley', 'east')]);
    CallingSource.start(portOf(bridge), { 'a/1': 'x' }, { ...east, 'config.source.version': '1.5.10' });
    await bridge.complete();
    const { address, connection } = (await originOf(bridge, 'galley')) ?? {};
    expect(address).toMatch(/^dials in, from 127\.0\.0\.1:\d+$/);
    expect(connection).toMatchObject({ state: 'connected', streams: 1, version: '1.5.10', retryInMs: null });
    expect(address).toBe(`dials in, from ${connection?.peer}`);
    const { code, stdout } = await run('status', bridge.adminUrl);
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(/^galley +dials in, from 127\.0\.0\.1:\d+ +connected +\S+ +1 +1\.5\.10 /m),
    ]);
    const metrics = await (await bridge.fetch('/metrics')).text();
    expect(metrics).toContain('isthmus_source_connected{source="galley"} 1');
    expect(metrics).toMatch(/^istio_mcp_request_acks_total\{.*serviceentries.*\} 1$/m);
    expect(metrics).not.toMatch(/^istio_mcp_request_nacks_total\{/m);
  });

  test('of one that nobody expects: how to let it in', async () => {
    const bridge = await listening([sourceBy('galley', 'east')]);
    const { code } = await DiallingSource.connect(portOf(bridge)).open({ cluster: 'west' }).ended();
    expect(code).toBe(7);
    const [line] = bridge.log.lines.filter(({ message }) => message.includes('no match of the config is for'));
    expect(line?.fields).toMatchObject({ headers: ['cluster'], hint: expect.stringContaining('match: {') as string });
  });

  test('of a running bridge, by check: its source, and that the port is its own', async () => {
    const bridge = await listening([sourceBy('galley', 'east')]);
    const awaited = await run('check', bridge.adminUrl, '-o', 'json');
    expect(awaited.code).toBe(1);
    const { findings } = JSON.parse(awaited.stdout) as { findings: { code: string; subject: string; what: string }[] };
    expect(findings.find(({ code }) => code === 'SOURCE_NOT_CONNECTED')).toMatchObject({
      subject: 'source galley (dials in)',
      what: 'there is no stream of legacy MCP: it has not dialled in yet',
    });
    CallingSource.start(portOf(bridge), { 'a/1': 'x' }, east);
    await bridge.complete();
    const connected = await run('check', bridge.adminUrl);
    expect(connected.stdout).toMatch(/source galley \(dials in, from 127\.0\.0\.1:\d+\)/);
    expect(connected.stdout).toContain('its stream of legacy MCP is open');
  });

  test('of a config alone, by check: who is awaited, and what is dangerous about it', async () => {
    const text = (listen: string, match: string) => `sink: { listen: ${listen} }\nsources:\n- { name: a, ${match} }\n`;
    const check = async (listen: string, match: string) => {
      const folder = tempFolder({ 'isthmus.yaml': text(listen, match) });
      const ports = ['--xds-listen', '127.0.0.1:0', '--admin-listen', '127.0.0.1:0'];
      const { stdout } = await run('check', '--config', `${folder}/isthmus.yaml`, ...ports, '-o', 'json');
      const { findings } = JSON.parse(stdout) as { findings: { code: string; severity: string }[] };
      return Object.fromEntries(findings.map(({ code, severity }) => [code, severity]));
    };
    const match = 'match: { address: 10.0.0.7 }';
    expect(await check('127.0.0.1:0', match)).toMatchObject({ SOURCE_AWAITED: 'info', CONFIG_VALID: 'ok' });
    expect(await check('127.0.0.1:0', match)).not.toHaveProperty('SINK_EXPOSED');
    expect(await check('0.0.0.0:0', match)).toMatchObject({ SINK_EXPOSED: 'warning' });
    expect(await check('127.0.0.1:0', 'address: "mcp://127.0.0.1:1"')).toMatchObject({ SINK_UNMATCHED: 'warning' });
  });

  test('of the whole command: --sink-listen is where sources dial in', async () => {
    const folder = tempFolder({ 'isthmus.yaml': JSON.stringify({ sources: [sourceBy('galley', 'east')] }) });
    const { cli, xds } = await startServe('--config', `${folder}/isthmus.yaml`, '--sink-listen', '127.0.0.1:0');
    const [, port] = /"sink":"127\.0\.0\.1:(\d+)"/.exec(cli.stderr) ?? [];
    CallingSource.start(Number(port), { 'a/1': 'x' }, east);
    // Its services have no ports, which the bridge reports, and sends all the same.
    await WatchingIstiod.connect(xds).hasOnly({ 'a/1': 'x' });
    cli.signal('SIGTERM');
    expect(await cli.end()).toEqual({ code: 0, signal: null });
  });
});

test('a bridge that ends tells its sources, and waits for nothing', async () => {
  const bridge = await listening([sourceBy('galley', 'east')]);
  const source = CallingSource.start(portOf(bridge), { 'a/1': 'x' }, east);
  await bridge.complete();
  await bridge.app.stop();
  expect(source.streams[0]?.status).toMatchObject({ code: 14 });
});

test('many sources feed one bridge at once, and an istiod that asks gets what all of them have', async () => {
  const names = Array.from({ length: 20 }, (_, i) => `s${i}`);
  const bridge = await listening(names.map((name) => sourceBy(name, name)));
  for (const name of names) CallingSource.start(portOf(bridge), { [`${name}/own`]: name }, { cluster: name });
  await bridge.complete();
  const peer = XdsPeer.connect(bridge.ports.xds);
  peer.subscribe(seType);
  const { resources } = await peer.response(seType);
  expect(resources).toHaveLength(20);
});
