import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Cli, run } from '../../support/cli.ts';
import { fakeConfigMaps } from '../../support/fake-config-maps.ts';
import { statusBody } from '../../support/fake-kube-api.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const mesh = `# of production\r
configSources:\r
- address: registry-mcp.infra:9901   # of old\r
rootNamespace: istio-system\r
`;
const patched = mesh.replace(
  '- address: registry-mcp.infra:9901   # of old\r\n',
  '- address: xds://isthmus.mesh:15410   # of old\r\n- address: k8s://\r\n',
);

const bridge = ['--bridge', 'isthmus.mesh:15410'];

async function lab(meshes: Readonly<Record<string, string>> = { istio: mesh }, metadata: Record<string, unknown> = {}) {
  const api = await fakeConfigMaps(meshes, metadata);
  const folder = tempFolder({ kubeconfig: api.kubeconfig() });
  const backup = join(folder, 'istio.backup');
  const cluster = ['--kubeconfig', join(folder, 'kubeconfig')];
  return {
    api,
    folder,
    backup,
    patch: (...more: readonly string[]) => run('migrate', 'patch', ...bridge, ...cluster, ...more),
    apply: (...more: readonly string[]) =>
      run('migrate', 'patch', ...bridge, ...cluster, '--apply', '--backup', backup, ...more),
    rollback: (...more: readonly string[]) => run('migrate', 'rollback', '--backup', backup, ...cluster, ...more),
    meshOf: (name = 'istio') => api.stored.get(name)?.data['mesh'],
    writes: () => api.requests.filter(({ method }) => method !== 'GET'),
  };
}

describe('isthmus migrate patch of a cluster', () => {
  test('shows what would change, and writes nothing', async () => {
    const { patch, meshOf, writes, backup } = await lab();
    const { code, stdout, stderr } = await patch('--to-version', '1.24');
    expect(code).toBe(0);
    expect(stdout).toContain('--- ConfigMap istio-system/istio, data.mesh\n');
    expect(stdout).toContain('+- address: xds://isthmus.mesh:15410   # of old\r\n+- address: k8s://\r\n');
    expect(stderr).toMatch(/ConfigMap istio-system\/istio of context test \(http:\/\/127\.0\.0\.1:\d+\)/);
    expect(stderr).toContain('Nothing was written: give --apply and --backup for that.');
    expect(stderr).toMatch(
      /isthmus migrate patch --bridge isthmus\.mesh:15410 --apply --backup istio\.backup --kubeconfig \S+ --to-version 1\.24\n/,
    );
    expect(meshOf()).toBe(mesh);
    expect(writes()).toEqual([]);
    expect(existsSync(backup)).toBe(false);
  });

  test('writes data.mesh alone, with a backup for its owner’s eyes; rollback gives the bytes back', async () => {
    const { apply, rollback, meshOf, writes, backup, api } = await lab();
    const { code, stderr } = await apply();
    expect(code).toBe(0);
    expect(stderr).toContain('was written, and read again: data.mesh is what was sent, nothing else was touched.');
    expect(stderr).toContain(`isthmus migrate rollback --apply --backup ${backup} --kubeconfig `);
    expect(meshOf()).toBe(patched);
    expect(writes().map(({ body }) => JSON.parse(body) as unknown)).toEqual([
      { metadata: { uid: 'uid-istio', resourceVersion: '1' }, data: { mesh: patched } },
    ]);
    expect(statSync(backup).mode & 0o777).toBe(0o600);
    expect(readFileSync(backup, 'utf8').endsWith(`\n${mesh}`)).toBe(true);

    api.edit('istio', ({ data, metadata }) => {
      data['meshNetworks'] = 'networks: {n: {}}';
      metadata['labels'] = { changed: 'since' };
    });
    const shown = await rollback();
    expect(shown.stdout).toContain('+- address: registry-mcp.infra:9901   # of old\r\n');
    expect(shown.stderr).toContain('Nothing was written: give --apply for that.');
    expect(meshOf()).toBe(patched);

    const back = await rollback('--apply');
    expect(back.code).toBe(0);
    expect(back.stderr).toContain('data.mesh is byte for byte what it was before the patch.');
    expect(back.stderr).toContain('kubectl -n istio-system rollout restart deploy/istiod\n');
    expect(back.stderr).toContain('put that Pilot back in place of the restart.\n');
    expect(api.stored.get('istio')).toMatchObject({
      metadata: { labels: { changed: 'since' } },
      data: { mesh, meshNetworks: 'networks: {n: {}}' },
    });

    const again = await rollback('--apply');
    expect(again).toMatchObject({ code: 0, stdout: '' });
    expect(again.stderr).toContain(
      'nothing to change: data.mesh of ConfigMap istio-system/istio is what it was before the patch',
    );
  });

  test('a second patch writes nothing, and leaves the backup of the first alone', async () => {
    const { apply, writes, backup } = await lab();
    await apply();
    const first = readFileSync(backup);
    const { code, stderr } = await apply();
    expect(code).toBe(0);
    expect(stderr).toContain(
      'nothing to change: ConfigMap istio-system/istio, data.mesh has xds://isthmus.mesh:15410 already',
    );
    expect(writes()).toHaveLength(1);
    expect(readFileSync(backup).equals(first)).toBe(true);
  });

  test('of several revisions it takes the one that is named, and says that there are others', async () => {
    const { apply, rollback, meshOf } = await lab({ istio: mesh, 'istio-canary': mesh, other: mesh });
    const { code, stderr } = await apply('--name', 'istio-canary');
    expect(code).toBe(0);
    expect(stderr).toContain('there is istio too, for istiods of another revision: each has to be patched with --name');
    expect(stderr).toContain('rollout restart deploy/istiod-canary');
    expect([meshOf(), meshOf('istio-canary')]).toEqual([mesh, patched]);
    expect((await rollback('--apply')).stderr).toContain('rollout restart deploy/istiod-canary');
    expect(meshOf('istio-canary')).toBe(mesh);
  });

  test('a ConfigMap that is not there: says which are', async () => {
    const { patch } = await lab({ 'istio-canary': mesh });
    const { code, stderr } = await patch();
    expect(code).toBe(3);
    expect(stderr).toContain('configmaps istio-system/istio: there is none in namespace istio-system of context test');
    expect(stderr).toContain('there is istio-canary with a mesh config: give one with --name');
  });

  test('says who will undo it: a label, server-side apply, kubectl apply', async () => {
    const managedFields = [
      { manager: 'flux', operation: 'Apply', fieldsV1: { 'f:data': { 'f:mesh': {} } } },
      { manager: 'other', operation: 'Apply', fieldsV1: { 'f:data': { 'f:meshNetworks': {} } } },
    ];
    const helm = await lab({ istio: mesh }, { labels: { 'app.kubernetes.io/managed-by': 'Helm' }, managedFields });
    const { stderr } = await helm.patch();
    expect(stderr).toContain('warning: ConfigMap istio is written by Helm (label app.kubernetes.io/managed-by: Helm)');
    expect(stderr).toContain('then helm upgrade');
    expect(stderr).toContain('warning: flux owns data.mesh by server-side apply');
    expect(stderr).not.toContain('other owns');
    const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': '{}' };
    expect((await (await lab({ istio: mesh }, { annotations })).patch()).stderr).toContain(
      'kubectl apply wrote ConfigMap istio: its next apply of the old file takes this back',
    );
  });

  test('-o json says the same for programs', async () => {
    const { apply, backup } = await lab();
    const { code, stdout } = await apply('-o', 'json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      what: 'ConfigMap istio-system/istio, data.mesh',
      bridge: 'isthmus.mesh:15410',
      changed: true,
      refused: null,
      configSources: [{ address: 'xds://isthmus.mesh:15410' }, { address: 'k8s://' }],
      written: { applied: '2', backup },
    });
  });

  test('an empty mesh config gets the list', async () => {
    const { apply, rollback, meshOf } = await lab({ istio: '' });
    expect((await apply()).code).toBe(0);
    expect(meshOf()).toBe('configSources:\n- address: xds://isthmus.mesh:15410\n- address: k8s://\n');
    expect((await rollback('--apply')).code).toBe(0);
    expect(meshOf()).toBe('');
  });

  test('what can’t be edited safely is exit code 1, and not written', async () => {
    const { apply, writes, backup } = await lab({ istio: 'a: &x [{address: old:1}]\nconfigSources: *x\n' });
    const { code, stderr } = await apply();
    expect(code).toBe(1);
    expect(stderr).toContain('ConfigMap istio-system/istio, data.mesh:2:16: an alias (*x) is in the way');
    expect(stderr).toContain('- address: xds://isthmus.mesh:15410');
    expect(writes()).toEqual([]);
    expect(existsSync(backup)).toBe(false);
  });
});

describe('somebody else writes it meanwhile', () => {
  test('between the read and the write: nothing is overwritten, and what they did is shown', async () => {
    const { api, apply, meshOf, backup } = await lab();
    let done = false;
    api.before = ({ method }) => {
      if (method === 'PATCH' && !done) {
        done = true;
        api.edit('istio', ({ data, metadata }) => {
          data['mesh'] = `${mesh}accessLogFile: /dev/stdout\r\n`;
          metadata['labels'] = { by: 'them' };
        });
      }
      return undefined;
    };
    const { code, stderr } = await apply();
    expect(code).toBe(3);
    expect(stderr).toContain('+accessLogFile: /dev/stdout');
    expect(stderr).toContain(
      'isthmus: ConfigMap istio-system/istio: was changed by somebody else (metadata.labels, data.mesh) meanwhile; nothing was written',
    );
    expect(meshOf()).toBe(`${mesh}accessLogFile: /dev/stdout\r\n`);
    expect(existsSync(backup)).toBe(false);
    expect((await apply()).code).toBe(0);
    expect(meshOf()).toBe(`${patched}accessLogFile: /dev/stdout\r\n`);
  });

  test('deleted meanwhile', async () => {
    const { api, apply } = await lab();
    api.before = ({ method }) => {
      if (method !== 'PATCH') return undefined;
      api.stored.clear();
      return statusBody(409, 'Conflict', 'the UID in the precondition does not match');
    };
    expect((await apply()).stderr).toContain('was deleted meanwhile; nothing was written');
  });

  test('right behind the write: says that it is something else already, and keeps the backup', async () => {
    const { api, apply, backup } = await lab();
    api.after = ({ method }) => {
      if (method === 'PATCH') api.edit('istio', ({ data }) => void (data['mesh'] = 'rootNamespace: other'));
      return undefined;
    };
    const { code, stderr } = await apply();
    expect(code).toBe(3);
    expect(stderr).toContain('was written, and is something else already');
    expect(existsSync(backup)).toBe(true);
  });

  test('since the patch: rollback refuses, and shows the difference', async () => {
    const { api, apply, rollback, meshOf } = await lab();
    await apply();
    api.edit('istio', ({ data }) => void (data['mesh'] = `${patched}accessLogFile: /dev/stdout\r\n`));
    const { code, stdout, stderr } = await rollback('--apply');
    expect(code).toBe(1);
    expect(stdout).toContain('+accessLogFile: /dev/stdout');
    expect(stderr).toContain('its mesh config was changed since the patch');
    expect(meshOf()).toBe(`${patched}accessLogFile: /dev/stdout\r\n`);
  });

  test('another object under that name, as in another cluster, is not rolled back', async () => {
    const { api, apply, rollback, meshOf } = await lab();
    await apply();
    api.edit('istio', ({ metadata }) => void (metadata['uid'] = 'another'));
    const { code, stderr } = await rollback('--apply');
    expect(code).toBe(1);
    expect(stderr).toContain('is not the object that was patched: that had another uid');
    expect(meshOf()).toBe(patched);
    expect((await apply()).code).toBe(0);
  });
});

describe('an API server that fails', () => {
  test('before it has done anything: exit code 3, and no backup is left', async () => {
    const { api, apply, backup, meshOf } = await lab();
    api.before = ({ method }) =>
      method === 'PATCH'
        ? statusBody(403, 'Forbidden', 'User "eve" cannot patch resource "configmaps" in the namespace "istio-system"')
        : undefined;
    const { code, stderr } = await apply();
    expect(code).toBe(3);
    expect(stderr).toContain('User "eve" cannot patch resource "configmaps"');
    expect(stderr).toContain(
      '{apiGroups: [""], resources: ["configmaps"], resourceNames: ["istio"], verbs: ["patch"]}',
    );
    expect(existsSync(backup)).toBe(false);
    expect(meshOf()).toBe(mesh);
  });

  test('after it has written: it is found out that it has', async () => {
    const { api, apply, meshOf } = await lab();
    api.after = ({ method }) => (method === 'PATCH' ? 'cut' : undefined);
    const { code, stderr } = await apply();
    expect(code).toBe(0);
    expect(stderr).toContain('was written, and read again');
    expect(meshOf()).toBe(patched);
  });

  test('without having written: it is found out that it has not', async () => {
    const { api, apply, meshOf, backup } = await lab();
    api.before = ({ method }) => (method === 'PATCH' ? 'cut' : undefined);
    const { code, stderr } = await apply();
    expect(code).toBe(3);
    expect(stderr).toContain('is as it was: ');
    expect(meshOf()).toBe(mesh);
    expect(existsSync(backup)).toBe(true);
  });

  test('for good: it is said that nobody knows, and the backup stays', async () => {
    const { api, apply, backup } = await lab();
    let dead = false;
    api.before = ({ method }) => {
      dead ||= method === 'PATCH';
      return dead ? 'cut' : undefined;
    };
    const { code, stderr } = await apply();
    expect(code).toBe(3);
    expect(stderr).toContain('it is not known whether it was written');
    expect(existsSync(backup)).toBe(true);
  });

  test('revisions that may not be listed are said to be unknown', async () => {
    const { api, patch } = await lab();
    api.before = ({ path }) =>
      path.endsWith('/configmaps') ? statusBody(403, 'Forbidden', 'no right to list') : undefined;
    const { code, stderr } = await patch();
    expect(code).toBe(0);
    expect(stderr).toContain(
      'whether there are ConfigMaps of other revisions is not known: configmaps in istio-system: no right to list',
    );
  });
});

describe('flags that do not fit together', () => {
  test.each([
    [['patch', 'cm.yaml', ...bridge, '--apply', '--backup', 'b'], '--apply: is for a cluster, and a FILE is given'],
    [['patch', 'cm.yaml', ...bridge, '--context', 'c'], '--context: is for a cluster, and a FILE is given'],
    [['patch', ...bridge, '--apply'], '--backup: is needed with --apply'],
    [['patch', ...bridge, '--backup', 'b'], '--apply: is needed with --backup'],
    [['patch', ...bridge, '--out', 'o', '--backup', 'b'], '--out: is for a FILE, and none is given'],
    [['rollback', 'cm.yaml', '--backup', 'b', '-n', 'x'], '--namespace: is for a cluster, and a FILE is given'],
    [['rollback', '--backup', 'b', '--out', 'o'], '--out: is for a FILE, and none is given'],
  ])('%j', async (args, message) => {
    const { code, stderr } = await run('migrate', ...args);
    expect(code).toBe(2);
    expect(stderr).toContain(`isthmus: ${message}`);
  });
});

test.each([
  [['patch', ...bridge], /work on files: kubectl -n istio-system get configmap istio -o yaml > cm\.yaml\n$/],
  [['verify', ...bridge], /or say where each istiod is: --istiod http:\/\/HOST:PORT\n$/],
  [['restart', '--ready-only'], /give one with --kubeconfig: it restarts a Deployment of a cluster\n$/],
])('%j without a kubeconfig says what to give', async (args, hint) => {
  const cli = new Cli(['migrate', ...args], { HOME: tempFolder() });
  expect((await cli.end()).code).toBe(2);
  expect(cli.stderr).toContain('isthmus: kubeconfig: there is none');
  expect(cli.stderr).toMatch(hint);
});

test('a backup of a file rolls the cluster back, and one of the cluster a file', async () => {
  const { folder, api, rollback, apply, meshOf, backup } = await lab();
  const cm = `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: istio\n  namespace: istio-system\ndata:\n  mesh: ${JSON.stringify(mesh)}\n`;
  const path = join(tempFolder({ 'cm.yaml': cm }), 'cm.yaml');
  const out = join(folder, 'new.yaml');
  await run('migrate', 'patch', path, ...bridge, '--out', out, '--backup', backup);
  api.edit('istio', ({ data }) => {
    // As kubectl apply -f new.yaml does.
    const [, text = ''] = /mesh: (".*")/.exec(readFileSync(out, 'utf8')) ?? [];
    data['mesh'] = JSON.parse(text) as string;
  });
  expect((await rollback('--apply')).code).toBe(0);
  expect(meshOf()).toBe(mesh);

  const live = join(folder, 'live.backup');
  expect((await apply('--backup', live)).code).not.toBe(0);
  expect(
    (await run('migrate', 'patch', ...bridge, '--kubeconfig', join(folder, 'kubeconfig'), '--apply', '--backup', live))
      .code,
  ).toBe(0);
  const file = join(folder, 'now.yaml');
  const { code } = await run('migrate', 'rollback', out, '--backup', live, '--out', file);
  expect(code).toBe(0);
  expect(readFileSync(file, 'utf8')).toBe(cm);
});

test('the plan of a cluster has the commands for it, and keeps what is done', async () => {
  const { folder, api } = await lab({ istio: mesh, 'istio-canary': mesh });
  const cluster = ['--kubeconfig', join(folder, 'kubeconfig'), '--context', 'test'];
  const plan = (...more: readonly string[]) =>
    run('migrate', 'plan', ...bridge, ...cluster, '--name', 'istio-canary', ...more);
  const { code, stdout } = await plan('-o', 'json', '--to-version', '1.24');
  expect(code).toBe(0);
  const { steps } = JSON.parse(stdout) as { steps: { id: string; commands: string[]; back: string[] }[] };
  const of = (id: string) => steps.find((step) => step.id === id);
  const flags = `--kubeconfig ${join(folder, 'kubeconfig')} --context test`;
  const patchCommand = `isthmus migrate patch --bridge isthmus.mesh:15410 --name istio-canary ${flags} --to-version 1.24`;
  expect(of('save')?.commands).toEqual([
    `kubectl ${flags} -n istio-system get configmap istio-canary -o yaml > configmap-istio-canary.yaml`,
  ]);
  expect(of('patch')?.commands).toEqual([patchCommand]);
  expect(of('apply')?.commands).toEqual([`${patchCommand} --apply --backup configmap-istio-canary.yaml.backup`]);
  expect(of('apply')?.back).toEqual([
    `isthmus migrate rollback --backup configmap-istio-canary.yaml.backup ${flags} --apply`,
  ]);
  expect(of('restart')?.commands.join('\n')).toContain(
    `kubectl ${flags} -n istio-system rollout restart deploy/istiod-canary`,
  );

  const state = ['--state', join(folder, 'plan.json')];
  expect((await plan(...state, '--done', 'save')).code).toBe(0);
  expect((await plan(...state, '--status')).stdout).toMatch(/\[x\].*save/);

  const wrong = await run('migrate', 'plan', ...bridge, ...cluster, '--name', 'istio-blue');
  expect(wrong.code).toBe(2);
  expect(wrong.stderr).toContain('--name: there is no mesh config istio-blue in it');
  expect(api.requests.every(({ method }) => method === 'GET')).toBe(true);
});
