import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { kinds } from '../../../src/model/kinds.ts';
import type { KubernetesObject } from '../../../src/schema/object.ts';
import { readLegacyServer } from '../../peers/support/legacy-client.ts';
import { Bridge } from '../../support/bridge.ts';
import { Cli, failure, run } from '../../support/cli.ts';
import { occupyPort } from '../../support/listeners.ts';
import { sampleOf, samplesFolder } from '../../support/samples.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { until } from '../../support/until.ts';

function service(name: string, host: string): string {
  return `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${name}, namespace: shop }
spec:
  hosts: [${host}]
  ports: [{ number: 80, name: http, protocol: HTTP }]
  resolution: DNS
`;
}

async function start(folder: string): Promise<{ cli: Cli; port: number }> {
  const cli = new Cli(['legacy-server', folder, '--listen', '127.0.0.1:0']);
  const [, port] = await cli.says('stderr', /legacy MCP server on mcp:\/\/127\.0\.0\.1:(\d+)/);
  return { cli, port: Number(port) };
}

/** Nobody has set the time of these, so the bridge makes one up. */
function withoutTime({ metadata, ...rest }: KubernetesObject): object {
  return { ...rest, metadata: { ...metadata, creationTimestamp: undefined } };
}

function byName(a: KubernetesObject, b: KubernetesObject): number {
  const nameOf = ({ kind, metadata }: KubernetesObject) => `${kind} ${metadata.namespace}/${metadata.name}`;
  return nameOf(a) < nameOf(b) ? -1 : 1;
}

/** Name → whether the body names this host. */
async function served(port: number, host: string): Promise<Record<string, boolean>> {
  const bodies = await readLegacyServer(port);
  return Object.fromEntries(Array.from(bodies, ([name, body]) => [name, Buffer.from(body).includes(host)]));
}

test('a folder is served, and again when it changes', async () => {
  const folder = tempFolder({
    'a.yaml': service('orders', 'first.example'),
    'sub/b.yml': service('carts', 'b.example'),
  });
  const { cli, port } = await start(folder);
  expect(cli.stderr).toContain(`serving 2 resources of ${folder}`);
  expect(await served(port, 'first.example')).toEqual({
    'ServiceEntry/shop/orders': true,
    'ServiceEntry/shop/carts': false,
  });
  writeFileSync(join(folder, 'a.yaml'), service('orders', 'second.example'));
  writeFileSync(join(folder, 'c.json'), '{}');
  await until('the change is served', async () => (await served(port, 'second.example'))['ServiceEntry/shop/orders']);
  cli.signal('SIGTERM');
  expect(await cli.end()).toEqual({ code: 0, signal: null });
  expect(cli.stdout).toBe('');
});

test('every kind of legacy MCP goes through a bridge and comes out as it stands in the folder', async () => {
  const { cli, port } = await start(fileURLToPath(samplesFolder));
  const carried = kinds.filter(({ collection }) => collection !== undefined);
  const others = kinds.flatMap(({ kind, collection }) => (collection === undefined ? [kind] : []));
  for (const kind of others) {
    expect(cli.stderr).toMatch(new RegExp(`${kind}.yaml:1: ${kind} \\S+ is not served: legacy MCP has no collection`));
  }
  const bridge = await Bridge.of({ sources: [{ name: 'folder', address: `mcp://127.0.0.1:${port}` }] });
  await bridge.complete();
  const samples = carried.flatMap(({ kind }) => sampleOf(kind).objects).toSorted(byName);
  for (const address of [`xds://127.0.0.1:${bridge.ports.xds}`, bridge.adminUrl, `mcp://127.0.0.1:${port}`]) {
    const { code, stdout } = await run('get', address, '-o', 'yaml');
    const objects = parseAllDocuments(stdout).map((document) => document.toJS() as KubernetesObject);
    expect([code, objects.toSorted(byName).map(withoutTime)]).toEqual([0, samples]);
  }
  const { stdout } = await run('diff', fileURLToPath(samplesFolder), bridge.adminUrl, '-o', 'json');
  const { equal, differences } = JSON.parse(stdout) as { equal: number; differences: { in: string; kind: string }[] };
  expect(equal).toBe(samples.length);
  expect([...new Set(differences.map((one) => `${one.in} ${one.kind}`))]).toEqual(others.map((kind) => `A ${kind}`));
});

test('a file that is half written keeps what it last said', async () => {
  const folder = tempFolder({ 'a.yaml': service('orders', 'first.example') });
  const { cli, port } = await start(folder);
  writeFileSync(join(folder, 'a.yaml'), service('orders', 'second.example').replace('spec:', 'spec: {'));
  await cli.says('stderr', /warning: .*a\.yaml:\d+/);
  expect(await served(port, 'first.example')).toEqual({ 'ServiceEntry/shop/orders': true });
  writeFileSync(join(folder, 'a.yaml'), service('orders', 'second.example'));
  await until(
    'the whole file is served',
    async () => (await served(port, 'second.example'))['ServiceEntry/shop/orders'],
  );
  expect(cli.exit).toBeUndefined();
});

test('nobody reads its remarks any more: it serves on', async () => {
  const folder = tempFolder({ 'a.yaml': service('orders', 'first.example') });
  const { cli, port } = await start(folder);
  cli.stopReading('stderr');
  writeFileSync(join(folder, 'a.yaml'), service('orders', 'second.example'));
  await until('the change is served', async () => (await served(port, 'second.example'))['ServiceEntry/shop/orders']);
  writeFileSync(join(folder, 'a.yaml'), service('orders', 'third.example'));
  await until('the next one too', async () => (await served(port, 'third.example'))['ServiceEntry/shop/orders']);
  cli.signal('SIGINT');
  expect(await cli.end()).toEqual({ code: 0, signal: null });
});

describe('what cannot be served', () => {
  test('a folder that is not there', async () => {
    const folder = join(tempFolder(), 'none');
    const stderr = `isthmus: ${folder}: there is no such folder\n`;
    expect(await failure('legacy-server', folder)).toEqual({ code: 2, stderr });
  });

  test('a file', async () => {
    const file = join(tempFolder({ 'a.yaml': '' }), 'a.yaml');
    const stderr = `isthmus: ${file}: is a file; a folder is expected\n`;
    expect(await failure('legacy-server', file)).toEqual({ code: 2, stderr });
  });

  test('an address that is none', async () => {
    const { code, stderr } = await failure('legacy-server', tempFolder(), '--listen', '9901');
    expect([code, stderr]).toEqual([2, expect.stringMatching(/^isthmus: --listen: "9901" is no HOST:PORT\n/)]);
  });

  test('on a port in use', async () => {
    const port = await occupyPort();
    const { code, stderr } = await failure('legacy-server', tempFolder(), '--listen', `127.0.0.1:${port}`);
    expect(code).toBe(3);
    expect(stderr.split('\n').slice(1)).toEqual([
      `isthmus: 127.0.0.1:${port}: cannot listen: the port is in use`,
      '  end the other process, or choose another port with --listen',
      '',
    ]);
  });
});
