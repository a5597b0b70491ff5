import { existsSync } from 'node:fs';
import { type Browser, launch } from 'puppeteer-core';
import type { Peer } from './peers.ts';
import { run } from './run.ts';

const path = '/usr/bin/chromium';

/** Debian's Chromium; where it is missing and this may be done, it is installed. */
export async function installChromium(): Promise<Peer> {
  if (existsSync(path)) return { path };
  if (process.getuid?.() !== 0)
    return { absent: 'chromium is not installed, and only root can do that (apt-get install chromium)' };
  process.stderr.write('peers: chromium: being installed\n');
  const options = { cwd: '/' };
  const install = () => run('apt-get', ['install', '--yes', '--no-install-recommends', 'chromium'], options);
  if ((await install())?.code !== 0) {
    await run('apt-get', ['update'], options);
    const again = await install();
    if (again?.code !== 0)
      return {
        absent: `chromium can't be installed: ${again?.stderr.trim().split('\n').at(-1) ?? 'there is no apt-get'}`,
      };
  }
  return { path };
}

/** A browser of its own profile that asks nobody but 127.0.0.1. */
export function launchChromium(executablePath: string): Promise<Browser> {
  return launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}
