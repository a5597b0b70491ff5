import { Intake } from '../intake/intake.ts';
import type { NameRules } from '../intake/name.ts';
import { IsthmusError } from '../model/errors.ts';
import type { Kind } from '../model/kinds.ts';
import { type Resource, ResourcePool } from '../model/resource.ts';
import { resourceToObject } from '../schema/object.ts';
import { Arena } from '../wire/arena.ts';
import { readRows } from '../wire/resource-frame.ts';
import { ResourceTable } from '../wire/resource-table.ts';
import { viewResource } from '../wire/resource-view.ts';
import { SpanList } from '../wire/spans.ts';
import type { Item, ItemView } from './diff-compare.ts';
import { type Reader, type Reading, type Served, silenceError } from './get-readers.ts';

/** A resource that can't be compared, with the reason. */
export type Unreadable = { readonly kind: string; readonly name: string; readonly why: string };

/** One of the two that are compared. */
export type Side = {
  /** As the user wrote it. */
  readonly address: string;
  /** Kind id → what it has of it. What is not in it, the side can't say anything of. */
  readonly items: ReadonlyMap<string, readonly Item[]>;
  readonly unreadable: readonly Unreadable[];
  /** Ends what its items may still ask for. */
  close(): void;
};

/** A side that was read from disk. */
export type FileSide = Side & {
  /** What is to be said of it, one line each. */
  readonly remarks: readonly string[];
};

/** Names and bytes of the resources of one kind, as the wire has them. */
export type RawResource = { readonly name: string; readonly version: string | undefined; readonly raw: Buffer };

/**
 * Reads what an address serves of `kinds`.
 * @throws IsthmusError UNREACHABLE where it does not answer for all of them: no answer is no empty list.
 */
export async function readSide(
  address: string,
  kinds: readonly Kind[],
  open: (kinds: readonly Kind[], reading: Reading) => Reader,
  rules: NameRules,
  timeoutMs: number,
): Promise<Side> {
  const { served, close } = await readAll(address, kinds, open, timeoutMs);
  const items = new Map<string, readonly Item[]>();
  const unreadable: Unreadable[] = [];
  for (const kind of kinds) {
    const resources = served.get(kind.id) ?? [];
    if (resources.some(({ raw }) => raw === undefined)) {
      items.set(
        kind.id,
        resources.map((one) => listedItem(address, one)),
      );
      continue;
    }
    const raws = resources.map(({ namespace, name, version, raw }) => ({
      name: namespace === '' ? name : `${namespace}/${name}`,
      version,
      raw: raw as Buffer,
    }));
    const read = await readRaw(kind, raws, rules);
    items.set(kind.id, read.items);
    unreadable.push(...read.unreadable);
  }
  return { address, items, unreadable, close };
}

async function readAll(
  address: string,
  kinds: readonly Kind[],
  open: (kinds: readonly Kind[], reading: Reading) => Reader,
  timeoutMs: number,
): Promise<{ served: ReadonlyMap<string, readonly Served[]>; close: () => void }> {
  const answers = new Map<string, readonly Served[]>();
  let reader: Reader | undefined;
  let timer: NodeJS.Timeout | undefined;
  const close = () => reader?.close();
  try {
    const failure = await new Promise<IsthmusError | undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), timeoutMs);
      reader = open(kinds, {
        onKind({ kind, resources }) {
          answers.set(kind.id, resources);
          if (kinds.every(({ id }) => answers.has(id))) resolve(undefined);
        },
        onEnd: resolve,
      });
    });
    const silent = kinds.filter(({ id }) => !answers.has(id)).map(({ kind }) => kind);
    if (silent.length === 0) return { served: answers, close };
    throw failure ?? silenceError(address, silent, kinds.length);
  } catch (error) {
    close();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** What the admin pages list: the version is the hash of the content, the rest is asked for when it is needed. */
function listedItem(address: string, { kind, namespace, name, version, bytes, object }: Served): Item {
  const key = `${namespace}/${name}`;
  const view = async () => {
    const found = await object();
    if (found !== undefined) return viewOfObject(found);
    throw new IsthmusError('UNREACHABLE', address, `${kind} ${key} changed while it was read`, { hint: 'try again' });
  };
  return { key, content: version, version, bytes, view };
}

/** A Kubernetes object, or a summary of what can't be read. */
export function viewOfObject(object: object): ItemView {
  const { metadata, spec, createTime } = object as {
    metadata?: { labels?: Record<string, string>; annotations?: Record<string, string>; creationTimestamp?: string };
    spec?: unknown;
    createTime?: string;
  };
  return {
    labels: metadata === undefined ? undefined : (metadata.labels ?? {}),
    annotations: metadata === undefined ? undefined : (metadata.annotations ?? {}),
    createTime: metadata?.creationTimestamp ?? createTime?.replace('.000Z', 'Z'),
    spec,
    body: undefined,
    isPartial: false,
  };
}

/** Reads resources as the bridge does: names, bodies, versions and what is wrong are those that it would send. */
export async function readRaw(
  kind: Kind,
  raws: readonly RawResource[],
  rules: NameRules,
): Promise<{ items: Item[]; unreadable: Unreadable[] }> {
  const found = new SpanList();
  let at = 0;
  for (const { raw } of raws) {
    found.add(at, at + raw.length);
    at += raw.length;
  }
  const bytes = Buffer.concat(raws.map(({ raw }) => raw));
  const pool = new ResourcePool();
  const held = { resources: new ResourceTable(pool), arena: new Arena(), listed: undefined };
  const message = { bytes, spans: found.all(), removed: [], full: true };
  const { upserts, quarantined } = await new Intake(kind, rules).take(message, held);
  const keyOf = (name: string) => (name.includes('/') ? name : `${rules.defaultNamespace}/${name}`);
  const versions = new Map(raws.map(({ name, version }) => [keyOf(name), version]));
  return {
    items: Array.from(readRows(pool, upserts), (resource) => ({
      key: resource.key,
      content: resource.version,
      version: versions.get(resource.key),
      bytes: resource.end - resource.start,
      view: async () => viewOfResource(resource),
    })),
    unreadable: quarantined.map(({ key, message: why }) => ({ kind: kind.kind, name: key, why })),
  };
}

function viewOfResource(resource: Resource): ItemView {
  const view = viewResource(resource);
  const { object, notes } = resourceToObject(view);
  return {
    labels: view.labels,
    annotations: view.annotations,
    createTime: view.createTime?.replace('.000Z', 'Z'),
    spec: 'spec' in object ? object.spec : undefined,
    body: view.body,
    isPartial: notes.length > 0,
  };
}
