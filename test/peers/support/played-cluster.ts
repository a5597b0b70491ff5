import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KubernetesObject, Workload } from '../../support/kustomize.ts';
import type { Addresses } from './addresses.ts';
import type { Child } from './child.ts';
import { Istiod } from './istiod.ts';
import type { KubeApi } from './kube-api.ts';
import type { Lab } from './lab.ts';
import type { Binaries } from './peers.ts';
import { Pilot } from './pilot.ts';

const main = join(import.meta.dirname, '../../../dist/src/main.js');
const everyMs = 100;

type Stored = KubernetesObject & {
  readonly metadata: { readonly uid: string; readonly generation: number };
  readonly spec: Workload;
};

/** What runs as the Deployment istiod. */
export type ControlPlane = { readonly version: string; readonly program: Pilot | Istiod };

/** Where the containers of the cluster find files and ports on this machine. */
export type BridgeFiles = { readonly config: string; readonly adminPort: number; readonly metricsPort: number };

type Options = {
  readonly lab: Lab;
  readonly api: KubeApi;
  readonly binaries: Binaries<'pilot-1.5.10' | 'istiod'>;
  readonly addresses: Addresses;
  readonly bridge: BridgeFiles;
  readonly kubeconfig: string;
};

/**
 * Plays what a bare API server lacks, in one namespace: the controllers and the kubelet of the StatefulSet isthmus, the
 * Job isthmus-synced and the Deployment istiod. Their programs are real, run on this machine with what the objects say
 * (command, config, image tag), and the status of the objects tells how they do.
 */
export class PlayedCluster {
  readonly #options: Options;
  /** What was last seen of each object: its uid and generation. */
  readonly #seen = new Map<string, string>();
  #bridge: Child | undefined;
  #controlPlane: ControlPlane | undefined;
  #isOver = false;
  #failure: unknown;
  readonly #loop: Promise<void>;

  constructor(options: Options) {
    this.#options = options;
    this.#loop = this.#run();
  }

  /** @throws what went wrong in it. */
  get controlPlane(): ControlPlane {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#controlPlane === undefined) throw new Error('no control plane runs yet');
    return this.#controlPlane;
  }

  /** Undefined where no bridge runs. */
  get bridge(): Child | undefined {
    return this.#bridge;
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#loop;
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      try {
        await this.#look('apps/v1', 'statefulsets', 'isthmus', (object) => this.#startBridge(object));
        await this.#look('batch/v1', 'jobs', 'isthmus-synced', (object) => this.#runGate(object));
        await this.#look('apps/v1', 'deployments', 'istiod', (object) => this.#startControlPlane(object));
      } catch (error) {
        this.#failure = error;
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  }

  /** Lets it be played where it is new or says something else than before. */
  async #look(group: string, plural: string, name: string, play: (object: Stored) => Promise<object>): Promise<void> {
    const path = `/apis/${group}/namespaces/istio-system/${plural}/${name}`;
    const { status, body } = await this.#options.api.ask('GET', path);
    if (status === 404) {
      if (this.#seen.delete(path) && name === 'isthmus') {
        await this.#bridge?.end('SIGTERM');
        this.#bridge = undefined;
      }
      return;
    }
    const object = body as unknown as Stored;
    const { uid, generation } = object.metadata;
    const mark = `${uid} ${generation}`;
    if (this.#seen.get(path) === mark) return;
    const done = await play(object);
    const report = { status: { observedGeneration: generation, ...done } };
    if (plural === 'jobs') await this.#options.api.must('PATCH', `${path}/status`, { status: done }, mergePatch);
    else await this.#options.api.must('PATCH', `${path}/status`, report, mergePatch);
    this.#seen.set(path, mark);
  }

  async #startBridge({ spec, metadata }: Stored): Promise<object> {
    const { lab, addresses, bridge } = this.#options;
    await this.#bridge?.end('SIGTERM');
    const { containers, volumes = [] } = spec.template.spec;
    const [container] = containers;
    const configMap = volumes.find((one) => one.configMap !== undefined)?.configMap?.name ?? '';
    const { data = {} } = await this.#get(`/api/v1/namespaces/istio-system/configmaps/${configMap}`);
    writeFileSync(bridge.config, addresses.toHere(data['isthmus.yaml'] ?? ''));
    const args = (container?.args ?? []).map((arg) => addresses.toHere(arg));
    const child = lab.launch({
      name: 'isthmus',
      command: process.execPath,
      // Its loopback is its own there.
      args: [main, ...args, `--admin-listen=127.0.0.1:${bridge.adminPort}`],
    });
    this.#bridge = child;
    const probe = `http://127.0.0.1:${bridge.metricsPort}${container?.readinessProbe?.httpGet.path ?? ''}`;
    await this.#until(async () => child.exit !== undefined || (await fetch(probe)).ok);
    if (child.exit !== undefined) throw new Error(`the bridge has ended: ${child.log()}`);
    const revision = `isthmus-${metadata.generation}`;
    return { ...allOfOne, currentReplicas: 1, currentRevision: revision, updateRevision: revision };
  }

  async #runGate({ spec }: Stored): Promise<object> {
    const { lab, addresses } = this.#options;
    const [container] = spec.template.spec.containers;
    const [command = '', ...first] = container?.command ?? [];
    const env = Object.fromEntries(
      container?.env?.map(({ name, value }) => [name, addresses.toHere(value)] as const) ?? [],
    );
    const startTime = new Date().toISOString();
    const child = lab.launch({ name: 'gate', command, args: [...first, ...(container?.args ?? [])], env });
    const { code } = await child.exited;
    if (code !== 0) throw new Error(`the gate has ended with ${code}: ${child.log()}`);
    const completionTime = new Date().toISOString();
    const condition = (type: string) => ({ type, status: 'True', lastTransitionTime: completionTime });
    const conditions = [condition('SuccessCriteriaMet'), condition('Complete')];
    return { startTime, completionTime, succeeded: 1, ready: 0, terminating: 0, conditions };
  }

  /** The new one is ready before the old one ends, as in a rolling update. */
  async #startControlPlane({ spec, metadata }: Stored): Promise<object> {
    const { lab, binaries, addresses, kubeconfig } = this.#options;
    const version = spec.template.spec.containers[0]?.image.split(':').at(-1) ?? '';
    const { data = {} } = await this.#get('/api/v1/namespaces/istio-system/configmaps/istio');
    const mesh = `${addresses.toHere(data['mesh'] ?? '')}\n`;
    const name = `istiod-${version}-${metadata.generation}`;
    let program: Pilot | Istiod;
    if (version === '1.5.10') {
      const pilot = await Pilot.create(lab, binaries['pilot-1.5.10'], version, 0, { name, mesh });
      await pilot.start();
      program = pilot;
    } else if (version === '1.24.0') {
      const istiod = await Istiod.create(lab, binaries.istiod, 'xds://unused', name, undefined, mesh, kubeconfig);
      istiod.launch();
      await this.#until(async () => istiod.exit !== undefined || (await istiod.debug('/ready')) !== undefined);
      if (istiod.exit !== undefined) throw new Error(`istiod has ended: ${istiod.log()}`);
      program = istiod;
    } else throw new Error(`there is no program for Pilot ${version}`);
    const before = this.#controlPlane;
    this.#controlPlane = { version, program };
    await before?.program.kill();
    return allOfOne;
  }

  async #get(path: string): Promise<KubernetesObject> {
    return (await this.#options.api.must('GET', path)) as unknown as KubernetesObject;
  }

  /** Whatever is thrown meanwhile is "not yet". */
  async #until(probe: () => Promise<boolean>): Promise<void> {
    while (!this.#isOver && !(await probe().catch(() => false))) {
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  }
}

const mergePatch = 'application/merge-patch+json';

const allOfOne = { replicas: 1, updatedReplicas: 1, readyReplicas: 1, availableReplicas: 1 };
