import { stringify } from 'yaml';
import type { KubeObject } from '../../src/kube/object.ts';
import { isRecord } from '../../src/model/record.ts';
import { findMeshConfigs, type KubernetesObject } from '../meshconfig/find.ts';
import { kubeObject, type KubeObject as ScannedObject } from '../scan/objects.ts';

/** An object as `kubectl get -o yaml` shows it: names in their order, texts of several lines as blocks, no `managedFields`. */
export function objectText(object: KubeObject): string {
  const metadata = Object.fromEntries(Object.entries(object.metadata).filter(([name]) => name !== 'managedFields'));
  const options = { indentSeq: false, lineWidth: 0, blockQuote: 'literal', sortMapEntries: true } as const;
  return stringify({ ...object, metadata }, options);
}

/** How an object of a cluster is called where a file would be: `ConfigMap istio-system/istio`. */
export function objectLabel({ kind, metadata: { namespace, name } }: KubeObject): string {
  return `${kind} ${namespace === undefined ? name : `${namespace}/${name}`}`;
}

/** An object of a cluster for the checks; its text is made when a place in it is asked for. */
export function scannedObject(object: KubeObject): ScannedObject {
  const file = objectLabel(object);
  const { apiVersion, kind, metadata } = object;
  const { name, namespace = '' } = metadata;
  let located: KubernetesObject['locate'] | undefined;
  const locate: KubernetesObject['locate'] = (path, onKey) => {
    located ??= findMeshConfigs(file, objectText(object)).objects[0]?.locate;
    return located?.(path, onKey) ?? { offset: 0, line: 1, column: 1 };
  };
  const value = isRecord(object) ? object : {};
  return kubeObject(file, { apiVersion, kind, name, namespace, document: 1, value, locate });
}
