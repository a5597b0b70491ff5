import { IsthmusError } from '../../src/model/errors.ts';
import { type Cluster, openCluster } from '../../src/kube/cluster.ts';
import { quote } from '../plan/step.ts';

/** Options of the verbs that work on a live cluster too. */
export const clusterOptions = {
  kubeconfig: {
    type: 'string',
    requiresArg: true,
    describe: 'Kubeconfig of the cluster [default: KUBECONFIG, or ~/.kube/config]',
  },
  context: { type: 'string', requiresArg: true, describe: 'Context of the kubeconfig [default: its current one]' },
  namespace: {
    alias: 'n',
    type: 'string',
    requiresArg: true,
    describe: 'Namespace of istiod in the cluster [default: istio-system]',
  },
} as const;

export type ClusterFlags = {
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  readonly namespace?: string | undefined;
};

/**
 * The cluster that the flags name.
 * @param otherwise what to do where there is no kubeconfig; undefined for verbs that work on files too.
 * @throws IsthmusError USAGE or CONFIG_INVALID
 */
export async function clusterOf(
  { kubeconfig, context, namespace }: ClusterFlags,
  otherwise?: string,
): Promise<Cluster> {
  return openCluster({ kubeconfig, context, namespace, otherwise });
}

/** True where a flag says that a cluster is meant, whatever files are given. */
export function namesCluster({ kubeconfig, context, namespace }: ClusterFlags): boolean {
  return kubeconfig !== undefined || context !== undefined || namespace !== undefined;
}

/**
 * @param given flags for one of the two, by their names; those that are not undefined were given.
 * @throws IsthmusError USAGE where one of them was.
 */
export function refuseFlags(given: Readonly<Record<string, unknown>>, why: string, hint: string): void {
  const [flag] = Object.entries(given).find(([, value]) => value !== undefined && value !== false) ?? [];
  if (flag !== undefined) throw new IsthmusError('USAGE', flag, why, { hint });
}

/** The same flags, for a command that the user is to run; each with a blank before it. */
export function flagsText({ kubeconfig, context, namespace }: ClusterFlags): string {
  const flags = { '--kubeconfig': kubeconfig, '--context': context, '-n': namespace };
  return Object.entries(flags)
    .flatMap(([flag, value]) => (value === undefined ? [] : [` ${flag} ${quote(value)}`]))
    .join('');
}

/** The same for kubectl, whose namespace is given where it is needed. */
export function kubectlFlags({ kubeconfig, context }: ClusterFlags): string {
  return flagsText({ kubeconfig, context });
}
