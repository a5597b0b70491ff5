import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer, request, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { bundledPages, leftOut } from '../../../src/cli/bundle-pages.ts';
import type { SourceView } from '../../../src/legacy/source.ts';
import { Bridge, startSource } from '../../support/bridge.ts';
import { issue, newAuthority } from '../../support/certificates.ts';
import { Cli, failure, run, startServeWith } from '../../support/cli.ts';
import { viewOf } from '../../support/legacy-states.ts';
import { answerWith, listen } from '../../support/listeners.ts';
import { serviceEntryResource } from '../../support/resources.ts';
import { tarFiles } from '../../support/tar-files.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { until } from '../../support/until.ts';
import { XdsPeer } from '../../support/xds-peer.ts';

const se = 'networking.istio.io/v1/ServiceEntry';
const entries = 'istio/networking/v1alpha3/serviceentries';

/** Services with secrets in their bodies, one of which breaks a rule of Istio. */
function secretServices(): SourceView {
  const ports = [{ number: 80, name: 'http', protocol: 'HTTP' }];
  const good = {
    hosts: ['orders.example'],
    ports,
    resolution: 2,
    endpoints: [{ address: 'planted-endpoint.example' }],
  };
  const resources = [
    serviceEntryResource('shop/orders', good, { annotations: { key: 'planted-annotation' } }),
    serviceEntryResource('shop/carts', { ...good, hosts: ['planted host!'] }),
  ];
  return new Map([...viewOf({}), [entries, { version: '1', resources }]]);
}

const text = async (admin: number, path: string) => (await fetch(`http://127.0.0.1:${admin}${path}`)).text();

test('no secret is in it, wherever one was', async () => {
  const folder = tempFolder();
  const pair = await issue(await newAuthority(), ['127.0.0.1']);
  const { address } = await startSource(secretServices());
  const home = join(
    tempFolder({ 'home/planted-user/tls.key': pair.key, 'home/planted-user/tls.crt': pair.cert }),
    'home',
  );
  const tls = `{ cert: ${home}/planted-user/tls.crt, key: ${home}/planted-user/tls.key }`;
  const config = (more: string) => `sources:
- { name: galley, address: "${address}" }
- { name: caller, match: { meta: { x-password: planted-meta } }, collections: [istio/networking/v1alpha3/gateways] }
sink: { listen: "127.0.0.1:0", tls: ${tls} }
${more}`;
  const file = join(folder, 'isthmus.yaml');
  writeFileSync(file, config(''));
  const env = { ISTHMUS_TOKEN: 'planted-env', DB_PASSWORD: 'planted-env' };
  const { cli, xds, admin } = await startServeWith(env, '--config', file, '--log-level', 'debug');
  await until('a resource is in quarantine', async () => (await text(admin, '/debug/quarantine')).includes('planted'));

  // A peer that quotes what it is given, and more.
  const peer = XdsPeer.connect(xds);
  peer.subscribe(se);
  const said = `mcp://root:planted-url@x:1 "planted quote" password=planted-word Bearer planted-bearer ${pair.key}`;
  peer.nack(await peer.response(se), said);
  await cli.says('stderr', /the peer refused a push/);
  writeFileSync(
    file,
    config(
      'sauces: []\nconfirmRemoval: ["mcp://admin:planted-config@galley:9901"]\nguard: { hold: "Bearer planted-hold" }\n',
    ),
  );
  cli.signal('SIGHUP');
  await cli.says('stderr', /can't be read again/);

  // They are where they were planted: what follows would mean nothing otherwise.
  const pages = await Promise.all(
    ['config', 'quarantine', 'streams', 'log'].map((one) => text(admin, `/debug/${one}`)),
  );
  const keyLine = pair.key.split('\n')[1] as string;
  for (const secret of [
    'planted-meta',
    'planted-user',
    'planted host!',
    'planted-url',
    'planted quote',
    'planted-word',
  ]) {
    expect(pages.join('')).toContain(secret);
  }
  for (const secret of ['planted-bearer', 'planted-hold', keyLine]) expect(pages.join('')).toContain(secret);

  const output = join(folder, 'b.tar.gz');
  const made = new Cli(['bundle', '--admin', `http://127.0.0.1:${admin}`, '-o', output], env);
  await made.end();
  const files = await tarFiles(output);
  for (const [name, content] of files) {
    expect(`${name}: ${/.{0,80}planted.{0,30}/.exec(content)?.[0]}`).toBe(`${name}: undefined`);
    expect(content).not.toContain(keyLine);
    expect(content).not.toContain('PRIVATE KEY');
  }
  // What is nobody's secret is there.
  expect(files.get('debug/snapshot/ServiceEntry.json')).toContain('"key": "shop/orders"');
  expect(files.get('debug/quarantine.json')).toContain('shop/carts');
  expect(files.get('log.ndjson')).toContain('the peer refused a push');
  expect(files.get('findings.txt')).toContain(`refused ${se}`);
});

describe('a bundle', () => {
  test('has every page of the bridge but those that it names, and says so', async () => {
    const bridge = await Bridge.start({ galley: viewOf({ 'shop/orders': 'a' }) }, { stateDir: tempFolder() });
    await bridge.complete();
    const { routes } = await bridge.page<{ routes: Record<string, string> }>('/debug/');
    const output = join(tempFolder(), 'b.tar.gz');
    const { code, stdout, stderr } = await run('bundle', '--admin', bridge.adminUrl, '-o', output);
    expect([code, stdout, stderr]).toEqual([0, '', expect.stringContaining('look through it before you give it away')]);
    const files = await tarFiles(output);
    for (const path of bundledPages.filter((one) => one in routes)) {
      expect(JSON.parse(files.get(`${path.slice(1)}.json`) ?? '')).toBeDefined();
    }
    expect(files.get('healthz.txt')).toBe('ok\n');
    expect(JSON.parse(files.get('syncz.json') ?? '')).toMatchObject({ complete: true });
    expect(files.get('metrics.txt')).toContain('isthmus_source_connected{source="galley"} 1');
    expect(JSON.parse(files.get('version.json') ?? '')).toMatchObject({ bridge: '1.2.3' });
    expect(files.get('status.txt')).toMatch(/^SOURCE +ADDRESS/);
    const readme = files.get('README.txt') ?? '';
    for (const path of Object.keys(leftOut)) expect(readme).toContain(path);
    // Whoever adds a page decides whether it belongs here.
    expect(readme).not.toContain('this command does not know it');
  });

  test('is for its owner alone, and is no other file’s end', async () => {
    const bridge = await Bridge.of({});
    const output = join(tempFolder({ 'b.tar.gz': 'mine' }), 'b.tar.gz');
    const refused = await failure('bundle', '--admin', bridge.adminUrl, '-o', output);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('--force')]);
    expect(readFileSync(output, 'utf8')).toBe('mine');
    await run('bundle', '--admin', bridge.adminUrl, '-o', output, '--force');
    expect((await tarFiles(output)).size).toBeGreaterThan(10);
    expect(statSync(output).mode & 0o777).toBe(0o600);
  });

  test('has all of a long list', async () => {
    const names = Array.from({ length: 5001 }, (_, i) => `shop/s-${i}`);
    const bridge = await Bridge.start({ galley: viewOf(Object.fromEntries(names.map((name) => [name, 'a']))) });
    await bridge.complete();
    const output = join(tempFolder(), 'b.tar.gz');
    await run('bundle', '--admin', bridge.adminUrl, '-o', output);
    const files = await tarFiles(output);
    const pages = ['', '.2'].map(
      (page) =>
        JSON.parse(files.get(`debug/snapshot/ServiceEntry${page}.json`) ?? '') as {
          resources: { key: string }[];
        },
    );
    expect(pages.flatMap(({ resources }) => resources.map(({ key }) => key)).toSorted()).toEqual(names.toSorted());
  });

  test('has the first pages of a list that is longer, however short they are, and says so', async () => {
    const admin = await inFrontOf(await Bridge.of({}), {
      '/debug/quarantine': (response) => response.end('{"resources":[],"next":"/debug/quarantine?after=x"}'),
    });
    const output = join(tempFolder(), 'b.tar.gz');
    const { code } = await run('bundle', '--admin', `http://127.0.0.1:${admin}`, '-o', output);
    const files = await tarFiles(output);
    expect(code).toBe(1);
    expect([...files.keys()].filter((name) => name.startsWith('debug/quarantine'))).toHaveLength(10);
    expect(files.get('README.txt')).toContain('- /debug/quarantine: only its first 10 pages are here');
  });

  test('is there where a page is not: that one is a file that says why, and the exit code is 1', async () => {
    const bridge = await Bridge.of({});
    const admin = await inFrontOf(bridge, {
      '/debug/state': (response) => response.writeHead(500).end('no'),
      '/debug/origins': (response) => response.end('<h1>'),
      '/metrics': (response) => response.destroy(),
    });
    const output = join(tempFolder(), 'b.tar.gz');
    const { code, stderr } = await run('bundle', '--admin', `http://127.0.0.1:${admin}`, '-o', output);
    expect(code).toBe(1);
    const files = await tarFiles(output);
    for (const [page, file] of [
      ['/debug/state', 'debug/state.json'],
      ['/debug/origins', 'debug/origins.json'],
      ['/metrics', 'metrics.txt'],
    ] as const) {
      expect(files.get(file)).toBeUndefined();
      expect(files.get(`${file}.failed.txt`)).toContain(page);
      expect(files.get('README.txt')).toContain(`- ${page}`);
      expect(stderr).toContain(`warning: ${page}`);
    }
    expect(files.get('debug/config.json')).toContain('"listen"');
    expect(files.has('findings.txt')).toBe(true);
  });
});

/** The pages of a bridge, but for those of which an address begins with one of `answers`. Returns the port. */
function inFrontOf(
  bridge: Bridge,
  answers: Readonly<Record<string, (response: ServerResponse) => void>>,
): Promise<number> {
  return listen(
    createServer(({ url = '' }, response) => {
      const [, answer] = Object.entries(answers).find(([path]) => url.startsWith(path)) ?? [];
      if (answer !== undefined) answer(response);
      else request(`${bridge.adminUrl}${url}`, (page) => page.pipe(response.writeHead(page.statusCode ?? 0))).end();
    }),
  );
}

describe('there is none', () => {
  test.each([
    ['nobody listens', async () => 1],
    ['something else listens', () => answerWith(200, '<h1>hello</h1>')],
    ['it is a listener for metrics', () => answerWith(404, '{}')],
  ])('where %s: exit code 3, and no file', async (_what, start) => {
    const output = join(tempFolder(), 'b.tar.gz');
    const { code, stderr } = await failure('bundle', '--admin', `http://127.0.0.1:${await start()}`, '-o', output);
    expect([code, existsSync(output)]).toEqual([3, false]);
    expect(stderr).toContain('--admin-listen');
  });

  test('where it can’t be written: exit code 3', async () => {
    const bridge = await Bridge.of({});
    const { code, stderr } = await failure('bundle', '--admin', bridge.adminUrl, '-o', join(tempFolder(), 'no/b.gz'));
    expect([code, stderr]).toEqual([3, expect.stringContaining("can't be written")]);
  });
});
