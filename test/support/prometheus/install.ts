import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cached, cacheFolder } from '../../peers/support/build-peers.ts';
import { mustRun, run } from '../../peers/support/run.ts';

/** Where the two programs are. */
export type Prometheus = { readonly prometheus: string; readonly promtool: string };

/**
 * Prometheus and promtool: those on the PATH, else Debian's, which is unpacked into the cache of the peers and not
 * installed. `absent` says why there is none.
 * @throws where there is none although CI=true.
 */
export async function findPrometheus(): Promise<Prometheus | { readonly absent: string }> {
  const found = await look();
  if ('absent' in found && process.env['CI'] === 'true') {
    throw new Error(`with CI=true Prometheus has to be there: ${found.absent}`);
  }
  return found;
}

async function look(): Promise<Prometheus | { readonly absent: string }> {
  const onPath = await Promise.all(['prometheus', 'promtool'].map((program) => run(program, ['--version'])));
  if (onPath.every((one) => one?.code === 0)) return { prometheus: 'prometheus', promtool: 'promtool' };
  const policy = await run('apt-cache', ['policy', 'prometheus']);
  const version = /Candidate: (\S+)/.exec(policy?.stdout ?? '')?.[1];
  if (version === undefined || version === '(none)') {
    return { absent: 'neither is Prometheus on the PATH, nor does apt have it' };
  }
  const folder = join(cacheFolder(), `prometheus-${version.replaceAll(/[^\w.-]/g, '_')}`);
  try {
    await cached(`prometheus ${version}`, folder, unpack);
  } catch (error) {
    return { absent: `apt could not download Prometheus: ${(error as Error).message}` };
  }
  return { prometheus: join(folder, 'usr/bin/prometheus'), promtool: join(folder, 'usr/bin/promtool') };
}

async function unpack(temporary: string): Promise<void> {
  const download = `${temporary}.deb`;
  mkdirSync(download, { recursive: true });
  try {
    await mustRun('apt-get', ['download', 'prometheus'], { cwd: download });
    const [file = ''] = readdirSync(download);
    const unpacked = join(download, 'unpacked');
    await mustRun('dpkg', ['-x', join(download, file), unpacked]);
    renameSync(unpacked, temporary);
  } finally {
    rmSync(download, { recursive: true, force: true });
  }
}
