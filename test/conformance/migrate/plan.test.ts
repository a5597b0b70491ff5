import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, type TestContext } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import { packageVersion } from '../../../src/model/package.ts';
import { run } from '../../support/cli.ts';
import { hasKubectl, only, rendered } from '../../support/kustomize.ts';
import { skipWhere } from '../../support/skip-where.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const main = join(import.meta.dirname, '../../../dist/src/main.js');
const bridge = ['--bridge', 'isthmus.istio-system.svc:15410'];

const configMap = `apiVersion: v1
kind: ConfigMap
metadata: { name: istio, namespace: mesh, resourceVersion: "7" }
data:
  mesh: |-
    # the services of Consul
    configSources:
    - address: consul-mcp.consul:1109
    - address: 10.0.0.1:18848
      tlsSettings: { mode: SIMPLE }
    - address: k8s://
`;

type Step = {
  readonly id: string;
  readonly commands: readonly string[];
  readonly check: { readonly command?: string; readonly expect: string };
  readonly back: readonly string[];
  readonly notes: readonly string[];
  readonly progress: string;
};

async function planned(...args: readonly string[]): Promise<readonly Step[]> {
  const { code, stdout } = await run('migrate', 'plan', ...args, '-o', 'json');
  expect(code).toBe(0);
  return (JSON.parse(stdout) as { steps: readonly Step[] }).steps;
}

/** What keeps istiod waiting for a bridge in the cluster. */
const gate = [
  'kubectl -n istio-system delete job isthmus-synced --ignore-not-found',
  'kubectl apply -k isthmus/gate',
  'kubectl -n istio-system wait --for=condition=complete job/isthmus-synced --timeout=10m',
];

/** Runs a command of a plan as its reader would: by a shell, with `isthmus` on its path. */
function shell(folder: string, command: string): { status: number | null; stdout: string } {
  const bin = join(folder, 'bin');
  if (!existsSync(bin)) {
    spawnSync('mkdir', [bin]);
    writeFileSync(join(bin, 'isthmus'), `#!/bin/sh\nexec "${process.execPath}" "${main}" "$@"\n`);
    chmodSync(join(bin, 'isthmus'), 0o755);
  }
  const { PATH = '' } = process.env;
  const { status, stdout } = spawnSync('sh', ['-c', command], {
    cwd: folder,
    env: { PATH: `${bin}:${PATH}` },
    encoding: 'utf8',
  });
  return { status, stdout };
}

const stepOf = (steps: readonly Step[], id: string): Step => {
  const step = steps.find((one) => one.id === id);
  if (step === undefined) throw new Error(`no step ${id}`);
  return step;
};

describe('isthmus migrate plan', () => {
  test('has the steps in their order, with what this configuration needs', async () => {
    const folder = tempFolder({
      'istio.yaml': configMap,
      'old.yaml':
        'apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: istio-policy, namespace: mesh }\nspec: { template: { spec: { containers: [{ name: mixer, image: "istio/mixer:1.7.8", args: ["--configStoreURL=k8s://"] }] } } }\n---\napiVersion: config.istio.io/v1alpha2\nkind: rule\nmetadata: { name: r }\nspec: {}\n',
    });
    const steps = await planned(folder, ...bridge, '--from-version', '1.7.8', '--to-version', '1.24');
    const ids = ['save', 'prepare', 'sources', 'bridge', 'patch', 'apply', 'restart', 'verify', 'watch', 'clean-up'];
    expect(steps.map(({ id }) => id)).toEqual(ids);
    expect(stepOf(steps, 'prepare').notes[0]).toContain('COLLECTION_DROPPED');
    expect(stepOf(steps, 'apply').notes.join()).toContain('Pilot 1.7.8');
    expect(stepOf(steps, 'restart').commands).toEqual([
      ...gate.slice(0, 2),
      `${gate[2]} && kubectl -n mesh set image deploy/istiod discovery=docker.io/istio/pilot:1.24.0`,
      'kubectl -n mesh rollout status deploy/istiod --timeout=10m',
    ]);
    expect(stepOf(steps, 'restart').back).toContain(
      'kubectl -n mesh set image deploy/istiod discovery=docker.io/istio/pilot:1.7.8',
    );
    // That only starts the same image again.
    expect(stepOf(steps, 'restart').notes.join()).not.toContain('isthmus migrate restart');
    expect(stepOf(steps, 'clean-up').commands).toEqual(['kubectl -n mesh delete deployment istio-policy']);
  });

  test('its commands on files do what it says, and the way back is byte for byte', async () => {
    const folder = tempFolder({ "it's istio.yaml": configMap });
    const file = join(folder, "it's istio.yaml");
    const steps = await planned(file, ...bridge, '--from-version', '1.8.6', '--to-version', '1.24');
    const patch = stepOf(steps, 'patch');
    for (const command of patch.commands) expect(shell(folder, command).status).toBe(0);
    expect(readFileSync(`${file}.new`, 'utf8')).toContain('- address: xds://isthmus.istio-system.svc:15410');
    const checked = shell(folder, `${patch.check.command ?? ''} -o json`);
    const { findings } = JSON.parse(checked.stdout) as { findings: readonly { code: string; severity: string }[] };
    expect(findings.filter(({ code, severity }) => severity === 'error' && code.startsWith('ADDRESS_'))).toEqual([]);
    writeFileSync(file, '');
    for (const command of patch.back) expect(shell(folder, command).status).toBe(0);
    expect(readFileSync(file, 'utf8')).toBe(configMap);
  });

  test('istiod that reads xDS already is restarted, and not replaced', async () => {
    const folder = tempFolder({ 'istio.yaml': configMap });
    const steps = await planned(folder, ...bridge, '--from-version', '1.20.0', '--to-version', '1.24');
    expect(stepOf(steps, 'restart').commands).toEqual([
      ...gate.slice(0, 2),
      `${gate[2]} && kubectl -n mesh rollout restart deploy/istiod`,
      'kubectl -n mesh rollout status deploy/istiod --timeout=10m',
    ]);
    expect(stepOf(steps, 'apply').commands).toHaveLength(1);
  });

  test('a Pilot up to 1.4 is no Deployment istiod: one is installed beside it', async () => {
    const folder = tempFolder({ 'istio.yaml': configMap });
    const steps = await planned(folder, ...bridge, '--from-version', '1.4.10', '--to-version', '1.24');
    const { commands, notes, back } = stepOf(steps, 'restart');
    expect(commands).toEqual([
      ...gate,
      `# now install istiod 1.24, its mesh config being that of ${join(folder, 'istio.yaml')}.new`,
      'kubectl -n mesh rollout status deploy/istiod --timeout=10m',
    ]);
    expect(notes[0]).toMatch(/^Pilot 1\.4\.10 is Deployment istio-pilot/);
    expect(back).toEqual(['Uninstall istiod 1.24, then the way back of the step before. Pilot has run on.']);
  });

  test('where nobody said what runs, a legacy source makes it say that a Pilot has to be replaced', async () => {
    const migrated = configMap.replace(
      / {4}- address: consul[\s\S]* SIMPLE \}\n/,
      '    - address: xds://isthmus.istio-system.svc:15410\n',
    );
    const folder = tempFolder({ 'istio.yaml': configMap, 'migrated.yaml': migrated });
    const notes = async (file: string, ...flags: readonly string[]) =>
      stepOf(await planned(join(folder, file), ...bridge, ...flags), 'restart').notes.join('\n');
    const text = 'Where a Pilot up to 1.8 runs now, a restart is not enough: make the plan with --from-version';
    expect(await notes('istio.yaml')).toContain(text);
    expect(await notes('istio.yaml', '--from-version', '1.20')).not.toContain(text);
    expect(await notes('migrated.yaml')).not.toContain(text);
  });

  test('Galley and k8s:// are not left side by side in silence', async () => {
    const folder = tempFolder({ 'istio.yaml': configMap.replace('consul-mcp.consul:1109', 'istio-galley.mesh:9901') });
    const steps = await planned(folder, ...bridge);
    expect(stepOf(steps, 'prepare').check.expect).toContain('but for GALLEY_AND_KUBERNETES: the step patch says');
    expect(stepOf(steps, 'patch').notes.join()).toMatch(/take it out of isthmus\.yaml; or add --no-k8s/);
    const other = await planned(join(tempFolder({ 'istio.yaml': configMap }), 'istio.yaml'), ...bridge);
    expect(JSON.stringify(other)).not.toContain('Galley');
  });

  test('an IstioOperator that has the old tag is said to', async () => {
    const operator = (tag: string) =>
      `apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nmetadata: { name: all }\nspec:\n  tag: ${tag}\n` +
      '  meshConfig:\n    configSources:\n    - address: consul-mcp.consul:1109\n';
    const folder = tempFolder({ 'old.yaml': operator('1.8.6'), 'new.yaml': operator('1.24.0') });
    const notes = async (file: string) => {
      const flags = ['--from-version', '1.8.6', '--to-version', '1.24.0'];
      return stepOf(await planned(join(folder, file), ...bridge, ...flags), 'apply').notes.join('\n');
    };
    expect(await notes('old.yaml')).toContain('The new file still has the tag 1.8.6');
    expect(await notes('old.yaml')).toContain('the charts of 1.24.0, and the way back with those of 1.8.6.');
    expect(await notes('new.yaml')).not.toContain('still has the tag');
  });

  test('what installs the new istiod with the mesh config waits for the bridge too', async () => {
    const values = 'meshConfig:\n  configSources:\n  - address: consul-mcp.consul:1109\n';
    const folder = tempFolder({ 'values.yaml': values });
    const steps = await planned(
      join(folder, 'values.yaml'),
      ...bridge,
      '--from-version',
      '1.8.6',
      '--to-version',
      '1.24',
    );
    const { commands, notes } = stepOf(steps, 'apply');
    expect(commands.slice(0, 3)).toEqual(gate);
    expect(commands[3]).toMatch(/^helm upgrade istiod istio\/istiod -n istio-system -f .*values\.yaml\.new$/);
    expect(notes[0]).toContain('the charts of 1.24');
    expect(stepOf(steps, 'restart').commands.join()).toContain('rollout restart deploy/istiod');
  });

  test('a bridge on a host of its own: writes a config that it takes, and starts it there', async () => {
    const folder = tempFolder({ 'istio.yaml': configMap });
    const steps = await planned(join(folder, 'istio.yaml'), '--bridge', '192.0.2.7:15999');
    const [command = ''] = stepOf(steps, 'sources').commands;
    expect(shell(folder, command).status).toBe(0);
    const config = loadConfig(join(folder, 'isthmus.yaml'));
    expect(config.sources.map(({ name, address, tls }) => [name, address?.port, tls !== undefined])).toEqual([
      ['consul-mcp', 1109, false],
      ['legacy', 18848, true],
    ]);
    expect(config.xds.listen.port).toBe(15999);
    expect(stepOf(steps, 'bridge').commands).toEqual(['isthmus serve --config isthmus.yaml']);
    expect(stepOf(steps, 'restart').commands[0]).toMatch(/^curl -fsS http:\/\/192\.0\.2\.7:15490\/syncz && kubectl /);
    const all = JSON.stringify(steps);
    expect(all).not.toContain('statefulset/isthmus --');
    expect(all).not.toContain('kubectl apply -k');
  });

  describe('a bridge in the cluster', () => {
    /** What the commands of the step install: of the bridge, and of the gate. */
    async function installed(context: TestContext, ...args: readonly string[]) {
      skipWhere(!hasKubectl, 'kubectl renders the manifests', context);
      const folder = tempFolder({ 'istio.yaml': configMap });
      const steps = await planned(join(folder, 'istio.yaml'), ...args);
      // As from the folder of the repository.
      symlinkSync(join(import.meta.dirname, '../../../deploy'), join(folder, 'deploy'));
      for (const command of stepOf(steps, 'sources').commands) expect(shell(folder, command).status).toBe(0);
      const [objects, gateObjects] = ['isthmus', 'isthmus/gate'].map((name) => rendered(name, folder));
      return { steps, objects: objects ?? [], gateObjects: gateObjects ?? [], folder };
    }

    test('is installed by deploy/, with its sources, in its namespace', async (context) => {
      const { steps, objects, gateObjects, folder } = await installed(context, ...bridge);
      const text = only(objects, 'ConfigMap').data?.['isthmus.yaml'] ?? '';
      expect(text).toBe(readFileSync(join(folder, 'isthmus/isthmus.yaml'), 'utf8'));
      const config = loadConfig(join(folder, 'isthmus/isthmus.yaml'));
      expect(config.sources.map(({ name }) => name)).toEqual(['consul-mcp', 'legacy']);
      const namespaces = [...objects, ...gateObjects].map(({ metadata }) => metadata.namespace);
      expect(new Set(namespaces)).toEqual(new Set(['istio-system']));
      const { containers } = only(objects, 'StatefulSet').spec.template.spec;
      expect(containers[0]?.image).toBe(`isthmus:${packageVersion()}`);
      expect(stepOf(steps, 'bridge').commands).toEqual([
        `docker build -f deploy/Dockerfile -t isthmus:${packageVersion()} .`,
        'kubectl apply -k isthmus',
        'kubectl -n istio-system rollout status statefulset/isthmus --timeout=5m',
        ...gate,
      ]);
      expect(stepOf(steps, 'sources').notes.join()).toContain('Secret');
    });

    test('has the name, the port, the namespace and the image that were asked for', async (context) => {
      const image = 'registry.example.com:5000/mesh/isthmus:7';
      const other = ['--bridge', 'bridge.meshes.svc.cluster.local:15999', '--image', image];
      const { steps, objects, gateObjects } = await installed(context, ...other);
      const service = only(objects, 'Service');
      expect(service.metadata).toMatchObject({ name: 'bridge', namespace: 'meshes' });
      expect(service.spec.ports[0]).toMatchObject({ port: 15999, targetPort: 'xds' });
      const [container] = only(objects, 'StatefulSet').spec.template.spec.containers;
      expect([container?.image, container?.ports?.[0]?.containerPort]).toEqual([image, 15410]);
      const [waiting] = only(gateObjects, 'Job').spec.template.spec.containers;
      expect(waiting?.env).toEqual([{ name: 'ISTHMUS_SYNCZ', value: 'http://bridge:15490/syncz' }]);
      expect(waiting?.image).toBe(image);
      const build = `docker build -f deploy/Dockerfile -t ${image} . && docker push ${image}`;
      expect(stepOf(steps, 'bridge').commands[0]).toBe(build);
      expect(stepOf(steps, 'verify').commands[0]).toBe(
        'kubectl -n meshes port-forward statefulset/isthmus 15410 15480 &',
      );
    });
  });

  test('keeps what is done in a file; a step that says something else since has to be done again', async () => {
    const folder = tempFolder({ 'istio.yaml': configMap });
    const [file, state] = [join(folder, 'istio.yaml'), join(folder, 'plan.json')];
    const plan = (...args: readonly string[]) => run('migrate', 'plan', file, ...bridge, '--state', state, ...args);
    expect((await plan('--done', 'save', '--done', 'patch')).stdout).toContain('- [x] done (`--done save`)');
    const status = await plan('--status');
    expect(status.code).toBe(1);
    expect(status.stdout).toMatch(
      /^\[x\] save .*\n\[ \] sources .*[\s\S]*\[x\] patch [\s\S]*\n\n2 of 8 steps are done; next is sources\n$/,
    );
    const json = await plan('--status', '-o', 'json');
    const { steps } = JSON.parse(json.stdout) as { steps: readonly Step[] };
    expect([json.code, steps.map(({ progress }) => progress).slice(0, 2)]).toEqual([1, ['done', 'open']]);
    // Another version: another command of the step.
    expect((await plan('--status', '--to-version', '1.25')).stdout).toContain('[!] patch');
    expect((await plan('--undo', 'patch', '--status')).stdout).toContain('[ ] patch');
    const ids = (await planned(file, ...bridge)).map(({ id }) => id);
    const all = await plan(...ids.flatMap((id) => ['--done', id]), '--status');
    expect([all.code, all.stdout.endsWith('8 of 8 steps are done\n')]).toEqual([0, true]);
  });

  test('is a page of its own as HTML, in which nothing from elsewhere is markup', async () => {
    const folder = tempFolder({ '<b>&.yaml': configMap });
    const { stdout } = await run('migrate', 'plan', join(folder, '<b>&.yaml'), ...bridge, '-o', 'html');
    expect(stdout).toMatch(/^<!doctype html>/);
    expect(stdout).toContain('/&lt;b&gt;&amp;.yaml</code>');
    expect(stdout).not.toContain('<b>');
    expect(stdout).not.toMatch(/(src|href)=/);
    expect(stdout.match(/<input type="checkbox">/g)).toHaveLength(8);
  });

  test('mistakes are said, with what to write', async () => {
    const folder = tempFolder({ 'istio.yaml': configMap, 'service.yaml': 'kind: Service\n', 'bad.json': '{"a":1}' });
    const file = join(folder, 'istio.yaml');
    const failures = await Promise.all([
      run('migrate', 'plan', file),
      run('migrate', 'plan', join(folder, 'service.yaml'), ...bridge),
      run('migrate', 'plan', file, ...bridge, '--done', 'save'),
      run('migrate', 'plan', file, ...bridge, '--image', 'a b'),
      run('migrate', 'plan', file, ...bridge, '--state', join(folder, 'bad.json')),
      run('migrate', 'plan', file, ...bridge, '--state', join(folder, 'plan.json'), '--done', 'dance'),
    ]);
    expect(failures.map(({ code }) => code)).toEqual([2, 2, 2, 2, 2, 2]);
    expect(failures.map(({ stdout }) => stdout).join('')).toBe('');
    expect(failures[1]?.stderr).toContain('there is no mesh config in it');
    expect(failures[1]?.stderr).toContain('isthmus migrate patch FILE says what to add');
    expect(failures[5]?.stderr).toContain('its steps are save, sources, bridge');
    expect(existsSync(join(folder, 'plan.json'))).toBe(false);
  });
});
