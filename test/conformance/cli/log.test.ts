import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startSource } from '../../support/bridge.ts';
import { viewOf } from '../../support/legacy-states.ts';
import { freePort } from '../../peers/support/ports.ts';
import { skipWhere } from '../../support/skip-where.ts';
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
