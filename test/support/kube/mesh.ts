import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { isDeepStrictEqual } from 'node:util';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { kubeconfigText } from '../fake-kube-api.ts';
import { listen } from '../listeners.ts';
import { tempFolder } from '../temp-folder.ts';
import { type PodPort, serveForwards } from './kubelet.ts';
import { fenceposts, rollingRound } from './rolling.ts';

type Json = Record<string, unknown>;

/** A Pod that runs, or not. */
export type MeshPod = {
  readonly name: string;
  /** Grows with every Pod that was made. */
  readonly number: number;
  readonly template: Json;
  readonly set: ReplicaSet;
  isReady: boolean;
  readySince: number;
  waiting: string | undefined;
  /** Where its port 8080 is. */
  port: PodPort;
};

type ReplicaSet = { readonly template: Json; readonly made: number; replicas: number; minReadySeconds: number };

/** What is done with a new Pod: it may make it Ready, and give it a port. */
export type StartPod = (pod: MeshPod) => void | Promise<void>;

const namespace = 'istio-system';
const deploymentPath = `/apis/apps/v1/namespaces/${namespace}/deployments/istiod`;
const podsPath = `/api/v1/namespaces/${namespace}/pods`;

/**
 * A cluster with one Deployment `istiod`, as far as a restart needs one: the API on a real socket, port-forwards, and a scripted
 * Deployment and ReplicaSet controller ({@link rollingRound}).
 */
export class KubeMesh {
  /** Every size that it had, as `old+new` Pods, each once it changed. */
  readonly history: string[] = [];
  /** Bodies of PATCH requests. */
  readonly patches: Json[] = [];
  /** Called before a request is answered. */
  onRequest: (method: string, path: string) => void = () => {};
  readonly #start: StartPod;
  readonly #sets: ReplicaSet[] = [];
  #pods: MeshPod[] = [];
  #deployment: Json;
  #generation = 1;
  #version = 100;
  #made = 0;
  #address = '';

  private constructor(replicas: number, strategy: Json, start: StartPod) {
    this.#start = start;
    this.#deployment = {
      spec: {
        replicas,
        progressDeadlineSeconds: 600,
        strategy,
        selector: { matchLabels: { app: 'istiod' } },
        template: { metadata: { labels: { app: 'istiod' } }, spec: { containers: [{ name: 'discovery' }] } },
      },
      metadata: { name: 'istiod', namespace, uid: 'u', annotations: { owner: 'a test' } },
    };
  }

  /** Starts one, whose Pods run; it is gone when the test is over. */
  static async start(
    replicas: number,
    start: StartPod,
    strategy: Json = { type: 'RollingUpdate', rollingUpdate: { maxSurge: '100%', maxUnavailable: '25%' } },
  ): Promise<KubeMesh> {
    const mesh = new KubeMesh(replicas, strategy, start);
    const server: Server = createServer((request, response) => {
      mesh.#answer(request, response).catch(() => response.destroy());
    });
    serveForwards(server, (pod) => mesh.pods.find(({ name }) => name === pod)?.port ?? { status: 404 });
    mesh.#address = `http://127.0.0.1:${await listen(server)}`;
    await mesh.reconcile();
    return mesh;
  }

  /** Flags that name it. */
  get flags(): string[] {
    const file = join(tempFolder(), 'kubeconfig');
    writeFileSync(file, kubeconfigText(this.#address, { token: 'secret-token' }, { 'insecure-skip-tls-verify': true }));
    return ['--kubeconfig', file];
  }

  get pods(): readonly MeshPod[] {
    return this.#pods;
  }

  get spec(): Json {
    return this.#deployment['spec'] as Json;
  }

  get annotations(): Json {
    return (this.#deployment['metadata'] as Json)['annotations'] as Json;
  }

  /** As somebody else would, say an autoscaler. */
  async edit(patch: Json): Promise<void> {
    this.#deployment = merged(this.#deployment, patch) as Json;
    this.#generation++;
    await this.reconcile();
  }

  /** Lets the controllers see that a Pod has changed. */
  async changed(pod: MeshPod, isReady: boolean): Promise<void> {
    if (isReady && !pod.isReady) pod.readySince = Date.now();
    pod.isReady = isReady;
    await this.reconcile();
  }

  /** The controllers, until they have nothing to do. */
  async reconcile(): Promise<void> {
    while (await this.#round());
    this.#version++;
  }

  async #round(): Promise<boolean> {
    const { spec } = this;
    const minReadySeconds = Number(spec['minReadySeconds'] ?? 0);
    const replicas = Number(spec['replicas']);
    let fresh = this.#sets.find(({ template }) => isDeepStrictEqual(template, spec['template']));
    if (fresh === undefined) {
      fresh = {
        template: structuredClone(spec['template']) as Json,
        made: this.#sets.length,
        replicas: 0,
        minReadySeconds,
      };
      this.#sets.push(fresh);
    }
    fresh.minReadySeconds = minReadySeconds;
    const old = this.#sets.filter((one) => one !== fresh);
    const { maxSurge, maxUnavailable } = ((spec['strategy'] as Json)['rollingUpdate'] ?? {}) as Json;
    const rolling = { replicas, ...fenceposts(replicas, maxSurge, maxUnavailable) };
    const size = (set: ReplicaSet) => ({ replicas: set.replicas, available: this.#available(set) });
    const scalings = rollingRound(rolling, size(fresh), old.map(size));
    for (const { set, replicas: wanted } of scalings)
      await this.#scale(set < 0 ? fresh : (old[set] as ReplicaSet), wanted);
    const count = (set: ReplicaSet) => this.#pods.filter((pod) => pod.set === set).length;
    const sizes = `${old.reduce((sum, set) => sum + count(set), 0)}+${count(fresh)}`;
    if (this.history.at(-1) !== sizes) this.history.push(sizes);
    return scalings.length > 0;
  }

  /** The ReplicaSet controller: those that are not Ready go first, then the youngest. */
  async #scale(set: ReplicaSet, replicas: number): Promise<void> {
    set.replicas = replicas;
    const own = () => this.#pods.filter((pod) => pod.set === set);
    while (own().length > replicas) {
      const [gone] = own().toSorted((a, b) => Number(a.isReady) - Number(b.isReady) || b.number - a.number);
      this.#pods = this.#pods.filter((pod) => pod !== gone);
    }
    while (own().length < replicas) {
      const number = ++this.#made;
      const pod: MeshPod = {
        name: `istiod-${set.made}-${number}`,
        number,
        template: set.template,
        set,
        isReady: false,
        readySince: 0,
        waiting: undefined,
        port: { complaint: 'connection refused' },
      };
      this.#pods.push(pod);
      await this.#start(pod);
    }
  }

  #available(set: ReplicaSet): number {
    const since = Date.now() - set.minReadySeconds * 1000;
    return this.#pods.filter((pod) => pod.set === set && pod.isReady && pod.readySince <= since).length;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '' } = request;
    const { pathname, searchParams } = new URL(url, 'http://api');
    this.onRequest(method, pathname);
    const give = (status: number, body: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    if (pathname === podsPath && method === 'GET') {
      const selected = (searchParams.get('labelSelector') ?? '').split(',').includes('app=istiod');
      give(200, { kind: 'PodList', items: selected ? this.#pods.map(podObject) : [] });
    } else if (pathname === deploymentPath && method === 'GET') give(200, this.#object());
    else if (pathname === deploymentPath && method === 'PATCH') {
      const patch = JSON.parse(await text(request)) as Json;
      this.patches.push(patch);
      const { resourceVersion, ...metadata } = (patch['metadata'] ?? {}) as Json;
      if (resourceVersion !== undefined && resourceVersion !== String(this.#version)) {
        give(409, { kind: 'Status', reason: 'Conflict', message: 'the object has been modified', code: 409 });
        return;
      }
      this.#deployment = merged(this.#deployment, { ...patch, metadata }) as Json;
      this.#generation++;
      this.#version++;
      // As it was written; what the controllers make of it comes later.
      give(200, this.#object());
      setImmediate(() => void this.reconcile());
    } else {
      give(404, { kind: 'Status', reason: 'NotFound', message: `${pathname} not found`, code: 404 });
    }
  }

  #object(): Json {
    const fresh = this.#sets.find(({ template }) => isDeepStrictEqual(template, this.spec['template']));
    const metadata = {
      ...(this.#deployment['metadata'] as Json),
      generation: this.#generation,
      resourceVersion: String(this.#version),
    };
    const status = {
      observedGeneration: this.#generation,
      replicas: this.#pods.length,
      updatedReplicas: this.#pods.filter(({ set }) => set === fresh).length,
      availableReplicas: this.#sets.reduce((sum, set) => sum + this.#available(set), 0),
    };
    return { apiVersion: 'apps/v1', kind: 'Deployment', ...this.#deployment, metadata, status };
  }
}

function podObject({ name, template, isReady, waiting }: MeshPod): Json {
  const metadata = template['metadata'] as Json;
  const state = waiting === undefined ? { running: {} } : { waiting: { reason: waiting } };
  return {
    metadata: { name, namespace, uid: name, resourceVersion: '1', ...metadata },
    status: {
      phase: 'Running',
      conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False' }],
      containerStatuses: [{ name: 'discovery', state }],
    },
  };
}

/** RFC 7396. */
function merged(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const result: Json = typeof target === 'object' && target !== null && !Array.isArray(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = merged(result[name], value);
  }
  return result;
}
