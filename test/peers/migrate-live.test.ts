import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { beforeAll, beforeEach, expect, it, onTestFinished } from 'vitest';
import { stringify } from 'yaml';
import { run as cli } from '../support/cli.ts';
import { kubeconfigText } from '../support/fake-kube-api.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { KubeApi, type KubeUser } from './support/kube-api.ts';
import { useLab } from './support/lab.ts';
import { describeWithPeers } from './support/peers.ts';

const configMaps = '/api/v1/namespaces/istio-system/configmaps';
const bridge = ['--bridge', 'isthmus.istio-system:15410'];

const mesh = `# of production
configSources:
- address: consul-mcp.infra:9901   # until 1.8
  tlsSettings:
    mode: ISTIO_MUTUAL
rootNamespace: istio-system`;

const patched = `# of production
configSources:
- address: xds://isthmus.istio-system:15410   # until 1.8
- address: k8s://
rootNamespace: istio-system`;

const crlf = `${mesh}\n# end\n`.replaceAll('\n', '\r\n');

type Stored = {
  readonly metadata: {
    readonly resourceVersion: string;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly managedFields: readonly {
      readonly manager: string;
      readonly fieldsV1: Readonly<Record<string, unknown>>;
    }[];
  };
  readonly data: Readonly<Record<string, string>>;
};

const serviceEntry = {
  apiVersion: 'networking.istio.io/v1',
  kind: 'ServiceEntry',
  metadata: { name: 'both', namespace: 'default' },
  spec: { hosts: ['a.example'], resolution: 'STATIC', ports: [{ number: 80, name: 'http', protocol: 'HTTP' }] },
};

/** What the bridge serves: one that is in Kubernetes too. */
const behind = (): string[] => ['--behind', tempFolder({ 'served.yaml': stringify(serviceEntry) })];

/** Which managers hold `data.mesh`. */
function managersOfMesh({ metadata: { managedFields } }: Stored): string[] {
  return managedFields.flatMap(({ manager, fieldsV1 }) =>
    JSON.stringify(fieldsV1).includes('"f:mesh"') ? [manager] : [],
  );
}

const deployment = (name: string, container: object) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: {
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'it', ...container }] } },
  },
});

describeWithPeers('isthmus migrate on a real API server', ['etcd', 'kube-apiserver'], (binaries) => {
  const lab = useLab();
  let api: KubeApi;

  beforeAll(async () => {
    api = await KubeApi.start(lab, binaries);
    await api.must('POST', '/api/v1/namespaces', { metadata: { name: 'istio-system' } });
    await api.installIstio();
    await api.must(
      'POST',
      '/apis/apps/v1/namespaces/istio-system/deployments',
      deployment('istiod', { image: 'docker.io/istio/pilot:1.8.6', args: ['discovery'] }),
    );
    await api.must('POST', '/apis/networking.istio.io/v1/namespaces/default/serviceentries', serviceEntry);
  });

  beforeEach(async () => {
    await api.must('DELETE', configMaps);
    await put('istio', mesh);
  });

  async function put(name: string, text: string, metadata: object = {}): Promise<void> {
    await api.must('POST', `${configMaps}?fieldManager=installer`, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, ...metadata },
      data: { mesh: text, meshNetworks: 'networks: {}' },
    });
  }

  async function stored(name = 'istio'): Promise<Stored> {
    return (await api.must('GET', `${configMaps}/${name}`)) as unknown as Stored;
  }

  const edit = (patch: object, name = 'istio') =>
    api.must('PATCH', `${configMaps}/${name}?fieldManager=editor`, patch, 'application/merge-patch+json');

  /** Runs a verb of migrate as that user. */
  const migrate = (user: KubeUser, verb: string, ...flags: readonly string[]) =>
    cli('migrate', verb, '--kubeconfig', api.kubeconfig(user), ...flags);

  const backupFile = (): string => join(tempFolder(), 'istio.backup');

  it('analyze, plan, patch and rollback: the bytes are back, and nothing else was touched', async () => {
    const found = await migrate('admin', 'analyze', '-o', 'json', '--to-version', '1.24', ...behind());
    expect(found.code).toBe(1);
    const report = JSON.parse(found.stdout) as {
      fromVersion: string;
      findings: { code: string; file: string; line: number; column: number }[];
    };
    expect(report.fromVersion).toBe('1.8.6');
    // The place is that of kubectl get -o yaml.
    expect(report.findings).toContainEqual(
      expect.objectContaining({ code: 'ADDRESS_LEGACY', file: 'ConfigMap istio-system/istio', line: 6, column: 16 }),
    );
    expect(report.findings.map(({ code }) => code)).not.toContain('CLUSTER_UNREAD');
    expect(report.findings).toContainEqual(
      expect.objectContaining({ code: 'SAME_KEY', file: 'ServiceEntry default/both', line: 2, column: 7 }),
    );

    const plan = await migrate('admin', 'plan', ...bridge, '--to-version', '1.24', '-o', 'json');
    const { steps } = JSON.parse(plan.stdout) as { steps: { id: string; commands: string[] }[] };
    const [applied] = steps.find(({ id }) => id === 'apply')?.commands ?? [];
    expect(applied).toMatch(
      /^isthmus migrate patch --bridge isthmus\.istio-system:15410 --kubeconfig \S+ --to-version 1\.24 --apply --backup \S+$/,
    );

    const before = await stored();
    const backup = backupFile();
    // The plan's own command, but for where the backup goes.
    const words = (applied ?? '').split(' ').slice(1, -1);
    const patch = await cli(...words, backup);
    expect(patch.stderr).toContain('was written, and read again: data.mesh is what was sent');
    expect(patch.code).toBe(0);
    const after = await stored();
    expect(after.data).toEqual({ mesh: patched, meshNetworks: 'networks: {}' });
    expect([managersOfMesh(before), managersOfMesh(after)]).toEqual([['installer'], ['isthmus-migrate']]);

    const again = await migrate('admin', 'analyze', '-o', 'json', '--to-version', '1.24');
    expect(again.stdout).not.toContain('ADDRESS_LEGACY');
    expect(again.stdout).toContain('ALREADY_MIGRATED');

    const back = await migrate('admin', 'rollback', '--backup', backup, '--apply');
    expect(back.stderr).toContain('data.mesh is byte for byte what it was before the patch.');
    expect(back.code).toBe(0);
    expect((await stored()).data).toEqual(before.data);
  });

  it.each([
    ['CRLF and a comment behind everything', crlf],
    ['JSON', JSON.stringify({ configSources: [{ address: 'a.b:9901' }], trustDomain: 'ä "quoted" \\ ' })],
    ['tabs, spaces at line ends, a byte order mark', `\uFEFFconfigSources:\n- address: a.b:9901 \t\nx: "\\t" \t\n\n\n`],
    ['a block with lines that begin with blanks', `configSources:\n- address: a.b:9901\nnote: |2\n    far\n  near\n`],
    ['nothing', ''],
  ])('%s: only the list changes, and comes back', async (_, text) => {
    await api.must('DELETE', `${configMaps}/istio`);
    await put('istio', text);
    const backup = backupFile();
    const patch = await migrate('admin', 'patch', ...bridge, '--apply', '--backup', backup);
    expect(patch.stderr).toContain('was written, and read again');
    const now = (await stored()).data['mesh'] ?? '';
    expect(now).toContain('xds://isthmus.istio-system:15410');
    const [head = '', tail = ''] = text === crlf ? ['', ''] : text.split('a.b:9901');
    expect(now.startsWith(head)).toBe(true);
    expect(now.endsWith(tail.replace(/^[^\r\n\]]*/, ''))).toBe(true);
    if (text === crlf) expect(now).toBe(crlf.replace(mesh.replaceAll('\n', '\r\n'), patched.replaceAll('\n', '\r\n')));
    expect((await migrate('admin', 'rollback', '--backup', backup, '--apply')).code).toBe(0);
    expect((await stored()).data).toEqual({ mesh: text, meshNetworks: 'networks: {}' });
  });

  it('of several revisions, each has its own', async () => {
    await put('istio-canary', mesh);
    const backup = backupFile();
    const patch = await migrate('admin', 'patch', ...bridge, '--name', 'istio-canary', '--apply', '--backup', backup);
    expect(patch.code).toBe(0);
    expect(patch.stderr).toContain('there is istio too');
    expect((await stored('istio-canary')).data['mesh']).toBe(patched);
    expect((await stored()).data['mesh']).toBe(mesh);
    const plan = await migrate('admin', 'plan', ...bridge, '--name', 'istio');
    expect(plan.stderr).not.toContain('mesh configs');
  });

  it('an editor between the read and the write: a conflict, with what changed, and nothing is overwritten', async () => {
    let edits = 0;
    const between = await proxy(api, async (method) => {
      if (method !== 'PATCH' || edits > 0) return;
      edits++;
      await edit({
        metadata: { annotations: { by: 'editor' } },
        data: { mesh: `${mesh}\naccessLogFile: /dev/stdout` },
      });
    });
    const backup = backupFile();
    const patch = await cli('migrate', 'patch', '--kubeconfig', between, ...bridge, '--apply', '--backup', backup);
    expect(patch.code).toBe(3);
    expect(patch.stderr).toContain('+accessLogFile: /dev/stdout');
    expect(patch.stderr).toContain(
      'was changed by somebody else (metadata.annotations, data.mesh) meanwhile; nothing was written',
    );
    const now = await stored();
    expect(now.data['mesh']).toBe(`${mesh}\naccessLogFile: /dev/stdout`);
    expect(managersOfMesh(now)).toEqual(['editor']);

    const second = await cli('migrate', 'patch', '--kubeconfig', between, ...bridge, '--apply', '--backup', backup);
    expect(second.code).toBe(0);
    expect((await stored()).data['mesh']).toBe(`${patched}\naccessLogFile: /dev/stdout`);

    // And while it is rolled back.
    edits = 0;
    const rollback = await cli('migrate', 'rollback', '--kubeconfig', between, '--backup', backup, '--apply');
    expect(rollback.code).toBe(3);
    expect(rollback.stderr).toContain('meanwhile; nothing was written');
    expect((await stored()).data['mesh']).toBe(`${mesh}\naccessLogFile: /dev/stdout`);
  });

  it('an editor since the patch: rollback refuses, and shows the difference', async () => {
    const backup = backupFile();
    await migrate('admin', 'patch', ...bridge, '--apply', '--backup', backup);
    await edit({ data: { mesh: `${patched}\naccessLogFile: /dev/stdout` } });
    const rollback = await migrate('admin', 'rollback', '--backup', backup, '--apply');
    expect(rollback.code).toBe(1);
    expect(rollback.stdout).toContain('+accessLogFile: /dev/stdout');
    expect((await stored()).data['mesh']).toBe(`${patched}\naccessLogFile: /dev/stdout`);
  });

  it('a ConfigMap that was made anew is another one', async () => {
    const backup = backupFile();
    await migrate('admin', 'patch', ...bridge, '--apply', '--backup', backup);
    await api.must('DELETE', `${configMaps}/istio`);
    await put('istio', patched);
    const rollback = await migrate('admin', 'rollback', '--backup', backup, '--apply');
    expect(rollback.code).toBe(1);
    expect(rollback.stderr).toContain('that had another uid');
    // By way of a file, which has no uid to compare.
    const folder = tempFolder({ 'now.yaml': stringify(await stored()) });
    const out = join(folder, 'old.yaml');
    const file = await cli('migrate', 'rollback', join(folder, 'now.yaml'), '--backup', backup, '--out', out);
    expect(file.code).toBe(0);
    expect(readFileSync(out, 'utf8')).toContain('consul-mcp.infra:9901');
  });

  it('an immutable ConfigMap is not written, and server-side apply of another manager is warned of', async () => {
    await api.must(
      'PATCH',
      `${configMaps}/istio?fieldManager=flux&force=true`,
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'istio' }, data: { mesh } },
      'application/apply-patch+yaml',
    );
    const shown = await migrate('admin', 'patch', ...bridge);
    expect(shown.stderr).toContain('warning: flux owns data.mesh by server-side apply');
    await edit({ immutable: true });
    const patch = await migrate('admin', 'patch', ...bridge, '--apply', '--backup', backupFile());
    expect(patch.code).toBe(2);
    expect(patch.stderr).toContain('is immutable: Kubernetes lets nobody change it');
    expect((await stored()).data['mesh']).toBe(mesh);
  });

  it('a user with too few rights is told which one is missing, and with it, it works', async () => {
    const rbac = '/apis/rbac.authorization.k8s.io/v1/namespaces/istio-system';
    const none = await migrate('operator', 'patch', ...bridge);
    expect(none.code).toBe(3);
    expect(none.stderr).toContain('User "operator" cannot get resource "configmaps"');
    expect(none.stderr).toContain(rule('get', 'istio'));

    const grant = async (verbs: readonly string[], resourceNames?: readonly string[]) => {
      await api.ask('DELETE', `${rbac}/roles/isthmus-migrate`);
      await api.must('POST', `${rbac}/roles`, {
        metadata: { name: 'isthmus-migrate' },
        rules: [{ apiGroups: [''], resources: ['configmaps'], verbs, ...(resourceNames && { resourceNames }) }],
      });
    };
    await api.must('POST', `${rbac}/rolebindings`, {
      metadata: { name: 'isthmus-migrate' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'isthmus-migrate' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'operator' }],
    });
    await grant(['get'], ['istio']);
    const backup = backupFile();
    const reads = await migrate('operator', 'patch', ...bridge, '--apply', '--backup', backup);
    expect(reads.code).toBe(3);
    expect(reads.stderr).toContain('User "operator" cannot patch resource "configmaps"');
    expect(reads.stderr).toContain(rule('patch', 'istio'));
    expect((await stored()).data['mesh']).toBe(mesh);

    await grant(['get', 'patch'], ['istio']);
    const writes = await migrate('operator', 'patch', ...bridge, '--apply', '--backup', backup);
    expect(writes.stderr).toContain('whether there are ConfigMaps of other revisions is not known');
    expect(writes.code).toBe(0);
    expect((await stored()).data['mesh']).toBe(patched);
    expect((await migrate('operator', 'rollback', '--backup', backup, '--apply')).code).toBe(0);
    expect((await stored()).data['mesh']).toBe(mesh);

    // What may not be read is said, and not taken for nothing.
    const found = await migrate('operator', 'analyze', '-o', 'json');
    expect(found.code).toBe(1);
    const { findings } = JSON.parse(found.stdout) as { findings: { code: string; file: string; fix: string }[] };
    expect(findings.map(({ code }) => code)).toContain('ADDRESS_LEGACY');
    const unread = findings.filter(({ code }) => code === 'CLUSTER_UNREAD');
    expect(unread.map(({ file }) => file)).toEqual(
      expect.arrayContaining([
        'ConfigMaps of revisions',
        'deployments.apps',
        'networking.istio.io',
        'security.istio.io',
      ]),
    );
    expect(unread.find(({ file }) => file === 'networking.istio.io')?.fix).toContain('"serviceentries"');
  });

  it('the rights of docs/migrate-analyze.md are enough to read all', async () => {
    const docs = readFileSync(join(import.meta.dirname, '../../docs/migrate-analyze.md'), 'utf8');
    const [, rules = ''] = /^rules:\n((?:- .*\n)+)/m.exec(docs) ?? [];
    const parsed = rules
      .trim()
      .split('\n')
      .map((line) => {
        const list = (name: string) =>
          JSON.parse(new RegExp(`${name}: (\\[.*?\\])`).exec(line)?.[1] ?? '[]') as string[];
        return { apiGroups: list('apiGroups'), resources: list('resources'), verbs: list('verbs') };
      });
    expect(parsed.length).toBeGreaterThan(2);
    const rbac = '/apis/rbac.authorization.k8s.io/v1';
    await api.must('POST', `${rbac}/clusterroles`, { metadata: { name: 'isthmus-analyze' }, rules: parsed });
    await api.must('POST', `${rbac}/clusterrolebindings`, {
      metadata: { name: 'isthmus-analyze' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'isthmus-analyze' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'reader' }],
    });
    const found = await migrate('reader', 'analyze', '-o', 'json', ...behind());
    const codes = (JSON.parse(found.stdout) as { findings: { code: string }[] }).findings.map(({ code }) => code);
    expect(codes).toContain('SAME_KEY');
    expect(codes).not.toContain('CLUSTER_UNREAD');
  });

  it('a wrong token, a wrong context, a wrong CA, an absent ConfigMap: each is said', async () => {
    const wrongToken = await cli('migrate', 'analyze', '--kubeconfig', api.kubeconfig('admin', 'not-a-token'));
    expect(wrongToken.code).toBe(3);
    expect(wrongToken.stderr).toContain(`context test: ${api.server} does not take its credentials (401)`);
    expect(wrongToken.stderr).not.toContain('not-a-token');

    const wrongContext = await migrate('admin', 'patch', ...bridge, '--context', 'tests');
    expect(wrongContext.code).toBe(2);
    expect(wrongContext.stderr).toContain('--context: there is no context "tests"');

    const noCa = join(tempFolder({ config: kubeconfigText(api.server, { token: 'x' }) }), 'config');
    const wrongCa = await cli('migrate', 'analyze', '--kubeconfig', noCa);
    expect(wrongCa.code).toBe(3);
    expect(wrongCa.stderr).toContain('its certificate is not signed by the CA of this context');

    await put('istio-canary', mesh);
    const absent = await migrate('admin', 'patch', ...bridge, '--name', 'istio-blue');
    expect(absent.code).toBe(3);
    expect(absent.stderr).toContain(
      'there is none in namespace istio-system of context test (configmaps "istio-blue" not found)',
    );
    expect(absent.stderr).toContain('there is istio, istio-canary with a mesh config');

    const elsewhere = await migrate('admin', 'analyze', '-n', 'default');
    expect(elsewhere.code).toBe(1);
    expect(elsewhere.stdout).toContain('is not there, nor one of a revision');
  });
});

/** What a user needs who lacks one right on the ConfigMaps. */
function rule(verb: string, name: string): string {
  return `{apiGroups: [""], resources: ["configmaps"], resourceNames: ["${name}"], verbs: ["${verb}"]}`;
}

/** Stands between a client and the API server, and lets somebody else go first. @returns a kubeconfig for it. */
async function proxy(api: KubeApi, before: (method: string) => Promise<void>): Promise<string> {
  const { ca, token } = api.credentials('admin');
  const server = createServer((incoming, outgoing) => {
    const forward = async () => {
      await before(incoming.method ?? '');
      const { host: _, ...headers } = incoming.headers;
      const options = {
        method: incoming.method ?? 'GET',
        headers: { ...headers, authorization: `Bearer ${token}` },
        ca,
      };
      const call = request(`${api.server}${incoming.url ?? ''}`, options, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      });
      call.on('error', () => outgoing.destroy());
      incoming.pipe(call);
    };
    forward().catch(() => outgoing.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const path = join(tempFolder(), 'config');
  writeFileSync(path, kubeconfigText(`http://127.0.0.1:${port}`, {}, { 'insecure-skip-tls-verify': true }));
  return path;
}
