import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { failure } from '../../support/cli.ts';
import { occupyPort } from '../../support/listeners.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const anyPort = ['--xds-listen', '127.0.0.1:0', '--admin-listen', '127.0.0.1:0'];

describe('a port in use is one line, what to do, and exit code 3', () => {
  test.each(['--xds-listen', '--admin-listen', '--metrics-listen', '--sink-listen', '--legacy-listen'])(
    '%s',
    async (flag) => {
      const port = await occupyPort();
      const others = ['--xds-listen', '--admin-listen'].filter((one) => one !== flag);
      const free = others.flatMap((one) => [one, '127.0.0.1:0']);
      expect(await failure('serve', ...free, flag, `127.0.0.1:${port}`)).toEqual({
        code: 3,
        stderr:
          `isthmus: 127.0.0.1:${port}: cannot listen: the port is in use\n` +
          `  end the other process, or choose another port with ${flag}\n`,
      });
    },
  );
});

test('an address that is not of this host is exit code 3', async () => {
  const { code, stderr } = await failure('serve', '--admin-listen', '192.0.2.1:1');
  expect([code, stderr]).toEqual([3, expect.stringMatching(/^isthmus: 192\.0\.2\.1:1: cannot listen: .*\n$/)]);
});

describe('a flag that is wrong is named, with exit code 2', () => {
  test.each([
    [['--xds-listen', 'here'], '--xds-listen: "here" is no HOST:PORT; write for example 127.0.0.1:15410'],
    [['--sink-listen', '15411'], '--sink-listen: "15411" is no HOST:PORT; write for example 127.0.0.1:15410'],
    [['--source', 'galley'], '--source: "galley" is no NAME=mcp://HOST:PORT'],
    [['--source', 'galley=galley:9901'], '--source: "galley:9901" is no source address'],
    [['--source', 'a=mcp://b:1', '--source', 'a=mcp://c:1'], '--source: "a" is used twice'],
    [['--debounce-after', 'soon'], '--debounce-after: "soon" is no duration'],
    [['--log-level', 'loud'], '--log-level: "loud" is no level'],
    [['--log-format', 'loud'], 'command line: Invalid values'],
  ])('%s', async (args, message) => {
    const { code, stderr } = await failure('serve', ...args);
    expect(code).toBe(2);
    expect(stderr).toContain(`isthmus: ${message}`);
  });
});

describe('a config file that is wrong is exit code 2', () => {
  test('with the place of every mistake', async () => {
    const file = join(tempFolder({ 'i.yaml': 'xds:\n  listen: here\n  mingap: 1s\n' }), 'i.yaml');
    const { code, stderr } = await failure('serve', '--config', file);
    expect(code).toBe(2);
    expect(stderr.split('\n')).toEqual([
      `isthmus: ${file}: 2 mistakes`,
      `  ${file}:2:11: xds.listen: "here" is no HOST:PORT; write for example 127.0.0.1:15410`,
      `  ${file}:3:3: xds.mingap: unknown setting; did you mean "minGap"?`,
      '',
    ]);
  });

  test.each([
    ['there is none', 'none.yaml', 'there is no such file'],
    ['it is a folder', '.', 'is a folder; a file is expected'],
  ])('where %s', async (_what, name, message) => {
    const file = join(tempFolder(), name);
    expect(await failure('serve', '--config', file)).toEqual({ code: 2, stderr: `isthmus: ${file}: ${message}\n` });
  });
});

describe('a state folder that cannot be is exit code 3', () => {
  const hint = '  choose a folder that this user may write to, with --state-dir\n';

  test('because a file is in its place', async () => {
    const folder = join(tempFolder({ state: 'a file' }), 'state');
    const { code, stderr } = await failure('serve', ...anyPort, '--state-dir', folder);
    expect([code, stderr]).toEqual([3, expect.stringMatching(/^isthmus: .*state: .*\n {2}choose a folder/)]);
    expect(stderr.endsWith(hint)).toBe(true);
  });
});
