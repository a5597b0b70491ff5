import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import type { KubernetesObject } from '../../src/schema/object.ts';

/** The folder of samples: one file per kind; between them they hold every field. */
export const samplesFolder = new URL('../unit/schema/fixtures/samples/', import.meta.url);

/** The text of the sample of a kind, and its documents. */
export function sampleOf(kind: string): { text: string; objects: KubernetesObject[] } {
  const text = readFileSync(new URL(`${kind}.yaml`, samplesFolder), 'utf8');
  return { text, objects: parseAllDocuments(text).map((document) => document.toJS() as KubernetesObject) };
}
