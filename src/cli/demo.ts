import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Argv } from 'yargs';
import { App } from '../app.ts';
import { configSchema } from '../config/schema.ts';
import { watchFolder } from '../legacy/folder.ts';
import { SourceServer } from '../legacy/source-server.ts';
import { kindOf } from '../model/kinds.ts';
import { parseHostPort } from '../net/address.ts';
import { packageRoot, packageVersion } from '../model/package.ts';
import { createLog } from '../observe/log.ts';
import { createMetrics } from '../observe/metrics.ts';
import { millisecondsOf } from './arguments.ts';
import { examples } from './examples.ts';
import type { Served, ServedKind } from './get-readers.ts';
import { readXds } from './get-xds.ts';
import { interrupted, print, table } from './terminal.ts';

export function builder(yargs: Argv) {
  return yargs
    .usage('$0 demo [options]\n\nRuns until Ctrl-C. Nothing outside of this host is touched.')
    .option('change-after', {
      type: 'number',
      default: 5,
      describe: 'Seconds until the demo changes a service by itself',
    })
    .option('admin-listen', {
      type: 'string',
      default: '127.0.0.1:0',
      describe: 'Address of the admin pages; port 0 = any free one',
    })
    .epilogue(examples(['isthmus demo', 'what istiod would receive, and a push']));
}

type Flags = Awaited<ReturnType<typeof builder>['argv']>;

const loopback = { host: '127.0.0.1', port: 0 };

export async function handler({ changeAfter, adminListen }: Flags): Promise<void> {
  const changeAfterMs = millisecondsOf(changeAfter, '--change-after');
  parseHostPort(adminListen, '--admin-listen');
  const signal = interrupted();
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-demo-'));
  // However the process ends: also where the reader of a pipe goes away.
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  cpSync(join(packageRoot(), 'examples', 'services'), folder, { recursive: true });
  const ends: (() => Promise<void> | void)[] = [];
  const end = async () => {
    for (const close of ends.splice(0).toReversed()) await close();
  };
  try {
    const server = new SourceServer(new Map());
    ends.push(() => server.stop(1000));
    ends.push(
      await watchFolder(folder, {
        onView: (view) => server.update(view),
        onFinding: (line) => print(`warning: ${line}`),
      }),
    );
    const sourcePort = await server.listen(loopback);
    print(`1. A legacy MCP server (what Galley was) serves the services of ${folder}: mcp://127.0.0.1:${sourcePort}`);

    const config = configSchema.parse({
      sources: [{ name: 'demo', address: `mcp://127.0.0.1:${sourcePort}` }],
      xds: { listen: '127.0.0.1:0' },
      admin: { listen: adminListen },
      log: { level: 'error' },
    });
    const version = packageVersion();
    const app = new App({
      config,
      logOf: createLog({ level: 'error', components: {} }).of,
      metrics: createMetrics(version),
      version,
    });
    const ports = await app.start();
    ends.push(() => app.stop());
    print(`2. The bridge asks it, and serves istiod on xds://127.0.0.1:${ports.xds}`);
    print('3. A client in istiod’s place asks the bridge, and receives:\n');

    let before: ServedKind | undefined;
    let timer: NodeJS.Timeout | undefined;
    let isOver = false;
    ends.push(() => {
      isOver = true;
      clearTimeout(timer);
    });
    // A change is shown only to those who have seen what was there before.
    const showFirst = async (served: ServedKind) => {
      await showAll(served, folder, ports.admin);
      if (!isOver) timer = setTimeout(() => changeOneService(folder), changeAfterMs);
    };
    const reader = readXds({ ...loopback, port: ports.xds }, shown(), {
      onKind(served) {
        if (served.kind.kind !== 'ServiceEntry') {
          if (served.resources.length > 0) print(`${served.kind.kind}: ${served.resources.map(nameOf).join(', ')}\n`);
          return;
        }
        if (before === undefined) void showFirst(served);
        else showPush(before, served);
        before = served;
      },
      onEnd: (error) => print(`the stream ended: ${error?.message}`),
    });
    ends.push(() => reader.close());

    await signal;
    print('\nstopping');
  } finally {
    await end();
  }
}

function shown() {
  return ['ServiceEntry', 'WorkloadEntry'].flatMap((name) => kindOf('networking.istio.io', name) ?? []);
}

function nameOf({ namespace, name }: Served): string {
  return `${namespace}/${name}`;
}

type Spec = { readonly hosts?: string[]; readonly endpoints?: { readonly address?: string }[] };

async function showAll({ resources }: ServedKind, folder: string, adminPort: number): Promise<void> {
  const rows = await Promise.all(
    resources.map(async (one) => {
      const { spec } = (await one.object()) as { spec?: Spec };
      const addresses = spec?.endpoints?.map(({ address }) => address ?? '-') ?? [];
      return [one.namespace, one.name, (spec?.hosts ?? []).join(', '), addresses.join(', ') || '-', one.version];
    }),
  );
  print(table(['NAMESPACE', 'SERVICEENTRY', 'HOSTS', 'ENDPOINTS', 'VERSION'], rows));
  print(`\nAdmin pages: http://127.0.0.1:${adminPort}/debug/`);
  print(`In a few seconds a service changes by itself. Edit the files in ${folder} to see more. Ctrl-C ends.\n`);
}

function showPush(before: ServedKind, after: ServedKind): void {
  const old = new Map(before.resources.map((one) => [nameOf(one), one.version]));
  const time = new Date().toTimeString().slice(0, 8);
  let same = 0;
  for (const one of after.resources) {
    const version = old.get(nameOf(one));
    old.delete(nameOf(one));
    if (version === one.version) same++;
    else
      print(
        `${time} pushed: ${nameOf(one)} ${version === undefined ? 'is new' : `changed, ${version} → ${one.version}`}`,
      );
  }
  for (const name of old.keys()) print(`${time} pushed: ${name} is gone`);
  print(`${time} the other ${same} services kept their version, so istiod skips them\n`);
}

/** Moves the first endpoint that stands in any file to another address, as a restarted instance would. */
function changeOneService(folder: string): void {
  for (const file of readdirSync(folder).sort()) {
    const path = join(folder, file);
    const text = readFileSync(path, 'utf8');
    const moved = text.replace(
      /(address: +["']?\d+\.\d+\.\d+\.)(\d+)/,
      (_, prefix: string, last: string) => prefix + String((Number(last) % 250) + 1),
    );
    if (moved === text) continue;
    print(`${new Date().toTimeString().slice(0, 8)} the demo moves an endpoint in ${file}`);
    writeFileSync(path, moved);
    return;
  }
}
