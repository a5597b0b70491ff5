import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test, type TestContext } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import { packageVersion } from '../../../src/model/package.ts';
import { Cli } from '../../support/cli.ts';
import {
  type Container,
  hasKubectl,
  type KubernetesObject,
  only,
  rendered,
  type Workload,
} from '../../support/kustomize.ts';
import { ServingSource, sourceAt } from '../../support/serving-source.ts';
import { skipWhere } from '../../support/skip-where.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { until } from '../../support/until.ts';

const root = join(import.meta.dirname, '../../..');
const bridges = ['deploy/base', 'deploy/overlays/replicas', 'deploy/overlays/sink-listen'];
const needKubectl = (context: TestContext) => skipWhere(!hasKubectl, 'kubectl renders the manifests', context);

/** The file of the config in a rendered folder, as the container has it. */
function configOf(objects: readonly KubernetesObject[]): string {
  const { data = {} } = only(objects, 'ConfigMap');
  return data['isthmus.yaml'] ?? '';
}

function bridgeOf(objects: readonly KubernetesObject[]): { workload: Workload; container: Container } {
  const workload = only(objects, 'StatefulSet').spec;
  const [container, ...others] = workload.template.spec.containers;
  if (container === undefined || others.length > 0) throw new Error('it is to have one container');
  return { workload, container };
}

const metricsAt = /"metrics":"127\.0\.0\.1:(\d+)".*"msg":"Isthmus is listening"/;

const configFile = (text: string): string => join(tempFolder({ 'isthmus.yaml': text }), 'isthmus.yaml');

describe.each(bridges)('%s', (folder) => {
  test('has a config that isthmus serve takes, and the container finds it', (context) => {
    needKubectl(context);
    const objects = rendered(folder);
    const config = loadConfig(configFile(configOf(objects)));
    const { workload, container } = bridgeOf(objects);
    const { volumes = [] } = workload.template.spec;
    const mountOf = (path: string) => container.volumeMounts?.find(({ mountPath }) => mountPath === path);

    const [verb, flag, file = ''] = container.args ?? [];
    expect([verb, flag]).toEqual(['serve', '--config']);
    const mount = mountOf(dirname(file));
    expect(mount?.readOnly).toBe(true);
    const mounted = volumes.find(({ name }) => name === mount?.name)?.configMap?.name;
    expect(mounted).toBe(only(objects, 'ConfigMap').metadata.name);
    expect(config.sources).toHaveLength(1);

    const state = mountOf(config.stateDir ?? '');
    expect(state?.readOnly).toBeUndefined();
    const claimed = workload.volumeClaimTemplates?.map(({ metadata }) => metadata.name) ?? [];
    const empty = volumes.filter(({ emptyDir }) => emptyDir !== undefined).map(({ name }) => name);
    expect([...claimed, ...empty]).toEqual([state?.name]);
    expect(config.shutdownGrace / 1000).toBeLessThan(workload.template.spec.terminationGracePeriodSeconds ?? 0);
  });

  test('has a port, a way through the Service and one through the NetworkPolicy for each listener', (context) => {
    needKubectl(context);
    const objects = rendered(folder);
    const { xds, metrics, sink, admin } = loadConfig(configFile(configOf(objects)));
    const { workload, container } = bridgeOf(objects);
    const listeners = { xds: xds.listen, metrics: metrics.listen, ...(sink.listen && { sink: sink.listen }) };
    const ports = Object.fromEntries(container.ports?.map(({ name, containerPort }) => [name, containerPort]) ?? []);
    expect(ports).toEqual(Object.fromEntries(Object.entries(listeners).map(([name, at]) => [name, at?.port])));
    expect(Object.values(listeners).map((at) => at?.host)).toEqual(Object.keys(listeners).map(() => '0.0.0.0'));
    expect(admin.listen.host).toBe('127.0.0.1');

    const { labels } = workload.template.metadata;
    const service = only(objects, 'Service');
    expect(service.spec.publishNotReadyAddresses).toBe(true);
    expect(labels).toMatchObject(service.spec.selector);
    expect(service.spec.ports.map(({ targetPort, port }) => [targetPort, port])).toEqual(Object.entries(ports));
    expect(workload.serviceName).toBe(service.metadata.name);
    expect(xds.listen.port).toBe(loadConfig(undefined).xds.listen.port);

    const policy = only(objects, 'NetworkPolicy').spec;
    expect(labels).toMatchObject(policy.podSelector.matchLabels);
    expect(policy.ingress.map((rule) => rule.ports.map(({ port }) => port).join()).toSorted()).toEqual(
      Object.keys(ports).toSorted(),
    );
    // Everybody may see health and metrics, and nothing else.
    expect(policy.ingress.filter(({ from }) => from === undefined).map((rule) => rule.ports)).toEqual([
      [{ port: 'metrics' }],
    ]);
  });

  test('runs with no more rights than it needs', (context) => {
    needKubectl(context);
    const objects = rendered(folder);
    const { workload, container } = bridgeOf(objects);
    const { spec } = workload.template;
    expect(spec.automountServiceAccountToken).toBe(false);
    expect(only(objects, 'ServiceAccount')).toMatchObject({
      automountServiceAccountToken: false,
      metadata: { name: spec.serviceAccountName },
    });
    expect(objects.filter(({ apiVersion }) => apiVersion.startsWith('rbac.'))).toEqual([]);
    expect(spec.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    expect(container.resources.requests).toEqual({ cpu: expect.any(String), memory: expect.any(String) });
    expect(new Set(objects.map(({ metadata }) => metadata.namespace))).toEqual(new Set(['istio-system']));
  });

  test('asks a bridge that waits for its source what it answers: it is alive and ready, and not complete', async (context) => {
    needKubectl(context);
    const objects = rendered(folder);
    const { container } = bridgeOf(objects);
    const config = configFile(configOf(objects));
    const state = tempFolder();
    const any = '127.0.0.1:0';
    const listen = ['--xds-listen', any, '--admin-listen', any, '--metrics-listen', any, '--state-dir', state];
    const sink = folder.endsWith('sink-listen') ? ['--sink-listen', any] : [];
    const cli = new Cli(['serve', '--config', config, ...listen, ...sink]);
    const [, port] = await cli.says('stderr', metricsAt);
    const { startupProbe, livenessProbe, readinessProbe } = container;
    const answers = await Promise.all(
      [startupProbe, livenessProbe, readinessProbe].map(async (probe) => {
        expect(probe?.httpGet.port).toBe('metrics');
        return (await fetch(`http://127.0.0.1:${port}${probe?.httpGet.path}`)).status;
      }),
    );
    expect(answers).toEqual([200, 200, 200]);
    expect(readinessProbe?.httpGet.path).toBe('/readyz');
    expect((await fetch(`http://127.0.0.1:${port}/syncz`)).status).toBe(503);
    cli.signal('SIGTERM');
    expect(await cli.end()).toEqual({ code: 0, signal: null });
  });
});

describe('deploy/overlays/replicas', () => {
  test('has several Pods, nothing of a volume, and a budget for drains; the base has one, with a volume and no budget', (context) => {
    needKubectl(context);
    const [replicas, base] = ['deploy/overlays/replicas', 'deploy/base'].map((folder) => rendered(folder));
    const many = bridgeOf(replicas ?? []).workload;
    const one = bridgeOf(base ?? []).workload;
    expect(many.replicas).toBeGreaterThan(1);
    expect(many.volumeClaimTemplates ?? []).toEqual([]);
    expect(only(replicas ?? [], 'PodDisruptionBudget').spec).toMatchObject({ maxUnavailable: 1 });
    expect([one.replicas, one.volumeClaimTemplates?.length]).toEqual([1, 1]);
    expect(base?.filter(({ kind }) => kind === 'PodDisruptionBudget')).toEqual([]);
  });
});

describe('deploy/gate', () => {
  /** Runs what the Job's container runs, against a bridge on this host. */
  function gateAt(url: string): { output: () => string; exit: Promise<number | null>; child: ChildProcess } {
    const [container] = only(rendered('deploy/gate'), 'Job').spec.template.spec.containers;
    const [node, ...command] = container?.command ?? [];
    expect(node).toBe('node');
    const env = Object.fromEntries(container?.env?.map(({ name, value }) => [name, value]) ?? []);
    expect(env).toEqual({ ISTHMUS_SYNCZ: 'http://isthmus:15490/syncz' });
    const child = spawn(process.execPath, [...command, ...(container?.args ?? [])], { env: { ISTHMUS_SYNCZ: url } });
    onTestFinished(() => void child.kill('SIGKILL'));
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    return { output: () => output, exit: new Promise((resolve) => child.once('close', resolve)), child };
  }

  test('waits for a bridge that is not there, then for what is not complete, and says why; then it ends with 0', async (context) => {
    needKubectl(context);
    const source = await ServingSource.listen({ web: 'web.example.com' });
    const { port } = source;
    await source.source.kill();
    const config = configFile(JSON.stringify({ sources: [sourceAt('late', port)] }));
    const any = '127.0.0.1:0';
    const listen = ['--xds-listen', any, '--admin-listen', any, '--metrics-listen', any];
    const cli = new Cli(['serve', '--config', config, ...listen]);
    const [, metrics] = await cli.says('stderr', metricsAt);
    const nobody = gateAt(`http://127.0.0.1:${port}/syncz`);
    const gate = gateAt(`http://127.0.0.1:${metrics}/syncz`);
    await until('the gates say why they wait', () => nobody.output() !== '' && gate.output() !== '');
    expect(gate.output()).toMatch(/^503 \{"complete":false,.*"ServiceEntry","sources":\["late"\]/);
    expect(nobody.output()).toContain('ECONNREFUSED');
    expect(gate.child.exitCode).toBeNull();
    await ServingSource.listen({ web: 'web.example.com' }, port);
    expect(await gate.exit).toBe(0);
    expect(gate.output()).toContain('200 {"complete":true');
    expect(nobody.child.exitCode).toBeNull();
    nobody.child.kill('SIGTERM');
    expect(await nobody.exit).toBe(143);
  });

  test('its Job is one for the namespace of the bridge, with no more rights', (context) => {
    needKubectl(context);
    const job = only(rendered('deploy/gate'), 'Job');
    const { spec } = job.spec.template;
    const bridge = only(rendered('deploy/base'), 'Service');
    expect(job.metadata.namespace).toBe(bridge.metadata.namespace);
    expect(spec.securityContext).toMatchObject({ runAsNonRoot: true });
    expect(spec.containers[0]?.securityContext).toEqual(bridgeOf(rendered('deploy/base')).container.securityContext);
    // The Service must not take it for a bridge.
    const labels = job.spec.template.metadata.labels;
    expect(Object.entries(bridge.spec.selector).every(([name, value]) => labels[name] === value)).toBe(false);
  });
});

describe('the image', () => {
  const dockerfile = readFileSync(join(root, 'deploy/Dockerfile'), 'utf8');

  test('is the same everywhere, and of this version', (context) => {
    needKubectl(context);
    const image = `isthmus:${packageVersion()}`;
    expect(dockerfile).toContain(`-t ${image} .`);
    const images = [...bridges, 'deploy/gate'].flatMap((folder) =>
      rendered(folder)
        .filter(({ kind }) => kind === 'StatefulSet' || kind === 'Job')
        .flatMap(({ spec }) => (spec as Workload).template.spec.containers.map((container) => container.image)),
    );
    expect(images).toEqual(images.map(() => image));
    expect(images).toHaveLength(4);
  });

  test('has the settings of malloc that docs/performance.md names', () => {
    const page = readFileSync(join(root, 'docs/performance.md'), 'utf8');
    const settings = page.match(/MALLOC_\w+=\d+/g) ?? [];
    expect(settings).toHaveLength(3);
    for (const setting of settings) expect(dockerfile).toContain(setting);
  });
});
