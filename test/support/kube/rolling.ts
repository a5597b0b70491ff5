/** What a Deployment of RollingUpdate says. */
export type Rolling = { readonly replicas: number; readonly maxSurge: number; readonly maxUnavailable: number };

/** One of its ReplicaSets. */
export type SetSize = { readonly replicas: number; readonly available: number };

/** Which ReplicaSet is to have another size now: -1 is the new one, others are old ones by their place. */
export type Scaling = { readonly set: number; readonly replicas: number };

/**
 * One round of the Deployment controller (pkg/controller/deployment/rolling.go of Kubernetes 1.34: reconcileNewReplicaSet,
 * reconcileOldReplicaSets, cleanupUnhealthyReplicas, scaleDownOldReplicaSetsForRollingUpdate).
 *
 * @param old the oldest first.
 */
export function rollingRound(rolling: Rolling, fresh: SetSize, old: readonly SetSize[]): Scaling[] {
  const { replicas, maxSurge, maxUnavailable } = rolling;
  if (fresh.replicas > replicas) return [{ set: -1, replicas }];
  const sum = (sets: readonly SetSize[], of: keyof SetSize) => sets.reduce((total, one) => total + one[of], 0);
  const all = sum([fresh, ...old], 'replicas');
  if (fresh.replicas < replicas && all < replicas + maxSurge) {
    const more = Math.min(replicas + maxSurge - all, replicas - fresh.replicas);
    return [{ set: -1, replicas: fresh.replicas + more }];
  }
  if (sum(old, 'replicas') === 0) return [];
  const minAvailable = replicas - maxUnavailable;
  const maxScaledDown = all - minAvailable - (fresh.replicas - fresh.available);
  if (maxScaledDown <= 0) return [];
  const sizes = old.map((one) => ({ ...one }));
  let cleaned = 0;
  for (const one of sizes) {
    const count = Math.min(maxScaledDown - cleaned, one.replicas - one.available);
    if (count <= 0) continue;
    one.replicas -= count;
    cleaned += count;
  }
  let left = sum([fresh, ...sizes], 'available') - minAvailable;
  for (const one of sizes) {
    const count = Math.min(one.replicas, Math.max(left, 0));
    one.replicas -= count;
    left -= count;
  }
  return sizes.flatMap(({ replicas: size }, set) => (size === old[set]?.replicas ? [] : [{ set, replicas: size }]));
}

/** ResolveFenceposts: a surge is rounded up, what may be unavailable down, and not both are zero. */
export function fenceposts(replicas: number, maxSurge: unknown, maxUnavailable: unknown): Omit<Rolling, 'replicas'> {
  const surge = scaled(maxSurge ?? '25%', replicas, Math.ceil);
  const unavailable = scaled(maxUnavailable ?? '25%', replicas, Math.floor);
  return { maxSurge: surge, maxUnavailable: surge === 0 && unavailable === 0 ? 1 : unavailable };
}

function scaled(value: unknown, of: number, round: (value: number) => number): number {
  return typeof value === 'string' ? round((Number.parseFloat(value) * of) / 100) : Number(value);
}
