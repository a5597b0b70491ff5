import { parseAllDocuments } from 'yaml';
import { describe, expect, test } from 'vitest';
import { Bridge, startSource } from '../../support/bridge.ts';
import { Cli, run } from '../../support/cli.ts';
import { viewOf } from '../../support/legacy-states.ts';
import { legacyResource, workloadEntry } from '../../support/resources.ts';

const entries = { 'shop/orders': 'orders.example', 'shop/carts': 'carts.example', 'bank/ledger': 'ledger.example' };

/** A bridge that serves three ServiceEntries and a WorkloadEntry; the addresses of all that can be asked. */
async function start() {
  const workload = legacyResource('shop/vm-1', 'x', workloadEntry.body);
  const { server, address: mcp } = await startSource(viewOf(entries, [workload]));
  const bridge = await Bridge.of({ sources: [{ name: 'galley', address: mcp }] });
  await bridge.complete();
  return { server, bridge, addresses: { xds: `xds://127.0.0.1:${bridge.ports.xds}`, http: bridge.adminUrl, mcp } };
}

/** Rows of a table, as the text of their first columns; sorted, without the head. */
function rows(stdout: string, columns: number): string[] {
  const [, ...lines] = stdout.trimEnd().split('\n');
  return lines.map((line) => line.split(/ {2,}/).slice(0, columns).join(' ')).toSorted();
}

describe.each(['xds', 'http', 'mcp'] as const)('%s://', (scheme) => {
  test('prints a table of all that is served', async () => {
    const { addresses } = await start();
    const { code, stdout, stderr } = await run('get', addresses[scheme]);
    expect([code, stderr.replace(/^warning: a second connection .*\n/, '')]).toEqual([0, '']);
    expect(stdout).toMatch(/^KIND +NAMESPACE +NAME +VERSION +BYTES\n/);
    expect(rows(stdout, 3)).toEqual([
      'ServiceEntry bank ledger',
      'ServiceEntry shop carts',
      'ServiceEntry shop orders',
      'WorkloadEntry shop vm-1',
    ]);
  });

  test('--type and --name leave out the rest', async () => {
    const { addresses } = await start();
    const { code, stdout } = await run('get', addresses[scheme], '--type', 'serviceentry', '--name', 'shop/');
    expect(code).toBe(0);
    expect(rows(stdout, 3)).toEqual(['ServiceEntry shop carts', 'ServiceEntry shop orders']);
  });

  test('-o json is a list of Kubernetes objects', async () => {
    const { addresses } = await start();
    const { code, stdout } = await run('get', addresses[scheme], '--name', 'ledger', '-o', 'json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual([
      {
        apiVersion: 'networking.istio.io/v1alpha3',
        kind: 'ServiceEntry',
        metadata: { namespace: 'bank', name: 'ledger', creationTimestamp: expect.any(String) },
        spec: { hosts: ['ledger.example'] },
      },
    ]);
  });

  test('-o yaml is documents that kubectl takes', async () => {
    const { addresses } = await start();
    const { code, stdout } = await run('get', addresses[scheme], '--type', 'ServiceEntry', '-o', 'yaml');
    expect(code).toBe(0);
    const documents = parseAllDocuments(stdout).map((one) => one.toJS() as { metadata: { name: string } });
    expect(documents.map(({ metadata }) => metadata.name).toSorted()).toEqual(['carts', 'ledger', 'orders']);
  });

  test('nothing that matches is no error, and an empty list', async () => {
    const { addresses } = await start();
    const table = await run('get', addresses[scheme], '--name', 'nobody');
    expect([table.code, table.stdout]).toEqual([0, '']);
    expect(table.stderr).toContain('no resources\n');
    expect(JSON.parse((await run('get', addresses[scheme], '--name', 'nobody', '-o', 'json')).stdout)).toEqual([]);
  });
});

describe.each(['xds', 'mcp'] as const)('%s:// --watch', (scheme) => {
  test('goes on and prints each change, until it is interrupted', async () => {
    const { server, addresses } = await start();
    const cli = new Cli(['get', addresses[scheme], '--type', 'ServiceEntry', '--watch', '--name', 'shop/']);
    await cli.says('stdout', /orders[^]*\n$/);
    server.update(
      viewOf({ 'shop/orders': 'moved.example', 'shop/mail': 'mail.example', 'bank/ledger': 'moved.example' }),
    );
    await cli.says('stdout', /removed +ServiceEntry shop\/carts .*\n/);
    const changes = cli.stdout.split('\n').filter((line) => /^\d\d:\d\d:\d\d /.test(line));
    expect(
      changes
        .map((line) =>
          line
            .replace(/^\S+ (\w+) +/, '$1 ')
            .split(' ', 3)
            .join(' '),
        )
        .toSorted(),
    ).toEqual(['added ServiceEntry shop/mail', 'changed ServiceEntry shop/orders', 'removed ServiceEntry shop/carts']);
    expect(cli.exit).toBeUndefined();
    cli.signal('SIGINT');
    expect(await cli.end()).toEqual({ code: 0, signal: null });
  });
});

test('--watch ends with 3 when the bridge does', async () => {
  const { bridge, addresses } = await start();
  const cli = new Cli(['get', addresses.xds, '--type', 'ServiceEntry', '--watch']);
  await cli.says('stdout', /orders/);
  await bridge.app.stop();
  expect(await cli.end()).toEqual({ code: 3, signal: null });
  expect(cli.stderr).toContain('isthmus: xds://127.0.0.1:');
  expect(cli.stderr).toContain('Isthmus is shutting down');
});

test('a kind that legacy MCP never had is asked of the others', async () => {
  const { addresses } = await start();
  expect(await run('get', addresses.xds, '--type', 'Telemetry')).toMatchObject({ code: 0, stderr: 'no resources\n' });
  expect(await run('get', addresses.http, '--type', 'Telemetry')).toMatchObject({ code: 0, stderr: 'no resources\n' });
  expect(await run('get', addresses.mcp, '--type', 'Telemetry')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--type: legacy MCP has no Telemetry'),
  });
});

test('a reader that has seen enough is no error', async () => {
  const many = Object.fromEntries(Array.from({ length: 12_000 }, (_, i) => [`shop/s-${i}`, 'a']));
  const bridge = await Bridge.start({ galley: viewOf(many) });
  await bridge.complete();
  const cli = new Cli(['get', bridge.adminUrl]);
  await cli.says('stdout', /KIND/);
  cli.stopReading('stdout');
  expect(await cli.end()).toEqual({ code: 0, signal: null });
  expect(cli.stderr).toBe('');
});
