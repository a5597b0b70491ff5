import { describe, expect, test } from 'vitest';
import { Bridge, startSource } from '../../support/bridge.ts';
import { Cli, failure, run } from '../../support/cli.ts';
import { silentView, viewOf } from '../../support/legacy-states.ts';
import { answerWith, occupyPort } from '../../support/listeners.ts';
import { until } from '../../support/until.ts';

/** A port of 127.0.0.1 on which nobody listens any more. */
async function closedPort(): Promise<number> {
  const bridge = await Bridge.of({});
  await bridge.app.stop();
  return bridge.ports.xds;
}

describe('nobody is there', () => {
  test.each(['xds', 'http', 'mcp'])('%s:// is exit code 3, at once', async (scheme) => {
    const address = `${scheme}://127.0.0.1:${await closedPort()}`;
    const { code, stderr } = await failure('get', address, '--timeout', '1000');
    expect(code).toBe(3);
    expect(stderr).toContain(`isthmus: ${address}: `);
    expect(stderr).toContain('ECONNREFUSED');
  });
});

describe('somebody else is there', () => {
  const source = async () => (await startSource(viewOf({ 'shop/orders': 'a' }))).address;
  const cases: [string, () => Promise<string>, RegExp][] = [
    ['xds:// of a legacy server', async () => (await source()).replace('mcp:', 'xds:'), /does not speak MCP-over-xDS/],
    ['xds:// of admin pages', async () => (await Bridge.of({})).adminUrl.replace('http:', 'xds:'), /./],
    [
      'mcp:// of a bridge',
      async () => `mcp://127.0.0.1:${(await Bridge.of({})).ports.xds}`,
      /does not serve ResourceSource/,
    ],
    ['http:// of a bridge’s xDS port', async () => `http://127.0.0.1:${(await Bridge.of({})).ports.xds}`, /./],
    ['http:// of metrics alone', async () => (await Bridge.of({})).metricsUrl, /no list at \/debug\/snapshot/],
    ['http:// of another site', async () => `http://127.0.0.1:${await answerWith(404, '<h1>no</h1>')}`, /without JSON/],
    [
      'http:// of another API',
      async () => `http://127.0.0.1:${await answerWith(200, '[null]')}`,
      /not those of a bridge/,
    ],
    ['http:// of a broken server', async () => `http://127.0.0.1:${await answerWith(503, 'no')}`, /answers 503/],
  ];
  test.each(cases)('%s is exit code 3, and no bug', async (_what, addressOf, message) => {
    const { code, stderr } = await failure('get', await addressOf(), '--timeout', '30');
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/^ +at /m);
    expect(code).toBe(3);
  });
});

describe('nothing comes', () => {
  test.each(['xds', 'http', 'mcp'])('over %s:// within --timeout: exit code 3, and where to look', async (scheme) => {
    const address = `${scheme}://127.0.0.1:${await occupyPort()}`;
    const { code, stderr } = await failure('get', address, '--timeout', '0.3', '-o', 'json');
    expect(code).toBe(3);
    expect(stderr).toContain('it has said nothing at all');
    expect(stderr).toContain(`isthmus check ${address}`);
  });

  test.each(['xds', 'http'])('of a kind that no source has spoken of yet, over %s://', async (scheme) => {
    const { address } = await startSource(silentView());
    const bridge = await Bridge.of({ sources: [{ name: 'late', address }] });
    const port = scheme === 'xds' ? bridge.ports.xds : bridge.ports.admin;
    const args = ['get', `${scheme}://127.0.0.1:${port}`, '--timeout', '5'];
    const one = await failure(...args, '--type', 'ServiceEntry');
    expect(one.code).toBe(3);
    expect(one.stderr).toContain('no source has spoken of it yet (see isthmus status)');
    const all = await run(...args);
    expect([all.code, all.stdout]).toEqual([3, '']);
    expect(all.stderr).toMatch(/no answer for ServiceEntry, .*: a source has not spoken of it yet/);
  });

  test('--watch waits for it', async () => {
    const { server, address } = await startSource(silentView());
    const bridge = await Bridge.of({ sources: [{ name: 'late', address }] });
    await until('the source was dialled', () => server.connected === 1);
    const xds = `xds://127.0.0.1:${bridge.ports.xds}`;
    const cli = new Cli(['get', xds, '--type', 'ServiceEntry', '--watch', '--timeout', '0.1']);
    await cli.says('stderr', /no answer for ServiceEntry/);
    server.update(viewOf({ 'shop/orders': 'a' }));
    await cli.says('stdout', /added +ServiceEntry shop\/orders/);
    expect(cli.exit).toBeUndefined();
  });
});

describe('a question that makes no sense is exit code 2', () => {
  test.each([
    ['an address without a scheme', ['127.0.0.1:15410'], 'has no scheme that is known'],
    ['an address without a port', ['xds://127.0.0.1'], 'ADDR: "127.0.0.1" is no HOST:PORT'],
    ['an address of nothing', ['http://'], 'ADDR: "http://" is no http:// address'],
    ['another scheme', ['grpc://127.0.0.1:1'], 'has no scheme that is known'],
    ['an unknown kind', ['xds://127.0.0.1:1', '--type', 'Service'], '--type: "Service" is no kind'],
    ['a time that is none', ['xds://127.0.0.1:1', '--timeout', 'soon'], '--timeout: a number of seconds is expected'],
    ['a time beyond any timer', ['xds://127.0.0.1:1', '--timeout', '1e9'], '--timeout: a number of seconds'],
    ['--watch of pages', ['http://127.0.0.1:1', '--watch'], '--watch: is for xds:// and mcp:// only'],
    ['--watch as JSON', ['xds://127.0.0.1:1', '--watch', '-o', 'json'], '--watch: prints lines; it has no -o json'],
  ])('%s', async (_what, args, message) => {
    const { code, stderr } = await failure('get', ...args);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
  });
});
