import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import type { Child } from './child.ts';
import { type Instruction, parseDockerfile, reachesBuild, type Stage } from './dockerfile.ts';
import type { Lab } from './lab.ts';
import { until } from './until.ts';

const root = join(import.meta.dirname, '../../..');

/** Of Debian's base images. */
const basePath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What of this machine's /etc stands for that of the base image: names of hosts and users, and certificates. */
const baseFiles = ['hosts', 'resolv.conf', 'nsswitch.conf', 'passwd', 'group', 'ld.so.cache', 'ssl', 'alternatives'];

/** Why an image can't be played here; undefined where it can. */
export function unplayable(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'it takes root on Linux, for namespaces';
  const tried = spawnSync('unshare', ['--mount', '--pid', '--fork', '--mount-proc', 'setpriv', '--version']);
  return tried.status === 0 ? undefined : 'this machine allows no namespaces';
}

type Folder = { readonly from: string; readonly to: string; readonly isWritable?: boolean };

export type ContainerOptions = {
  readonly name: string;
  /** In the place of CMD. @default CMD */
  readonly args?: readonly string[];
  /** In the place of ENTRYPOINT. */
  readonly command?: readonly string[];
  readonly volumes?: readonly Folder[];
  readonly user: { readonly uid: number; readonly gid: number };
  /** More than the image has. */
  readonly env?: Readonly<Record<string, string>>;
};

/**
 * The image of deploy/Dockerfile without Docker: its instructions, one by one, each stage in a folder of its own, with this
 * machine's Node and Debian for the base image. Commands run in namespaces of their own, where nothing else of this machine
 * is to be seen; containers on a read-only root, without capabilities, as the process 1.
 */
export class PlayedImage {
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  readonly user: string;
  readonly #entrypoint: readonly string[];
  readonly #cmd: readonly string[];
  readonly #workdir: string;
  readonly #lab: Lab;

  private constructor(lab: Lab, stage: BuiltStage) {
    this.#lab = lab;
    this.folder = stage.folder;
    this.env = stage.env;
    this.user = stage.user;
    this.#entrypoint = stage.entrypoint;
    this.#cmd = stage.cmd;
    this.#workdir = stage.workdir;
  }

  static build(lab: Lab): PlayedImage {
    const stages = parseDockerfile(readFileSync(join(root, 'deploy/Dockerfile'), 'utf8'));
    const built = new Map<string, BuiltStage>();
    let last: BuiltStage | undefined;
    for (const [index, stage] of stages.entries()) {
      last = buildStage(stage, built, lab.folder(`image-${index}`));
      if (stage.name !== undefined) built.set(stage.name, last);
    }
    if (last === undefined) throw new Error('the Dockerfile has no stage');
    return new PlayedImage(lab, last);
  }

  /** Starts a container; {@link processOf} is its first process. */
  start({ name, args = this.#cmd, command = this.#entrypoint, volumes = [], user, env = {} }: ContainerOptions): Child {
    const { uid, gid } = user;
    const drop = ['--clear-groups', '--bounding-set=-all', '--inh-caps=-all', '--no-new-privs'];
    return this.#lab.launch({
      name,
      command: 'unshare',
      args: inNamespaces(this.folder, [...readOnlyRoot(this.folder), ...mounts(this.folder, volumes)], {
        before: ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, ...drop],
        env: { ...this.env, ...env },
        workdir: this.#workdir,
        command: [...command, ...args],
      }),
    });
  }
}

/** The first process of a container, as this machine numbers it: what a signal for the container goes to. */
export function processOf(container: Child): Promise<number> {
  return until('the container has a process', () => {
    const children = readFileSync(`/proc/${container.pid}/task/${container.pid}/children`, 'utf8').trim();
    return children === '' ? undefined : Number(children.split(' ')[0]);
  });
}

type BuiltStage = {
  readonly folder: string;
  env: Record<string, string>;
  workdir: string;
  user: string;
  entrypoint: readonly string[];
  cmd: readonly string[];
};

function buildStage({ base, instructions }: Stage, earlier: ReadonlyMap<string, BuiltStage>, folder: string) {
  if (!/^node:\d+-[a-z]+-slim$/.test(base)) throw new Error(`no base image is known for ${base}`);
  for (const name of ['usr', 'etc', 'proc', 'dev', 'tmp', 'run', 'root']) mkdirSync(join(folder, name));
  for (const link of ['bin', 'lib', 'lib64', 'sbin'])
    cpSync(`/${link}`, join(folder, link), { verbatimSymlinks: true });
  for (const name of baseFiles.filter((one) => existsSync(`/etc/${one}`))) {
    cpSync(`/etc/${name}`, join(folder, 'etc', name), {
      recursive: true,
      dereference: name === 'resolv.conf',
      verbatimSymlinks: name !== 'resolv.conf',
    });
  }
  const stage: BuiltStage = {
    folder,
    env: { PATH: basePath },
    workdir: '/',
    user: 'root',
    entrypoint: [],
    cmd: [],
  };
  for (const instruction of instructions) play(instruction, stage, earlier);
  return stage;
}

function play({ name, text }: Instruction, stage: BuiltStage, earlier: ReadonlyMap<string, BuiltStage>): void {
  switch (name) {
    case 'WORKDIR':
      stage.workdir = resolve(stage.workdir, text);
      mkdirSync(join(stage.folder, stage.workdir), { recursive: true });
      return;
    case 'ENV':
      for (const [, key = '', value = ''] of text.matchAll(/(\w+)=(\S+)/g)) {
        stage.env[key] = value.replaceAll(/\$(\w+)/g, (_, other: string) => stage.env[other] ?? '');
      }
      return;
    case 'COPY':
      copy(text, stage, earlier);
      return;
    case 'RUN':
      runInStage(text, stage);
      return;
    case 'USER':
      stage.user = text;
      return;
    case 'ENTRYPOINT':
      stage.entrypoint = JSON.parse(text) as string[];
      return;
    case 'CMD':
      stage.cmd = JSON.parse(text) as string[];
      return;
    case 'EXPOSE':
      return;
    default:
      throw new Error(`${name} is not played`);
  }
}

function copy(text: string, stage: BuiltStage, earlier: ReadonlyMap<string, BuiltStage>): void {
  const words = text.split(' ');
  const from = words[0]?.startsWith('--from=') === true ? words.shift()?.slice('--from='.length) : undefined;
  const target = words.pop() ?? '';
  const reaches = reachesBuild(readFileSync(join(root, '.dockerignore'), 'utf8'));
  for (const source of words) {
    const origin = from === undefined ? root : earlier.get(from)?.folder;
    if (origin === undefined) throw new Error(`there is no stage ${from}`);
    if (from === undefined && !reaches(source)) throw new Error(`.dockerignore keeps ${source} from the build`);
    const path = join(origin, source);
    const place = join(stage.folder, resolve(stage.workdir, target));
    const isFolder = statSync(path).isDirectory();
    cpSync(path, !isFolder && (target.endsWith('/') || words.length > 1) ? join(place, basename(source)) : place, {
      recursive: true,
      verbatimSymlinks: true,
    });
  }
}

/** npm finds its settings and its cache in the home of whoever runs this. */
function runInStage(command: string, { folder, env, workdir }: BuiltStage): void {
  const home = { from: process.env['HOME'] ?? '/root', to: '/root', isWritable: true };
  const run = { from: '/run', to: '/run' };
  const args = inNamespaces(folder, mounts(folder, [home, run]), {
    before: [],
    env: { ...env, HOME: '/root' },
    workdir,
    command: ['sh', '-c', command],
  });
  const { status, stderr, stdout } = spawnSync('unshare', args, { encoding: 'utf8', env: { PATH: basePath } });
  if (status !== 0) throw new Error(`RUN ${command} ended with ${status}:\n${stderr || stdout}`);
}

const quoted = (words: readonly string[]): string =>
  words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');

/** Everything in the folder is read-only from here on; what is mounted on it later is as it says. */
function readOnlyRoot(folder: string): string[] {
  return [quoted(['mount', '--bind', folder, folder]), quoted(['mount', '-o', 'remount,bind,ro', folder])];
}

function mounts(folder: string, volumes: readonly Folder[]): string[] {
  return [{ from: '/usr', to: '/usr' }, ...volumes].flatMap(({ from, to, isWritable = false }: Folder) => {
    const place = join(folder, to);
    // Before the root is read-only: this runs when the script is made.
    mkdirSync(place, { recursive: true });
    return [
      quoted(['mount', '--bind', from, place]),
      ...(isWritable ? [] : [quoted(['mount', '-o', 'remount,bind,ro', place])]),
    ];
  });
}

type Command = {
  /** What starts it, for example as another user. */
  readonly before: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workdir: string;
  readonly command: readonly string[];
};

/** Arguments of unshare that run a command as process 1 of namespaces of its own, with `folder` as its root. */
function inNamespaces(
  folder: string,
  prepare: readonly string[],
  { before, env, workdir, command }: Command,
): string[] {
  const pairs = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const script = [
    'set -e',
    'mount --make-rprivate /',
    ...prepare,
    quoted(['mount', '-t', 'proc', 'proc', join(folder, 'proc')]),
    quoted(['mount', '--rbind', '/dev', join(folder, 'dev')]),
    `exec chroot ${quoted([folder])} ${quoted([...before, 'env', '-i', '-C', workdir, ...pairs, ...command])}`,
  ];
  return ['--mount', '--pid', '--fork', '--kill-child=KILL', '--', 'sh', '-c', script.join('\n')];
}

/** A volume with files, as Kubernetes mounts a ConfigMap. */
export function volumeOf(lab: Lab, name: string, files: Readonly<Record<string, string>>): string {
  const folder = lab.folder(name);
  for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
  return folder;
}
