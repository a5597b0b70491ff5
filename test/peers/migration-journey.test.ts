import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { beforeAll, expect, it } from 'vitest';
import type { Checklist } from '../../migrate/plan/checklist.ts';
import { ConfigFolder } from './support/config-folder.ts';
import { Galley } from './support/galley.ts';
import { Istiod } from './support/istiod.ts';
import { JourneyShell, type Said } from './support/journey-shell.ts';
import { KubeApi } from './support/kube-api.ts';
import { useLab } from './support/lab.ts';
import { differences, type HeldConfig } from './support/manifest.ts';
import { writeMixedResources } from './support/mixed-resources.ts';
import { describeWithPeers } from './support/peers.ts';
import { Pilot } from './support/pilot.ts';
import { PlayedCluster } from './support/played-cluster.ts';
import { freePort } from './support/ports.ts';
import { until } from './support/until.ts';
import type { Address } from './support/addresses.ts';
import { outlineOf, Transcript } from './support/transcript.ts';

const page = join(import.meta.dirname, '../../docs/migration-walkthrough.md');
const fixture = (name: string) => readFileSync(join(import.meta.dirname, 'fixtures/journey', name), 'utf8');

const bridgeAddress = 'isthmus.istio-system.svc:15410';
const planCommand = `isthmus migrate plan istio.yaml --bridge ${bridgeAddress} --from-version 1.5.10 --to-version 1.24.0`;

const head = `
# A migration, step by step

\`test/peers/migration-journey.test.ts\` writes this page: every command was run, and what is below it is what it said (shortened,
without times). Galley 1.5.10 serves 200 resources of five kinds from a folder, as the legacy MCP server of a registry; Pilot 1.5.10
reads it. The checklist of [\`isthmus migrate plan\`](migrate-plan.md) moves them to Isthmus and istiod 1.24.0, and back.

Real are: Galley, Pilot, Isthmus, istiod, the API server (1.34.4, with Istio's CRDs) and kubectl. Played by the test: the controllers and the
kubelet (they run what the objects say, as processes on one host), \`kubectl exec\` and \`kubectl port-forward\`, the names of hosts, and
\`docker build\`, of which another test plays the Dockerfile (\`test/peers/image.test.ts\`).
`;

type Step = Checklist['steps'][number];

const peers = ['galley', 'pilot-1.5.10', 'istiod', 'etcd', 'kube-apiserver'] as const;

describeWithPeers(
  'the whole journey: Galley 1.5.10 from Pilot 1.5.10 to Isthmus and istiod 1.24.0, and back',
  peers,
  (binaries) => {
    const lab = useLab();
    const transcript = new Transcript(head);
    let api: KubeApi;
    let galley: Galley;
    let cluster: PlayedCluster;
    let shell: JourneyShell;
    let addresses: readonly Address[];
    let steps: readonly Step[];

    beforeAll(async () => {
      const folder = new ConfigFolder(lab.folder('galley-files'));
      writeMixedResources(folder);
      galley = await Galley.create(lab, binaries.galley, folder);
      [api] = await Promise.all([KubeApi.start(lab, binaries), galley.start()]);
      await api.installIstio();
      const [xds, admin, metrics] = [await freePort(), await freePort(), await freePort()];
      const config = join(lab.folder('pod'), 'isthmus.yaml');
      addresses = [
        ['legacy-mcp.registry:9901', `127.0.0.1:${galley.port}`],
        [bridgeAddress, `127.0.0.1:${xds}`],
        ['0.0.0.0:15410', `127.0.0.1:${xds}`],
        ['127.0.0.1:15410', `127.0.0.1:${xds}`],
        ['0.0.0.0:15490', `127.0.0.1:${metrics}`],
        ['http://isthmus:15490', `http://127.0.0.1:${metrics}`],
        ['127.0.0.1:15480', `127.0.0.1:${admin}`],
        ['/etc/isthmus/isthmus.yaml', config],
        ['/var/lib/isthmus', lab.folder('state')],
      ];
      const kubeconfig = api.kubeconfig('admin');
      shell = await JourneyShell.create(lab.root, { kubeconfig, addresses, adminPort: admin });
      await api.must('POST', '/api/v1/namespaces', { metadata: { name: 'istio-system' } });
      for (const [path, file] of [
        ['/api/v1/namespaces/istio-system/configmaps', 'istio.yaml'],
        ['/apis/apps/v1/namespaces/istio-system/deployments', 'istiod.yaml'],
        ['/apis/networking.istio.io/v1/namespaces/default/serviceentries', 'own.yaml'],
      ] as const) {
        await api.must('POST', path, parse(fixture(file)));
      }
      const bridge = { config, adminPort: admin, metricsPort: metrics };
      cluster = new PlayedCluster({ lab, api, binaries, addresses: shell.addresses, bridge, kubeconfig });
      lab.onClose(() => cluster.stop());
    });

    /** Runs a command, and writes it down. */
    async function type(command: string, expected: number | 'any' = 0): Promise<Said> {
      const { program } = cluster.controlPlane;
      const pages: Address[] = program instanceof Istiod ? [['http://127.0.0.1:8080', program.url]] : [];
      shell.use([...addresses, ...pages]);
      const said = await shell.run(command);
      transcript.command(command, said, /rollout status|--done/.test(command));
      if (expected !== 'any') expect(said.code, `${command}\n${said.stdout}${said.stderr}`).toBe(expected);
      return said;
    }

    const stepOf = (id: string): Step => {
      const step = steps.find((one) => one.id === id);
      if (step === undefined) throw new Error(`the plan has no step ${id}`);
      return step;
    };

    async function walk(id: string, checkCode: number | 'any' = 0): Promise<Said | undefined> {
      const { title, commands, check } = stepOf(id);
      transcript.title(title);
      for (const command of commands) await type(command);
      let said: Said | undefined;
      if (check.command !== undefined) {
        transcript.say(`Expected: ${check.expect}.`);
        said = await type(check.command, checkCode);
      }
      await type(`${planCommand} --state plan.json --done ${id} --status`, 'any');
      return said;
    }

    const heldBy = (program: Pilot | Istiod): Promise<ReadonlyMap<string, HeldConfig>> => program.configz();

    /** All that Galley has, and nothing else; with what the cluster itself has. */
    async function holdsAll(program: Pilot | Istiod, own: readonly string[] = []): Promise<void> {
      const wanted = galley.folder.manifests();
      expect(wanted.size).toBe(200);
      await until('it holds what Galley has', async () => {
        const held = new Map(await heldBy(program));
        for (const key of own) if (!held.delete(key)) throw new Error(`${key} is missing`);
        const wrong = differences(wanted, held);
        if (wrong.length > 0) throw new Error(wrong.slice(0, 5).join('\n'));
        return true;
      });
    }

    async function meshOf(): Promise<string> {
      const { data } = await api.must('GET', '/api/v1/namespaces/istio-system/configmaps/istio');
      return (data as { mesh: string }).mesh;
    }

    it('begins with Pilot 1.5.10, which has all 200', async () => {
      await until('Pilot runs', () => cluster.controlPlane !== undefined);
      expect(cluster.controlPlane.program).toBeInstanceOf(Pilot);
      await holdsAll(cluster.controlPlane.program);
      transcript.title('What is there');
      await type('kubectl -n istio-system get configmap istio -o yaml > istio.yaml');
      await type('isthmus migrate analyze istio.yaml --from-version 1.5.10 --to-version 1.24.0', 1);
      transcript.title('The checklist');
      await type(`${planCommand} > plan.md`);
      await type(`${planCommand} --state plan.json --status`, 1);
      const { stdout } = await shell.run(`${planCommand} -o json`);
      steps = (JSON.parse(stdout) as Checklist).steps;
      expect(steps.map(({ id }) => id)).toEqual(
        ['save', 'prepare', 'sources', 'bridge', 'patch', 'apply', 'restart', 'verify', 'watch'].filter(
          (id) => id !== 'prepare' || steps.some((one) => one.id === id),
        ),
      );
    });

    it('the bridge comes first, and nothing changes for Pilot', async () => {
      await walk('save', 1);
      await walk('sources');
      await walk('bridge');
      await holdsAll(cluster.controlPlane.program);
    });

    it('istiod 1.24.0 takes the place of Pilot, with the patched mesh config', async () => {
      await walk('patch', 1);
      await walk('apply');
      expect(await meshOf()).toContain(`xds://${bridgeAddress}`);
      expect(await meshOf()).toContain('k8s://');
      await walk('restart');
      const { version, program } = cluster.controlPlane;
      expect([version, program instanceof Istiod]).toEqual(['1.24.0', true]);
      await holdsAll(program, ['ServiceEntry/default/own']);
    });

    it('verify says that all is equal, and what changes at Galley arrives', async () => {
      const said = await walk('verify');
      expect(said?.stdout).toMatch(/200/);
      await walk('watch');
      expect((await shell.run(`${planCommand} --state plan.json --status`)).code).toBe(0);
      galley.folder.edit('gateways.yaml', 'gateway-3 ', 'gateway-33 ');
      await holdsAll(cluster.controlPlane.program, ['ServiceEntry/default/own']);
    });

    it('and back: Pilot 1.5.10 has all 200 again, and the mesh config is as it was', async () => {
      transcript.title('And back');
      const isCommand = (line: string) => /^(isthmus|kubectl|sed|rm) /.test(line);
      for (const id of ['apply', 'restart', 'bridge', 'sources']) {
        for (const command of stepOf(id).back.filter(isCommand)) await type(command);
        if (id === 'apply')
          expect(await meshOf()).toBe((parse(fixture('istio.yaml')) as { data: { mesh: string } }).data.mesh);
        if (id !== 'restart') continue;
        const { program } = cluster.controlPlane;
        expect(program).toBeInstanceOf(Pilot);
        await holdsAll(program);
      }
      await until('the bridge has ended', () => cluster.bridge === undefined);
      await holdsAll(cluster.controlPlane.program);
    });

    it('docs/migration-walkthrough.md tells it as it was', () => {
      if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(page, transcript.text);
      expect(outlineOf(readFileSync(page, 'utf8'))).toEqual(outlineOf(transcript.text));
    });
  },
);
