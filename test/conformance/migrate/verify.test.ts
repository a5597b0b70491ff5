import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { ConfigInput } from '../../../src/config/schema.ts';
import { Bridge } from '../../support/bridge.ts';
import { run } from '../../support/cli.ts';
import { eventually } from '../../support/eventually.ts';
import { ChangingSource } from '../../support/istiod/changing-source.ts';
import { DebugPages } from '../../support/istiod/debug-pages.ts';
import { IstiodLab, object, versions } from '../../support/istiod/lab.ts';
import { Random } from '../../support/istiod/random.ts';
import type { SourceObject } from '../../support/istiod/source-object.ts';
import type { IstiodVersion } from '../../support/istiod/types.ts';
import { silentView } from '../../support/legacy-states.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const objects = [
  object('shop/orders', 'orders.example', { labels: { app: 'orders' }, annotations: { note: 'a "quoted" one' } }),
  object('shop/carts', 'carts.example'),
  object('bank/ledger', 'ledger.example'),
  object('shop/vm-1', '192.0.2.1', { kind: 'WorkloadEntry' }),
];

type Difference = { status: string; kind: string; name: string; why?: string; fields?: object[] };

type Report = {
  verdict: string;
  bridge: { error: object | null; resources: number; silent: string[] };
  admin: { ready: boolean; complete: boolean; sources: { name: string }[]; quarantined: object[] } | null;
  istiods: {
    url: string;
    error: { message: string; hint: string | null } | null;
    version: string | null;
    ready: boolean | null;
    compared: boolean;
    equal: number;
    elsewhere: object;
    differences: Difference[];
    passedOver: object[];
  }[];
  direct: { error: object | null; compared: boolean; equal: number; notThere: number; differences: Difference[] }[];
  problems: { code: string; severity: string; what: string; next: string }[];
};

type Verified = Report & { readonly code: number | null; readonly stderr: string };

/** Runs it; the report of a run that has none is an error. */
async function verify(...args: readonly string[]): Promise<Verified> {
  const { code, stdout, stderr } = await run('migrate', 'verify', ...args, '-o', 'json');
  if (stdout === '') throw new Error(stderr);
  return { code, stderr, ...(JSON.parse(stdout) as Report) };
}

/** A bridge, and an istiod of that version that has all of it. */
async function start(version: IstiodVersion, all: readonly SourceObject[] = objects, settings: ConfigInput = {}) {
  const lab = await IstiodLab.start(all, { settings });
  await lab.bridge.complete();
  const istiod = await lab.istiod(version);
  const pages = await DebugPages.serve(istiod, `xds://127.0.0.1:${lab.port}`);
  await eventually(() => pages.objects().length === all.length);
  const bridge = ['--bridge', `127.0.0.1:${lab.port}`];
  return { lab, istiod, pages, bridge, args: [...bridge, '--istiod', pages.url, '--admin', lab.bridge.adminUrl] };
}

const summary = ({ istiods }: Report) =>
  istiods.map(({ equal, differences }) => ({
    equal,
    differences: differences.map(({ status, kind, name }) => `${status} ${kind} ${name}`),
  }));

describe.each(versions.map((version) => ({ version })))('istiod $version', ({ version }) => {
  test('that has what the bridge serves is equal: exit code 0', async () => {
    const { args } = await start(version);
    const report = await verify(...args, '--to-version', version);
    expect([report.code, report.verdict, report.problems]).toEqual([0, 'equal', []]);
    expect(summary(report)).toEqual([{ equal: objects.length, differences: [] }]);
    expect(report.istiods[0]).toMatchObject({ version: `${version}.3`, ready: true, compared: true, elsewhere: {} });
    expect(report.admin).toMatchObject({ ready: true, complete: true, sources: [{ name: 'legacy' }] });
  });

  test('that lacks one, has another one otherwise, and kept one: each is named', async () => {
    const { args, pages } = await start(version);
    pages.options.edit = (all) => [
      config('ServiceEntry', 'bank/gone', leftoverVersion(version)),
      ...all
        .filter(({ metadata }) => metadata['name'] !== 'carts')
        .map((one) => (one.metadata['name'] === 'ledger' ? { ...one, spec: { hosts: ['moved.example'] } } : one)),
    ];
    const report = await verify(...args);
    expect([report.code, report.verdict, ...summary(report)]).toEqual([
      1,
      'different',
      {
        equal: 2,
        differences: [
          'extra ServiceEntry bank/gone',
          'changed ServiceEntry bank/ledger',
          'missing ServiceEntry shop/carts',
        ],
      },
    ]);
    const changed = report.istiods[0]?.differences.find(({ status }) => status === 'changed');
    expect(changed?.fields).toContainEqual({
      path: 'spec.hosts[0]',
      bridge: 'ledger.example',
      istiod: 'moved.example',
    });
  });
});

/** Of what came from a bridge once: istiods up to 1.11 have a time in its place. */
function leftoverVersion(version: IstiodVersion): string {
  return ['1.9', '1.11'].includes(version) ? '2026-11-23 06:46:19.159701788 +0000 UTC m=+0.1' : '9BINBhKCL8UZCYWX';
}

test('what istiod has from Kubernetes, or has made itself, is from elsewhere, and no error', async () => {
  const { args, pages } = await start('1.24');
  pages.options.configSources = ['xds://127.0.0.1:1', 'k8s://'];
  pages.options.edit = (all) => [
    ...all,
    config('ServiceEntry', 'mesh/own', '8411'),
    config('Gateway', 'mesh/a-istio-autogenerated-k8s-ingress', undefined),
    {
      kind: 'HTTPRoute',
      apiVersion: 'gateway.networking.k8s.io/v1',
      metadata: { name: 'r', namespace: 'x' },
      spec: {},
    },
  ];
  const report = await verify(...args);
  expect([report.code, report.verdict]).toEqual([0, 'equal']);
  expect(report.istiods[0]?.elsewhere).toEqual({ ServiceEntry: 1, Gateway: 1 });
});

function config(kind: string, key: string, resourceVersion: string | undefined, spec: object = {}) {
  const [namespace, name] = key.split('/');
  const version = resourceVersion === undefined ? {} : { resourceVersion };
  return { kind, apiVersion: 'networking.istio.io/v1', metadata: { name, namespace, ...version }, spec };
}

test('what is in the cluster and behind the bridge at once is told, equal or not', async () => {
  const { args, pages } = await start('1.24');
  pages.options.edit = (all) =>
    all.map((one) => {
      const metadata = { ...one.metadata, resourceVersion: '8411' };
      if (one.metadata['name'] === 'carts') return { ...one, metadata };
      return one.metadata['name'] === 'ledger' ? { ...one, metadata, spec: { hosts: ['k8s.example'] } } : one;
    });
  const report = await verify(...args);
  expect([report.code, ...summary(report)]).toEqual([
    1,
    { equal: 2, differences: ['shadowed ServiceEntry bank/ledger', 'shadowed ServiceEntry shop/carts'] },
  ]);
  const [ledger, carts] = report.istiods[0]?.differences ?? [];
  expect(ledger?.fields).toHaveLength(2);
  expect([carts?.fields, carts?.why]).toEqual([undefined, expect.stringContaining('at once')]);
});

describe('the label istio.io/rev', () => {
  const labelled = [...objects, object('shop/canary', 'canary.example', { labels: { 'istio.io/rev': 'canary' } })];
  const setUp = async (version: IstiodVersion, revision?: string) => {
    const lab = await IstiodLab.start(labelled);
    await lab.bridge.complete();
    const istiod = await lab.istiod(version, revision === undefined ? {} : { revision });
    const pages = await DebugPages.serve(istiod, `xds://127.0.0.1:${lab.port}`);
    await eventually(() => pages.objects().length >= objects.length);
    return ['--bridge', `127.0.0.1:${lab.port}`, '--istiod', pages.url];
  };

  test('of another revision: it is left out there, and that is no loss', async () => {
    const report = await verify(...(await setUp('1.24', 'stable')), '--revision', 'stable');
    expect([report.code, report.verdict, ...summary(report)]).toEqual([
      0,
      'equal',
      { equal: objects.length, differences: ['byRevision ServiceEntry shop/canary'] },
    ]);
  });

  test('where nobody says the revision it is missing, with what would tell', async () => {
    const report = await verify(...(await setUp('1.24', 'stable')));
    expect([report.code, ...summary(report)]).toEqual([
      1,
      { equal: objects.length, differences: ['missing ServiceEntry shop/canary'] },
    ]);
    expect(report.istiods[0]?.differences[0]?.why).toContain('--revision');
  });

  test('of its own revision, missing: a loss', async () => {
    const args = await setUp('1.24', 'stable');
    const report = await verify(...args, '--revision', 'canary');
    expect(summary(report)).toEqual([{ equal: objects.length, differences: ['missing ServiceEntry shop/canary'] }]);
  });

  test('1.18 without a revision leaves out all that is labelled', async () => {
    const report = await verify(...(await setUp('1.18')), '--revision', '');
    expect([report.code, ...summary(report)]).toEqual([
      0,
      { equal: objects.length, differences: ['byRevision ServiceEntry shop/canary'] },
    ]);
  });
});

test('an istiod that is not fed by the bridge lacks everything, and its mesh config says why', async () => {
  const { args, pages } = await start('1.24');
  pages.options.edit = () => [];
  pages.options.configSources = ['k8s://'];
  const report = await verify(...args);
  expect([report.code, report.verdict]).toEqual([1, 'different']);
  expect(report.istiods[0]?.differences.map(({ status }) => status)).toEqual(objects.map(() => 'missing'));
  expect(report.problems).toEqual([
    expect.objectContaining({ code: 'NOT_PATCHED', what: expect.stringContaining('k8s://') as string }),
  ]);
});

test('an istiod that is not ready is no proof, unless it need not be', async () => {
  const { args, pages } = await start('1.24');
  pages.options.ready = false;
  const report = await verify(...args);
  expect([report.code, report.problems.map(({ code }) => code)]).toEqual([1, ['NOT_READY']]);
  expect((await verify(...args, '--no-readiness')).code).toBe(0);
});

test('what a source has and nobody can send is told: not equal, although istiod has all that was sent', async () => {
  const { lab, args, pages } = await start('1.24');
  lab.source.spoil(object('shop/carts', 'carts.example'), 'no body');
  lab.source.flush();
  await eventually(
    async () => (await lab.bridge.page<{ resources: object[] }>('/debug/quarantine')).resources.length === 1,
  );
  const report = await verify(...args);
  expect([report.code, report.verdict, ...summary(report)]).toEqual([
    1,
    'different',
    { equal: pages.objects().length, differences: [] },
  ]);
  expect(report.admin?.quarantined).toEqual([
    expect.objectContaining({ source: 'legacy', kind: 'ServiceEntry', name: 'shop/carts', sent: 'last_good' }),
  ]);
  expect(report.problems.map(({ code }) => code)).toEqual(['QUARANTINED']);
});

test('removals that the guard holds are told', async () => {
  const { lab, args } = await start('1.24', objects, { guard: { minRemoved: 1 } });
  for (const name of ['shop/orders', 'shop/carts', 'bank/ledger']) lab.source.remove(object(name, ''));
  lab.source.flush();
  await eventually(async () => (await lab.bridge.page<object[]>('/debug/guard')).length === 1);
  const report = await verify(...args);
  expect([report.code, ...summary(report)]).toEqual([1, { equal: objects.length, differences: [] }]);
  expect(report.problems).toEqual([
    expect.objectContaining({ code: 'HELD', what: expect.stringContaining('3 of 3 ServiceEntry') as string }),
  ]);
});

describe('a side that can’t be asked is neither equal nor empty: exit code 3', () => {
  test('the bridge', async () => {
    const { pages } = await start('1.24');
    const port = 1;
    const report = await verify('--bridge', `127.0.0.1:${port}`, '--istiod', pages.url);
    expect([report.code, report.verdict]).toEqual([3, 'unknown']);
    expect(report.bridge.error).toMatchObject({ message: expect.stringContaining('ECONNREFUSED') as string });
    expect(report.istiods[0]).toMatchObject({ compared: false, differences: [], equal: 0 });
  });

  test('one of two istiods; the other one is compared all the same', async () => {
    const { args } = await start('1.24');
    const port = 1;
    const report = await verify(...args, '--istiod', `http://127.0.0.1:${port}`);
    expect([report.code, report.verdict]).toEqual([3, 'unknown']);
    expect(report.istiods.map(({ compared, equal }) => [compared, equal])).toEqual([
      [true, objects.length],
      [false, 0],
    ]);
    expect(report.istiods[1]?.error?.hint).toContain('port-forward');
  });

  test('an istiod whose list breaks off', async () => {
    const { args, pages } = await start('1.24');
    pages.options.breaksAfter = 300;
    const report = await verify(...args);
    expect([report.code, report.istiods[0]?.compared, report.istiods[0]?.differences]).toEqual([3, false, []]);
    expect(report.istiods[0]?.error).not.toBeNull();
  });

  test('the admin pages', async () => {
    const { bridge, pages } = await start('1.24');
    const port = 1;
    const report = await verify(...bridge, '--istiod', pages.url, '--admin', `http://127.0.0.1:${port}`);
    expect([report.code, report.verdict, report.istiods[0]?.equal]).toEqual([3, 'unknown', objects.length]);
  });

  test('something that is no istiod', async () => {
    const { bridge, lab } = await start('1.24');
    const report = await verify(...bridge, '--istiod', lab.bridge.adminUrl);
    expect([report.code, report.istiods[0]?.error?.message]).toEqual([3, expect.stringContaining('no /debug/configz')]);
  });
});

test('a bridge whose source has not spoken yet proves nothing: exit code 3, and who is waited for', async () => {
  const lab = await IstiodLab.start(objects);
  lab.source.hold();
  const bridge = await Bridge.start({ late: silentView() });
  const istiod = await lab.istiod('1.24');
  const pages = await DebugPages.serve(istiod, 'xds://bridge');
  const xds = `127.0.0.1:${bridge.ports.xds}`;
  const report = await verify('--bridge', xds, '--istiod', pages.url, '--admin', bridge.adminUrl, '--timeout', '1');
  expect([report.code, report.verdict, report.istiods[0]?.compared]).toEqual([3, 'unknown', false]);
  expect(report.bridge.silent).toContain('ServiceEntry');
  expect(report.problems).toContainEqual(
    expect.objectContaining({ code: 'INCOMPLETE', what: expect.stringContaining('late') as string }),
  );
});

describe('a token', () => {
  const file = (text: string): string => {
    const path = join(tempFolder(), 'token');
    writeFileSync(path, text);
    return path;
  };

  test('that istiod asks for is given, and shown nowhere', async () => {
    const { args, pages } = await start('1.24');
    pages.options.token = 'aaa.bbb.ccc';
    const { code, stdout, stderr } = await run('migrate', 'verify', ...args, '--istiod-token', file('aaa.bbb.ccc\n'));
    expect([code, `${stdout}${stderr}`.includes('aaa.bbb')]).toEqual([0, false]);
  });

  test('that is missing, or another one: exit code 3, and what to do', async () => {
    const { args, pages } = await start('1.24');
    pages.options.token = 'aaa.bbb.ccc';
    const without = await verify(...args);
    expect([without.code, without.istiods[0]?.error?.hint]).toEqual([3, expect.stringContaining('--istiod-token')]);
    const wrong = await verify(...args, '--istiod-token', file('ddd'));
    expect([wrong.code, wrong.istiods[0]?.error?.message]).toEqual([3, expect.stringContaining('401')]);
  });
});

test('--wait looks again until istiod has it, with progress that names no resource', async () => {
  const { args, pages } = await start('1.24');
  pages.options.edit = (all) => all.filter(({ metadata }) => metadata['name'] !== 'carts');
  const running = verify(...args, '--wait', '10m');
  await eventually(() => pages.asked.filter((path) => path === '/debug/configz').length >= 2);
  delete pages.options.edit;
  const report = await running;
  expect([report.code, report.verdict]).toEqual([0, 'equal']);
  expect(report.stderr).toMatch(/3 equal, 1 missing/);
  expect(report.stderr).not.toContain('carts');
});

test('--wait ends at once where waiting changes nothing', async () => {
  const { lab, args } = await start('1.24');
  lab.source.spoil(object('shop/carts', 'carts.example'), 'no body');
  lab.source.flush();
  await eventually(
    async () => (await lab.bridge.page<{ resources: object[] }>('/debug/quarantine')).resources.length === 1,
  );
  const report = await verify(...args, '--wait', '24h');
  expect(report.problems.map(({ code }) => code)).toEqual(['QUARANTINED']);
});

describe('for people', () => {
  test('what differs, with both values, and the verdict last', async () => {
    const { args, pages } = await start('1.24');
    pages.options.edit = (all) =>
      all
        .filter(({ metadata }) => metadata['name'] !== 'carts')
        .map((one) => (one.metadata['name'] === 'ledger' ? { ...one, spec: { hosts: ['moved.example'] } } : one));
    const { code, stdout } = await run('migrate', 'verify', ...args, '--to-version', '1.24');
    expect(code).toBe(1);
    expect(stdout).toContain('as istiod 1.24: 4 resources of 2 kinds');
    expect(stdout).toContain('2 equal, 1 changed, 1 missing');
    expect(stdout).toContain('~ spec.hosts[0]: "ledger.example" → "moved.example"');
    expect(stdout).toContain('missing ServiceEntry shop/carts');
    expect(stdout.trimEnd().split('\n').at(-1)).toBe('different: 2 differences in 1 istiod');
  });

  test('mistakes of the command line: exit code 2, and what to write', async () => {
    for (const [flags, hint] of [
      [['--bridge', 'here', '--istiod', 'http://127.0.0.1:1'], '127.0.0.1:15410'],
      [['--bridge', '127.0.0.1:1', '--istiod', '127.0.0.1:8080'], 'http://127.0.0.1:8080'],
      [['--bridge', '127.0.0.1:1', '--istiod', 'http://a', '--wait', '2'], '--wait 2m'],
      [['--bridge', '127.0.0.1:1', '--istiod', 'http://a', '--to-version', '1.8'], '1.9 or newer'],
      [['--bridge', '127.0.0.1:1', '--istiod', 'http://a', '--istiod-token', '/nowhere/at/all'], '/nowhere/at/all'],
    ] as const) {
      const { code, stdout, stderr } = await run('migrate', 'verify', ...flags);
      expect([flags, code, stdout]).toEqual([flags, 2, '']);
      expect(stderr).toContain(hint);
    }
  });
});

describe('--direct', () => {
  test('a server that has what is served is equal, and the reader is warned', async () => {
    const { lab, args } = await start('1.24');
    const own = `mcp://127.0.0.1:${lab.source.port}`;
    const { code, verdict, direct, stderr } = await verify(...args, '--direct', own);
    expect(direct).toEqual([{ address: own, error: null, compared: true, equal: 4, notThere: 0, differences: [] }]);
    expect([code, verdict]).toEqual([0, 'equal']);
    expect(stderr).toContain('warning: --direct asks legacy servers as a second reader');
  });

  test('what it has and the bridge does not serve is missing; another form is changed; what only the bridge has is counted', async () => {
    const { args } = await start('1.24');
    const other = await ChangingSource.listen(new Random(2), 0.5);
    onTestFinished(() => other.kill());
    const [orders, ...others] = objects.slice(0, 3) as [SourceObject, ...SourceObject[]];
    for (const one of [...others, { ...orders, labels: { app: 'other' } }, object('shop/new', 'new.example')])
      other.put(one);
    const { code, verdict, direct } = await verify(...args, '--direct', `mcp://127.0.0.1:${other.port}`);
    expect([code, verdict]).toEqual([1, 'different']);
    expect(direct).toMatchObject([{ error: null, compared: true, equal: 2, notThere: 1 }]);
    const [first] = direct;
    expect(first?.differences.toSorted((a, b) => (a.name < b.name ? -1 : 1))).toEqual([
      {
        status: 'missing',
        kind: 'ServiceEntry',
        name: 'shop/new',
        why: 'the server has it, and the bridge does not serve it',
      },
      {
        status: 'changed',
        kind: 'ServiceEntry',
        name: 'shop/orders',
        fields: [{ path: 'metadata.labels.app', bridge: 'orders', server: 'other' }],
      },
    ]);
  });

  test('one that does not answer proves nothing', async () => {
    const { args } = await start('1.24');
    const { code, verdict, direct } = await verify(...args, '--direct', 'mcp://127.0.0.1:1', '--timeout', '20');
    expect([code, verdict]).toEqual([3, 'unknown']);
    expect(direct).toMatchObject([
      { compared: false, differences: [], error: { message: expect.stringMatching(/\S/) } },
    ]);
  });

  test('an address of another scheme is a mistake of the command line', async () => {
    const { code, stderr } = await run('migrate', 'verify', '--bridge', '127.0.0.1:1', '--direct', '127.0.0.1:2');
    expect([code, stderr]).toEqual([2, expect.stringMatching(/"127\.0\.0\.1:2" is no mcp:\/\/ address/)]);
  });
});
