import { readdirSync, readFileSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';
import type { NameRules } from '../intake/name.ts';
import { IsthmusError, messageOf } from '../model/errors.ts';
import { type Kind, kinds as allKinds } from '../model/kinds.ts';
import { findingText, type ParsedResource, parseDocuments } from '../schema/yaml.ts';
import { readYamlDocuments, type YamlDocument } from '../schema/yaml-documents.ts';
import { encodeResourceMessage } from '../wire/resource-view.ts';
import { type Item } from './diff-compare.ts';
import { type FileSide, type RawResource, readRaw, type Unreadable, viewOfObject } from './diff-sides.ts';

const extensions = new Set(['.yaml', '.yml', '.json']);

/** What `get -o json` and `-o yaml` write of a resource whose body can't be read. */
type Summary = { readonly kind: string; readonly name: string; readonly version: string; readonly size: number };

/** What was found in files so far. */
type Contents = {
  readonly resources: ParsedResource[];
  readonly summaries: Summary[];
  readonly errors: string[];
  readonly warnings: string[];
};

/**
 * Reads a folder of Istio YAML, or a file of it, such as `isthmus get` has written.
 * @throws IsthmusError USAGE where there is none, or CONFIG_INVALID with every mistake: a resource that can't be read
 *   is not one that is missing.
 */
export async function readFiles(path: string, kinds: readonly Kind[], rules: NameRules): Promise<FileSide> {
  const contents: Contents = { resources: [], summaries: [], errors: [], warnings: [] };
  for (const file of filesOf(path)) readFile(file, rules, contents);
  const { errors } = contents;
  if (errors.length > 0) {
    const lines = errors.slice(0, 20).map((line) => `\n  ${line}`);
    const rest = errors.length > 20 ? `\n  and ${errors.length - 20} more` : '';
    throw new IsthmusError('CONFIG_INVALID', path, `it can't be compared before it is right:${lines.join('')}${rest}`);
  }
  const items = new Map<string, readonly Item[]>();
  const unreadable: Unreadable[] = [];
  for (const kind of kinds) {
    const raws = firstOfEach(
      contents.resources.filter((one) => one.kind === kind),
      path,
      contents.warnings,
    );
    const read = await readRaw(kind, raws, rules);
    const summaries = contents.summaries.filter((one) => one.kind === kind.kind).map(summaryItem);
    items.set(kind.id, [...read.items.map((item) => ({ ...item, version: undefined })), ...summaries]);
    unreadable.push(...read.unreadable);
  }
  return { address: path, items, unreadable, close() {}, remarks: contents.warnings };
}

function filesOf(path: string): string[] {
  try {
    if (!statSync(path).isDirectory()) return [path];
    const entries = readdirSync(path, { recursive: true, withFileTypes: true });
    const files = entries.flatMap((entry) => (entry.isDirectory() ? [] : [join(entry.parentPath, entry.name)]));
    const found = files.filter((file) => extensions.has(extname(file))).sort();
    if (found.length > 0) return found;
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    const what = isMissing ? 'there is no such file or folder' : messageOf(error);
    const hint =
      'write xds://HOST:PORT, http://HOST:PORT, mcp://HOST:PORT, a folder of Istio YAML, a file of isthmus get, or a capture';
    throw new IsthmusError('USAGE', path, what, { hint, cause: error });
  }
  throw new IsthmusError('USAGE', path, 'there is no .yaml, .yml or .json file in it');
}

function readFile(file: string, { defaultNamespace }: NameRules, contents: Contents): void {
  const documents = documentsOf(readFileSync(file, 'utf8'));
  const others: YamlDocument[] = [];
  for (const document of documents) {
    const { resources, summaries } = split(document);
    contents.summaries.push(...summaries);
    if (resources !== undefined) others.push(resources);
  }
  const { resources, findings } = parseDocuments(others, file, { defaultNamespace });
  contents.resources.push(...resources);
  for (const finding of findings) {
    contents[finding.severity === 'error' ? 'errors' : 'warnings'].push(findingText(finding));
  }
}

/** YAML, or JSON: the list that `get -o json` writes is read by the faster of the two parsers. */
function documentsOf(text: string): YamlDocument[] {
  if (text.trimStart().startsWith('[')) {
    try {
      const value = { kind: 'List', items: JSON.parse(text) as unknown };
      return [
        {
          number: 1,
          value,
          faults: [],
          parsed: undefined,
          start: 0,
          locate: () => ({ line: 1, column: 1 }),
          offsetOf: () => 0,
        },
      ];
    } catch {
      // Then it is YAML, or a mistake that the other parser finds the place of.
    }
  }
  return readYamlDocuments(text);
}

/** Takes the summaries out of a document. */
function split(document: YamlDocument): { resources: YamlDocument | undefined; summaries: Summary[] } {
  const { value } = document;
  if (isSummary(value)) return { resources: undefined, summaries: [value] };
  const { kind, items } = (value ?? {}) as { kind?: unknown; items?: unknown };
  if (kind !== 'List' || !Array.isArray(items) || !items.some(isSummary)) return { resources: document, summaries: [] };
  const summaries = items.filter(isSummary);
  const resources = { ...document, value: { kind, items: items.filter((item) => !isSummary(item)) } };
  return { resources, summaries };
}

function isSummary(value: unknown): value is Summary {
  if (typeof value !== 'object' || value === null || 'apiVersion' in value) return false;
  const { kind, name, version, size } = value as Partial<Record<keyof Summary, unknown>>;
  return (
    allKinds.some((known) => known.kind === kind) &&
    typeof name === 'string' &&
    typeof version === 'string' &&
    typeof size === 'number'
  );
}

function summaryItem(summary: Summary): Item {
  const { name, version, size } = summary;
  return { key: name, content: version, version, bytes: size, view: async () => viewOfObject(summary) };
}

/** As `isthmus legacy-server` does: of one name, the first counts. */
function firstOfEach(resources: readonly ParsedResource[], path: string, remarks: string[]): RawResource[] {
  const raws = new Map<string, RawResource>();
  for (const resource of resources) {
    const name = `${resource.namespace}/${resource.name}`;
    if (raws.has(name))
      remarks.push(`${path}: ${resource.kind.kind} ${name} is there more than once; the first counts`);
    else raws.set(name, { name, version: undefined, raw: encode(name, resource) });
  }
  return [...raws.values()];
}

function encode(name: string, { kind, labels, annotations, createTime, body }: ParsedResource): Buffer {
  const created = createTime === undefined ? {} : { createTime };
  return encodeResourceMessage({ name, labels, annotations, ...created, bodyType: kind.body, body });
}
