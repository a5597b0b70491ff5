import type { FoundFile } from '../meshconfig/find.ts';
import { operatorKinds, switchPaths } from '../meshconfig/places.ts';
import { type Version, parseVersion } from '../version.ts';
import { mapOf, textOf, valueAt } from './json.ts';
import { type KubeObject, type Part, partOf, subPart } from './objects.ts';
import { type Variable, variablesOf } from './workloads.ts';

/** A setting of Helm charts up to 1.23 that is in the inputs, such as `global.useMCP`. */
export type Switch = {
  /** From the top of the values. */
  readonly name: string;
  readonly value: unknown;
  readonly at: ReturnType<Part['at']>;
};

/** Helm values, or the object of an operator: what Istio is installed from. */
export type Values = Part & {
  readonly subject: string;
  readonly switches: readonly Switch[];
  /** What Pilot's container gets. */
  readonly env: readonly Variable[];
  /** By its tag; undefined where that is not given. */
  readonly version: Version | undefined;
  readonly versionAt: ReturnType<Part['at']>;
};

const kinds = new Set([...operatorKinds, 'HelmRelease', 'Istio', 'IstioRevision']);

/** Everything in a file that Istio is installed from. */
export function valuesOf(found: FoundFile, objects: readonly KubeObject[]): Values[] {
  const ofObjects = objects
    .filter(({ kind }) => kinds.has(kind))
    .flatMap((object) => {
      const spec = subPart(object, ['spec'], object.json['spec']);
      const subject = `${object.kind} ${object.name}`.trim();
      const lists = ['values', 'unvalidatedValues'].filter((name) => name in spec.json);
      const all = lists.length > 0 ? lists : ['values'];
      return all.map((name, index) => {
        const values = read(subPart(spec, [name], spec.json[name]), subject);
        return index === 0 ? { ...values, ...ofSpec(spec, values) } : values;
      });
    });
  const ofDocuments = found.documents
    .filter(({ what }) => what === 'Helm values')
    .map(({ value, locate }) => read(partOf(found.file, value, locate), 'Helm values'));
  return [...ofObjects, ...ofDocuments];
}

function read(part: Part, subject: string): Values {
  const switches = switchPaths.flatMap((path) => {
    const value = valueAt(part.json, path);
    return value === undefined ? [] : [{ name: path.join('.'), value, at: part.at(path, true) }];
  });
  const env = Object.entries(mapOf(valueAt(part.json, ['pilot', 'env']))).map(([name, value]) => ({
    name,
    value: textOf(value) ?? '',
    at: part.at(['pilot', 'env', name], true),
  }));
  const tag = textOf(valueAt(part.json, ['global', 'tag'])) ?? '';
  return { ...part, subject, switches, env, version: parseVersion(tag), versionAt: part.at(['global', 'tag']) };
}

/** What an operator's object says beside its values. */
function ofSpec(spec: Part, values: Values): Partial<Values> {
  const path = ['components', 'pilot', 'k8s', 'env'];
  const more = variablesOf(valueAt(spec.json, path), (below) => spec.at([...path, ...below]));
  const version = parseVersion(textOf(spec.json['tag']) ?? '');
  return {
    env: [...values.env, ...more],
    ...(version === undefined ? {} : { version, versionAt: spec.at(['tag']) }),
  };
}
