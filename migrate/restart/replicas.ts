import type { Cluster } from '../../src/kube/cluster.ts';
import { messageOf } from '../../src/model/errors.ts';
import { look, type Question } from '../verify/look.ts';
import { type ForwardedPods, forwardPods, type IstiodPod } from '../verify/pods.ts';
import type { IstiodReport, VerifyReport } from '../verify/report.ts';

/** Names of what a replica lacks that are said. */
const maxNames = 5;

/** Problems of an istiod that say that the bridge does not feed it. */
const unfed = new Set(['NOT_PATCHED', 'NOT_FED']);

export type ReplicaOptions = Pick<Question, 'stream' | 'version' | 'revision' | 'timeoutMs'> & {
  readonly admin: URL;
  readonly cluster: Cluster;
};

/** Compares new replicas with what the bridge serves, each by a port-forward that stays. */
export function newReplicas({ cluster, ...question }: ReplicaOptions) {
  const forwards = new Map<string, ForwardedPods>();
  async function istiodsOf(pods: readonly IstiodPod[]) {
    for (const pod of pods) {
      if (!forwards.has(pod.name)) forwards.set(pod.name, await forwardPods(cluster, [pod], question.timeoutMs));
    }
    return pods.flatMap((pod) => forwards.get(pod.name)?.istiods ?? []);
  }
  return {
    /** What one of them lacks; undefined where all of them have everything. */
    async whyNot(pods: readonly IstiodPod[]): Promise<string | undefined> {
      try {
        // Readiness is what Kubernetes says of the Pod.
        const report = await look({ ...question, istiods: await istiodsOf(pods), direct: [], readiness: false });
        return whyDifferent(report);
      } catch (error) {
        return messageOf(error);
      }
    },
    async close(): Promise<void> {
      question.stream.close();
      await Promise.all(Array.from(forwards.values(), (forward) => forward.close()));
    },
  };
}

/**
 * What of a report is in the way of the next replica. What the bridge says of its sources is not: another istiod would have no more
 * of it. Nor is a resource that istiod refuses because it is invalid.
 */
export function whyDifferent({ bridge, istiods, problems }: Omit<VerifyReport, 'tookMs'>): string | undefined {
  if (bridge.error !== null) return bridge.error.message;
  if (bridge.silent.length > 0) return `the bridge says nothing of ${bridge.silent.join(', ')} yet`;
  const unfedBy = problems.find(({ code }) => unfed.has(code));
  if (unfedBy !== undefined) return `${unfedBy.subject}: ${unfedBy.what}`;
  for (const istiod of istiods) {
    const why = whyNotEqual(istiod);
    if (why !== undefined) return why;
  }
  return undefined;
}

function whyNotEqual({ pod, url, error, compared, differences }: IstiodReport): string | undefined {
  const who = pod === null ? url : `Pod ${pod}`;
  if (error !== null) return `${who}: ${error.message}`;
  if (!compared) return `${who} was not compared`;
  const open = differences.filter(({ status }) => status !== 'refused' && status !== 'byRevision');
  if (open.length === 0) return undefined;
  const names = open.slice(0, maxNames).map(({ status, kind, name }) => `${status} ${kind} ${name}`);
  const more = open.length > maxNames ? `, and ${open.length - maxNames} more` : '';
  return `${who} differs from the bridge: ${names.join(', ')}${more}`;
}
