import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { Cli, failure } from '../../support/cli.ts';
import { occupyPort } from '../../support/listeners.ts';
import { tempFolder } from '../../support/temp-folder.ts';

/** The demo, with a folder of its own for what it leaves behind. */
function start(...args: readonly string[]): { cli: Cli; left: () => string[] } {
  const folder = tempFolder();
  return { cli: new Cli(['demo', ...args], { TMPDIR: folder }), left: () => readdirSync(folder) };
}

test('shows the services and a push by itself, goes on until Ctrl-C, and leaves nothing behind', async () => {
  const { cli, left } = start('--change-after', '0.1');
  const [, admin] = await cli.says('stdout', /Admin pages: (http:\/\/127\.0\.0\.1:\d+\/debug\/)\n/);
  expect(cli.stdout).toMatch(/^shop +orders +orders\.shop\.internal\.example +10\.20\.1\.11, .* [\w-]{16}$/m);
  expect(cli.stdout).toMatch(/^billing +ledger-db /m);
  await cli.says('stdout', /the demo moves an endpoint in \w+\.yaml\n/);
  await cli.says('stdout', /pushed: [\w-]+\/[\w-]+ changed, [\w-]{16} → [\w-]{16}\n/);
  await cli.says('stdout', /the other \d+ services kept their version/);
  expect((await fetch(admin ?? '')).status).toBe(200);
  expect(left()).toHaveLength(1);
  expect(cli.exit).toBeUndefined();
  cli.signal('SIGINT');
  expect(await cli.end()).toEqual({ code: 0, signal: null });
  expect(left()).toEqual([]);
  expect(cli.stderr).toBe('');
  expect(cli.stdout).not.toContain('\u001b');
});

test('Ctrl-C before it has begun is no matter either', async () => {
  const { cli, left } = start();
  await cli.says('stdout', /1\. A legacy MCP server/);
  cli.signal('SIGTERM');
  expect(await cli.end()).toEqual({ code: 0, signal: null });
  expect(left()).toEqual([]);
});

test('a reader that has seen enough ends it, and nothing is left behind', async () => {
  const { cli, left } = start('--change-after', '0.1');
  await cli.says('stdout', /1\. A legacy MCP server/);
  cli.stopReading('stdout');
  expect(await cli.end()).toEqual({ code: 0, signal: null });
  expect(left()).toEqual([]);
});

describe('what cannot be', () => {
  test.each([
    [['--admin-listen', 'here'], '--admin-listen: "here" is no HOST:PORT'],
    [['--change-after', 'soon'], '--change-after: a number of seconds is expected'],
    [['--change-after', '-1'], '--change-after: a number of seconds is expected'],
  ])('%s is exit code 2', async (args, message) => {
    const { code, stderr } = await failure('demo', ...args);
    expect([code, stderr]).toEqual([2, expect.stringContaining(`isthmus: ${message}`)]);
  });

  test('a port in use is exit code 3, and nothing is left behind', async () => {
    const port = await occupyPort();
    const { cli, left } = start('--admin-listen', `127.0.0.1:${port}`);
    expect(await cli.end()).toEqual({ code: 3, signal: null });
    expect(cli.stderr).toContain('the port is in use');
    expect(left()).toEqual([]);
  });
});
