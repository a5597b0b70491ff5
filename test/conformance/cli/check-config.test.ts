import { chmodSync, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Bridge } from '../../support/bridge.ts';
import { failure, run } from '../../support/cli.ts';
import { viewOf } from '../../support/legacy-states.ts';
import { occupyPort } from '../../support/listeners.ts';
import { skipWhere } from '../../support/skip-where.ts';
import { tempFolder } from '../../support/temp-folder.ts';

type Finding = { code: string; severity: string; subject: string; what: string; next?: string };
type Report = { summary: Record<string, number>; findings: Finding[] };

const anyPorts = ['--xds-listen', '127.0.0.1:0', '--admin-listen', '127.0.0.1:0'];

/** What `check -o json` finds. */
async function check(...args: readonly string[]): Promise<Report & { code: number | null; codes: string[] }> {
  const { code, stdout, stderr } = await run('check', ...args, '-o', 'json');
  if (stdout === '') throw new Error(stderr);
  const report = JSON.parse(stdout) as Report;
  return { code, codes: report.findings.map((one) => one.code), ...report };
}

/** The only finding of that code. */
function only(findings: readonly Finding[], code: string): Finding {
  const found = findings.filter((one) => one.code === code);
  expect(found.map(({ what }) => what)).toHaveLength(1);
  return found[0] as Finding;
}

/** A config file with this text. */
function configFile(text: string): string {
  return join(tempFolder({ 'isthmus.yaml': text }), 'isthmus.yaml');
}

describe('the config', () => {
  test('that nothing is wrong with is exit code 0', async () => {
    const bridge = await Bridge.start({ galley: viewOf({}) });
    const source = `galley=mcp://127.0.0.1:${bridge.ports.xds}`;
    const { code, codes, summary } = await check('--source', source, '--state-dir', tempFolder(), ...anyPorts);
    expect([code, summary['error'], summary['warning']]).toEqual([0, 0, 0]);
    expect(codes).toEqual(expect.arrayContaining(['CONFIG_VALID', 'LISTEN_FREE', 'STATE_USABLE', 'HTTP2_SPOKEN']));
  });

  test('with mistakes in its file is exit code 2, and each has its place', async () => {
    const file = configFile('xds:\n  listen: here\n  mingap: 1s\n');
    const { code, findings } = await check('--config', file);
    expect(code).toBe(2);
    expect(findings).toEqual([
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        severity: 'error',
        what: `${file}:2:11: xds.listen: "here" is no HOST:PORT; write for example 127.0.0.1:15410`,
      }),
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        what: `${file}:3:3: xds.mingap: unknown setting; did you mean "minGap"?`,
      }),
    ]);
  });

  test('that is no YAML, or no file, is exit code 2', async () => {
    const broken = await check('--config', configFile('sources: [\n'));
    expect([broken.code, broken.codes[0]]).toEqual([2, 'CONFIG_INVALID']);
    const missing = await check('--config', join(tempFolder(), 'none.yaml'));
    expect([missing.code, missing.findings[0]?.what]).toEqual([2, 'there is no such file']);
  });

  test('of flags that are wrong is a usage error, as with serve', async () => {
    const { code, stderr } = await failure('check', '--source', 'galley');
    expect([code, stderr]).toEqual([2, expect.stringContaining('--source: "galley" is no NAME=mcp://HOST:PORT')]);
  });

  test('may be valid, and still not what one would want', async () => {
    const source = 'address: mcp://127.0.0.1:1';
    const file = configFile(
      `sources:\n- { name: a, ${source} }\n- { name: b, ${source} }\n` +
        'xds: { listen: 0.0.0.0:0 }\nadmin: { listen: 0.0.0.0:0 }\n',
    );
    const { code, findings } = await check('--config', file);
    expect(code).toBe(1);
    expect(only(findings, 'SOURCE_TWICE').what).toContain('b and a are one server');
    expect(only(findings, 'ADMIN_EXPOSED').severity).toBe('warning');
    expect(only(findings, 'XDS_WITHOUT_TLS').severity).toBe('info');
    expect(only(findings, 'STATE_OFF').severity).toBe('info');
  });

  test('without sources is a warning', async () => {
    const { code, findings } = await check(...anyPorts);
    expect([code, only(findings, 'NO_SOURCES').severity]).toEqual([1, 'warning']);
  });
});

describe('listeners', () => {
  test('in use by something else, one port twice, not of this host', async () => {
    const port = await occupyPort();
    const used = await check('--xds-listen', `127.0.0.1:${port}`, '--admin-listen', '127.0.0.1:0');
    expect(used.code).toBe(1);
    expect(only(used.findings, 'LISTEN_FAILED')).toMatchObject({
      subject: 'this host',
      what: expect.stringContaining(`127.0.0.1:${port} (xDS) can't be listened on: the port is in use`),
      next: expect.stringContaining('--xds-listen'),
    });
    const twice = await check('--xds-listen', '127.0.0.1:45999', '--admin-listen', '127.0.0.1:45999');
    expect(only(twice.findings, 'LISTEN_TWICE').what).toContain('--xds-listen and --admin-listen');
    const foreign = await check('--xds-listen', '192.0.2.1:0', '--admin-listen', '127.0.0.1:0');
    expect(only(foreign.findings, 'LISTEN_FAILED').what).toContain('192.0.2.1 is no address of this host');
  });

  test('of the bridge that runs, on another address than in this config, are told from those of strangers', async () => {
    const { adminUrl, ports } = await Bridge.of({});
    const listen = ['--xds-listen', `0.0.0.0:${ports.admin}`, '--admin-listen', '127.0.0.1:0'];
    const { findings } = await check('--admin', adminUrl, ...listen);
    expect(only(findings, 'LISTEN_FAILED')).toMatchObject({
      what: expect.stringContaining(`the running bridge has the port, on 127.0.0.1:${ports.admin}`),
      next: expect.stringContaining('--xds-listen'),
    });
  });

  test('of the bridge that runs are ours', async () => {
    const { app, ports } = await Bridge.of({});
    await app.stop();
    const bridge = await Bridge.of({
      xds: { listen: `127.0.0.1:${ports.xds}` },
      admin: { listen: `127.0.0.1:${ports.admin}` },
    });
    const listen = [
      '--xds-listen',
      `127.0.0.1:${bridge.ports.xds}`,
      '--admin-listen',
      `127.0.0.1:${bridge.ports.admin}`,
    ];
    const { codes, findings } = await check(...listen);
    expect(codes.filter((code) => code.startsWith('LISTEN'))).toEqual(['LISTEN_OURS', 'LISTEN_OURS']);
    expect(only(findings, 'BRIDGE_RUNNING').subject).toBe(`bridge (${bridge.adminUrl})`);
  });
});

describe('the state folder', () => {
  const state = async (folder: string) => {
    const { findings } = await check(...anyPorts, '--state-dir', folder);
    return findings.filter(({ code }) => code.startsWith('STATE'));
  };

  test('that is not there is not made', async () => {
    const folder = join(tempFolder(), 'a', 'b');
    expect(await state(folder)).toMatchObject([{ code: 'STATE_USABLE', severity: 'ok' }]);
    expect(existsSync(folder)).toBe(false);
  });

  test('that is there is not written to', async () => {
    const folder = tempFolder();
    expect(await state(folder)).toMatchObject([{ code: 'STATE_USABLE', severity: 'ok' }]);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('that is a file, or below one, can’t be used', async () => {
    const file = join(tempFolder({ state: 'a file' }), 'state');
    for (const folder of [file, join(file, 'below')]) {
      expect(await state(folder)).toMatchObject([{ code: 'STATE_UNUSABLE', severity: 'error' }]);
    }
  });

  test('that may not be written to can’t be used', async (context) => {
    skipWhere(process.getuid?.() === 0, 'nothing is forbidden to root', context);
    const folder = tempFolder();
    chmodSync(folder, 0o555);
    const [finding] = await state(folder);
    expect(finding?.what).toContain('this user may not write to');
  });

  test('whose files everybody may change is warned of', async () => {
    const folder = tempFolder({ 'last-known-good/x': '' });
    chmodSync(join(folder, 'last-known-good'), 0o777);
    expect((await state(folder)).map(({ code }) => code)).toEqual(['STATE_USABLE', 'STATE_OPEN_TO_ALL']);
  });

  test('with a memory that can’t be read costs what it remembered', async () => {
    const folder = tempFolder({ 'collections.json': '{' });
    expect(await state(folder)).toMatchObject([{ code: 'STATE_UNREADABLE', severity: 'warning' }]);
  });
});
