import { kindOf, kinds, type Kind } from '../model/kinds.ts';
import { bodyFromJson, bodyToJson } from './json.ts';
import { readMetadata } from './metadata.ts';
import { pathText, valueText, type Path, type Problem } from './problem.ts';
import { closest } from '../model/suggest.ts';
import { validate } from './validate/validate.ts';
import { consequence, type Subject } from './validate/violation.ts';
import { readYamlDocuments, type YamlDocument } from './yaml-documents.ts';

/** Something wrong in a file, for people. */
export type Finding = {
  /** `error`: the resource (or the document) is not in the result. `warning`: it is, without what the finding names. */
  readonly severity: 'error' | 'warning';
  readonly file: string;
  /** Counted from 1, as `column`. */
  readonly line: number;
  readonly column: number;
  /** Place of the document among those of the file that are not empty, from 1. */
  readonly document: number;
  /** Such as `spec.endpoints[2].ports.http`; empty for the document itself. */
  readonly path: string;
  readonly message: string;
  /** What to do about it. */
  readonly hint: string;
};

/** A resource of a YAML file, ready for wire/resource-view's encodeResourceMessage. */
export type ParsedResource = {
  readonly kind: Kind;
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** metadata.creationTimestamp, where there is one. */
  readonly createTime?: Date;
  /** The spec as `kind.body`, in canonical order. */
  readonly body: Buffer;
  /** Line of the file at which it begins. */
  readonly line: number;
};

export type ParseOptions = {
  /** Namespace of a resource that names none. @default 'default' */
  readonly defaultNamespace?: string;
  /** Say as warnings which rules of Istio a resource breaks. @default false */
  readonly rules?: boolean;
};

/**
 * Group versions under which the API server of any Istio serves a kind; the bodies are the same. They are those that
 * istiods ask for, and v1beta1 between v1alpha3 and v1 (CustomResourceDefinitions of istio.io/api 1.5 to 1.30).
 */
const versionsOf = ({ versions: [oldest = '', ...newer] }: Kind): string[] =>
  oldest === 'v1alpha3' && newer.length > 0 ? [oldest, 'v1beta1', ...newer] : [oldest, ...newer];

const kindNames = kinds.map(({ kind }) => kind).join(', ');

const topLevelFields = ['apiVersion', 'kind', 'metadata', 'spec', 'status'];

/**
 * Reads Kubernetes-form YAML or JSON: any number of documents, lists (`kind: List` and `ServiceEntryList`) unfolded.
 * Never throws: what is wrong becomes a finding, and costs its own resource only. `status` is ignored. The same name
 * may occur twice; the caller decides which one counts. `file` is only named in the findings.
 */
export function parseYaml(
  text: string,
  file: string,
  options: ParseOptions = {},
): { resources: ParsedResource[]; findings: Finding[] } {
  return parseDocuments(readYamlDocuments(text), file, options);
}

/** The same, of documents that are read already. */
export function parseDocuments(
  documents: readonly YamlDocument[],
  file: string,
  options: ParseOptions = {},
): { resources: ParsedResource[]; findings: Finding[] } {
  const { defaultNamespace = 'default', rules = false } = options;
  const resources: ParsedResource[] = [];
  const findings: Finding[] = [];
  for (const document of documents) {
    for (const { severity, message, at } of document.faults) {
      const hint =
        severity === 'error' ? 'correct the YAML; the other documents of the file are read' : 'check the YAML';
      findings.push({ severity, file, ...at, document: document.number, path: '', message, hint });
    }
    if (document.value === undefined) continue;
    for (const { json, path } of items(document.value)) {
      const problems: Problem[] = [];
      const resource = readObject(json, path, { defaultNamespace, rules, document, problems });
      if (resource !== undefined && !problems.some(({ severity }) => severity === 'error')) resources.push(resource);
      findings.push(...problems.map((problem) => toFinding(problem, document, file)));
    }
  }
  return { resources, findings };
}

/** One line for a terminal: `services.yaml:7:13: spec.ports[0].number: expected …; write …`. */
export function findingText({ file, line, column, path, message, hint }: Finding): string {
  return `${file}:${line}:${column}: ${path === '' ? '' : `${path}: `}${message}; ${hint}`;
}

/** Steps of a path at which lists in lists are no longer unfolded; aliases could make them endless. */
const maxListDepth = 16;

/** The document itself, or the items of a list, lists in lists included. */
function items(json: unknown, path: Path = []): { json: unknown; path: Path }[] {
  const { kind, items: list } = (json ?? {}) as { kind?: unknown; items?: unknown };
  const isList = typeof kind === 'string' && kind.endsWith('List') && Array.isArray(list);
  if (!isList || path.length > maxListDepth) return [{ json, path }];
  return list.flatMap((item, index) => items(item, [...path, 'items', index]));
}

type Context = Required<ParseOptions> & { readonly document: YamlDocument; readonly problems: Problem[] };

function readObject(json: unknown, path: Path, context: Context): ParsedResource | undefined {
  const { defaultNamespace, rules, document, problems } = context;
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    const hint = 'write an object with apiVersion, kind, metadata and spec';
    problems.push({ severity: 'error', path, message: `expected a resource, found ${valueText(json)}`, hint });
    return undefined;
  }
  const { apiVersion, kind: kindName, metadata, spec } = json as Record<string, unknown>;
  const kind = readKind(apiVersion, kindName, path, problems);
  if (kind === undefined) return undefined;
  for (const key of Object.keys(json).filter((name) => !topLevelFields.includes(name))) {
    const meant = closest(key, topLevelFields);
    const hint = meant === undefined ? `its fields are ${topLevelFields.join(', ')}` : `did you mean "${meant}"?`;
    const message = 'is no field of a resource; it is left out';
    problems.push({ severity: 'warning', path: [...path, key], onKey: true, message, hint });
  }
  const meta = readMetadata(metadata, [...path, 'metadata'], defaultNamespace, problems);
  const specPath = [...path, 'spec'];
  if (spec === undefined || spec === null) {
    problems.push({
      severity: 'error',
      path: specPath,
      message: 'is missing',
      hint: `describe the ${kind.kind} there`,
    });
    return undefined;
  }
  const { body, problems: inSpec } = bodyFromJson(kind, spec, specPath);
  problems.push(...inSpec);
  if (meta === undefined || body === undefined) return undefined;
  if (rules) problems.push(...brokenRules(kind, meta, body, path));
  return { kind, ...meta, body, line: document.locate(path).line };
}

/** Of the resource as it is sent, so without the fields that are left out. */
function brokenRules(kind: Kind, subject: Subject, body: Buffer, path: Path): Problem[] {
  return validate(kind, subject, bodyToJson(kind, body).spec).map(({ path: where, message, hint }) => ({
    severity: 'warning',
    path: [...path, ...where],
    message: `${message}: ${consequence}`,
    hint,
  }));
}

function readKind(apiVersion: unknown, name: unknown, path: Path, problems: Problem[]): Kind | undefined {
  const fail = (field: string, message: string, hint: string, severity: Problem['severity'] = 'error'): undefined => {
    problems.push({ severity, path: [...path, field], message, hint });
  };
  if (typeof apiVersion !== 'string')
    return fail('apiVersion', 'is missing', 'write apiVersion: networking.istio.io/v1');
  if (typeof name !== 'string') return fail('kind', 'is missing', `write one of ${kindNames}`);
  const [group = '', version, ...rest] = apiVersion.split('/');
  const kind = kindOf(group, name);
  if (kind === undefined) {
    const sameName = kinds.find((known) => known.kind === name);
    if (sameName !== undefined) {
      const hint = `write apiVersion: ${sameName.group}/${sameName.versions.at(-1)}`;
      return fail('apiVersion', `${name} is no kind of "${apiVersion}"`, hint);
    }
    if (!group.endsWith('istio.io')) {
      const message = `${name} of ${apiVersion} is no Istio configuration; it is left out`;
      return fail('kind', message, 'keep it elsewhere to silence this', 'warning');
    }
    const ofGroup = kinds.filter((known) => known.group === group).map((known) => known.kind);
    const meant = closest(name, ofGroup);
    const others = ofGroup.length > 0 ? ofGroup.join(', ') : kindNames;
    const hint = meant === undefined ? `the known kinds are ${others}` : `did you mean ${meant}?`;
    return fail('kind', `${name} is no known kind of ${group}`, hint);
  }
  const versions = versionsOf(kind);
  if (version === undefined || rest.length > 0 || !versions.includes(version)) {
    const hint = `write one of ${versions.map((known) => `${group}/${known}`).join(', ')}`;
    return fail('apiVersion', `"${apiVersion}" is no version of ${name}`, hint);
  }
  return kind;
}

function toFinding(problem: Problem, document: YamlDocument, file: string): Finding {
  const { severity, path, onKey, message, hint } = problem;
  const at = document.locate(path, onKey);
  return { severity, file, ...at, document: document.number, path: pathText(path), message, hint };
}
