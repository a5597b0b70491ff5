import type { Cluster } from '../../src/kube/cluster.ts';
import { KubeError } from '../../src/kube/failure.ts';
import { configMaps, type KubeObject, type ObjectRef } from '../../src/kube/object.ts';
import { IsthmusError } from '../../src/model/errors.ts';
import { isRecord } from '../../src/model/record.ts';

/** The mesh config of a ConfigMap in a cluster, as it was read. */
export type LiveMesh = {
  readonly ref: ObjectRef & { readonly namespace: string };
  /** `ConfigMap istio-system/istio`. */
  readonly what: string;
  readonly object: KubeObject;
  /** `data.mesh`. */
  readonly text: string;
};

/**
 * Reads `data.mesh` of a ConfigMap.
 * @throws KubeError, which says what else there is where it is not there; IsthmusError USAGE where it has no mesh config.
 */
export async function readMesh(cluster: Cluster, name: string): Promise<LiveMesh> {
  const ref = { namespace: cluster.namespace, name };
  try {
    return meshOf(ref, await cluster.get(configMaps, ref));
  } catch (error) {
    if (!(error instanceof KubeError) || error.failure !== 'notFound') throw error;
    const others = await otherMeshes(cluster, name);
    const hint =
      typeof others === 'string' || others.length === 0
        ? error.hint
        : `there is ${others.join(', ')} with a mesh config: give one with --name; -n says another namespace`;
    throw error.about(error.subject, error.said, hint);
  }
}

function meshOf(ref: LiveMesh['ref'], object: KubeObject): LiveMesh {
  const what = `ConfigMap ${ref.namespace}/${ref.name}`;
  const { data } = object;
  const text = isRecord(data) ? data['mesh'] : undefined;
  if (typeof text === 'string') return { ref, what, object, text };
  throw new IsthmusError('USAGE', what, 'has no data.mesh: it is no mesh config of Istio', {
    hint: 'istiod reads the ConfigMap istio, and istio-REVISION where it has a revision: give its name with --name',
  });
}

/**
 * Names of the other ConfigMaps that hold a mesh config, each for the istiod of a revision.
 * @returns why that is not known, as text, where it may not be read.
 */
export async function otherMeshes(cluster: Cluster, name: string): Promise<string[] | string> {
  try {
    const all = await cluster.list(configMaps, { namespace: cluster.namespace });
    return all
      .filter(({ data }) => isRecord(data) && typeof data['mesh'] === 'string')
      .map(({ metadata }) => metadata.name)
      .filter((one) => one !== name && /^istio(-|$)/.test(one));
  } catch (error) {
    if (error instanceof KubeError) return error.message;
    throw error;
  }
}

/**
 * What became of a write. `changed`: somebody else was faster. `refused`: the API server did not take it. With both, nothing was
 * written.
 */
export type Written =
  | { readonly did: 'written'; readonly resourceVersion: string }
  | { readonly did: 'changed'; readonly now: LiveMesh | undefined }
  | { readonly did: 'refused'; readonly error: KubeError };

/**
 * Writes `data.mesh` and nothing else, if the ConfigMap is still what was read: the API server compares, in the same step as it
 * writes. Then reads it again, and compares.
 * @throws IsthmusError where it may have been written, and is not known to be what was sent.
 */
export async function writeMesh(cluster: Cluster, mesh: LiveMesh, text: string): Promise<Written> {
  const { ref, object, what } = mesh;
  const { uid, resourceVersion } = object.metadata;
  try {
    await cluster.patch(configMaps, ref, { metadata: { uid, resourceVersion }, data: { mesh: text } });
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    if (error.failure === 'conflict') return { did: 'changed', now: await readOrNothing(cluster, ref) };
    if (!error.isUnsure) return { did: 'refused', error };
    await requireWritten(cluster, mesh, text, error);
  }
  const now = await readAgain(cluster, mesh);
  if (now?.text === text) return { did: 'written', resourceVersion: now.object.metadata.resourceVersion };
  throw new IsthmusError('CONFLICT', what, 'was written, and is something else already', {
    hint: 'somebody, or an admission webhook, writes it too: see kubectl get -o yaml --show-managed-fields. The backup stays',
  });
}

async function readAgain(cluster: Cluster, { ref, what }: LiveMesh): Promise<LiveMesh | undefined> {
  try {
    return await readOrNothing(cluster, ref);
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    throw error.about(
      what,
      `was written, but can’t be read again: ${error.message}`,
      `${error.hint}. The backup stays`,
    );
  }
}

async function readOrNothing(cluster: Cluster, ref: LiveMesh['ref']): Promise<LiveMesh | undefined> {
  try {
    return meshOf(ref, await cluster.get(configMaps, ref));
  } catch (error) {
    if (error instanceof KubeError && error.failure === 'notFound') return undefined;
    throw error;
  }
}

/** No whole answer came: only the cluster itself says whether it was written. */
async function requireWritten(cluster: Cluster, mesh: LiveMesh, text: string, error: KubeError): Promise<void> {
  let now: LiveMesh | undefined;
  try {
    now = await readOrNothing(cluster, mesh.ref);
  } catch {
    throw error.about(
      mesh.what,
      `it is not known whether it was written: ${error.message}`,
      'once the API server answers again, run the same command without --apply: it shows what is there. The backup stays',
    );
  }
  if (now?.text === text) return;
  throw error.about(
    mesh.what,
    `is as it was: ${error.message}`,
    `${error.hint}; look at it again before you repeat this`,
  );
}
