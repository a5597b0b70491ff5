import { isRecord } from '../../src/model/record.ts';
import { Document, isAlias, isMap, isScalar, isSeq, type Node } from 'yaml';
import type { Path } from '../../src/schema/problem.ts';
import { readYamlDocuments, type YamlDocument } from '../../src/schema/yaml-documents.ts';
import { fileLayer, type Layer, scalarLayer } from './layer.ts';
import {
  type Candidate,
  candidatesOfObject,
  candidatesOfValues,
  isMeshConfig,
  type ObjectName,
  objectsOf,
  type PlaceKind,
  switchesOf,
} from './places.ts';
import { type ConfigSource, configSourcesOf } from './sources.ts';

/** A place in a file. `offset` counts UTF-16 units from 0, line and column from 1. */
export type Spot = { readonly offset: number; readonly line: number; readonly column: number };

/** Finds where something in a value stands in the file: the value at `path`, or its name (`onKey`); else the nearest thing. */
export type Locate = (path: Path, onKey?: boolean) => Spot;

/** What makes a file, a document, or a mesh config in it unreadable. */
export type FileProblem = Spot & {
  readonly kind: 'syntax' | 'duplicateKey' | 'template' | 'notText' | 'notMap' | 'severalDocuments';
  /** 0 where it is about the whole file. */
  readonly document: number;
  readonly message: string;
  /** What to do about it. */
  readonly hint: string;
};

/** One document of the file. */
export type FileDocument = {
  /** Place among the documents that are not empty, from 1. */
  readonly number: number;
  /** As people would name it: `ConfigMap istio-system/istio`, `mesh config`, `Helm values`, `something else`. */
  readonly what: string;
  /** Undefined where it could not be read; the problems say why. */
  readonly value: unknown;
  readonly locate: Locate;
};

/** A Kubernetes object: a document, or one of those in a `kind: List`. */
export type KubernetesObject = ObjectName & {
  readonly document: number;
  readonly value: Readonly<Record<string, unknown>>;
  /** Paths are counted from the top of the object. */
  readonly locate: Locate;
};

/** A value of old Helm charts that chose legacy MCP or its server: `global.useMCP`, `galley.enabled`, … */
export type HelmSwitch = Spot & { readonly document: number; readonly path: Path; readonly value: unknown };

/** The text that a mesh config was read from, for who edits it. */
export type MeshText = {
  readonly layer: Layer;
  readonly document: Document;
  /** Where the ranges of `document` begin to count, in the text of the layer. */
  readonly base: number;
  /** The mesh config itself; null where there is nothing. */
  readonly root: Node | null;
  /** What it is inside of, from the top of the file's document; and the scalar that holds it, if one does. */
  readonly around: readonly Node[];
  /** The file's document, whose aliases may point to what is around. */
  readonly outer: Document;
};

/** One mesh config, and where it stands. */
export type MeshPlace = {
  readonly kind: PlaceKind;
  readonly document: number;
  /** The Kubernetes object that it is part of. */
  readonly object: ObjectName | undefined;
  /** Of a ConfigMap `istio-REVISION`; empty for one called `istio`, undefined for others. */
  readonly revision: string | undefined;
  /** Where in the document it is: `['data', 'mesh']`; empty for a document that is a mesh config. */
  readonly path: Path;
  /** As people would name it: `ConfigMap istio-system/istio, data.mesh`. */
  readonly what: string;
  /** The mesh config as plain data. */
  readonly mesh: Readonly<Record<string, unknown>>;
  /** The name under which the list stands: `configSources`, or protobuf's own `config_sources`; undefined where it is absent. */
  readonly sourcesKey: 'configSources' | 'config_sources' | undefined;
  readonly configSources: readonly ConfigSource[];
  /** Paths are counted from the top of the mesh config: `['configSources', 0, 'address']`. */
  readonly locate: Locate;
  readonly text: MeshText;
};

/** All that was found in a file. */
export type FoundFile = {
  readonly file: string;
  readonly text: string;
  readonly documents: readonly FileDocument[];
  readonly objects: readonly KubernetesObject[];
  readonly meshes: readonly MeshPlace[];
  readonly switches: readonly HelmSwitch[];
  readonly problems: readonly FileProblem[];
  /** Line and column of an offset of the file. */
  spot(offset: number): Spot;
  /** What the same file would hold with another text. */
  withText(text: string): FoundFile;
};

/**
 * Finds the mesh config in a text that is one and nothing else: `data.mesh` of a ConfigMap of a cluster.
 * @param object the ConfigMap. Problems and places count from the start of the text.
 */
export function findMeshText(object: ObjectName, text: string): FoundFile {
  const spot = spotsOf(text);
  const what = placeName(object, 'configMap', ['data', 'mesh']);
  const found = { meshes: [] as MeshPlace[], problems: [] as FileProblem[] };
  const outer = new Document();
  const place = { kind: 'configMap' as const, document: 1, object, revision: revisionOf(object), path: [], what };
  readMeshText(place, { layer: fileLayer(text), around: [], outer }, spot, found);
  const documents = found.meshes.map(({ mesh, locate }) => ({ number: 1, what, value: mesh, locate }));
  const withText = (other: string) => findMeshText(object, other);
  return { file: what, text, documents, objects: [], switches: [], ...found, spot, withText };
}

/**
 * Finds every mesh config in a YAML or JSON file: one by itself, in ConfigMaps (also several documents, and `kind: List`),
 * in an IstioOperator or IstioControlPlane, in Helm values and a HelmRelease. Never throws: what cannot be read is a problem with its place.
 * @param file its name, which is only passed on.
 */
export function findMeshConfigs(file: string, text: string): FoundFile {
  const spot = spotsOf(text);
  const found = {
    documents: [] as FileDocument[],
    objects: [] as KubernetesObject[],
    meshes: [] as MeshPlace[],
    switches: [] as HelmSwitch[],
    problems: [] as FileProblem[],
  };
  const whole = fileLayer(text);
  for (const document of readYamlDocuments(text)) {
    const locate: Locate = (path, onKey) => spot(document.offsetOf(path, onKey));
    const { number, value, parsed } = document;
    found.problems.push(...problemsOf(document, number, text, (offset) => spot(offset)));
    if (value === undefined || parsed === undefined) {
      found.documents.push({ number, what: 'not readable', value: undefined, locate });
      continue;
    }
    const objects = objectsOf(value);
    for (const { name, path, value: fields } of objects) {
      found.objects.push({
        ...name,
        document: number,
        value: fields,
        locate: (inside, onKey) => locate([...path, ...inside], onKey),
      });
      for (const candidate of candidatesOfObject(name, fields)) {
        const at = { ...candidate, path: [...path, ...candidate.path] };
        readPlace(at, name, { document, parsed, whole, spot, found });
      }
    }
    const what = whatIs(value, objects);
    if (objects.length === 0) {
      for (const candidate of candidatesOfDocument(value)) {
        readPlace(candidate, undefined, { document, parsed, whole, spot, found });
      }
    }
    for (const { path, value: at } of switchesIn(value, objects)) {
      found.switches.push({ ...locate(path, true), document: number, path, value: at });
    }
    found.documents.push({ number, what, value, locate });
  }
  return { file, text, ...found, spot, withText: (other) => findMeshConfigs(file, other) };
}

type Reading = {
  readonly document: YamlDocument;
  readonly parsed: Document;
  readonly whole: Layer;
  readonly spot: (offset: number) => Spot;
  readonly found: { readonly meshes: MeshPlace[]; readonly problems: FileProblem[] };
};

function readPlace({ kind, path, isText }: Candidate, object: ObjectName | undefined, reading: Reading): void {
  const { document, parsed, whole, spot, found } = reading;
  const { around, node } = walk(parsed, path);
  const place = { kind, document: document.number, object, revision: revisionOf(object), path };
  const what = placeName(object, kind, path);
  const problem = (type: FileProblem['kind'], at: Spot, message: string, hint: string) => {
    found.problems.push({ ...at, kind: type, document: document.number, message: `${what}: ${message}`, hint });
  };
  if (!isText) {
    const locate: Locate = (inside, onKey) => spot(document.offsetOf([...path, ...inside], onKey));
    const value = valueAt(document.value, path) ?? {};
    if (!isRecord(value)) {
      problem('notMap', locate([]), 'is no map of settings', 'write its settings below it, one a line');
      return;
    }
    const text = { layer: whole, document: parsed, base: document.start, root: node, around, outer: parsed };
    found.meshes.push({ ...place, what, ...read(value), locate, text });
    return;
  }

  const layer = scalarLayer(whole.text, document.start, node);
  if (layer === undefined) {
    const where = spot(document.offsetOf(path));
    problem(
      'notText',
      where,
      'is no text',
      'a ConfigMap holds texts: write mesh: | and the mesh config below it, indented',
    );
    return;
  }
  readMeshText({ ...place, what }, { layer, around, outer: parsed }, spot, found);
}

/** Reads a text that is a mesh config: that of a ConfigMap, in a file or by itself. */
function readMeshText(
  place: Pick<MeshPlace, 'kind' | 'document' | 'object' | 'revision' | 'path' | 'what'>,
  holder: Pick<MeshText, 'layer' | 'around' | 'outer'>,
  spot: (offset: number) => Spot,
  found: Reading['found'],
): void {
  const { layer } = holder;
  const { what } = place;
  const problem = (type: FileProblem['kind'], at: Spot, message: string, hint: string) => {
    found.problems.push({ ...at, kind: type, document: place.document, message: `${what}: ${message}`, hint });
  };
  const toFile = (offset: number): Spot => spot(layer.fileOffset(offset));
  const inner = readYamlDocuments(layer.text);
  const [first, second] = inner;
  if (second !== undefined) {
    const where = toFile(second.start);
    problem('severalDocuments', where, 'holds several YAML documents', 'keep one: istiod reads no more');
    return;
  }
  if (first === undefined) {
    const text = { ...holder, document: holder.outer, base: 0, root: null };
    found.meshes.push({ ...place, ...read({}), locate: () => spot(layer.start), text });
    return;
  }
  const problems = problemsOf(first, place.document, layer.text, toFile);
  const isFolded = layer.style === 'folded';
  found.problems.push(
    ...problems.map((one) => ({
      ...one,
      message: `${what}: ${one.message}`,
      hint: isFolded && one.kind === 'syntax' ? 'its line breaks are spaces (>): write mesh: | instead' : one.hint,
    })),
  );
  if (first.value === undefined || first.parsed === undefined) return;
  const locate: Locate = (inside, onKey) => toFile(first.offsetOf(inside, onKey));
  if (!isRecord(first.value)) {
    problem(
      'notMap',
      locate([]),
      'is no map of settings',
      'write its settings one a line, as in rootNamespace: istio-system',
    );
    return;
  }
  const root = first.parsed.contents;
  const text = { ...holder, document: first.parsed, base: first.start, root };
  found.meshes.push({ ...place, ...read(first.value), locate, text });
}

function read(mesh: Readonly<Record<string, unknown>>): Pick<MeshPlace, 'mesh' | 'sourcesKey' | 'configSources'> {
  const sourcesKey =
    'configSources' in mesh ? 'configSources' : 'config_sources' in mesh ? 'config_sources' : undefined;
  return { mesh, sourcesKey, configSources: sourcesKey === undefined ? [] : configSourcesOf(mesh[sourcesKey]) };
}

/** Nodes from the top of a document to a path, aliases included, and what they lead to. */
function walk(document: Document, path: Path): { around: Node[]; node: Node | null } {
  const around: Node[] = [];
  let node: unknown = document.contents;
  for (const step of path) {
    if (isNode(node)) around.push(node);
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) node = node.items.find(({ key }) => isScalar(key) && String(key.value) === step)?.value;
    else if (isSeq(node)) node = node.items[step as number];
    else node = undefined;
  }
  if (isNode(node)) around.push(node);
  if (isAlias(node)) node = node.resolve(document);
  return { around, node: isNode(node) ? node : null };
}

function isNode(value: unknown): value is Node {
  return isMap(value) || isSeq(value) || isScalar(value) || isAlias(value);
}

function valueAt(value: unknown, path: Path): unknown {
  let found = value;
  for (const step of path) {
    if (Array.isArray(found)) found = (found as readonly unknown[])[step as number];
    else found = isRecord(found) ? found[step] : undefined;
  }
  return found;
}

function candidatesOfDocument(value: unknown): Candidate[] {
  const values = candidatesOfValues(value);
  if (values.length > 0) return values;
  return isMeshConfig(value) ? [{ kind: 'meshConfig', path: [], isText: false }] : [];
}

function switchesIn(value: unknown, objects: readonly { name: ObjectName; path: Path }[]) {
  if (objects.length === 0) return switchesOf(value, []);
  return objects.flatMap(({ path }) =>
    ['values', 'unvalidatedValues'].flatMap((values) => {
      const base = [...path, 'spec', values];
      return switchesOf(valueAt(value, base), base);
    }),
  );
}

function whatIs(value: unknown, objects: readonly { name: ObjectName }[]): string {
  const [first, ...more] = objects;
  if (first !== undefined) return more.length > 0 ? `List of ${objects.length}` : objectText(first.name);
  if (candidatesOfValues(value).length > 0 || switchesOf(value, []).length > 0) return 'Helm values';
  return isMeshConfig(value) ? 'mesh config' : 'something else';
}

function objectText({ kind, name, namespace }: ObjectName): string {
  return [kind, namespace === '' ? name : `${namespace}/${name}`].filter((text) => text !== '').join(' ');
}

function placeName(object: ObjectName | undefined, kind: PlaceKind, path: Path): string {
  const where = path.filter((step) => typeof step === 'string' && step !== 'items').join('.');
  if (object !== undefined) return `${objectText(object)}, ${where}`;
  return kind === 'helmValues' ? `Helm values, ${where}` : 'mesh config';
}

/** istiod of revision R reads the ConfigMap `istio-R`; one without a revision, or of `default`, reads `istio`. */
function revisionOf(object: ObjectName | undefined): string | undefined {
  if (object?.kind !== 'ConfigMap') return undefined;
  return /^istio(?:-(.+))?$/
    .exec(object.name)
    ?.slice(1)
    .map((revision) => revision ?? '')[0];
}

function problemsOf(
  document: YamlDocument,
  number: number,
  text: string,
  spot: (offset: number) => Spot,
): FileProblem[] {
  const errors = document.faults.filter(({ severity }) => severity === 'error');
  const [first] = errors;
  if (first !== undefined && text.slice(document.start).includes('{{')) {
    const offset = text.indexOf('{{', document.start);
    return [
      {
        ...spot(offset),
        kind: 'template',
        document: number,
        message: 'is a template, not YAML',
        hint: 'render it first (helm template …), and give what comes out',
      },
    ];
  }
  return errors.map(({ message, offset }) => {
    const isDuplicate = /keys must be unique/i.test(message);
    return {
      ...spot(offset),
      kind: isDuplicate ? 'duplicateKey' : 'syntax',
      document: number,
      message: isDuplicate ? 'a key stands twice in one map' : `no readable YAML: ${message}`,
      hint: isDuplicate
        ? 'keep one of the two: which one counts depends on who reads it'
        : 'mend the line, then try again',
    };
  });
}

function spotsOf(text: string): (offset: number) => Spot {
  const starts = [0];
  for (let next = text.indexOf('\n'); next >= 0; next = text.indexOf('\n', next + 1)) starts.push(next + 1);
  return (offset) => {
    let [low, high] = [0, starts.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { offset, line: low + 1, column: offset - (starts[low] ?? 0) + 1 };
  };
}
