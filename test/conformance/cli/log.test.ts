import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startSource } from '../../support/bridge.ts';
import { viewOf } from '../../support/legacy-states.ts';
import { freePort } from '../../peers/support/ports.ts';
import { skipWhere } from '../../support/skip-where.ts';
import { Cli } from '../../support/cli.ts';
import { until } from '../../support/until.ts';

const main = join(import.meta.dirname, '../../../dist/src/main.js');
const full = '/dev/full';

test('a log that can’t be written, since its disk is full, ends nothing', async (context) => {
  skipWhere(!existsSync(full), 'this system has no /dev/full', context);
  const { address } = await startSource(viewOf({ 'shop/orders': 'a' }));
  const port = await freePort();
  const log = openSync(full, 'w');
  const args = ['--source', `galley=${address}`, '--xds-listen', '127.0.0.1:0', '--admin-listen', `127.0.0.1:${port}`];
  const child = spawn(process.execPath, [main, 'serve', ...args, '--log-level', 'debug'], {
    stdio: ['ignore', 'ignore', log],
  });
  closeSync(log);
  onTestFinished(() => void child.kill('SIGKILL'));
  const ended = new Promise((resolve) => child.once('exit', resolve));
  await until('all is complete', async () => {
    expect(child.exitCode).toBeNull();
    return (await fetch(`http://127.0.0.1:${port}/syncz`).catch(() => undefined))?.ok;
  });
  child.kill('SIGTERM');
  expect(await ended).toBe(0);
});

test('--log-format text: for people, without colours where no terminal is', async () => {
  const listen = '127.0.0.1:0';
  const cli = new Cli(['serve', '--xds-listen', listen, '--admin-listen', listen, '--log-format', 'text']);
  const [line] = await cli.says('stderr', /^.* Isthmus is listening .*$/m);
  expect(line).toMatch(
    /^\d\d:\d\d:\d\d\.\d{3} info {2}bridge {8}Isthmus is listening xds=127\.0\.0\.1:\d+ admin=\S+ sources=""$/,
  );
  await cli.says('stderr', /^ +→ set --state-dir$/m);
});

test('on a terminal lines are text with colours, unless NO_COLOR says no', async (context) => {
  skipWhere(!existsSync('/usr/bin/script'), 'this system has no script(1)', context);
  for (const [env, colored] of [
    ['', true],
    ['NO_COLOR=1 ', false],
  ] as const) {
    // Who ends script(1) does not end what runs in it.
    const command = `echo pid=$$.; exec env ${env}${process.execPath} ${main} serve --xds-listen 127.0.0.1:0 --admin-listen 127.0.0.1:0`;
    const child = spawn('/usr/bin/script', ['-qfc', command, '/dev/null'], {
      env: { PATH: process.env['PATH'] ?? '', TERM: 'xterm' },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let shown = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      shown += text;
    });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    const pid = await until('its process is there', () => /pid=(\d+)\./.exec(shown)?.[1]);
    onTestFinished(async () => {
      process.kill(Number(pid), 'SIGTERM');
      await ended;
    });
    await until('it listens', () => shown.includes('Isthmus is listening'));
    expect(shown).not.toContain('"msg"');
    expect(shown.includes('\u001b[32minfo')).toBe(colored);
  }
});
