import type { IntakeMessage } from '../../src/intake/message.ts';
import type { Change } from '../../src/model/change.ts';
import { type Kind, kindOf } from '../../src/model/kinds.ts';
import { noRow, type Resource, type ResourcePool } from '../../src/model/resource.ts';
import type { Holding } from '../../src/store/holding.ts';
import { Arena } from '../../src/wire/arena.ts';
import { viewed } from '../../src/wire/bytes.ts';
import { encodeResource } from '../../src/wire/resource-frame.ts';
import { hashResource, newResourceParts, orderMaps, scanResource, seedOf } from '../../src/wire/resource-parts.ts';
import { encodeResourceMessage, viewResource } from '../../src/wire/resource-view.ts';
import { SpanList } from '../../src/wire/spans.ts';
import { bodies } from '../../src/wire/root.ts';

/** The kind of this name. @throws where there is none. */
export function requireKind(name: string, group = 'networking.istio.io'): Kind {
  const kind = kindOf(group, name);
  if (kind === undefined) throw new Error(`no kind ${group}/${name}`);
  return kind;
}

export const serviceEntry = requireKind('ServiceEntry');
export const workloadEntry = requireKind('WorkloadEntry');

/** A ServiceEntry body. */
export function serviceEntryBody(spec: Readonly<Record<string, unknown>>): Buffer {
  return Buffer.from(bodies().lookupType(serviceEntry.body).encode(spec).finish());
}

/** A good resource as a legacy server sends it; `content` is told apart by the host of its body. */
export function legacyResource(name: string, content = 'a', bodyType = serviceEntry.body): Buffer {
  return encodeResourceMessage({
    name,
    createTime: new Date(0),
    bodyType,
    body: serviceEntryBody({ hosts: [content] }),
  });
}

/** A resource with labels as a legacy server sends it. */
export function labelledResource(
  name: string,
  labels: Readonly<Record<string, string>>,
  body = serviceEntryBody({ hosts: ['a'] }),
  bodyType = serviceEntry.body,
): Buffer {
  return encodeResourceMessage({ name, createTime: new Date(0), labels, bodyType, body });
}

/** A ServiceEntry as a legacy server sends it. */
export function serviceEntryResource(
  name: string,
  spec: Readonly<Record<string, unknown>>,
  metadata: Pick<Parameters<typeof encodeResourceMessage>[0], 'labels' | 'annotations' | 'createTime'> = {},
): Buffer {
  const body = serviceEntryBody(spec);
  return encodeResourceMessage({ name, createTime: new Date(0), ...metadata, bodyType: serviceEntry.body, body });
}

/** The content that {@link legacyResource} or {@link newRow} was given. */
export function contentOf(resource: Resource): string {
  const body = bodies().lookupType(serviceEntry.body).decode(viewResource(resource).body);
  return (body as unknown as { hosts: string[] }).hosts.join();
}

/** One message of a source. */
export function messageOf(
  resources: readonly Uint8Array[],
  options: { full?: boolean; removed?: readonly string[] } = {},
): IntakeMessage {
  const spans = new SpanList();
  let at = 0;
  for (const { length } of resources) {
    spans.add(at, at + length);
    at += length;
  }
  return {
    bytes: Buffer.concat(resources),
    spans: spans.all(),
    removed: options.removed ?? [],
    full: options.full ?? true,
  };
}

const bodyType = viewed(Buffer.from(`type.googleapis.com/${serviceEntry.body}`));

/** A row for an encoded resource, as the intake makes it. */
export function newRow(pool: ResourcePool, key: string, content = 'a', arena = new Arena()): number {
  const bytes = viewed(legacyResource(key, content));
  const parts = newResourceParts();
  scanResource(bytes, 0, bytes.length, parts);
  orderMaps(bytes, parts, {});
  hashResource(bytes, parts, undefined, seedOf(bodyType));
  return encodeResource(bytes, parts, undefined, bodyType, arena, pool);
}

/** A change that says nothing but what is given. */
/** Applies a change to a holding that no list is made of; says what left. */
export function applyAtOnce(holding: Holding, parts: Partial<Change>, at = new Date(0)) {
  const removals: string[] = [];
  const work = holding.apply(newChange(parts), { date: at, at: at.getTime() }, (key, row) => {
    if (row === noRow) removals.push(key);
  });
  let step = work.next();
  while (step.done !== true) step = work.next();
  return { ...step.value, removals };
}

export function newChange(parts: Partial<Change>): Change {
  return {
    upserts: [],
    replaced: [],
    fresh: [],
    overwritten: 0,
    missing: [],
    confirmed: [],
    quarantined: [],
    full: true,
    received: 0,
    repairs: { bareNames: 0, createTimes: 0, duplicates: 0 },
    ...parts,
  };
}
