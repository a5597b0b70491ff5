import type { Cluster } from '../../src/kube/cluster.ts';
import { KubeError, rightHint } from '../../src/kube/failure.ts';
import {
  configMaps,
  deployments,
  type KubeObject,
  type ResourceType,
  validatingWebhooks,
} from '../../src/kube/object.ts';
import { say } from '../../src/cli/terminal.ts';
import { isRecord } from '../../src/model/record.ts';
import type { Unread } from '../scan/files.ts';
import type { KubeObject as ScannedObject } from '../scan/objects.ts';
import type { Read } from '../scan/scan.ts';
import { objectLabel, objectText, scannedObject } from './object-text.ts';

/** That of the kinds that every Istio has. */
const mainGroup = 'networking.istio.io';

/** API groups of Istio's own kinds, those of Mixer and of the operators included. */
const groups = [
  mainGroup,
  'security.istio.io',
  'telemetry.istio.io',
  'extensions.istio.io',
  'authentication.istio.io',
  'rbac.istio.io',
  'config.istio.io',
];

/** What Istio may be installed from. */
const installers = ['install.istio.io', 'sailoperator.io'];

/** What of a single kind may fail and still leave the others to be read. */
const ofOneKind = new Set<KubeError['failure']>(['forbidden', 'noSuchKind', 'invalid', 'server', 'gone']);

/** Something that can't be read; `said` is the API's own message. */
type ClusterUnread = Unread & { readonly said: string; readonly isForbidden: boolean };

/**
 * Reads of a cluster what the checks look at: the mesh configs and Deployments of a namespace, Istio's resources of all of them, the
 * validating webhooks, and what operators install from. What may not be read is among `unread`, never taken for nothing.
 * @throws KubeError where the API server can't be asked at all.
 */
export async function readCluster(cluster: Cluster): Promise<Read & { readonly objects: readonly ScannedObject[] }> {
  const unread: ClusterUnread[] = [];
  const orUnread = async <Value, Otherwise>(
    what: string,
    read: Promise<Value>,
    otherwise: Otherwise,
  ): Promise<Value | Otherwise> => {
    try {
      return await read;
    } catch (error) {
      if (!(error instanceof KubeError) || !ofOneKind.has(error.failure)) throw error;
      if (error.failure !== 'noSuchKind') unread.push(unreadOf(what, error));
      return otherwise;
    }
  };
  const all = async (type: ResourceType, namespace?: string): Promise<KubeObject[]> =>
    await orUnread(nameOf(type), cluster.list(type, { namespace }), []);
  const ofGroups = async (names: readonly string[]): Promise<KubeObject[]> => {
    const objects: KubeObject[] = [];
    for (const group of names) {
      const types = await orUnread(group, cluster.kindsOf(group), undefined);
      if (types?.length === 0 && group === mainGroup) say(`note: it has no CRDs of ${group}, and so no such resources`);
      const before = unread.length;
      for (const type of types ?? []) objects.push(...(await all(type)));
      unread.push(...unitedByGroup(group, unread.splice(before)));
    }
    return objects;
  };

  const meshes = await readMeshes(cluster, unread);
  const workloads = await all(deployments, cluster.namespace);
  const webhooks = await all(validatingWebhooks);
  const installed = await ofGroups(installers);
  const resources = await ofGroups(groups);
  const inFull = [...meshes, ...workloads, ...installed, ...webhooks];
  return {
    files: inFull.map((object) => ({ file: objectLabel(object), text: objectText(object), isOfCluster: true })),
    objects: resources.map((object) => scannedObject(object)),
    unread,
  };
}

/** The ConfigMaps `istio` and `istio-REVISION`; the first alone where the others may not be listed. */
async function readMeshes(cluster: Cluster, unread: ClusterUnread[]): Promise<KubeObject[]> {
  const { namespace } = cluster;
  const isMesh = ({ data, metadata }: KubeObject): boolean =>
    isRecord(data) && 'mesh' in data && /^istio(-.|$)/.test(metadata.name);
  const missing = (reason: string): ClusterUnread => ({
    file: `ConfigMap ${namespace}/istio`,
    code: 'CLUSTER_UNREAD',
    reason,
    said: reason,
    isForbidden: false,
    fix: `is it the right context, and is istiod in namespace ${namespace} (-n says another one)?`,
  });
  try {
    const found = (await cluster.list(configMaps, { namespace })).filter((object) => isMesh(object));
    if (found.length === 0)
      unread.push(missing('is not there, nor one of a revision: there is no mesh config to analyse'));
    return found;
  } catch (error) {
    if (!(error instanceof KubeError) || error.failure !== 'forbidden') throw error;
    unread.push(unreadOf('ConfigMaps of revisions', error));
  }
  try {
    return [await cluster.get(configMaps, { namespace, name: 'istio' })];
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    if (error.failure === 'notFound') unread.push(missing('is not there: there is no mesh config to analyse'));
    else if (error.failure === 'forbidden') unread.push(unreadOf(`ConfigMap ${namespace}/istio`, error));
    else throw error;
    return [];
  }
}

const nameOf = ({ plural, group }: ResourceType): string => (group === '' ? plural : `${plural}.${group}`);

/** Kinds of a group that may not be listed are one thing to do: one rule of RBAC. */
function unitedByGroup(group: string, unread: readonly ClusterUnread[]): ClusterUnread[] {
  const forbidden = unread.filter(({ isForbidden }) => isForbidden);
  const [first, second] = forbidden;
  if (first === undefined || second === undefined) return [...unread];
  const plurals = forbidden.map(({ file }) => file.slice(0, -group.length - 1)).sort();
  const united: ClusterUnread = {
    ...first,
    file: group,
    reason: `can’t be read in full: ${plurals.join(', ')} are not analysed: ${first.said}`,
    fix: rightHint({ verb: 'list', group, namespace: undefined, name: undefined }, plurals),
  };
  return [...unread.filter(({ isForbidden }) => !isForbidden), united];
}

function unreadOf(file: string, { said, hint, failure }: KubeError): ClusterUnread {
  const reason = `can’t be read, and is not analysed: ${said}`;
  return { file, code: 'CLUSTER_UNREAD', reason, fix: hint, said, isForbidden: failure === 'forbidden' };
}
