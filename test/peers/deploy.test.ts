import { beforeAll, expect, it } from 'vitest';
import { KubeApi } from './support/kube-api.ts';
import { useLab } from './support/lab.ts';
import { describeWithPeers } from './support/peers.ts';
import { type Finished, run } from './support/run.ts';

/** Folders of deploy/, and how many objects each has. */
const folders = [
  ['deploy/base', 5],
  ['deploy/overlays/replicas', 6],
  ['deploy/overlays/sink-listen', 5],
  ['deploy/gate', 1],
] as const;

const root = new URL('../..', import.meta.url).pathname;

describeWithPeers('the API server takes deploy/ (server-side dry run)', ['etcd', 'kube-apiserver'], (binaries) => {
  const lab = useLab();
  let api: KubeApi;

  beforeAll(async () => {
    api = await KubeApi.start(lab, binaries);
    const labels = {
      'pod-security.kubernetes.io/enforce': 'restricted',
      'pod-security.kubernetes.io/warn': 'restricted',
    };
    await api.must('POST', '/api/v1/namespaces', { metadata: { name: 'istio-system', labels } });
  });

  async function kubectl(...args: readonly string[]): Promise<Finished> {
    const finished = await run('kubectl', ['--kubeconfig', api.kubeconfig('admin'), ...args], { cwd: root });
    if (finished === undefined) throw new Error('kubectl was not found');
    return finished;
  }

  it.each(folders)('%s, in a namespace where Pod Security is restricted', async (folder, count) => {
    const { code, stdout, stderr } = await kubectl('apply', '--server-side', '--dry-run=server', '-k', folder);
    // A workload whose Pods Pod Security would refuse is warned of here.
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout.match(/ serverside-applied \(server dry run\)$/gm)).toHaveLength(count);
  });

  it('a Pod with more rights is refused: the control', async () => {
    const { spec } = (await podOf('deploy/base')) as { spec: { containers: { securityContext: object }[] } };
    const [container] = spec.containers;
    const bold = { ...spec, containers: [{ ...container, securityContext: {} }] };
    const pods = '/api/v1/namespaces/istio-system/pods?dryRun=All';
    const pod = (one: object) => ({ metadata: { name: 'trial' }, spec: one });
    expect((await api.ask('POST', pods, pod(spec))).status).toBe(201);
    const refused = await api.ask('POST', pods, pod(bold));
    expect(refused.status).toBe(403);
    expect(JSON.stringify(refused.body)).toContain('violates PodSecurity');
  });

  /** The Pod that the StatefulSet of a folder would make. */
  async function podOf(folder: string): Promise<{ spec: object }> {
    const { stdout } = await kubectl('apply', '--dry-run=server', '-o', 'json', '-k', folder);
    const { items } = JSON.parse(stdout) as { items: { kind: string; spec: { template: { spec: object } } }[] };
    const found = items.find(({ kind }) => kind === 'StatefulSet');
    if (found === undefined) throw new Error('there is no StatefulSet');
    // The controller adds the volumes of its claims.
    const { volumes = [] } = found.spec.template.spec as { volumes?: object[] };
    return { spec: { ...found.spec.template.spec, volumes: [...volumes, { name: 'state', emptyDir: {} }] } };
  }

  it('the gate goes in front of an istiod as well, as an init container', async () => {
    const [container] = [{ name: 'discovery', image: 'istio/pilot:1.15.7' }];
    const labels = { app: 'istiod' };
    const template = { metadata: { labels }, spec: { containers: [container] } };
    await api.must('POST', '/apis/apps/v1/namespaces/istio-system/deployments', {
      metadata: { name: 'istiod' },
      spec: { selector: { matchLabels: labels }, template },
    });
    const patch = ['patch', 'deploy', 'istiod', '--patch-file', 'deploy/gate/istiod-init.yaml'];
    const { code, stdout, stderr } = await kubectl('-n', 'istio-system', ...patch, '--dry-run=server', '-o', 'json');
    expect([code, stderr]).toEqual([0, expect.not.stringContaining('isthmus-synced')]);
    const { spec } = JSON.parse(stdout) as {
      spec: { template: { spec: { initContainers: { name: string }[]; containers: { name: string }[] } } };
    };
    expect(spec.template.spec.initContainers.map(({ name }) => name)).toEqual(['isthmus-synced']);
    expect(spec.template.spec.containers.map(({ name }) => name)).toEqual(['discovery']);
  });
});
