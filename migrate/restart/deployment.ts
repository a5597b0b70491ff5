import type { KubeObject } from '../../src/kube/object.ts';
import { isRecord } from '../../src/model/record.ts';

/** What kubectl rollout restart sets in the template of the Pods, too; Pods have it as it was when they were made. */
export const restartedAt = 'kubectl.kubernetes.io/restartedAt';

/** Of the Deployment: what was there before, as JSON, while a restart is under way. */
export const keptAnnotation = 'isthmus/restart';

/**
 * For so long a new Pod does not count as available: longer than any restart, so that the Deployment never goes on by itself.
 * Whether it is Ready, and so gets sidecars, has nothing to do with it.
 */
const heldSeconds = 86_400;

/** A Deployment as far as a restart looks at it. */
export type Rollout = {
  readonly resourceVersion: string;
  readonly replicas: number;
  readonly strategy: string;
  readonly maxUnavailable: unknown;
  readonly minReadySeconds: number;
  readonly paused: boolean;
  /** Of the template; undefined where it was never restarted. */
  readonly restartedAt: string | undefined;
  /** Whether its template has annotations besides that one. */
  readonly hasAnnotations: boolean;
  /** What was there before the restart that is under way; undefined where none is. */
  readonly kept: Kept | undefined;
  /** For a list of its Pods; undefined where it selects by more than labels. */
  readonly selector: string | undefined;
  /** True once the controllers have seen it as it is now, and every Pod is a new one and available. */
  readonly isSettled: boolean;
};

/** What a restart changes and puts back, as it was. */
export type Kept = {
  readonly strategy: unknown;
  readonly minReadySeconds: number | null;
  readonly progressDeadlineSeconds: number | null;
  readonly restartedAt: string | null;
};

export function rolloutOf({ metadata, spec: given, status: seen }: KubeObject): Rollout {
  const [spec, status] = [isRecord(given) ? given : {}, isRecord(seen) ? seen : {}];
  const strategy = isRecord(spec['strategy']) ? spec['strategy'] : {};
  const rolling = isRecord(strategy['rollingUpdate']) ? strategy['rollingUpdate'] : {};
  const replicas = numberOf(spec['replicas']) ?? 1;
  return {
    resourceVersion: metadata.resourceVersion,
    replicas,
    strategy: typeof strategy['type'] === 'string' ? strategy['type'] : 'RollingUpdate',
    maxUnavailable: rolling['maxUnavailable'],
    minReadySeconds: numberOf(spec['minReadySeconds']) ?? 0,
    paused: spec['paused'] === true,
    restartedAt: templateAnnotations(spec)[restartedAt],
    hasAnnotations: Object.keys(templateAnnotations(spec)).some((name) => name !== restartedAt),
    kept: keptOf(metadata.annotations?.[keptAnnotation]),
    selector: selectorOf(spec['selector']),
    isSettled:
      (numberOf(status['observedGeneration']) ?? 0) >= (numberOf(metadata['generation']) ?? 0) &&
      ['replicas', 'updatedReplicas', 'availableReplicas'].every(
        (count) => (numberOf(status[count]) ?? 0) === replicas,
      ),
  };
}

const numberOf = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined);

function templateAnnotations(spec: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  const template = isRecord(spec['template']) ? spec['template'] : {};
  const metadata = isRecord(template['metadata']) ? template['metadata'] : {};
  return isRecord(metadata['annotations']) ? (metadata['annotations'] as Record<string, string>) : {};
}

function keptOf(text: string | undefined): Kept | undefined {
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) && 'strategy' in value ? (value as Kept) : undefined;
  } catch {
    return undefined;
  }
}

function selectorOf(selector: unknown): string | undefined {
  if (!isRecord(selector) || !isRecord(selector['matchLabels'])) return undefined;
  const { matchExpressions } = selector;
  if (Array.isArray(matchExpressions) && matchExpressions.length > 0) return undefined;
  return Object.entries(selector['matchLabels'])
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(',');
}

type Patch = Readonly<Record<string, unknown>>;

/**
 * Begins a restart. The Deployment makes one new Pod beside the old ones, and then waits: that Pod does not count as available, and
 * no old one may be missing.
 */
export function beginPatch({ metadata, spec: given }: KubeObject, now: string): Patch {
  const spec = isRecord(given) ? given : {};
  const kept: Kept = {
    strategy: spec['strategy'] ?? null,
    minReadySeconds: numberOf(spec['minReadySeconds']) ?? null,
    progressDeadlineSeconds: numberOf(spec['progressDeadlineSeconds']) ?? null,
    restartedAt: templateAnnotations(spec)[restartedAt] ?? null,
  };
  return {
    metadata: { resourceVersion: metadata.resourceVersion, annotations: { [keptAnnotation]: JSON.stringify(kept) } },
    spec: {
      minReadySeconds: heldSeconds,
      // Kubernetes wants it to be longer.
      progressDeadlineSeconds: heldSeconds + 600,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: { metadata: { annotations: { [restartedAt]: now } } },
    },
  };
}

/**
 * Lets the Deployment replace one more Pod, and no other: it takes away as many as there are Pods beyond those that have to be
 * available, less the new ones, none of which is.
 * @param verified new Pods that are as they should be.
 */
export function stepPatch({ resourceVersion }: Rollout, verified: number): Patch {
  return { metadata: { resourceVersion }, spec: { strategy: { rollingUpdate: { maxUnavailable: verified } } } };
}

/** Puts back what was there; the new Pods count as available from then on, and the last old one goes. */
export function endPatch({ resourceVersion }: Rollout, kept: Kept): Patch {
  const { strategy, minReadySeconds, progressDeadlineSeconds } = kept;
  return {
    metadata: { resourceVersion, annotations: { [keptAnnotation]: null } },
    spec: { strategy, minReadySeconds, progressDeadlineSeconds },
  };
}

/** The same, and the old template: the old Pods stay, and the new ones go. */
export function undoPatch(rollout: Rollout, kept: Kept): Patch {
  const end = endPatch(rollout, kept) as { spec: object };
  // A template without annotations is to have none again: Pods are told apart by what their template says.
  const isBare = kept.restartedAt === null && !rollout.hasAnnotations;
  const template = { metadata: { annotations: isBare ? null : { [restartedAt]: kept.restartedAt } } };
  return { ...end, spec: { ...end.spec, template } };
}

/** True while nobody else has changed what holds the Deployment back. */
export function isHeld({ minReadySeconds, strategy, paused }: Rollout): boolean {
  return minReadySeconds === heldSeconds && strategy === 'RollingUpdate' && !paused;
}
