import { chmodSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { beforeEach, describe, expect, test } from 'vitest';
import type { LevelSettings } from '../../../src/model/log-levels.ts';
import { Bridge } from '../../support/bridge.ts';
import { failure, run, startServe } from '../../support/cli.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { until } from '../../support/until.ts';

const secret = '0123456789abcdef-the-token';

/** What each of these routes is asked, and what it answers where it does so. */
const routes = [
  ['POST', '/guard/release', '{}', { released: [] }],
  [
    'PUT',
    '/debug/log-level',
    '{"component":"sources","level":"warn"}',
    { level: 'info', components: { sources: 'warn' } },
  ],
] as const;

/** Asks as another host does: what comes from there is no loopback address that counts. */
function fromElsewhere(
  bridge: Bridge,
  method: string,
  path: string,
  body: string,
  headers: Record<string, string> = {},
) {
  return new Promise<{ status: number | undefined; page: unknown }>((resolve, reject) => {
    const asked = request(
      { host: '127.0.0.1', port: bridge.ports.admin, localAddress: '127.0.0.6', method, path, headers },
      (response) => {
        text(response).then((answer) => resolve({ status: response.statusCode, page: JSON.parse(answer) }), reject);
      },
    );
    asked.on('error', reject).end(body);
  });
}

let file: string;

beforeEach(() => {
  file = join(tempFolder({ token: `${secret}\n` }), 'token');
  chmodSync(file, 0o600);
});

const bearer = (token: string) => ({ authorization: `Bearer ${token}`, host: 'isthmus.example' });

describe.each(routes)('%s %s', (method, path, body, answer) => {
  const ask = (bridge: Bridge, headers?: Record<string, string>) => fromElsewhere(bridge, method, path, body, headers);

  test('is for this host alone, where there is no token', async () => {
    const bridge = await Bridge.of({});
    const refused = { status: 403, page: { error: expect.stringContaining('host of the bridge') } };
    expect(await ask(bridge)).toEqual(refused);
    expect(await ask(bridge, bearer(secret))).toEqual(refused);
    const here = await bridge.fetch(path, { method, body });
    expect([here.status, await here.json()]).toEqual([200, answer]);
    const site = await bridge.fetch(path, { method, body, headers: { origin: 'https://evil.example' } });
    expect(site.status).toBe(403);
  });

  test('takes the token from everywhere, and nothing else', async () => {
    const bridge = await Bridge.of({ admin: { tokenFile: file } });
    expect(await ask(bridge, bearer(secret))).toEqual({ status: 200, page: answer });
    for (const wrong of [secret.slice(1), `${secret}x`, secret.toUpperCase(), 'Bearer']) {
      expect((await ask(bridge, bearer(wrong))).status).toBe(401);
    }
    for (const authorization of [secret, `Basic ${secret}`, `Bearer ${secret} x`, '']) {
      expect((await ask(bridge, { authorization })).status).toBe(401);
    }
    expect((await bridge.fetch(path, { method, body })).status).toBe(200);
    const lines = JSON.stringify(bridge.log.lines);
    expect(lines).toContain('somebody has tried to change something with a wrong token');
    expect(lines).not.toContain(secret.slice(1));
  });

  test('reads the file again, and takes none that everybody may read', async () => {
    const bridge = await Bridge.of({ admin: { tokenFile: file } });
    writeFileSync(file, 'another-token-of-this-bridge');
    expect((await ask(bridge, bearer(secret))).status).toBe(401);
    expect((await ask(bridge, bearer('another-token-of-this-bridge'))).status).toBe(200);
    chmodSync(file, 0o644);
    expect((await ask(bridge, bearer('another-token-of-this-bridge'))).status).toBe(401);
    expect(bridge.log.of('error')).toEqual([expect.stringContaining('everybody on this host may read it')]);
    chmodSync(file, 0o640);
    expect((await ask(bridge, bearer('another-token-of-this-bridge'))).status).toBe(200);
    expect(bridge.log.of('info')).toContain('the admin token can be used now');
    for (const bad of ['', 'short', 'two words of some length', 'x'.repeat(5000)]) {
      writeFileSync(file, bad);
      expect((await ask(bridge, bearer(bad.trim() || 'x'))).status).toBe(401);
    }
  });
});

test('a bridge without the file of its token starts, and says what is wrong', async () => {
  const bridge = await Bridge.of({ admin: { tokenFile: join(tempFolder(), 'none') } });
  await until('it is said', () => bridge.log.of('error').length > 0);
  expect(bridge.log.of('error')).toEqual([expect.stringMatching(/the admin token lets in nobody: .*no such file/)]);
});

test('the button of the status page is for this host alone, whatever the token', async () => {
  const bridge = await Bridge.of({ admin: { tokenFile: file } });
  const asked = request({
    host: '127.0.0.1',
    port: bridge.ports.admin,
    localAddress: '127.0.0.6',
    method: 'POST',
    path: '/ui/guard/release',
    headers: { ...bearer(secret), host: '127.0.0.1' },
  });
  const status = await new Promise((resolve) => {
    asked.on('response', (response) => resolve(response.resume().statusCode)).end('origin=a&kind=b');
  });
  expect(status).toBe(403);
});

test.each([
  '',
  'info',
  '[]',
  '{}',
  '{"level":"loud"}',
  '{"level":"info","component":"nobody"}',
  '{"level":"info","component":["sources"]}',
  '{"level":"info","also":1}',
  '{"level":"info","component":"__proto__"}',
])('the level of the log is not changed by %j', async (body) => {
  const bridge = await Bridge.of({});
  const response = await bridge.fetch('/debug/log-level', { method: 'PUT', body });
  expect([response.status, await response.json()]).toEqual([400, { error: expect.stringContaining('components: ') }]);
  expect(await bridge.page<LevelSettings>('/debug/log-level')).toEqual({ level: 'info', components: {} });
});

describe('isthmus log-level', () => {
  test('changes what a running bridge logs, of a component too', async () => {
    const { cli, admin } = await startServe('--source', 'gone=mcp://127.0.0.1:1', '--log-level', 'warn,bridge=info');
    const url = `http://127.0.0.1:${admin}`;
    expect((await run('log-level', '--admin', url)).stdout).toMatch(/^COMPONENT +LEVEL +ABOUT\nbridge +info /);
    const sources = /"component":"sources"/;
    await cli.says('stderr', sources);
    const shown = await run('log-level', 'sources', 'error', '--admin', url, '-o', 'json');
    expect([shown.code, JSON.parse(shown.stdout)]).toEqual([
      0,
      { level: 'warn', components: { bridge: 'info', sources: 'error' } },
    ]);
    await cli.says('stderr', /"component":"admin".*the level of the log is error now, of sources/);
    // Whoever is not dialled successfully is told of again and again, up to here.
    const streams = async () => {
      const page = (await (await fetch(`${url}/debug/origins`)).json()) as { connection: { retryInMs: number } }[];
      return page[0]?.connection.retryInMs;
    };
    const before = await streams();
    const after = cli.stderr.length;
    await until('it was tried again', async () => (await streams()) !== before);
    expect(cli.stderr.slice(after)).not.toMatch(sources);
    expect((await run('log-level', 'debug', '--admin', url)).stdout).toMatch(/^xds +debug /m);
  });

  test.each([
    [['loud'], 'LEVEL'],
    [['nobody', 'debug'], 'COMPONENT'],
    [['sources'], 'LEVEL'],
    [['a', 'b', 'c'], 'command line'],
  ])('%j: exit code 2', async (args, subject) => {
    const bridge = await Bridge.of({});
    const { code, stderr } = await failure('log-level', ...args, '--admin', bridge.adminUrl);
    expect([code, stderr]).toEqual([2, expect.stringContaining(subject)]);
  });

  test('with a file of a token that can’t be used: exit code 3, and nothing of it is shown', async () => {
    const bridge = await Bridge.of({});
    chmodSync(file, 0o644);
    const args = ['--admin', bridge.adminUrl, '--token-file', file];
    for (const verb of [
      ['log-level', 'info'],
      ['guard', 'release'],
    ]) {
      const { code, stderr } = await failure(...verb, ...args);
      expect([code, stderr]).toEqual([3, expect.stringContaining('chmod o-rw')]);
      expect(stderr).not.toContain(secret);
    }
    chmodSync(file, 0o600);
    expect((await run('guard', 'release', ...args)).code).toBe(0);
  });
});
