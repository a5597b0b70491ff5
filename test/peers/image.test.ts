import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import lock from '../../package-lock.json' with { type: 'json' };
import { hasKubectl, only, rendered } from '../support/kustomize.ts';
import type { Child } from './support/child.ts';
import { useLab } from './support/lab.ts';
import { PlayedImage, processOf, unplayable, volumeOf } from './support/played-image.ts';
import { freePort } from './support/ports.ts';
import { serviceEntries, ServiceSource, services } from './support/service-source.ts';
import { until } from './support/until.ts';

const user = { uid: 1000, gid: 1000 };
const why = unplayable() ?? (hasKubectl ? undefined : 'kubectl renders the manifests');
if (why !== undefined) process.stderr.write(`peers: the image is not played: ${why}\n`);

describe.skipIf(why !== undefined)(
  `the image of deploy/Dockerfile, played${why === undefined ? '' : ` (skipped: ${why})`}`,
  () => {
    const lab = useLab();
    let image: PlayedImage;

    beforeAll(() => {
      image = PlayedImage.build(lab);
    }, 1_500_000);

    const app = (path = '') => join(image.folder, 'app', path);

    it('has what the bridge needs to run, and nothing to build or to test it with', () => {
      expect(readdirSync(app()).toSorted()).toEqual(
        ['LICENSE', 'bin', 'dist', 'examples', 'node_modules', 'package.json', 'proto'].toSorted(),
      );
      expect(readdirSync(app('dist')).toSorted()).toEqual(['migrate', 'src']);
      const packages = Object.entries(lock.packages as Record<string, { readonly dev?: boolean }>).filter(
        ([path]) => path !== '',
      );
      const [wanted, others] = [true, false].map((isWanted) =>
        packages.filter(([, { dev = false }]) => dev !== isWanted).map(([path]) => path),
      );
      expect(wanted?.length).toBeGreaterThan(20);
      expect(wanted?.filter((path) => !existsSync(app(path)))).toEqual([]);
      expect(others?.filter((path) => existsSync(app(path)))).toEqual([]);
      expect(lstatSync(app('bin/isthmus')).isSymbolicLink()).toBe(true);
      expect(image.user).toBe('1000:1000');
    });

    /** A Pod of deploy/base: its command and its volumes, with addresses of this machine. */
    async function pod(sourcePort: number) {
      const objects = rendered('deploy/base');
      const [container] = only(objects, 'StatefulSet').spec.template.spec.containers;
      const [xds, admin, metrics] = [await freePort(), await freePort(), await freePort()];
      const text = only(objects, 'ConfigMap').data?.['isthmus.yaml'] ?? '';
      const config = text
        .replace('istio-galley.istio-system:9901', `127.0.0.1:${sourcePort}\n  collections: [${serviceEntries}]`)
        .replace('0.0.0.0:15410', `127.0.0.1:${xds}`)
        .replace('0.0.0.0:15490', `127.0.0.1:${metrics}`)
        .concat(`admin: { listen: "127.0.0.1:${admin}" }\n`);
      const state = lab.folder('state');
      // As fsGroup does it.
      chownSync(state, 0, user.gid);
      chmodSync(state, 0o2775);
      const volumes = [
        { from: volumeOf(lab, 'config', { 'isthmus.yaml': config }), to: '/etc/isthmus' },
        { from: state, to: '/var/lib/isthmus', isWritable: true },
      ];
      return { options: { args: container?.args ?? [], volumes, user }, admin, metrics, state };
    }

    const readyAt = (container: Child, port: number) =>
      until('the bridge is ready', async () => {
        if (container.exit) throw new Error(`it ended: ${JSON.stringify(container.exit)}`);
        return (await fetch(`http://127.0.0.1:${port}/readyz`)).ok;
      });

    it('runs as deploy/base says: as nobody, on a read-only root, from its config, with its state on the volume', async () => {
      const source = await ServiceSource.create(lab);
      source.change(services(3));
      const { options, admin, metrics, state } = await pod(source.port);
      const container = image.start({ name: 'bridge', ...options });
      await readyAt(container, metrics);
      const pid = await processOf(container);
      const read = (file: string) => readFileSync(`/proc/${pid}/${file}`, 'utf8');
      expect(read('status')).toMatch(/^NSpid:\t\d+\t1$/m);
      expect(read('status')).toMatch(/^Uid:\t1000\t1000\t1000\t1000$/m);
      expect(read('status')).toMatch(/^CapEff:\t0+$/m);
      expect(read('status')).toMatch(/^NoNewPrivs:\t1$/m);
      expect(read('cmdline').split('\0')[0]).toBe('node');
      expect(read('environ').split('\0')).toContain('MALLOC_MMAP_THRESHOLD_=32768');
      expect(read('mountinfo')).toMatch(/ \/ ro,/);
      await until('it is complete', async () => (await fetch(`http://127.0.0.1:${metrics}/syncz`)).ok);

      const exec = (...words: string[]) =>
        spawnSync(
          'nsenter',
          ['-t', String(pid), '-m', '-p', '-r', 'env', '-i', '-C', '/app', `PATH=${image.env['PATH']}`, ...words],
          {
            encoding: 'utf8',
          },
        );
      const status = exec('isthmus', 'status', `http://127.0.0.1:${admin}`);
      expect(status.stdout).toContain('galley');
      expect(exec('touch', '/app/x').stderr).toContain('Read-only file system');

      process.kill(pid, 'SIGTERM');
      expect(await container.exited).toEqual({ code: 0, signal: null });
      expect(
        readdirSync(state, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.state')),
      ).not.toEqual([]);

      // The next Pod has the volume, and no source.
      await source.kill();
      const next = image.start({ name: 'bridge', ...options });
      await readyAt(next, metrics);
      await until('it is complete', async () => (await fetch(`http://127.0.0.1:${metrics}/syncz`)).ok);
      const page = (await (await fetch(`http://127.0.0.1:${admin}/debug/snapshot`)).json()) as {
        readonly kind: string;
        readonly resources: number;
      }[];
      expect(page.find(({ kind }) => kind === 'ServiceEntry')?.resources).toBe(3);
      process.kill(await processOf(next), 'SIGTERM');
      expect(await next.exited).toEqual({ code: 0, signal: null });
    });

    it('ends at SIGTERM whatever runs in it, although the process 1 of a container is asked to by nobody else', async () => {
      const silent = createServer();
      const connected = new Promise((resolve) => {
        silent.on('connection', resolve);
      });
      const port = await freePort();
      silent.listen(port, '127.0.0.1');
      onTestFinished(() => void silent.close());
      const args = ['check', `xds://127.0.0.1:${port}`, '--timeout', '600'];
      const check = image.start({ name: 'check', args, user });
      await connected;
      process.kill(await processOf(check), 'SIGTERM');
      expect(await check.exited).toEqual({ code: 143, signal: null });
    });
  },
);
