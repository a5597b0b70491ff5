import type { Path } from '../../src/schema/problem.ts';
import type { Place } from '../finding.ts';
import type { KubernetesObject } from '../meshconfig/find.ts';
import { type Json, mapOf, textsOf } from './json.ts';

/** A part of a file: a YAML value, and where everything in it stands. */
export type Part = {
  readonly file: string;
  readonly json: Json;
  /** Where the value (or its name, for `onKey`) at a path below `json` stands; the nearest thing around it otherwise. */
  at(path: Path, onKey?: boolean): Place;
};

/** A Kubernetes object in a file. */
export type KubeObject = Part & {
  readonly apiVersion: string;
  readonly kind: string;
  /** Empty where the object names none. */
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
};

/** A value of a file as a part. */
export function partOf(
  file: string,
  json: unknown,
  locate: (path: Path, onKey?: boolean) => { readonly line: number; readonly column: number },
): Part {
  return {
    file,
    json: mapOf(json),
    at(path, onKey) {
      const { line, column } = locate(path, onKey);
      return { file, line, column };
    },
  };
}

/** The part below a path of another one. */
export function subPart(part: Part, path: Path, json: unknown): Part {
  return { file: part.file, json: mapOf(json), at: (below, onKey) => part.at([...path, ...below], onKey) };
}

/** An object that was found in a file, with its labels and annotations. */
export function kubeObject(
  file: string,
  { apiVersion, kind, namespace, name, value, locate }: KubernetesObject,
): KubeObject {
  const { labels, annotations } = mapOf(value['metadata']);
  const part = partOf(file, value, locate);
  return { ...part, apiVersion, kind, namespace, name, labels: textsOf(labels), annotations: textsOf(annotations) };
}

/** `Deployment istio-system/istiod`, for messages. */
export function objectText({ kind, namespace, name }: KubeObject): string {
  return `${kind} ${namespace === '' ? name : `${namespace}/${name}`}`;
}
