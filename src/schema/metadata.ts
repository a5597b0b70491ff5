import { valueText, type Path, type Problem } from './problem.ts';
import { closest } from '../model/suggest.ts';
import { parseTimestamp } from './well-known.ts';

/** The part of Kubernetes' ObjectMeta that MCP carries. */
export type Metadata = {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly createTime?: Date;
};

const carried = ['name', 'namespace', 'labels', 'annotations', 'creationTimestamp'];

/** The rest of ObjectMeta (k8s.io/apimachinery meta/v1): true of the object in its cluster, and of no use here. */
const ignored = [
  'generateName',
  'selfLink',
  'uid',
  'resourceVersion',
  'generation',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'ownerReferences',
  'finalizers',
  'managedFields',
];

const known = [...carried, ...ignored];

/** RFC 1123 as Kubernetes checks it for the names of custom resources, and for namespaces. */
const subdomain = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const label = /^(?=.{1,63}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;

/** Reads `metadata`; undefined where `problems` got an error. */
export function readMetadata(
  json: unknown,
  path: Path,
  defaultNamespace: string,
  problems: Problem[],
): Metadata | undefined {
  let bad = false;
  const error = (at: Path, message: string, hint: string): void => {
    bad = true;
    problems.push({ severity: 'error', path: at, message, hint });
  };
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    error(
      path,
      json === undefined ? 'is missing' : `expected an object, found ${valueText(json)}`,
      'write a name there',
    );
    return undefined;
  }
  for (const key of Object.keys(json).filter((field) => !known.includes(field))) {
    const meant = closest(key, known);
    const hint = meant === undefined ? `its fields are ${carried.join(', ')}` : `did you mean "${meant}"?`;
    const message = 'is no field of metadata; it is left out';
    problems.push({ severity: 'warning', path: [...path, key], onKey: true, message, hint });
  }
  const fields = json as Record<string, unknown>;

  const { name } = fields;
  const namespace = fields['namespace'] ?? defaultNamespace;
  const lowerCase = 'use lower-case letters, digits and "-"';
  if (name === undefined || name === null) error([...path, 'name'], 'is missing', 'give the resource a name');
  else if (typeof name !== 'string' || !subdomain.test(name)) {
    error(
      [...path, 'name'],
      `${valueText(name)} is no valid name`,
      `${lowerCase}, dots between, in quotes if it is a number`,
    );
  }
  if (typeof namespace !== 'string' || !label.test(namespace)) {
    error([...path, 'namespace'], `${valueText(namespace)} is no valid namespace`, lowerCase);
  }

  const texts = (field: string): Record<string, string> => {
    const value = fields[field] ?? {};
    if (typeof value !== 'object' || Array.isArray(value)) {
      error([...path, field], `expected an object, found ${valueText(value)}`, 'write it as "name: value" lines');
      return {};
    }
    const entries = Object.entries(value).map(([key, text]) => {
      const at = [...path, field, key];
      // The API server takes null for the empty text.
      if (text === null) return [key, ''];
      if (typeof text !== 'string') error(at, `expected text, found ${valueText(text)}`, 'put it in quotes');
      else if (/\p{Surrogate}/u.test(key + text))
        error(at, 'is no valid Unicode', 'remove the half of a surrogate pair');
      return [key, text];
    });
    return Object.fromEntries(entries) as Record<string, string>;
  };
  const labels = texts('labels');
  const annotations = texts('annotations');

  // Generated YAML often holds `creationTimestamp: null`.
  const created = fields['creationTimestamp'] ?? undefined;
  const time = typeof created === 'string' ? parseTimestamp(created) : undefined;
  if (created !== undefined && time === undefined) {
    const hint = 'write it as in "2026-01-31T12:00:00Z", or remove it';
    error([...path, 'creationTimestamp'], `expected a time, found ${valueText(created)}`, hint);
  }
  if (bad) return undefined;
  const createTime = time && new Date(Number(time.seconds) * 1000 + Math.floor(time.nanos / 1e6));
  return {
    namespace: namespace as string,
    name: name as string,
    labels,
    annotations,
    ...(createTime === undefined ? {} : { createTime }),
  };
}
