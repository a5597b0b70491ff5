import type { KubeObject } from '../../src/kube/object.ts';
import { isRecord } from '../../src/model/record.ts';
import { ownerOf } from '../checks/mesh-config-managed.ts';
import { fieldManager } from '../../src/kube/cluster.ts';

const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';

/** Who will undo a change of `data.mesh` of a ConfigMap, and where it has to be made instead; empty where nothing says so. */
export function undoers({ metadata, ...object }: KubeObject): string[] {
  const { labels = {}, annotations = {}, name } = metadata;
  const said: string[] = [];
  const owner = ownerOf({ labels, annotations, json: { ...object, metadata } });
  if (owner !== undefined) {
    said.push(
      `ConfigMap ${name} is written by ${owner.who} (${owner.sign}), which undoes a change of the ConfigMap alone: ${owner.edit}`,
    );
  }
  for (const { manager, isApplied } of managersOfMesh(metadata['managedFields'])) {
    if (!isApplied || manager === fieldManager) continue;
    said.push(
      `${manager} owns data.mesh by server-side apply: its next apply ends with a conflict, or takes this back if it forces: change what it applies, too`,
    );
  }
  if (owner === undefined && Object.hasOwn(annotations, lastApplied)) {
    said.push(
      `kubectl apply wrote ConfigMap ${name}: its next apply of the old file takes this back. Patch that file too (isthmus migrate patch FILE)`,
    );
  }
  return said;
}

/** Entries of `managedFields` that hold `data.mesh`. */
function managersOfMesh(fields: unknown): { manager: string; isApplied: boolean }[] {
  if (!Array.isArray(fields)) return [];
  return fields.flatMap((entry: unknown) => {
    if (!isRecord(entry) || typeof entry['manager'] !== 'string') return [];
    const data = isRecord(entry['fieldsV1']) ? entry['fieldsV1']['f:data'] : undefined;
    if (!isRecord(data) || !('f:mesh' in data)) return [];
    return [{ manager: entry['manager'], isApplied: entry['operation'] === 'Apply' }];
  });
}
