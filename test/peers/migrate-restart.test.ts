import { createServer } from 'node:http';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { isDeepStrictEqual } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { run } from '../support/cli.ts';
import { kubeconfigText } from '../support/fake-kube-api.ts';
import { DebugPages } from '../support/istiod/debug-pages.ts';
import { IstiodLab, object } from '../support/istiod/lab.ts';
import { serveForwards } from '../support/kube/kubelet.ts';
import { fenceposts, rollingRound } from '../support/kube/rolling.ts';
import { listen } from '../support/listeners.ts';
import { KubeApi } from './support/kube-api.ts';
import { type Lab, useLab } from './support/lab.ts';
import { describeWithPeers } from './support/peers.ts';
import { until } from './support/until.ts';

type Json = Readonly<Record<string, unknown>>;
type Deployment = {
  readonly metadata: { readonly generation: number; readonly annotations?: Json };
  readonly spec: {
    readonly replicas: number;
    readonly minReadySeconds?: number;
    readonly strategy: { readonly rollingUpdate?: { readonly maxSurge?: unknown; readonly maxUnavailable?: unknown } };
    readonly template: { readonly metadata: Json; readonly spec: Json };
  };
};

type ScriptedSet = { readonly template: Deployment['spec']['template']; pods: string[]; minReadySeconds: number };

const deployment = '/apis/apps/v1/namespaces/istio-system/deployments/istiod';
const pods = '/api/v1/namespaces/istio-system/pods';
const merge = 'application/merge-patch+json';

/** The Deployment and ReplicaSet controllers, and a kubelet, for one Deployment of a real API server. */
class ScriptedControllers {
  /** `old+new` Pods, each once it changed. */
  readonly history: string[] = [];
  readonly ports = new Map<string, number>();
  readonly #api: KubeApi;
  readonly #portOf: (pod: string) => Promise<number>;
  readonly #sets: ScriptedSet[] = [];
  readonly #readySince = new Map<string, number>();
  #made = 0;
  #isOver = false;

  constructor(api: KubeApi, portOf: (pod: string) => Promise<number>) {
    this.#api = api;
    this.#portOf = portOf;
  }

  /** Runs until the test is over. */
  run(): void {
    const loop = async () => {
      while (!this.#isOver) {
        await this.#round();
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };
    const running = loop();
    onTestFinished(async () => {
      this.#isOver = true;
      await running;
    });
  }

  async #round(): Promise<void> {
    const { metadata, spec } = (await this.#api.must('GET', deployment)) as unknown as Deployment;
    const { replicas, minReadySeconds = 0, template, strategy } = spec;
    let fresh = this.#sets.find((set) => isDeepStrictEqual(set.template, template));
    if (fresh === undefined) this.#sets.push((fresh = { template, pods: [], minReadySeconds }));
    fresh.minReadySeconds = minReadySeconds;
    const old = this.#sets.filter((set) => set !== fresh);
    const { maxSurge, maxUnavailable } = strategy.rollingUpdate ?? {};
    const size = (set: ScriptedSet) => ({ replicas: set.pods.length, available: this.#available(set) });
    const rolling = { replicas, ...fenceposts(replicas, maxSurge, maxUnavailable) };
    for (const { set, replicas: wanted } of rollingRound(rolling, size(fresh), old.map(size))) {
      await this.#scale(set < 0 ? fresh : (old[set] as ScriptedSet), wanted);
    }
    const count = (sets: readonly ScriptedSet[]) => sets.reduce((sum, set) => sum + set.pods.length, 0);
    const sizes = `${count(old)}+${count([fresh])}`;
    if (this.history.at(-1) !== sizes) this.history.push(sizes);
    const status = {
      observedGeneration: metadata.generation,
      replicas: count(this.#sets),
      updatedReplicas: count([fresh]),
      availableReplicas: this.#sets.reduce((sum, set) => sum + this.#available(set), 0),
      readyReplicas: count(this.#sets),
    };
    await this.#api.must('PATCH', `${deployment}/status`, { status }, merge);
  }

  #available(set: ScriptedSet): number {
    const since = Date.now() - set.minReadySeconds * 1000;
    return set.pods.filter((pod) => (this.#readySince.get(pod) ?? Number.POSITIVE_INFINITY) <= since).length;
  }

  async #scale(set: ScriptedSet, wanted: number): Promise<void> {
    while (set.pods.length > wanted) {
      const gone = set.pods.pop() as string;
      await this.#api.must('DELETE', `${pods}/${gone}?gracePeriodSeconds=0`);
    }
    while (set.pods.length < wanted) {
      const name = `istiod-${++this.#made}`;
      this.ports.set(name, await this.#portOf(name));
      await this.#api.must('POST', pods, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { ...set.template.metadata, name, namespace: 'istio-system' },
        spec: set.template.spec,
      });
      const status = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] };
      await this.#api.must('PATCH', `${pods}/${name}/status`, { status }, merge);
      this.#readySince.set(name, Date.now());
      set.pods.push(name);
    }
  }
}

/** In front of the API server, with what it lacks here: a kubelet to forward ports. @returns a kubeconfig. */
async function front(lab: Lab, api: KubeApi, ports: ReadonlyMap<string, number>): Promise<string> {
  const server = createServer((request, response) => {
    const pass = async () => {
      const body = await text(request);
      const { method = 'GET', url = '/', headers } = request;
      const json: unknown = body === '' ? undefined : JSON.parse(body);
      const answer = await api.ask(method, url, json, headers['content-type']);
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body));
    };
    pass().catch(() => response.destroy());
  });
  serveForwards(server, (pod) => {
    const port = ports.get(pod);
    return port === undefined ? { status: 404 } : { port };
  });
  const address = `http://127.0.0.1:${await listen(server)}`;
  const file = join(lab.folder('front'), 'kubeconfig');
  writeFileSync(file, kubeconfigText(address, { token: 'any' }, { 'insecure-skip-tls-verify': true }));
  return file;
}

describeWithPeers(
  'isthmus migrate restart on a real API server, with scripted controllers',
  ['etcd', 'kube-apiserver'],
  (binaries) => {
    const lab = useLab();

    it('one replica at a time, and the Deployment is as it was but for the annotation of a restart', async () => {
      const api = await KubeApi.start(lab, binaries);
      await api.must('POST', '/api/v1/namespaces', { metadata: { name: 'istio-system' } });
      await api.must('POST', '/apis/apps/v1/namespaces/istio-system/deployments', {
        metadata: { name: 'istiod' },
        spec: {
          replicas: 3,
          selector: { matchLabels: { app: 'istiod' } },
          strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '100%', maxUnavailable: '25%' } },
          template: {
            metadata: { labels: { app: 'istiod' } },
            spec: { containers: [{ name: 'discovery', image: 'istio/pilot:1.24.0' }] },
          },
        },
      });
      const bridge = await IstiodLab.start([
        object('shop/orders', 'orders.example'),
        object('shop/carts', 'carts.example'),
      ]);
      await bridge.bridge.complete();
      const source = `xds://127.0.0.1:${bridge.port}`;
      const controllers = new ScriptedControllers(api, async () => {
        const pages = await DebugPages.serve(await bridge.istiod('1.24'), source);
        return Number(new URL(pages.url).port);
      });
      controllers.run();
      await until('the Deployment has its Pods', () => controllers.history.at(-1) === '0+3');
      const before = (await api.must('GET', deployment)) as unknown as Deployment;

      const kubeconfig = await front(lab, api, controllers.ports);
      const { code, stdout, stderr } = await run(
        'migrate',
        'restart',
        `--kubeconfig=${kubeconfig}`,
        `--bridge=127.0.0.1:${bridge.port}`,
        `--admin=${bridge.bridge.adminUrl}`,
        '--apply',
      );
      expect([code, stdout, stderr]).toEqual([0, expect.stringContaining('all 3 replicas'), expect.any(String)]);
      const begin = controllers.history.indexOf('3+1');
      expect([controllers.history[begin - 1], controllers.history.at(-1)]).toEqual(['0+3', '0+3']);
      // Never two steps at once: with k new Pods there are at least 3 - k old ones.
      for (const sizes of controllers.history.slice(begin)) {
        const [old = 0, fresh = 0] = sizes.split('+').map(Number);
        expect(old + fresh).toBeGreaterThanOrEqual(3);
        expect(old + fresh).toBeLessThanOrEqual(4);
      }
      const after = (await api.must('GET', deployment)) as unknown as Deployment;
      const { template, ...spec } = after.spec;
      const { template: old, ...oldSpec } = before.spec;
      expect(spec).toEqual(oldSpec);
      expect(template.spec).toEqual(old.spec);
      expect(Object.keys((template.metadata['annotations'] ?? {}) as Json)).toEqual([
        'kubectl.kubernetes.io/restartedAt',
      ]);
      expect(after.metadata.annotations ?? {}).toEqual(before.metadata.annotations ?? {});
    });
  },
);
