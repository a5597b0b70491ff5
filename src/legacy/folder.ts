import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { watch } from 'chokidar';
import { messageOf } from '../model/errors.ts';
import { type Collection, knownCollections } from '../model/kinds.ts';
import { findingText, type ParsedResource, parseYaml } from '../schema/yaml.ts';
import { encodeResourceMessage } from '../wire/resource-view.ts';
import type { SourceState, SourceView } from './source.ts';

/** A file that was not written to for so long is whole. */
const settleMs = 200;

const extensions = new Set(['.yaml', '.yml', '.json']);

export type FolderHandlers = {
  /** The state after the first reading, and after every change of it. */
  onView(view: SourceView, resources: number): void;
  /** Something in a file is not right; the rest is served, what breaks a rule of Istio too. One line. */
  onFinding(line: string): void;
};

/**
 * Reads the YAML files of a folder, its sub-folders included, and again whenever they change. A file that can't be
 * read, or is half written, keeps what it last said: a resource goes when its file, or its document in a file
 * without errors, is gone.
 *
 * @returns what ends the watching.
 * @throws where the folder cannot be read.
 */
export async function watchFolder(folder: string, handlers: FolderHandlers): Promise<() => Promise<void>> {
  const files = new Map<string, ReadonlyMap<string, ParsedResource>>();
  let version = '';
  const publish = () => {
    const { view, resources, digest } = viewOf(files, handlers);
    if (digest === version) return;
    version = digest;
    handlers.onView(view, resources);
  };
  const read = (file: string) => {
    if (!extensions.has(extname(file))) return;
    try {
      files.set(file, readFile(file, files.get(file), handlers));
    } catch (error) {
      handlers.onFinding(`${file}: ${messageOf(error)}; what it last said stays`);
    }
  };
  // chokidar does not say that it can't read the folder itself.
  readdirSync(folder);
  const watcher = watch(folder, {
    ignoreInitial: true,
    awaitWriteFinish: { stabilityThreshold: settleMs, pollInterval: 50 },
  });
  watcher.on('error', (error) => handlers.onFinding(`${folder}: ${messageOf(error)}`));
  await new Promise<void>((resolve) => {
    watcher.on('ready', () => resolve());
  });
  // Only now: what changes from here on is said. chokidar itself would begin with the files that it waits to see
  // settle, one by one after an empty state.
  for (const file of filesIn(folder)) read(file);
  publish();
  const changed = (file: string) => {
    read(file);
    publish();
  };
  watcher
    .on('add', changed)
    .on('change', changed)
    .on('unlink', (file) => {
      if (files.delete(file)) publish();
    });
  return () => watcher.close();
}

function filesIn(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries.flatMap((entry) => (entry.isDirectory() ? [] : [join(entry.parentPath, entry.name)])).sort();
}

function readFile(
  file: string,
  before: ReadonlyMap<string, ParsedResource> | undefined,
  handlers: FolderHandlers,
): Map<string, ParsedResource> {
  const { resources, findings } = parseYaml(readFileSync(file, 'utf8'), file, { rules: true });
  for (const finding of findings) handlers.onFinding(findingText(finding));
  const broken = findings.some(({ severity }) => severity === 'error');
  const now = new Map(broken ? before : undefined);
  for (const resource of resources) {
    const key = keyOf(resource);
    if (resource.kind.collection !== undefined) now.set(key, resource);
    else {
      const why = 'legacy MCP has no collection for its kind';
      handlers.onFinding(`${file}:${resource.line}: ${key} is not served: ${why}`);
    }
  }
  return now;
}

function keyOf({ kind, namespace, name }: ParsedResource): string {
  return `${kind.kind} ${namespace}/${name}`;
}

function viewOf(
  files: ReadonlyMap<string, ReadonlyMap<string, ParsedResource>>,
  handlers: FolderHandlers,
): { view: SourceView; resources: number; digest: string } {
  const owners = new Map<string, string>();
  const byCollection = new Map<Collection, Uint8Array[]>(knownCollections.map((collection) => [collection, []]));
  for (const file of [...files.keys()].sort()) {
    for (const [key, resource] of files.get(file) ?? []) {
      const owner = owners.get(key);
      if (owner !== undefined) {
        handlers.onFinding(`${file}:${resource.line}: ${key} is in ${owner} already; that one is served`);
        continue;
      }
      owners.set(key, file);
      byCollection.get(resource.kind.collection ?? '')?.push(encode(resource));
    }
  }
  const digests: string[] = [];
  const view = new Map<Collection, SourceState>();
  for (const [collection, resources] of byCollection) {
    const hash = createHash('sha256');
    for (const resource of resources) hash.update(String(resource.length)).update(resource);
    const version = hash.digest('base64url').slice(0, 16);
    digests.push(version);
    view.set(collection, { version, resources });
  }
  return { view, resources: owners.size, digest: digests.join() };
}

function encode({ kind, namespace, name, labels, annotations, createTime, body }: ParsedResource): Buffer {
  return encodeResourceMessage({
    name: `${namespace}/${name}`,
    version: createHash('sha256').update(body).digest('base64url').slice(0, 16),
    labels,
    annotations,
    ...(createTime === undefined ? {} : { createTime }),
    bodyType: kind.body,
    body,
  });
}
