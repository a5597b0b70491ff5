import { chmodSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { startSource } from '../../support/bridge.ts';
import { startServe } from '../../support/cli.ts';
import { viewOf } from '../../support/legacy-states.ts';
import { occupyPort } from '../../support/listeners.ts';
import { skipWhere } from '../../support/skip-where.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { until } from '../../support/until.ts';
import { openHealthWatch, versionsOf, XdsPeer } from '../../support/xds-peer.ts';

const se = 'networking.istio.io/v1/ServiceEntry';
/** A shutdown that took its grace would outlast any patience. */
const config = { 'isthmus.yaml': 'shutdownGrace: 10m\nlog: { level: info }\n' };

describe('a signal', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)(
    '%s ends the streams of istiod and source, frees the ports, and exits 0',
    async (signal) => {
      const { server, address } = await startSource(viewOf({ 'shop/orders': 'a' }));
      const file = join(tempFolder(config), 'isthmus.yaml');
      const { cli, xds, admin } = await startServe('--config', file, '--source', `galley=${address}`);
      const peer = XdsPeer.connect(xds);
      peer.subscribe(se);
      expect(Object.keys(versionsOf(await peer.response(se)))).toEqual(['shop/orders']);
      expect(server.connected).toBe(1);

      cli.signal(signal);
      expect(await cli.end()).toEqual({ code: 0, signal: null });
      expect(await peer.end()).toEqual({ code: 14, details: 'Isthmus is shutting down' });
      await until('the source is left', () => server.connected === 0);
      expect([await occupyPort(xds), await occupyPort(admin)]).toEqual([xds, admin]);
      expect(cli.stdout).toBe('');
      const messages = cli.stderr
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as { msg: string }).msg);
      expect(messages).toContain('shutting down');
      expect(messages.at(-1)).toBe('stopped');
    },
  );

  test('a second time ends at once what waits for a stream', async () => {
    const file = join(tempFolder(config), 'isthmus.yaml');
    const { cli, xds } = await startServe('--config', file);
    await openHealthWatch(xds);
    cli.signal('SIGTERM');
    await cli.says('stderr', /shutting down/);
    expect(cli.exit).toBeUndefined();
    cli.signal('SIGTERM');
    expect(await cli.end()).toEqual({ code: null, signal: 'SIGTERM' });
  });
});

test('flags win over the file, and the pages say what is in force', async () => {
  const file = join(tempFolder({ 'i.yaml': 'xds: { listen: "127.0.0.1:1", minGap: 2s }\n' }), 'i.yaml');
  const { admin } = await startServe('--config', file, '--debounce-after', '7ms');
  const inForce = await (await fetch(`http://127.0.0.1:${admin}/debug/config`)).json();
  expect(inForce).toMatchObject({ xds: { listen: { port: 0 }, minGap: 2000 }, debounce: { after: 7 } });
});

test('without sources it says so, and serves that there is nothing', async () => {
  const { cli, xds } = await startServe();
  const peer = XdsPeer.connect(xds);
  peer.subscribe(se);
  expect((await peer.response(se)).resources).toEqual([]);
  await cli.says('stderr', /"level":40,.*no sources: .*--source NAME=mcp:\/\/HOST:PORT/);
  await cli.says('stderr', /"level":40,.*"hint":"set --state-dir".*no state directory/);
});

test('ports that this host alone can reach are not warned of', async () => {
  const { cli } = await startServe('--metrics-listen', '127.0.0.1:0');
  await cli.says('stderr', /Isthmus is listening/);
  expect(cli.stderr).not.toMatch(/without TLS|from outside/);
});

test('a state folder that may not be written to is an alarm, and the bridge starts', async (context) => {
  skipWhere(process.getuid?.() === 0, 'nothing is forbidden to root', context);
  const folder = tempFolder();
  chmodSync(folder, 0o555);
  const { cli } = await startServe('--source', 'gone=mcp://127.0.0.1:1', '--state-dir', folder);
  await cli.says('stderr', /"level":50,.*"code":"EACCES".*cannot save what is known/);
});

test('a state folder that is not there is made', async () => {
  const folder = join(tempFolder(), 'a/b');
  const { cli } = await startServe('--state-dir', folder);
  expect(existsSync(folder)).toBe(true);
  expect(cli.stderr).not.toContain('no state directory');
});
