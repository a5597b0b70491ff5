import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { describe, expect, test } from 'vitest';
import { Bridge, startSource } from '../../support/bridge.ts';
import { Cli, run } from '../../support/cli.ts';
import { type Entries, viewOf } from '../../support/legacy-states.ts';
import { legacyResource, workloadEntry } from '../../support/resources.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const entries = { 'shop/orders': 'orders.example', 'shop/carts': 'carts.example', 'bank/ledger': 'ledger.example' };
const changed = { 'shop/orders': 'moved.example', 'shop/mail': 'mail.example', 'bank/ledger': 'ledger.example' };

/** A bridge, and the addresses at which all that it has can be read. */
async function start(all: Entries) {
  const workload = legacyResource('shop/vm-1', 'x', workloadEntry.body);
  const { address: mcp } = await startSource(viewOf(all, [workload]));
  const bridge = await Bridge.of({ sources: [{ name: 'galley', address: mcp }] });
  await bridge.complete();
  return { xds: `xds://127.0.0.1:${bridge.ports.xds}`, http: bridge.adminUrl, mcp };
}

/** What `get` prints, in a file. */
async function saved(address: string, output: 'json' | 'yaml'): Promise<string> {
  const { stdout } = await run('get', address, '-o', output);
  const file = join(tempFolder(), `saved.${output}`);
  writeFileSync(file, stdout);
  return file;
}

type Report = {
  isEqual: boolean;
  equal: number;
  differences: { in: string; kind: string; name: string; differs: string[]; fields: object[] }[];
  a: { resources: number; unreadable: object[] };
  b: { resources: number; unreadable: object[] };
  notCompared: string[];
};

async function diff(...args: readonly string[]): Promise<Report & { code: number | null; stderr: string }> {
  const { code, stdout, stderr } = await run('diff', ...args, '-o', 'json');
  if (stdout === '') throw new Error(stderr);
  return { code, stderr, ...(JSON.parse(stdout) as Report) };
}

test('every form of one state is equal to every other: exit code 0', async () => {
  const { xds, http, mcp } = await start(entries);
  const [json, yaml] = await Promise.all([saved(xds, 'json'), saved(http, 'yaml')]);
  for (const [a, b] of [
    [xds, http],
    [mcp, xds],
    [http, json],
    [yaml, xds],
    [json, yaml],
  ] as const) {
    const { code, stdout } = await run('diff', a, b, '--direct');
    expect([a, b, code, stdout.split('\n').slice(0, 3)]).toEqual([
      a,
      b,
      0,
      [`A  ${a}: 4 resources`, `B  ${b}: 4 resources`, '4 equal'],
    ]);
  }
});

test('what istiod has, as its /debug/configz says, is a side too; what is no business of ours is left out', async () => {
  const { http } = await start(entries);
  const file = join(tempFolder(), 'istiod.json');
  // As istiod 1.16.5 and 1.24.0 write it: one line, with the version of the bridge and a time.
  const configz = Object.entries({ ...entries, 'k8s/own': 'own.example' }).map(([key, host]) => {
    const [namespace = '', name = ''] = key.split('/');
    const metadata = { name, namespace, resourceVersion: 'qZRN', creationTimestamp: '2026-11-26T10:47:16Z' };
    return { kind: 'ServiceEntry', apiVersion: 'networking.istio.io/v1', metadata, spec: { hosts: [host] } };
  });
  const route = { kind: 'HTTPRoute', apiVersion: 'gateway.networking.k8s.io/v1', metadata: { name: 'r' }, spec: {} };
  writeFileSync(file, JSON.stringify([...configz, route]));
  const { code, equal, differences, stderr } = await diff(http, file, '--type', 'ServiceEntry');
  expect([code, equal]).toEqual([1, 3]);
  expect(differences).toMatchObject([{ in: 'B', kind: 'ServiceEntry', name: 'k8s/own' }]);
  expect(stderr).toContain('HTTPRoute of gateway.networking.k8s.io/v1 is no Istio configuration; it is left out');
});

test('what differs is told by resource and by field: exit code 1', async () => {
  const [before, after] = [await start(entries), await start(changed)];
  const expected = [
    { in: 'A', kind: 'ServiceEntry', name: 'shop/carts', differs: [], fields: [] },
    { in: 'B', kind: 'ServiceEntry', name: 'shop/mail', differs: [], fields: [] },
    {
      in: 'both',
      kind: 'ServiceEntry',
      name: 'shop/orders',
      differs: ['spec'],
      fields: [{ path: 'spec.hosts[0]', a: 'orders.example', b: 'moved.example' }],
    },
  ];
  const capture = await saved(before.http, 'json');
  for (const [a, b] of [
    [before.xds, after.xds],
    [before.http, after.xds],
    [before.mcp, after.http],
    [capture, after.http],
  ] as const) {
    const { code, isEqual, equal, differences } = await diff(a, b, '--direct');
    expect([a, b, code, isEqual, equal]).toEqual([a, b, 1, false, 2]);
    expect(differences).toMatchObject(expected);
  }
  const { stdout } = await run('diff', before.xds, after.xds);
  expect(stdout.split('\n').map((line) => line.replace(/version .*/, 'version …'))).toEqual([
    '- ServiceEntry shop/carts  only in A',
    '+ ServiceEntry shop/mail  only in B',
    '~ ServiceEntry shop/orders  spec  version …',
    '    ~ spec.hosts[0]: "orders.example" → "moved.example"',
    '',
    `A  ${before.xds}: 4 resources`,
    `B  ${after.xds}: 4 resources`,
    '2 equal, 1 different, 1 only in A, 1 only in B',
    '',
  ]);
  const yaml = await run('diff', before.xds, after.xds, '-o', 'yaml');
  expect([yaml.code, (parse(yaml.stdout) as Report).differences.length]).toEqual([1, 3]);
});

test('of long values that begin alike, the place where they differ is shown', async () => {
  const folder = (end: string) =>
    tempFolder({
      'a.yaml':
        'apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata:\n  name: a\n  annotations: ' +
        `{ note: ${'x'.repeat(900)}${end} }\nspec: { hosts: [a] }\n`,
    });
  const { code, stdout } = await run('diff', folder('one'), folder('two'));
  expect(code).toBe(1);
  expect(stdout).toContain('xone" (905 characters) → …');
  expect(stdout).toContain('xtwo" (905 characters)\n');
});

test('two that have nothing of what was asked for are told from two that are equal', async () => {
  const { xds, http } = await start(entries);
  const { code, stdout } = await run('diff', xds, http, '--name', 'shop/order-service');
  expect([code, stdout]).toEqual([0, expect.stringContaining('0 equal: neither has anything of what was asked for\n')]);
});

test('--type and --name leave out the rest', async () => {
  const [before, after] = [await start(entries), await start(changed)];
  const workloads = await diff(before.xds, after.xds, '--type', 'workloadentry');
  expect([workloads.code, workloads.a.resources, workloads.equal]).toEqual([0, 1, 1]);
  const named = await diff(before.xds, after.xds, '--name', 'shop/mail');
  expect(named.differences.map(({ name }) => name)).toEqual(['shop/mail']);
});

test('--strict compares versions, which a legacy server and the bridge make each in their own way', async () => {
  const { mcp, http, xds } = await start({ 'shop/orders': 'a' });
  expect((await diff(mcp, http, '--direct')).code).toBe(0);
  expect((await diff(xds, http, '--strict')).code).toBe(0);
  const { code, differences } = await diff(mcp, http, '--direct', '--strict', '--type', 'ServiceEntry');
  expect([code, differences.map(({ differs }) => differs)]).toEqual([1, [['version']]]);
});

test('bare names of a legacy server get the namespace that the bridge gives them', async () => {
  const { mcp, http } = await start({ orders: 'a' });
  expect((await diff(mcp, http, '--direct')).code).toBe(0);
  const { differences } = await diff(mcp, http, '--direct', '--default-namespace', 'shop', '--type', 'ServiceEntry');
  expect(differences.map(({ in: side, name }) => `${side} ${name}`)).toEqual(['B default/orders', 'A shop/orders']);
});

test('what can’t be compared is neither equal nor missing', async () => {
  const { mcp, http } = await start({ 'shop/orders': 'a', 'a/b/c': 'b' });
  const { code, isEqual, a, differences } = await diff(mcp, http, '--direct');
  expect([code, isEqual, differences]).toEqual([1, false, []]);
  expect(a.unreadable).toMatchObject([{ kind: 'ServiceEntry', why: expect.stringContaining('"a/b/c"') }]);
  const { stdout } = await run('diff', mcp, http, '--direct');
  expect(stdout).toMatch(/^! ServiceEntry .* of A can't be compared: /m);
  expect(stdout).toContain('1 not comparable');
});

describe('a folder', () => {
  const examples = join(import.meta.dirname, '../../../examples/services');

  test('is compared with what became of it', async () => {
    const folder = tempFolder();
    cpSync(examples, folder, { recursive: true });
    const server = new Cli(['legacy-server', examples, '--listen', '127.0.0.1:0']);
    const [, address = ''] = await server.says('stderr', /legacy MCP server on (\S+)\n/);
    const bridge = await Bridge.of({ sources: [{ name: 'galley', address }] });
    await bridge.complete();
    const { code, equal } = await diff(folder, bridge.adminUrl);
    expect([code, equal > 5]).toEqual([0, true]);
    const service =
      'apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: { name: new }\nspec: { hosts: [a] }\n';
    writeFileSync(join(folder, 'sub.yml'), service);
    const after = await diff(folder, bridge.adminUrl);
    expect([after.code, after.differences.map(({ in: side, name }) => `${side} ${name}`)]).toEqual([
      1,
      ['A default/new'],
    ]);
  });

  test('with any kind says which fields differ', async () => {
    const policy = (action: string) =>
      `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: { name: a }\nspec: { action: ${action} }\n`;
    const folder = (action: string) => tempFolder({ 'a.yaml': policy(action) });
    expect(await diff(folder('DENY'), folder('AUDIT'))).toMatchObject({
      code: 1,
      differences: [
        {
          kind: 'AuthorizationPolicy',
          name: 'default/a',
          in: 'both',
          fields: [{ path: 'spec.action', a: 'DENY', b: 'AUDIT' }],
        },
      ],
    });
  });

  test('with one name twice counts the first, as legacy-server does', async () => {
    const service = (host: string) =>
      `apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: { name: a }\nspec: { hosts: [${host}] }\n`;
    const folder = tempFolder({ 'a.yaml': service('a'), 'b.yaml': service('b') });
    const { stderr, a, differences } = await diff(folder, tempFolder({ 'a.yaml': service('a') }));
    expect([a.resources, differences]).toEqual([1, []]);
    expect(stderr).toContain('ServiceEntry default/a is there more than once; the first counts');
  });
});

test('text from elsewhere can’t command the terminal', async () => {
  const [before, after] = [await start({ 'shop/a': '\u009b2J\u0007' }), await start({ 'shop/a': 'b' })];
  const { stdout } = await run('diff', before.xds, after.xds);
  expect(stdout).toContain('spec.hosts[0]');
  expect(stdout.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
});

test('20,000 resources are compared without asking for each', async () => {
  const many = (moved: boolean) =>
    Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`shop/s-${i}`, moved && i % 1000 === 0 ? 'b' : 'a']));
  const [before, after] = [await start(many(false)), await start(many(true))];
  const { code, equal, differences } = await diff(before.http, after.xds, '--timeout', '60');
  expect([code, equal, differences.length]).toEqual([1, 19_981, 20]);
});
