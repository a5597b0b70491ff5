import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { OriginView, ReloadReport } from '../../../src/admin/views.ts';
import { Cli, run, startServe } from '../../support/cli.ts';
import { occupyPort } from '../../support/listeners.ts';
import { ServingSource } from '../../support/serving-source.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { until } from '../../support/until.ts';
import { versionsOf, XdsPeer } from '../../support/xds-peer.ts';

const se = 'networking.istio.io/v1/ServiceEntry';
const collections = 'collections: [istio/networking/v1alpha3/serviceentries]';

/** A config file of sources by name and port; `more` is on the lines after them. */
function write(file: string, sources: Readonly<Record<string, number>>, more = ''): void {
  const lines = Object.entries(sources).map(
    ([name, port]) => `- { name: ${name}, address: "mcp://127.0.0.1:${port}", ${collections} }`,
  );
  // As an editor does: who reads it sees the old one or the new one.
  writeFileSync(`${file}.new`, `sources:\n${lines.join('\n')}\n${more}`);
  renameSync(`${file}.new`, file);
}

const page = async <T>(admin: number, path: string) =>
  (await (await fetch(`http://127.0.0.1:${admin}${path}`)).json()) as T;

const reloadOf = async (admin: number) => (await page<{ reload: ReloadReport }>(admin, '/debug/config')).reload;

test('SIGHUP reads the file again: a source comes, another leaves with what it had, mistakes change nothing', async () => {
  const one = await ServingSource.listen({ 'a/1': 'x' });
  const two = await ServingSource.listen({ 'b/1': 'x' });
  const file = join(tempFolder({ 'i.yaml': '' }), 'i.yaml');
  write(file, { one: one.port });
  const { cli, xds, admin } = await startServe('--config', file);
  const peer = XdsPeer.connect(xds);
  peer.onResponse = (response) => peer.ack(response);
  peer.subscribe(se);
  expect(Object.keys(versionsOf(await peer.response(se)))).toEqual(['a/1']);

  write(file, { one: one.port, two: two.port });
  cli.signal('SIGHUP');
  expect(Object.keys(versionsOf(await peer.response(se, 2)))).toEqual(['a/1', 'b/1']);

  write(file, { two: two.port }, 'guard: { hold: soon }\nxsd: {}\n');
  cli.signal('SIGHUP');
  await cli.says('stderr', /"level":50,.*"hint":"mend it, and send SIGHUP again.*the config can't be read again/);
  const { failed } = await reloadOf(admin);
  expect(failed?.mistakes).toEqual([
    { at: `${file}:3:16`, what: expect.stringContaining('"soon" is no duration') },
    { at: `${file}:4:1`, what: 'xsd: unknown setting; did you mean "xds"?' },
  ]);
  const wrong = await run('status', `http://127.0.0.1:${admin}`);
  expect(wrong.stdout).toContain(`${file}:3:16: guard.hold: "soon" is no duration`);

  write(file, { two: two.port }, 'log: { level: debug }\n');
  cli.signal('SIGHUP');
  await cli.says('stderr', /"level":40,.*"hint":"put it back.*confirmRemoval: \[one\]/);
  await until('it is in force', async () => (await reloadOf(admin)).failed === null);
  two.publish({ 'b/1': 'y' });
  await cli.says('stderr', /"level":20,/);
  expect(Object.keys(versionsOf(await peer.response(se, 3)))).toEqual(['a/1', 'b/1']);
  const { stdout, code } = await run('status', `http://127.0.0.1:${admin}`);
  expect([code, stdout]).toEqual([
    1,
    expect.stringMatching(
      /^! source one is in the config no more, and what it had is served on: 1 ServiceEntry; put it back; or, .*confirmRemoval: \[one\]/m,
    ),
  ]);
  expect((await run('check', `http://127.0.0.1:${admin}`)).stdout).toContain('one');

  write(file, { two: two.port }, 'confirmRemoval: [one]\n');
  cli.signal('SIGHUP');
  expect(Object.keys(versionsOf(await peer.response(se, 4)))).toEqual(['b/1']);
  expect((await page<OriginView[]>(admin, '/debug/origins')).map(({ name }) => name)).toEqual(['two']);
  expect((await run('status', `http://127.0.0.1:${admin}`)).code).toBe(0);
});

test('what flags say stays, whatever the file says', async () => {
  const file = join(tempFolder({ 'i.yaml': 'debounce: { after: 1ms, max: 1s }\n' }), 'i.yaml');
  const { cli, admin } = await startServe('--config', file, '--debounce-after', '7ms');
  writeFileSync(file, 'debounce: { after: 2ms, max: 2s }\n');
  cli.signal('SIGHUP');
  await until('it is in force', async () => {
    const { debounce } = await page<{ debounce: { after: number; max: number } }>(admin, '/debug/config');
    return debounce.max === 2000 && debounce.after === 7;
  });
});

test('without a config file there is nothing to read, which is said', async () => {
  const { cli } = await startServe();
  cli.signal('SIGHUP');
  await cli.says(
    'stderr',
    /"level":40,"time":"[^"]*","component":"config","hint":"start isthmus serve with --config FILE.*nothing has changed/,
  );
  expect(cli.exit).toBeUndefined();
});

test('a file that is gone changes nothing', async () => {
  const one = await ServingSource.listen({ 'a/1': 'x' });
  const file = join(tempFolder({ 'i.yaml': '' }), 'i.yaml');
  write(file, { one: one.port });
  const { cli, admin } = await startServe('--config', file);
  renameSync(file, `${file}.away`);
  cli.signal('SIGHUP');
  await cli.says('stderr', /"level":50,.*there is no such file/);
  expect((await page<OriginView[]>(admin, '/debug/origins')).map(({ address }) => address)).toEqual([
    `mcp://127.0.0.1:${one.port}`,
  ]);
});

test('SIGHUP never ends the process: not while it starts, not in a row, not while it stops', async () => {
  // A source that takes the connection and says nothing: it has to be left when the bridge ends.
  const port = await occupyPort();
  const file = join(tempFolder({ 'i.yaml': '' }), 'i.yaml');
  write(file, { mute: port }, 'shutdownGrace: 1s\n');
  const anyPort = '127.0.0.1:0';
  const cli = new Cli(['serve', '--xds-listen', anyPort, '--admin-listen', anyPort, '--config', file]);
  // What comes before Node has begun to run the program ends it, as it does any program.
  await cli.says('stderr', /Isthmus is listening/);
  const signals = (async () => {
    while (cli.exit === undefined) {
      cli.signal('SIGHUP');
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  await cli.says('stderr', /the config was read again, and is in force/);
  cli.signal('SIGTERM');
  await signals;
  expect(await cli.end()).toEqual({ code: 0, signal: null });
});
