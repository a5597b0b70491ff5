import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { loadCapture } from '../../../src/capture/capture.ts';
import { stateAtEnd } from '../../../src/capture/state.ts';
import { choose, named, unnamed } from '../../support/choosy-source.ts';
import { Bridge, startSource } from '../../support/bridge.ts';
import { Cli, failure, run } from '../../support/cli.ts';
import { DeltaSource } from '../../support/delta-source.ts';
import { eventually } from '../../support/eventually.ts';
import { LegacySource } from '../../support/legacy-source.ts';
import { viewOf } from '../../support/legacy-states.ts';
import { legacyResource, workloadEntry } from '../../support/resources.ts';
import { ServingSource, sourceAt } from '../../support/serving-source.ts';
import { strangers } from '../../support/strangers.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { until } from '../../support/until.ts';
import { WatchingIstiod } from '../../support/watching-istiod.ts';

const se = 'istio/networking/v1alpha3/serviceentries';
const we = 'istio/networking/v1alpha3/workloadentries';
const gw = 'istio/networking/v1alpha3/gateways';

/** Starts a capture of a port of this host; returns once it has begun. */
async function startCapture(port: number, file: string, ...more: readonly string[]): Promise<Cli> {
  const cli = new Cli(['capture', `mcp://127.0.0.1:${port}`, '--direct', '-o', file, ...more]);
  await cli.says('stderr', /capturing mcp:/);
  return cli;
}

/** Ends it as Ctrl-C does. */
async function finish(cli: Cli, code = 0): Promise<void> {
  cli.signal('SIGINT');
  expect([await cli.end(), cli.stderr]).toEqual([{ code, signal: null }, expect.any(String)]);
}

/** Serves a capture; returns its port. */
async function startReplay(file: string, ...more: readonly string[]): Promise<{ cli: Cli; port: number }> {
  const cli = new Cli(['replay', file, '--listen', '127.0.0.1:0', ...more]);
  const [, port] = await cli.says('stderr', /legacy MCP server on mcp:\/\/127\.0\.0\.1:(\d+)/);
  return { cli, port: Number(port) };
}

function newFile(name = 'x.capture.gz'): string {
  return join(tempFolder(), name);
}

async function newSource(): Promise<LegacySource> {
  const source = await LegacySource.listen();
  onTestFinished(() => source.kill());
  return source;
}

/** What an istiod has of a source, byte for byte. */
async function servedBy(port: number, wanted: Readonly<Record<string, string>>, more: object = {}) {
  const bridge = await Bridge.of({ sources: [sourceAt('one', port, more)] });
  const istiod = WatchingIstiod.connect(bridge.ports.xds);
  await istiod.hasOnly(wanted);
  return { bridge, resources: istiod.resources };
}

test('a bridge that is fed by a replay ends with what it had from the server, byte for byte', async () => {
  const source = await ServingSource.listen({ 'shop/orders': 'one', 'shop/carts': 'two', bare: 'three' });
  const file = newFile();
  const cli = await startCapture(source.port, file, '--collections', se);
  const stream = await source.live();
  await eventually(() => stream.acked.length === 1);
  source.publish({ 'shop/orders': 'moved', 'shop/carts': 'two', bare: 'three' });
  await eventually(() => stream.acked.length === 2);
  const last = { 'shop/orders': 'moved', 'shop/mail': 'new' };
  source.publish(last);
  await eventually(() => stream.acked.length === 3);
  await finish(cli);
  expect(cli.stderr).toContain('1 stream, 3 messages of ');
  expect(cli.stderr).toContain('warning: a second connection to a live legacy server');
  expect([statSync(file).mode & 0o777, existsSync(`${file}.partial`)]).toEqual([0o600, false]);

  const guard = { hold: '0s' };
  const original = await servedBy(source.port, last);
  for (const more of [
    ['--timing', 'none'],
    ['--speed', '50'],
    ['--timing', 'none', '--loop', '--with-end'],
  ]) {
    const { port } = await startReplay(file, ...more);
    const bridge = await Bridge.of({ sources: [sourceAt('one', port)], guard });
    const istiod = WatchingIstiod.connect(bridge.ports.xds);
    await istiod.hasOnly(last);
    expect(istiod.resources).toEqual(original.resources);
  }
});

test('of every collection, and diff takes the capture for what the server had', async () => {
  const { server, address } = await startSource(viewOf({ 'a/b': 'one' }));
  const port = Number(address.split(':').at(-1));
  const file = newFile('x.capture');
  const cli = await startCapture(port, file);
  await eventually(() => server.connected === 1);
  await eventually(() => messagesIn(`${file}.partial`) === 11);
  server.update(viewOf({ 'a/b': 'two', 'a/c': 'new' }, [legacyResource('a/vm', 'x', workloadEntry.body)]));
  await eventually(() => messagesIn(`${file}.partial`) === 22);
  await finish(cli);
  const { port: replayed } = await startReplay(file, '--timing', 'none');
  const bridge = await Bridge.of({
    sources: [{ name: 'one', address: `mcp://127.0.0.1:${replayed}` }],
    guard: { hold: '0s' },
  });
  await bridge.complete();
  await until('all has come', async () => (await run('diff', file, bridge.adminUrl)).code === 0);
  const { code, stdout } = await run('diff', file, address, '--direct');
  expect([code, stdout]).toEqual([0, expect.stringContaining('3 equal')]);
  server.update(viewOf({ 'a/b': 'three' }));
  const changed = await run('diff', file, address, '--direct');
  expect([changed.code, changed.stdout]).toEqual([1, expect.stringContaining('- ServiceEntry a/c  only in A')]);
});

/** Messages of the source in a capture that is not compressed. */
function messagesIn(path: string): number {
  return readFileSync(path, 'utf8').split('"type":"resources"').length - 1;
}

test.each([
  ['with its name', named, 2],
  // By halving.
  ['without', unnamed, 4],
])(
  'a refused collection, said %s, is learned, recorded, and refused again by the replay',
  async (_how, refusal, streams) => {
    const source = await newSource();
    choose(source, new Set([se, we]), refusal);
    const file = newFile();
    const cli = await startCapture(source.port, file, '--collections', `${se},${we},${gw}`);
    const last = await source.stream(streams);
    await eventually(() => last.acked.length === 2);
    await finish(cli);
    const capture = await loadCapture(file);
    expect(capture.refused).toEqual([gw]);
    expect(capture.streams.filter(({ end }) => end?.refusal === true).length).toBeGreaterThan(0);
    const { port } = await startReplay(file, '--timing', 'none');
    const sources = [{ name: 'one', address: `mcp://127.0.0.1:${port}`, collections: [se, we, gw] }];
    const bridge = await Bridge.of({ sources });
    await bridge.complete();
    type Origins = readonly { readonly connection: { readonly unsupportedCollections: object } }[];
    const [origin] = await bridge.page<Origins>('/debug/origins');
    expect(Object.keys(origin?.connection.unsupportedCollections ?? {})).toEqual([gw]);
  },
);

test('a lost connection is recorded with its status, and dialled again; the replay goes on where the server did', async () => {
  const source = await ServingSource.listen({ 'a/b': 'one' });
  const file = newFile();
  const cli = await startCapture(source.port, file, '--collections', se);
  const first = await source.live();
  await eventually(() => first.acked.length === 1);
  source.publish({ 'a/b': 'two', 'a/c': 'new' });
  await eventually(() => first.acked.length === 2);
  first.end(13, 'enough for today');
  await cli.says('stderr', /stream 1 ended with code 13: enough for today; dialling again/);
  const second = await source.source.stream(2);
  await eventually(() => second.acked.length === 1);
  await finish(cli);
  const { streams } = await loadCapture(file);
  expect(streams.map(({ end }) => [end?.by, end?.code, end?.details])).toEqual([
    ['source', 13, 'enough for today'],
    ['capture', 1, expect.any(String)],
  ]);
  const { cli: replay, port } = await startReplay(file, '--timing', 'none', '--with-end');
  const { bridge } = await servedBy(port, { 'a/b': 'two', 'a/c': 'new' });
  await replay.says('stderr', /ending its stream with code 13: enough for today/);
  await until('the bridge has come again', () => /it is played stream 2 of 2/.test(replay.stderr));
  expect(bridge.log.of('warn').join()).toContain('code 13: enough for today');
});

test('changes are recorded as changes, and played as such', async () => {
  const source = await newSource();
  const delta = new DeltaSource(
    source,
    { [se]: { 'a/1': '1', 'a/2': '1' } },
    { incremental: true, firstIsUnflagged: true },
  );
  const file = newFile();
  const cli = await startCapture(source.port, file, '--collections', se, '--incremental');
  const stream = await source.stream(1);
  await eventually(() => stream.acked.length === 1);
  delta.publish({ [se]: { 'a/1': '1', 'a/3': '1' } });
  await eventually(() => stream.acked.length === 2);
  await finish(cli);
  expect(delta.sent).toMatchObject({ incremental: 1, removed: 1 });
  const { port } = await startReplay(file, '--timing', 'none');
  await servedBy(port, { 'a/1': '1', 'a/3': '1' }, { incremental: true });
  const resources = stateAtEnd(await loadCapture(file)).get(se);
  expect(resources?.map(({ name }) => name)).toEqual(['a/1', 'a/3']);
});

test('redacted, nothing is left of names and hosts, and a bridge has as much to say of it', async () => {
  const source = await ServingSource.listen({
    'warehouse/orders': 'orders.warehouse',
    'warehouse/carts': 'carts.warehouse',
  });
  const [file, afterwards, atOnce] = [newFile(), newFile('y.capture'), newFile('z.capture')];
  for (const [index, args] of [[file], [atOnce, '--redact']].entries()) {
    const [path = '', ...more] = args;
    const cli = await startCapture(source.port, path, '--collections', se, ...more);
    const stream = await source.source.stream(index + 1);
    await eventually(() => stream.acked.length === 1);
    await finish(cli);
  }
  expect((await run('capture', file, '--redact', '-o', afterwards)).code).toBe(0);
  for (const path of [afterwards, atOnce]) {
    const { header, streams } = await loadCapture(path);
    expect(header).toMatchObject({ redacted: true, source: expect.stringMatching(/^mcp:\/\/\d+\.0\.0\.\d:\d+$/) });
    const bytes = Buffer.concat(streams.flatMap(({ messages }) => messages.map((one) => one.bytes))).toString('latin1');
    expect(bytes).not.toMatch(/warehouse|orders|carts/);
    expect(bytes).toContain(se);
    const { port } = await startReplay(path, '--timing', 'none');
    const bridge = await Bridge.of({ sources: [sourceAt('one', port)] });
    await bridge.complete();
    const [snapshot] =
      await bridge.page<readonly { readonly kind: string; readonly resources: number }[]>('/debug/snapshot');
    expect(snapshot).toMatchObject({ kind: 'ServiceEntry', resources: 2 });
  }
});

test('a capture that was killed is a capture, as far as it goes', async () => {
  const source = await ServingSource.listen({ 'a/b': 'one' });
  const file = newFile();
  const cli = await startCapture(source.port, file, '--collections', se);
  const stream = await source.live();
  await eventually(() => stream.acked.length === 1);
  cli.signal('SIGKILL');
  await cli.end();
  expect(existsSync(file)).toBe(false);
  const { port } = await startReplay(`${file}.partial`, '--timing', 'none');
  await servedBy(port, { 'a/b': 'one' });
  const { stderr } = await run('diff', `${file}.partial`, `${file}.partial`);
  expect(stderr).toContain('is cut off; what follows is not known');
});

test('it stops by itself: after a time, and before the file is larger than it may be', async () => {
  const source = await ServingSource.listen({ 'a/b': 'one' });
  const [timed, sized] = [newFile(), newFile('y.capture')];
  const address = `mcp://127.0.0.1:${source.port}`;
  const { code } = await run('capture', address, '--direct', '-o', timed, '--collections', se, '--duration', '3s');
  expect([code, (await loadCapture(timed)).streams[0]?.messages.length]).toEqual([0, 3]);
  const cli = await startCapture(source.port, sized, '--collections', se, '--max-size', '2KiB');
  const stream = await source.source.stream(2);
  for (let n = 2; cli.exit === undefined && n < 100; n++) {
    await until(
      'the next one is taken, or all is over',
      () => stream.closed || stream.acked.length === stream.sentMessages,
    );
    if (!stream.closed) source.publish({ 'a/b': `${n}`.repeat(100) });
  }
  expect(await cli.end()).toEqual({ code: 0, signal: null });
  expect(cli.stderr).toContain('has reached --max-size 2KiB');
  expect(statSync(sized).size).toBeLessThan(2048 + 100);
  expect((await loadCapture(sized)).isCutOff).toBe(false);
});

test('a server that says nothing: exit code 1', async () => {
  const source = await newSource();
  const file = newFile();
  const cli = await startCapture(source.port, file, '--collections', se);
  await source.stream(1);
  await finish(cli, 1);
  expect(cli.stderr).toContain('the server has said nothing');
});

test('nobody there: exit code 3, and no file', async () => {
  const file = newFile();
  const { code, stderr } = await failure('capture', 'mcp://127.0.0.1:1', '--direct', '-o', file);
  expect([code, stderr]).toEqual([3, expect.stringContaining('ECONNREFUSED')]);
  expect([existsSync(file), existsSync(`${file}.partial`)]).toEqual([false, false]);
});

test('a server of another protocol: exit code 3, with what it is', async () => {
  const file = newFile();
  for (const [port, problem] of [
    [await strangers.xds(), 'it does not serve ResourceSource'],
    [await strangers.http1(), 'HTTP/1'],
  ] as const) {
    const { code, stderr } = await failure('capture', `mcp://127.0.0.1:${port}`, '--direct', '-o', file);
    expect([code, stderr]).toEqual([3, expect.stringContaining(problem)]);
    expect([existsSync(file), existsSync(`${file}.partial`)]).toEqual([false, false]);
  }
});

test('what nobody can capture or replay is exit code 2, with what to do', async () => {
  const there = newFile('there');
  writeFileSync(there, 'kind: List\n');
  const empty = newFile('empty');
  const cases: readonly (readonly [readonly string[], string])[] = [
    [['capture', 'mcp://127.0.0.1:1', '-o', empty], 'a legacy server is asked with --direct only'],
    [['capture', 'http://127.0.0.1:1', '-o', empty], "http:// can't be captured"],
    [['capture', 'mcp://127.0.0.1:1', '--direct', '-o', there], 'there is such a file already'],
    [['capture', 'mcp://127.0.0.1:1', '--direct', '-o', empty, '--duration', 'soon'], '"soon" is no duration'],
    [['capture', 'mcp://127.0.0.1:1', '--direct', '-o', empty, '--max-size', 'big'], '"big" is no size'],
    [['capture', 'mcp://127.0.0.1:1', '--direct', '-o', empty, '--collections', 'a,,b'], 'names of collections'],
    [['capture', there, '-o', empty], 'give --redact'],
    [['capture', there, '--redact', '-o', empty], 'line 1: it is no JSON'],
    [['replay', there], 'line 1: it is no JSON'],
    [['replay', empty], 'there is no such file'],
    [['replay', there, '--speed', '0'], 'a number above 0 is expected'],
  ];
  for (const [args, message] of cases) {
    const { code, stderr } = await failure(...args);
    expect([args, code, stderr]).toEqual([args, 2, expect.stringContaining(message)]);
  }
  expect(existsSync(empty)).toBe(false);
});
