import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '../../src/kube/cluster.ts';
import { deployments, type KubeObject } from '../../src/kube/object.ts';
import { IsthmusError } from '../../src/model/errors.ts';
import { type IstiodPod, istiodPods } from '../verify/pods.ts';
import {
  beginPatch,
  endPatch,
  isHeld,
  type Kept,
  type Rollout,
  rolloutOf,
  stepPatch,
  undoPatch,
} from './deployment.ts';

/** How a restart is done. */
export type RestartOptions = {
  readonly cluster: Cluster;
  /** Name of the Deployment. */
  readonly name: string;
  /** Longest time for one replica to become Ready and equal, in milliseconds. */
  readonly replicaMs: number;
  /** Ends it where it stands. */
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
  /** Asked before each step: what is in the way of it, or undefined. */
  readonly gate: () => Promise<string | undefined>;
  /** Asked of each new Pod that is Ready: what it lacks, or undefined. */
  readonly verify: (pods: readonly IstiodPod[]) => Promise<string | undefined>;
};

/** `stopped`: it stands still, and nothing happens by itself. */
export type Outcome =
  | { readonly did: 'done'; readonly replicas: number }
  | { readonly did: 'stopped'; readonly why: string; readonly fresh: number; readonly old: number };

/** Between two looks. */
const pauseMs = 1000;

/** Why a restart stops; what the cluster is like then is read anew. */
class Stop extends Error {}

/**
 * Restarts the Pods of a Deployment one at a time. A new Pod comes before an old one goes, and the Deployment waits for each step:
 * whatever becomes of this process, it goes no further by itself. Goes on where one was begun.
 *
 * @throws KubeError where the cluster does not let it; IsthmusError USAGE where the Deployment can't be restarted in that way.
 */
export async function restart(options: RestartOptions): Promise<Outcome> {
  const { name, say } = options;
  const { kept, rollout } = await begin(options);
  const { replicas, restartedAt } = rollout;
  try {
    let verified = 0;
    for (;;) {
      const fresh = await nextReplica(options, rollout, verified);
      verified = fresh.length;
      say(`${verified} of ${replicas} replicas of ${name} are new, Ready and as they should be`);
      if (verified >= replicas) break;
      await write(options, (now) => stepPatch(requireHeld(now, rollout), verified));
    }
    await write(options, (now) => endPatch(requireHeld(now, rollout), kept));
    await settled(options);
    return { did: 'done', replicas };
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    const { fresh, old } = await countPods(options, restartedAt);
    return { did: 'stopped', why: error.message, fresh, old };
  }
}

/**
 * Takes back a restart that stands still: the old Pods stay, the new ones go, and the Deployment is as it was.
 * @returns false where none is under way.
 */
export async function undoRestart(options: Omit<RestartOptions, 'gate' | 'verify'>): Promise<boolean> {
  const { kept } = rolloutOf(await read(options));
  if (kept === undefined) return false;
  await write(options, (now) => undoPatch(now, kept));
  await settled(options);
  return true;
}

/** How a Deployment stands, and its Pods. @throws KubeError; IsthmusError USAGE where it can't be restarted here. */
export async function lookAtDeployment(options: Pick<RestartOptions, 'cluster' | 'name'>) {
  const object = await read(options);
  const rollout = rolloutOf(object);
  return { object, rollout, pods: await istiodPods(options.cluster, requireRestartable(options, rollout)) };
}

async function begin(options: RestartOptions): Promise<{ kept: Kept; rollout: Rollout }> {
  const { cluster, name, gate, say } = options;
  const { object, rollout: before } = await lookAtDeployment(options);
  const closed = await gate();
  if (closed !== undefined) {
    throw new IsthmusError('USAGE', '--admin', `nothing was restarted: ${closed}`, {
      hint: 'isthmus status says what the bridge waits for; an istiod that starts now would lack it',
    });
  }
  if (before.kept !== undefined) {
    say(`a restart of ${name} was begun at ${before.restartedAt ?? 'an unknown time'}: it goes on`);
    return { kept: before.kept, rollout: before };
  }
  if (!before.isSettled) {
    throw new IsthmusError('USAGE', `Deployment ${cluster.namespace}/${name}`, 'is in the middle of a rollout', {
      hint: `wait until it is over: kubectl -n ${cluster.namespace} rollout status deploy/${name}`,
    });
  }
  // To the second, as kubectl writes it.
  const now = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
  const ref = { namespace: cluster.namespace, name };
  const rollout = rolloutOf(await cluster.patch(deployments, ref, beginPatch(object, now)));
  const { kept } = rollout;
  if (kept === undefined || rollout.restartedAt !== now || !isHeld(rollout)) {
    throw new IsthmusError('CONFLICT', `Deployment ${cluster.namespace}/${name}`, 'is not as it was written', {
      hint: 'something changes it at once, such as an admission webhook: see kubectl get deploy -o yaml',
    });
  }
  say(`restart of ${rollout.replicas} replicas of ${name}: a new one comes before an old one goes`);
  return { kept, rollout };
}

function requireRestartable(
  { cluster, name }: Pick<RestartOptions, 'cluster' | 'name'>,
  { strategy, paused, replicas, selector }: Rollout,
): string {
  const fail = (what: string, hint: string): never => {
    throw new IsthmusError('USAGE', `Deployment ${cluster.namespace}/${name}`, what, { hint });
  };
  if (strategy !== 'RollingUpdate') {
    fail(`has the strategy ${strategy}: all its Pods would go at once`, 'set spec.strategy.type to RollingUpdate');
  }
  if (paused)
    fail('is paused: no Pod would be replaced', `kubectl -n ${cluster.namespace} rollout resume deploy/${name}`);
  if (replicas === 0) fail('has no replicas', 'an istiod that is started later reads the new mesh config anyway');
  return selector ?? fail('selects its Pods by more than labels', `kubectl rollout restart deploy/${name} restarts it`);
}

/** Waits until one more new Pod than `verified` is Ready, and all of them are as they should be. */
async function nextReplica(options: RestartOptions, begun: Rollout, verified: number): Promise<readonly IstiodPod[]> {
  const { replicaMs, verify, gate, say } = options;
  const deadline = performance.now() + replicaMs;
  let last = '';
  for (;;) {
    if (options.signal.aborted) throw new Stop('it was interrupted');
    requireHeld(rolloutOf(await read(options)), begun);
    const fresh = (await podsOf(options, begun)).filter((pod) => pod.restartedAt === begun.restartedAt);
    const waitsFor =
      whyNotReady(fresh, verified) ??
      (await gate().then((why) => why && `the bridge: ${why}`)) ??
      (await verify(fresh));
    if (waitsFor === undefined) return fresh;
    if (performance.now() > deadline) throw new Stop(`not within ${replicaMs / 1000} s: ${waitsFor}`);
    if (waitsFor !== last) say(`waiting: ${waitsFor}`);
    last = waitsFor;
    await sleep(pauseMs, undefined, { signal: options.signal }).catch(() => {});
  }
}

function whyNotReady(fresh: readonly IstiodPod[], verified: number): string | undefined {
  if (fresh.length <= verified) return 'there is no new Pod yet';
  const open = fresh.find(({ isReady }) => !isReady);
  if (open === undefined) return undefined;
  return `Pod ${open.name} is not Ready: ${open.waiting ?? open.phase}`;
}

/** @throws Stop where somebody else has changed what the restart rests on. */
function requireHeld(now: Rollout, begun: Rollout): Rollout {
  if (now.replicas !== begun.replicas) {
    throw new Stop(`the replicas were changed from ${begun.replicas} to ${now.replicas} meanwhile (an autoscaler?)`);
  }
  if (now.kept === undefined || now.restartedAt !== begun.restartedAt || !isHeld(now)) {
    throw new Stop('somebody else has changed the Deployment meanwhile');
  }
  return now;
}

async function podsOf({ cluster }: RestartOptions, { selector }: Rollout): Promise<IstiodPod[]> {
  return istiodPods(cluster, selector ?? '');
}

async function countPods(options: RestartOptions, stamp: string | undefined): Promise<{ fresh: number; old: number }> {
  const found = await podsOf(options, rolloutOf(await read(options)));
  const fresh = found.filter((pod) => pod.restartedAt === stamp).length;
  return { fresh, old: found.length - fresh };
}

function read({ cluster, name }: Pick<RestartOptions, 'cluster' | 'name'>): Promise<KubeObject> {
  return cluster.get(deployments, { namespace: cluster.namespace, name });
}

/** Writes what is made of the Deployment as it is now; status changes it all the time, so a conflict is tried again. */
async function write(
  { cluster, name }: Pick<RestartOptions, 'cluster' | 'name'>,
  patchOf: (now: Rollout) => Readonly<Record<string, unknown>>,
): Promise<void> {
  for (let tries = 1; ; tries++) {
    const now = rolloutOf(await read({ cluster, name }));
    try {
      await cluster.patch(deployments, { namespace: cluster.namespace, name }, patchOf(now));
      return;
    } catch (error) {
      const isConflict = error instanceof IsthmusError && error.code === 'CONFLICT';
      if (!isConflict || tries === maxTries) throw error;
    }
  }
}

const maxTries = 10;

/** Waits until the Deployment has come to rest. */
async function settled(options: Pick<RestartOptions, 'cluster' | 'name' | 'replicaMs' | 'signal'>): Promise<void> {
  const deadline = performance.now() + options.replicaMs;
  while (!rolloutOf(await read(options)).isSettled) {
    if (options.signal.aborted || performance.now() > deadline) {
      throw new IsthmusError(
        'API_FAILED',
        `Deployment ${options.cluster.namespace}/${options.name}`,
        'has not come to rest',
        {
          hint: `it is as it was before, and goes on by itself: kubectl -n ${options.cluster.namespace} rollout status deploy/${options.name}`,
        },
      );
    }
    await sleep(pauseMs, undefined, { signal: options.signal }).catch(() => {});
  }
}
