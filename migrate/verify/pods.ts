import type { Cluster } from '../../src/kube/cluster.ts';
import type { KubeObject, ResourceType } from '../../src/kube/object.ts';
import { forwardPort, type PortForward } from '../../src/kube/port-forward.ts';
import { IsthmusError } from '../../src/model/errors.ts';
import { isRecord } from '../../src/model/record.ts';
import { restartedAt } from '../restart/deployment.ts';
import type { IstiodAddress } from './istiod.ts';

const pods: ResourceType = { group: '', version: 'v1', plural: 'pods', kind: 'Pod' };

/** Where istiod has `/ready` and its debug pages. */
const istiodPort = 8080;

/** A Pod of istiod. */
export type IstiodPod = {
  readonly namespace: string;
  readonly name: string;
  /** Annotation of the template that it was made of; undefined where that had none. */
  readonly restartedAt: string | undefined;
  /** `Running`, `Pending`, … */
  readonly phase: string;
  /** As its readiness probe says. */
  readonly isReady: boolean;
  /** Why its container does not run, as `CrashLoopBackOff`; undefined where it does, or has not begun to. */
  readonly waiting: string | undefined;
};

/**
 * The Pods of istiod that are there to stay, by name.
 * @param selector which, as `app=istiod`.
 * @throws KubeError
 */
export async function istiodPods(cluster: Cluster, selector: string): Promise<IstiodPod[]> {
  const found = await cluster.list(pods, { namespace: cluster.namespace, labelSelector: selector });
  return found
    .filter(({ metadata }) => metadata['deletionTimestamp'] === undefined)
    .map((pod) => podOf(pod, cluster.namespace))
    .filter(({ phase }) => phase !== 'Succeeded' && phase !== 'Failed')
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function podOf({ metadata, status }: KubeObject, namespace: string): IstiodPod {
  const { phase, conditions, containerStatuses } = isRecord(status) ? status : {};
  const container = recordsOf(containerStatuses)[0] ?? {};
  const state = isRecord(container['state']) ? container['state'] : {};
  const waiting = isRecord(state['waiting']) ? state['waiting']['reason'] : undefined;
  return {
    namespace: metadata.namespace ?? namespace,
    name: metadata.name,
    restartedAt: metadata.annotations?.[restartedAt],
    phase: typeof phase === 'string' ? phase : 'Unknown',
    isReady: recordsOf(conditions).some((one) => one['type'] === 'Ready' && one['status'] === 'True'),
    waiting: typeof waiting === 'string' ? waiting : undefined,
  };
}

const recordsOf = (list: unknown): Readonly<Record<string, unknown>>[] =>
  Array.isArray(list) ? list.filter((one) => isRecord(one)) : [];

/** Pods whose pages are reached by a port-forward. */
export type ForwardedPods = { readonly istiods: readonly IstiodAddress[]; close(): Promise<void> };

/** Forwards a port of this host to each Pod. */
export async function forwardPods(
  cluster: Cluster,
  all: readonly IstiodPod[],
  timeoutMs: number,
): Promise<ForwardedPods> {
  const open: PortForward[] = [];
  const istiods: IstiodAddress[] = [];
  for (const pod of all) {
    const forward = await forwardPort(cluster, pod, istiodPort);
    open.push(forward);
    istiods.push({
      url: new URL(`http://127.0.0.1:${forward.port}`),
      pod: `${pod.namespace}/${pod.name}`,
      why: forward.failure,
      token: undefined,
      timeoutMs,
    });
  }
  return {
    istiods,
    async close() {
      await Promise.all(open.map((forward) => forward.close()));
    },
  };
}

/**
 * Finds the Pods of istiod in a cluster.
 * @param revision only those of this one, where it is not empty.
 * @throws KubeError; IsthmusError NOT_FOUND where there is none: nothing that is compared would be equal.
 */
export async function requireIstiodPods(cluster: Cluster, revision: string | undefined): Promise<IstiodPod[]> {
  const selector = revision === undefined || revision === '' ? 'app=istiod' : `app=istiod,istio.io/rev=${revision}`;
  const found = await istiodPods(cluster, selector);
  if (found.length > 0) return found;
  throw new IsthmusError('NOT_FOUND', `context ${cluster.context}`, `no Pod ${selector} in ${cluster.namespace}`, {
    hint: '-n gives the namespace of istiod; --istiod URL names istiods that are elsewhere',
  });
}
